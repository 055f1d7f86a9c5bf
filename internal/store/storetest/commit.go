package storetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/remeld/remeld/internal/store"
)

var commitCases = []testCase{
	{"PartsApplyInTheOrderOfTheFields", func(h *harness) {
		h.set("s", "a", "1", "b", "2", "c", "3")
		h.commit(store.Commit{
			Clear:   []store.SpaceRange{{Space: "s", Range: rng("a", "c")}},
			Writes:  []store.Write{{Space: "s", Key: []byte("b"), Value: []byte("new")}},
			Appends: []store.Append{{Log: "l", Keys: bs("x", "y")}},
			Trims:   []store.Trim{{Log: "l", UpTo: 1}},
		})
		h.equal("rows", h.rows("s"), []string{"b=new", "c=3"})
		got, err := h.changes("l", 1, 9)
		h.ok(err)
		h.equal("changes", got, []string{"2=y"})
	}},
	{"LaterWriteOfAKeyWins", func(h *harness) {
		k := []byte("k")
		h.commit(store.Commit{Writes: []store.Write{
			{Space: "s", Key: k, Value: []byte("1")}, {Space: "s", Key: k, Delete: true},
			{Space: "s", Key: k, Value: []byte("3")}, {Space: "s", Key: []byte("gone"), Value: k},
			{Space: "s", Key: []byte("gone"), Delete: true},
		}})
		h.equal("rows", h.rows("s"), []string{"k=3"})
	}},
	{"ClearTakesExactlyTheRange", func(h *harness) {
		h.set("s", "", "0", "a", "1", "b", "2", "b\x00", "3", "c", "4")
		h.set("t", "b", "other")
		remove := func(r store.Range) {
			h.commit(store.Commit{Clear: []store.SpaceRange{{Space: "s", Range: r}}})
		}
		remove(rng("c", "a"))
		remove(store.Range{To: []byte{}})
		remove(rng("b", "b"))
		h.equal("empty ranges clear nothing", len(h.rows("s")), 5)
		remove(rng("b", "c"))
		h.equal("middle", h.rows("s"), []string{"=0", "a=1", "c=4"})
		remove(rng("", "a"))
		h.equal("open start", h.rows("s"), []string{"a=1", "c=4"})
		remove(store.Range{})
		h.equal("all", h.rows("s"), []string(nil))
		h.equal("other space", h.rows("t"), []string{"b=other"})
		h.commit(store.Commit{Clear: []store.SpaceRange{{Space: "never seen"}}})
	}},
	{"CallerMayReuseItsSlices", func(h *harness) {
		k, v := []byte("key"), []byte("value")
		h.commit(store.Commit{
			Writes:  []store.Write{{Space: "s", Key: k, Value: v}},
			Appends: []store.Append{{Log: "l", Keys: [][]byte{k}}},
		})
		copy(k, "XXX")
		copy(v, "XXXXX")
		h.equal("rows", h.rows("s"), []string{"key=value"})
		got, err := h.changes("l", 0, 1)
		h.ok(err)
		h.equal("changes", got, []string{"1=key"})
	}},
	{"E1_CommitIsKeptOverReopen", func(h *harness) {
		h.set("s", "a", "1")
		h.append("l", "a")
		h.reopen()
		h.equal("rows", h.rows("s"), []string{"a=1"})
		got, err := h.changes("l", 0, 9)
		h.ok(err)
		h.equal("changes", got, []string{"1=a"})
	}},
	{"E1_ConcurrentCommitsAreEachWhole", concurrentCommits},
	{"CancelledContextCommitsNothing", func(h *harness) {
		ctx, cancel := context.WithCancel(h.ctx)
		cancel()
		_, err := h.s.Commit(ctx, &store.Commit{Writes: []store.Write{{Space: "s", Key: []byte("k")}}})
		h.is(err, context.Canceled)
		h.equal("rows", h.rows("s"), []string(nil))
	}},
	{"EmptyAndLargeKeysAndValues", oddSizes},
	{"KeysOfAllBytesKeepByteOrder", allBytes},
	{"SpacesDoNotTouch", func(h *harness) {
		h.set("n/a/out", "k", "1")
		h.set("n/a/ou", "k", "2")
		h.set("n/a/outs", "k", "3")
		h.set("", "k", "nameless")
		h.set("\x00\xff", "k", "binary")
		h.append("n/a/out", "log of the same name")
		h.equal("one", h.rows("n/a/out"), []string{"k=1"})
		h.equal("nameless", h.rows(""), []string{"k=nameless"})
		h.equal("binary", h.rows("\x00\xff"), []string{"k=binary"})
	}},
}

