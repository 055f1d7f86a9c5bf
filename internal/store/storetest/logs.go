package storetest

import (
	"math"

	"github.com/remeld/remeld/internal/store"
)

func (h *harness) trim(log string, upTo uint64) {
	h.Helper()
	h.commit(store.Commit{Trims: []store.Trim{{Log: log, UpTo: upTo}}})
}

func (h *harness) wantHead(log string, last, first uint64) {
	h.Helper()
	l, f := h.head(log)
	h.equal("head of "+log, []uint64{l, f}, []uint64{last, first})
}

var logCases = []testCase{
	{"E1_NumbersStartAtOneAndReceiptTellsTheLast", func(h *harness) {
		r := h.commit(store.Commit{Appends: []store.Append{
			{Log: "l", Keys: bs("a", "b")}, {Log: "m", Keys: bs("x")}, {Log: "l", Keys: bs("c")},
		}})
		h.equal("receipt", r.Heads, map[string]uint64{"l": 3, "m": 1})
		r = h.append("l", "d")
		h.equal("receipt", r.Heads, map[string]uint64{"l": 4})
		got, err := h.changes("l", 0, 9)
		h.ok(err)
		h.equal("changes", got, []string{"1=a", "2=b", "3=c", "4=d"})
		h.wantHead("l", 4, 1)
		h.equal("receipt of no keys", h.append("l").Heads, map[string]uint64{"l": 4})
	}},
	{"UnknownLogIsEmpty", func(h *harness) {
		h.trim("never seen", 9)
		h.wantHead("never seen", 0, 1)
		got, err := h.changes("never seen", 0, 9)
		h.ok(err)
		h.equal("changes", got, []string(nil))
		_, err = h.changes("never seen", 5, 9)
		h.ok(err)
	}},
	{"ChangesFollowTheCursor", func(h *harness) {
		h.append("l", "a", "b", "c", "d")
		for _, tc := range []struct {
			after uint64
			limit int
			want  []string
		}{
			{0, 2, []string{"1=a", "2=b"}},
			{2, 2, []string{"3=c", "4=d"}},
			{3, 100, []string{"4=d"}},
			{4, 9, nil}, {9, 9, nil}, {math.MaxUint64, 9, nil}, {0, 0, nil}, {0, -1, nil},
			{0, math.MaxInt, []string{"1=a", "2=b", "3=c", "4=d"}},
		} {
			got, err := h.changes("l", tc.after, tc.limit)
			h.ok(err)
			h.equal("changes", got, tc.want)
		}
	}},
	{"E2_TrimmedPastTheCursor", func(h *harness) {
		h.append("l", "a", "b", "c", "d")
		h.trim("l", 2)
		h.wantHead("l", 4, 3)
		for after := range uint64(2) {
			_, err := h.changes("l", after, 9)
			h.is(err, store.ErrTrimmed)
		}
		got, err := h.changes("l", 2, 9)
		h.ok(err)
		h.equal("changes", got, []string{"3=c", "4=d"})
		h.trim("l", 1)
		h.wantHead("l", 4, 3)
		h.trim("l", 0)
		h.wantHead("l", 4, 3)
	}},
	{"E1_NumbersNeverRepeatAfterAFullTrim", func(h *harness) {
		h.append("l", "a", "b")
		h.trim("l", math.MaxUint64)
		h.wantHead("l", 2, 3)
		h.reopen()
		h.wantHead("l", 2, 3)
		got, err := h.changes("l", 2, 9)
		h.ok(err)
		h.equal("changes", got, []string(nil))
		_, err = h.changes("l", 1, 9)
		h.is(err, store.ErrTrimmed)
		h.equal("receipt", h.append("l", "c").Heads, map[string]uint64{"l": 3})
		h.wantHead("l", 3, 3)
	}},
	{"LogsDoNotTouch", func(h *harness) {
		h.append("l", "a")
		h.append("l2", "b")
		h.append("", "nameless")
		h.trim("l", 1)
		h.wantHead("l", 1, 2)
		h.wantHead("l2", 1, 1)
		h.wantHead("", 1, 1)
	}},
}

var fenceCases = []testCase{
	{"E1_NewerWriterFencesOffTheOlder", func(h *harness) {
		old, err := h.s.Acquire(h.ctx, "n")
		h.ok(err)
		h.commit(store.Commit{Fence: old, Writes: []store.Write{{Space: "s", Key: []byte("a")}}})
		young, err := h.s.Acquire(h.ctx, "n")
		h.ok(err)
		if young.Epoch <= old.Epoch || young.Name != "n" {
			h.Fatalf("fence %v follows %v", young, old)
		}
		_, err = h.s.Commit(h.ctx, &store.Commit{
			Fence:   old,
			Clear:   []store.SpaceRange{{Space: "s"}},
			Writes:  []store.Write{{Space: "s", Key: []byte("b")}},
			Appends: []store.Append{{Log: "l", Keys: bs("b")}},
		})
		h.is(err, store.ErrFenced)
		h.equal("rows", h.rows("s"), []string{"a="})
		h.wantHead("l", 0, 1)
		h.is(h.s.Ingest(h.ctx, &store.Bulk{Fence: old, Spaces: []store.BulkSpace{load("t", "k", "v")}}), store.ErrFenced)
		h.equal("loaded", h.rows("t"), []string(nil))
		h.commit(store.Commit{Fence: young, Writes: []store.Write{{Space: "s", Key: []byte("c")}}})
	}},
	{"E1_EpochGrowsOverReopen", func(h *harness) {
		old, err := h.s.Acquire(h.ctx, "n")
		h.ok(err)
		h.reopen()
		young, err := h.s.Acquire(h.ctx, "n")
		h.ok(err)
		if young.Epoch <= old.Epoch {
			h.Fatalf("epoch %d follows %d", young.Epoch, old.Epoch)
		}
		_, err = h.s.Commit(h.ctx, &store.Commit{Fence: old})
		h.is(err, store.ErrFenced)
	}},
	{"NamesDoNotTouch", func(h *harness) {
		a, err := h.s.Acquire(h.ctx, "a")
		h.ok(err)
		_, err = h.s.Acquire(h.ctx, "b")
		h.ok(err)
		h.commit(store.Commit{Fence: a})
		h.commit(store.Commit{})
	}},
	{"UnknownFenceIsStale", func(h *harness) {
		for _, f := range []store.Fence{{Name: "n", Epoch: 1}, {Name: "n"}, {Epoch: 1}} {
			_, err := h.s.Commit(h.ctx, &store.Commit{Fence: f})
			h.is(err, store.ErrFenced)
		}
		_, err := h.s.Acquire(h.ctx, "")
		h.is(err, store.ErrNoName)
	}},
	{"E14_FenceLostDuringALoad", func(h *harness) {
		f, err := h.s.Acquire(h.ctx, "n")
		h.ok(err)
		err = h.s.Ingest(h.ctx, &store.Bulk{Fence: f, Spaces: []store.BulkSpace{{
			Space: "s", Rows: func(put func(k, v []byte) error) error {
				if _, err := h.s.Acquire(h.ctx, "n"); err != nil {
					return err
				}
				return put([]byte("k"), nil)
			},
		}}})
		h.is(err, store.ErrFenced)
		h.equal("rows", h.rows("s"), []string(nil))
	}},
}
