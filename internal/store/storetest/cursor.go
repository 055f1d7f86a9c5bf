package storetest

import (
	"context"

	"github.com/remeld/remeld/internal/store"
)

// drain reads a cursor to its end.
func drain(c store.Cursor) []string {
	var rows []string
	for c.Next() {
		rows = append(rows, string(c.Key())+"="+string(c.Value()))
	}
	return rows
}

func (h *harness) cursor(space string, r store.Range) store.Cursor {
	h.Helper()
	c, err := h.view().Cursor(h.ctx, space, r)
	h.ok(err)
	h.Cleanup(func() { _ = c.Close() })
	return c
}

var cursorCases = []testCase{
	{"StartsBeforeTheFirstRow", func(h *harness) {
		h.set("s", "a", "1", "b", "2", "c", "")
		c := h.cursor("s", rng("a", ""))
		h.equal("key before Next", c.Key(), []byte(nil))
		h.equal("rows", drain(c), []string{"a=1", "b=2", "c="})
		h.equal("Next after the end", c.Next(), false)
		h.equal("key after the end", c.Key(), []byte(nil))
		h.ok(c.Err())
	}},
	{"KeepsToItsRange", func(h *harness) {
		h.set("s", "a", "1", "b", "2", "c", "3", "d", "4")
		h.equal("rows", drain(h.cursor("s", rng("b", "d"))), []string{"b=2", "c=3"})
		h.equal("inverted", drain(h.cursor("s", rng("d", "b"))), []string(nil))
		h.equal("unknown space", drain(h.cursor("never seen", store.Range{})), []string(nil))
		c := h.cursor("never seen", store.Range{})
		h.equal("seek in an unknown space", c.Seek([]byte("a")), false)
		h.ok(c.Err())
	}},
	{"SeekGoesBothWays", func(h *harness) {
		h.set("s", "a", "1", "b", "2", "d", "4", "e", "5", "z", "9")
		c := h.cursor("s", rng("b", "z"))
		for _, tc := range []struct {
			seek, want string
		}{{"c", "d"}, {"d", "d"}, {"a", "b"}, {"", "b"}, {"e\x00", ""}, {"b", "b"}, {"zz", ""}, {"e", "e"}} {
			ok := c.Seek([]byte(tc.seek))
			h.equal("seek "+tc.seek+" finds", ok, tc.want != "")
			h.equal("key after seek "+tc.seek, string(c.Key()), tc.want)
		}
		h.equal("seek", c.Seek([]byte("c")), true)
		h.equal("rows after it", drain(c), []string{"e=5"})
		h.equal("seek past the end", c.Seek([]byte("y")), false)
		h.equal("Next past the end", c.Next(), false)
		h.equal("seek from past the end", c.Seek(nil), true)
		h.equal("rows after the first", drain(c), []string{"d=4", "e=5"})
		h.ok(c.Err())
	}},
	{"ClosedCursorSaysSo", func(h *harness) {
		h.set("s", "a", "1")
		c := h.cursor("s", store.Range{})
		h.equal("Next", c.Next(), true)
		h.ok(c.Close())
		h.equal("Next after Close", c.Next(), false)
		h.is(c.Err(), store.ErrClosed)
		h.ok(c.Close())
	}},
	{"EndsWithItsView", func(h *harness) {
		h.set("s", "a", "1")
		v := h.view()
		c, err := v.Cursor(h.ctx, "s", store.Range{})
		h.ok(err)
		h.ok(v.Close())
		h.equal("Next after the view's Close", c.Next(), false)
		h.is(c.Err(), store.ErrClosed)
		h.ok(c.Close())
	}},
	{"EndsWithItsContext", func(h *harness) {
		h.set("s", "a", "1")
		ctx, cancel := context.WithCancel(h.ctx)
		c, err := h.view().Cursor(ctx, "s", store.Range{})
		h.ok(err)
		cancel()
		h.equal("Next", c.Next(), false)
		h.is(c.Err(), context.Canceled)
		h.ok(c.Close())
	}},
}