func concurrentCommits(h *harness) {
	const workers, each = 8, 20
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Appendf(nil, "%d/%02d", w, i)
				_, err := h.s.Commit(h.ctx, &store.Commit{
					Writes: []store.Write{
						{Space: "a", Key: key, Value: key}, {Space: fmt.Sprint("own ", w), Key: key, Value: key},
					},
					Appends: []store.Append{{Log: "l", Keys: [][]byte{key, key}}},
				})
				if err != nil {
					errs[w] = err
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		h.ok(err)
	}
	h.equal("rows", len(h.rows("a")), workers*each)
	last, _ := h.head("l")
	h.equal("head", last, uint64(2*workers*each))
	v := h.view()
	var before []byte
	h.ok(v.Changes(h.ctx, "l", 0, 1<<20, func(seq uint64, key []byte) error {
		if seq%2 == 0 && !bytes.Equal(before, key) {
			return fmt.Errorf("entries %d and %d are of two commits", seq-1, seq)
		}
		before = bytes.Clone(key)
		return nil
	}))
}

func oddSizes(h *harness) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	longKey := bytes.Repeat([]byte("k"), 4096)
	h.commit(store.Commit{Writes: []store.Write{
		{Space: "s", Key: nil, Value: nil}, {Space: "s", Key: []byte("big"), Value: big},
		{Space: "s", Key: longKey, Value: []byte{}}, {Space: "s", Key: []byte("e")},
	}})
	h.reopen()
	v := h.view()
	for _, key := range [][]byte{nil, {}, longKey, []byte("e")} {
		got, err := v.Get(h.ctx, "s", key)
		h.ok(err)
		if got == nil || len(got) != 0 {
			h.Fatalf("an empty value reads as %v, want empty and not nil", got)
		}
	}
	got, err := v.Get(h.ctx, "s", []byte("big"))
	h.ok(err)
	h.equal("big value is kept", bytes.Equal(got, big), true)
	h.equal("rows", len(h.rows("s")), 4)
	h.ok(v.GetMany(h.ctx, "s", [][]byte{nil, []byte("e")}, func(_ int, value []byte) error {
		if value == nil {
			return fmt.Errorf("an empty value reads as nil")
		}
		return nil
	}))
}

func allBytes(h *harness) {
	var w []store.Write
	for i := 255; i >= 0; i-- {
		w = append(w,
			store.Write{Space: "s", Key: []byte{byte(i)}, Value: []byte{byte(i)}},
			store.Write{Space: "s", Key: []byte{byte(i), 0}, Value: []byte{byte(i)}},
			store.Write{Space: "s", Key: []byte{byte(i), 0xff, 0xff}, Value: []byte{byte(i)}})
	}
	h.commit(store.Commit{Writes: w})
	v := h.view()
	var before []byte
	n := 0
	h.ok(v.Scan(h.ctx, "s", store.Range{}, func(k, val []byte) error {
		if n > 0 && bytes.Compare(before, k) >= 0 {
			return fmt.Errorf("%x comes after %x", k, before)
		}
		if val[0] != k[0] {
			return fmt.Errorf("%x has value %x", k, val)
		}
		before = bytes.Clone(k)
		n++
		return nil
	}))
	h.equal("rows", n, 3*256)
	got, err := scan(h.ctx, v, "s", store.Range{From: []byte{0xff}})
	h.ok(err)
	h.equal("rows from ff", len(got), 3)
}
