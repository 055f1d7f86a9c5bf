package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/remeld/remeld/internal/store"
)

var errMine = errors.New("the callback's own")

var readCases = []testCase{
	{"ViewIsOneSnapshot", func(h *harness) {
		h.set("s", "a", "1", "b", "1")
		h.append("l", "a")
		v := h.view()
		c, err := v.Cursor(h.ctx, "s", store.Range{})
		h.ok(err)
		h.set("s", "a", "2", "c", "2")
		h.set("new", "k", "v")
		h.commit(store.Commit{Clear: []store.SpaceRange{{Space: "s", Range: rng("b", "c")}}})
		h.append("l", "b")
		h.commit(store.Commit{Trims: []store.Trim{{Log: "l", UpTo: 2}}})
		h.ok(h.s.Ingest(h.ctx, &store.Bulk{Spaces: []store.BulkSpace{load("loaded", "k", "v")}}))

		rows, err := scan(h.ctx, v, "s", store.Range{})
		h.ok(err)
		h.equal("rows", rows, []string{"a=1", "b=1"})
		h.equal("cursor", drain(c), []string{"a=1", "b=1"})
		names, err := v.Spaces(h.ctx, "")
		h.ok(err)
		h.equal("spaces", names, []string{"s"})
		got, err := changes(h.ctx, v, "l", 0, 9)
		h.ok(err)
		h.equal("changes", got, []string{"1=a"})
		rows, err = scan(h.ctx, v, "loaded", store.Range{})
		h.ok(err)
		h.equal("loaded", rows, []string(nil))
		h.ok(c.Close())
	}},
	{"GetReturnsACopyOrNil", func(h *harness) {
		h.set("s", "a", "1")
		v := h.view()
		got, err := v.Get(h.ctx, "s", []byte("a"))
		h.ok(err)
		copy(got, "X")
		got, err = v.Get(h.ctx, "s", []byte("a"))
		h.ok(err)
		h.equal("value", string(got), "1")
		for _, space := range []string{"s", "never seen"} {
			got, err = v.Get(h.ctx, space, []byte("b"))
			h.ok(err)
			h.equal("absent", got, []byte(nil))
		}
	}},
	{"GetManyAnswersEveryKeyInOrder", getMany},
	{"GetManyRefusesUnsortedKeys", func(h *harness) {
		h.set("s", "a", "1")
		v := h.view()
		err := v.GetMany(h.ctx, "s", bs("b", "a"), func(int, []byte) error { return nil })
		h.is(err, store.ErrUnsorted)
		h.ok(v.GetMany(h.ctx, "s", nil, func(int, []byte) error { return errMine }))
	}},
	{"ScanTakesExactlyTheRange", func(h *harness) {
		h.set("s", "", "0", "a", "1", "b", "2", "b\x00", "3", "c", "4")
		v := h.view()
		for _, tc := range []struct {
			r    store.Range
			want []string
		}{
			{store.Range{}, []string{"=0", "a=1", "b=2", "b\x00=3", "c=4"}},
			{rng("a", "b"), []string{"a=1"}},
			{rng("b", ""), []string{"b=2", "b\x00=3", "c=4"}},
			{rng("", "b\x00"), []string{"=0", "a=1", "b=2"}},
			{rng("aa", "aaa"), nil},
			{rng("c", "a"), nil},
			{store.Range{To: []byte{}}, nil},
			{store.Range{From: []byte{}, To: []byte("a")}, []string{"=0"}},
		} {
			rows, err := scan(h.ctx, v, "s", tc.r)
			h.ok(err)
			h.equal(fmt.Sprintf("up %q to %q", tc.r.From, tc.r.To), rows, tc.want)
			var back []string
			h.ok(v.ScanBack(h.ctx, "s", tc.r, func(k, val []byte) error {
				back = append(back, string(k)+"="+string(val))
				return nil
			}))
			slices.Reverse(back)
			h.equal(fmt.Sprintf("down %q to %q", tc.r.From, tc.r.To), back, tc.want)
		}
	}},
	{"CallbackEndsAWalk", callbackEnds},
	{"CancelledContextEndsAWalk", func(h *harness) {
		h.set("s", "a", "1")
		v := h.view()
		ctx, cancel := context.WithCancel(h.ctx)
		cancel()
		_, err := scan(ctx, v, "s", store.Range{})
		h.is(err, context.Canceled)
		_, err = v.Get(ctx, "s", []byte("a"))
		h.is(err, context.Canceled)
	}},
	{"SpacesThatHoldRows", func(h *harness) {
		h.set("b/2", "k", "v")
		h.set("b/1", "k", "v")
		h.set("a", "k", "v")
		h.set("b/3", "k", "v")
		h.commit(store.Commit{Writes: []store.Write{{Space: "b/3", Key: []byte("k"), Delete: true}}})
		v := h.view()
		names, err := v.Spaces(h.ctx, "")
		h.ok(err)
		h.equal("all", names, []string{"a", "b/1", "b/2"})
		names, err = v.Spaces(h.ctx, "b/")
		h.ok(err)
		h.equal("prefix", names, []string{"b/1", "b/2"})
		names, err = v.Spaces(h.ctx, "c")
		h.ok(err)
		h.equal("none", names, []string(nil))
	}},
	{"CallbackMayWriteAndRead", func(h *harness) {
		h.set("s", "a", "1", "b", "2")
		v := h.view()
		h.ok(v.Scan(h.ctx, "s", store.Range{}, func(k, val []byte) error {
			if _, err := v.Get(h.ctx, "s", k); err != nil {
				return err
			}
			_, err := h.s.Commit(h.ctx, &store.Commit{Writes: []store.Write{{Space: "t", Key: k, Value: val}}})
			return err
		}))
		h.equal("rows", h.rows("t"), []string{"a=1", "b=2"})
	}},
}

