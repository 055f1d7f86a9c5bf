package storetest

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/internal/store"
)

var ingestCases = []testCase{
	{"E14_LoadsTableIndexAndHeadInOneStep", func(h *harness) {
		h.set("doc", "cursor", "old")
		h.ok(h.s.Ingest(h.ctx, &store.Bulk{
			Spaces: []store.BulkSpace{load("out", "a", "1", "b", "2"), load("exp", "1a", ""), load("none")},
			Heads:  map[string]uint64{"l": 2},
			Writes: []store.Write{
				{Space: "doc", Key: []byte("cursor"), Value: []byte("new")},
				{Space: "out", Key: []byte("c"), Value: []byte("3")},
			},
		}))
		for range 2 {
			h.equal("out", h.rows("out"), []string{"a=1", "b=2", "c=3"})
			h.equal("exp", h.rows("exp"), []string{"1a="})
			h.equal("none", h.rows("none"), []string(nil))
			h.equal("doc", h.rows("doc"), []string{"cursor=new"})
			h.wantHead("l", 2, 3)
			h.reopen()
		}
		_, err := h.changes("l", 0, 9)
		h.is(err, store.ErrTrimmed)
		got, err := h.changes("l", 2, 9)
		h.ok(err)
		h.equal("changes", got, []string(nil))
		h.equal("receipt", h.append("l", "c").Heads, map[string]uint64{"l": 3})
		h.set("out", "b", "changed")
		h.equal("out", h.rows("out"), []string{"a=1", "b=changed", "c=3"})
	}},
	{"E14_SpaceMustBeEmpty", func(h *harness) {
		h.set("full", "a", "1")
		h.set("emptied", "a", "1")
		h.commit(store.Commit{Clear: []store.SpaceRange{{Space: "emptied"}}})
		h.is(h.s.Ingest(h.ctx, &store.Bulk{
			Spaces: []store.BulkSpace{load("emptied", "b", "2"), load("full", "b", "2")},
			Writes: []store.Write{{Space: "doc", Key: []byte("k")}},
		}), store.ErrNotEmpty)
		h.equal("full", h.rows("full"), []string{"a=1"})
		h.equal("emptied", h.rows("emptied"), []string(nil))
		h.equal("doc", h.rows("doc"), []string(nil))
		h.ok(h.s.Ingest(h.ctx, &store.Bulk{Spaces: []store.BulkSpace{load("emptied", "b", "2")}}))
		h.equal("emptied", h.rows("emptied"), []string{"b=2"})
		h.is(h.s.Ingest(h.ctx, &store.Bulk{Spaces: []store.BulkSpace{load("emptied", "c", "3")}}), store.ErrNotEmpty)
	}},
	{"E14_SpaceFilledDuringTheLoad", func(h *harness) {
		err := h.s.Ingest(h.ctx, &store.Bulk{Spaces: []store.BulkSpace{{
			Space: "s", Rows: func(put func(k, v []byte) error) error {
				h.set("s", "other", "writer")
				return put([]byte("a"), nil)
			},
		}}})
		h.is(err, store.ErrNotEmpty)
		h.equal("rows", h.rows("s"), []string{"other=writer"})
	}},
	{"E14_LogMustBeEmpty", func(h *harness) {
		h.append("l", "a", "b")
		ingest := func(head uint64) error {
			return h.s.Ingest(h.ctx, &store.Bulk{
				Spaces: []store.BulkSpace{load(fmt.Sprint("s", head), "a", "1")}, Heads: map[string]uint64{"l": head},
			})
		}
		h.is(ingest(9), store.ErrNotEmpty)
		h.trim("l", 2)
		h.is(ingest(1), store.ErrNotEmpty) // numbers would repeat
		h.equal("rows", h.rows("s1"), []string(nil))
		h.ok(ingest(2))
		h.ok(ingest(7))
		h.wantHead("l", 7, 8)
	}},
	{"E14_KeysMustAscendStrictly", func(h *harness) {
		for name, pairs := range map[string][]string{
			"down": {"b", "", "a", ""}, "equal": {"a", "", "a", ""}, "empty twice": {"", "", "", ""},
		} {
			err := h.s.Ingest(h.ctx, &store.Bulk{Spaces: []store.BulkSpace{load("good", "a", "1"), load("bad", pairs...)}})
			h.is(err, store.ErrUnsorted)
			h.equal(name, [][]string{h.rows("good"), h.rows("bad")}, [][]string{nil, nil})
		}
		err := h.s.Ingest(h.ctx, &store.Bulk{Spaces: []store.BulkSpace{{
			Space: "careless", Rows: func(put func(k, v []byte) error) error {
				_, _, _ = put([]byte("b"), nil), put([]byte("a"), nil), put([]byte("c"), nil)
				return nil
			},
		}}})
		h.is(err, store.ErrUnsorted)
		h.ok(h.s.Ingest(h.ctx, &store.Bulk{Spaces: []store.BulkSpace{load("bad", "", "empty key", "\x00", "", "\xff", "")}}))
		h.equal("rows", h.rows("bad"), []string{"=empty key", "\x00=", "\xff="})
	}},
	{"E14_ErrorOfOneSpaceLoadsNothing", func(h *harness) {
		err := h.s.Ingest(h.ctx, &store.Bulk{
			Spaces: []store.BulkSpace{
				load("a", "k", "v"),
				{Space: "b", Rows: func(put func(k, v []byte) error) error {
					if err := put([]byte("k"), nil); err != nil {
						return err
					}
					return errMine
				}},
			},
			Heads:  map[string]uint64{"l": 1},
			Writes: []store.Write{{Space: "doc", Key: []byte("k")}},
		})
		h.is(err, errMine)
		h.equal("rows", [][]string{h.rows("a"), h.rows("b"), h.rows("doc")}, [][]string{nil, nil, nil})
		h.wantHead("l", 0, 1)
		h.reopen()
		h.equal("rows", [][]string{h.rows("a"), h.rows("b"), h.rows("doc")}, [][]string{nil, nil, nil})
	}},
	{"E14_KeyAndValueAreCopied", func(h *harness) {
		h.ok(h.s.Ingest(h.ctx, &store.Bulk{Spaces: []store.BulkSpace{{
			Space: "s", Rows: func(put func(k, v []byte) error) error {
				k, v := make([]byte, 4), make([]byte, 4)
				for i := range 5000 {
					copy(k, fmt.Sprintf("%04d", i))
					copy(v, k)
					if err := put(k, v); err != nil {
						return err
					}
				}
				return nil
			},
		}}}))
		rows := h.rows("s")
		h.equal("rows", len(rows), 5000)
		for i, row := range rows {
			if want := fmt.Sprintf("%04d=%04d", i, i); row != want {
				h.Fatalf("row %d is %q, want %q", i, row, want)
			}
		}
	}},
	{"SpaceNamedTwiceIsRefused", func(h *harness) {
		err := h.s.Ingest(h.ctx, &store.Bulk{Spaces: []store.BulkSpace{load("s", "a", ""), load("s", "b", "")}})
		if err == nil {
			h.Fatal("a load that names a space twice was taken")
		}
		h.equal("rows", h.rows("s"), []string(nil))
	}},
	{"CancelledContextLoadsNothing", func(h *harness) {
		ctx, cancel := context.WithCancel(h.ctx)
		err := h.s.Ingest(ctx, &store.Bulk{Spaces: []store.BulkSpace{{
			Space: "s", Rows: func(put func(k, v []byte) error) error {
				err := put([]byte("a"), nil)
				cancel()
				return err
			},
		}}})
		h.is(err, context.Canceled)
		h.equal("rows", h.rows("s"), []string(nil))
		h.ok(h.s.Ingest(h.ctx, &store.Bulk{Spaces: []store.BulkSpace{load("s", "a", "")}}))
	}},
	{"LoadWithoutRowsCommitsItsWrites", func(h *harness) {
		h.ok(h.s.Ingest(h.ctx, &store.Bulk{
			Heads: map[string]uint64{"l": 0}, Writes: []store.Write{{Space: "doc", Key: []byte("k")}},
		}))
		h.equal("doc", h.rows("doc"), []string{"k="})
		h.wantHead("l", 0, 1)
	}},
}