func getMany(h *harness) {
	const rows = 3000
	var w []store.Write
	for i := range rows {
		w = append(w, store.Write{Space: "s", Key: fmt.Appendf(nil, "%06d", i*2), Value: fmt.Append(nil, i*2)})
	}
	h.commit(store.Commit{Writes: w})
	v := h.view()
	// Every key (odd ones are absent), a sparse choice, repeats, and both at once.
	for name, step := range map[string]func(i int) int{
		"dense":  func(i int) int { return i + 1 },
		"sparse": func(i int) int { return i + 501 },
		"repeat": func(i int) int { return i + i%2 + (i/2)%2 },
		"mixed":  func(i int) int { return i + 1 + (i%700)/600*300 },
	} {
		var keys [][]byte
		for i, n := 0, 0; i < 2*rows+50 && n < 9000; n++ {
			keys = append(keys, fmt.Appendf(nil, "%06d", i))
			if next := step(i); next > i || n%3 == 0 {
				i = max(next, i+1)
			}
		}
		n := 0
		h.ok(v.GetMany(h.ctx, "s", keys, func(i int, value []byte) error {
			want, err := v.Get(h.ctx, "s", keys[i])
			if err != nil {
				return err
			}
			if i != n || (want == nil) != (value == nil) || string(want) != string(value) {
				return fmt.Errorf("%s: call %d is for key %d (%s): %q, want %q", name, n, i, keys[i], value, want)
			}
			n++
			return nil
		}))
		h.equal(name+" calls", n, len(keys))
	}
	n := 0
	h.ok(v.GetMany(h.ctx, "never seen", bs("a", "a", "b"), func(_ int, value []byte) error {
		n++
		if value != nil {
			return errMine
		}
		return nil
	}))
	h.equal("calls", n, 3)
}

func callbackEnds(h *harness) {
	h.set("s", "a", "1", "b", "2", "c", "3")
	h.append("l", "a", "b", "c")
	v := h.view()
	walks := map[string]func(end func() error) error{
		"scan": func(end func() error) error {
			return v.Scan(h.ctx, "s", store.Range{}, func(_, _ []byte) error { return end() })
		},
		"scan back": func(end func() error) error {
			return v.ScanBack(h.ctx, "s", store.Range{}, func(_, _ []byte) error { return end() })
		},
		"get many": func(end func() error) error {
			return v.GetMany(h.ctx, "s", bs("a", "b", "c"), func(int, []byte) error { return end() })
		},
		"get many of nothing": func(end func() error) error {
			return v.GetMany(h.ctx, "never seen", bs("a", "b", "c"), func(int, []byte) error { return end() })
		},
		"changes": func(end func() error) error {
			return v.Changes(h.ctx, "l", 0, 9, func(uint64, []byte) error { return end() })
		},
	}
	for name, walk := range walks {
		for _, tc := range []struct{ give, want error }{{store.Stop, nil}, {errMine, errMine}} {
			n := 0
			err := walk(func() error {
				if n++; n == 2 {
					return tc.give
				}
				return nil
			})
			if err != tc.want { //nolint:errorlint // "is returned as it is"
				h.Fatalf("%s: error is %v, want %v itself", name, err, tc.want)
			}
			h.equal(name+" calls", n, 2)
		}
	}
}
