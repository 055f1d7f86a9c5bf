package storetest

import (
	"errors"
	"sync"

	"github.com/remeld/remeld/internal/store"
)

var lifeCases = []testCase{
	{"ClosedStoreSaysSo", func(h *harness) {
		h.set("s", "a", "1")
		v := h.view()
		h.ok(h.s.Close())
		h.ok(h.s.Close())
		_, err := h.s.Commit(h.ctx, &store.Commit{})
		h.is(err, store.ErrClosed)
		_, err = h.s.Acquire(h.ctx, "n")
		h.is(err, store.ErrClosed)
		_, err = h.s.View()
		h.is(err, store.ErrClosed)
		h.is(h.s.Ingest(h.ctx, &store.Bulk{}), store.ErrClosed)
		_, err = v.Get(h.ctx, "s", []byte("a"))
		h.is(err, store.ErrClosed)
		h.ok(v.Close())
	}},
	{"ClosedViewSaysSo", func(h *harness) {
		h.set("s", "a", "1")
		v := h.view()
		h.ok(v.Close())
		h.ok(v.Close())
		fn := func(_, _ []byte) error { return nil }
		_, err := v.Get(h.ctx, "s", []byte("a"))
		h.is(err, store.ErrClosed)
		h.is(v.Scan(h.ctx, "s", store.Range{}, fn), store.ErrClosed)
		h.is(v.ScanBack(h.ctx, "s", store.Range{}, fn), store.ErrClosed)
		h.is(v.GetMany(h.ctx, "s", bs("a"), func(int, []byte) error { return nil }), store.ErrClosed)
		_, err = v.Cursor(h.ctx, "s", store.Range{})
		h.is(err, store.ErrClosed)
		_, _, err = v.Head(h.ctx, "l")
		h.is(err, store.ErrClosed)
		_, err = changes(h.ctx, v, "l", 0, 1)
		h.is(err, store.ErrClosed)
		_, err = v.Spaces(h.ctx, "")
		h.is(err, store.ErrClosed)
	}},
	{"E15_OneStoreIsOpenOnce", func(h *harness) {
		_, err := h.medium()
		var locked *store.LockedError
		if !errors.As(err, &locked) {
			h.Fatalf("second open gives %v, want a LockedError", err)
		}
		h.set("s", "the first", "still works")
		h.reopen()
		h.equal("rows", h.rows("s"), []string{"the first=still works"})
	}},
	{"CloseEndsWhatRuns", func(h *harness) {
		h.set("s", "a", "1", "b", "2")
		v := h.view()
		started := make(chan struct{})
		var wg sync.WaitGroup
		var once sync.Once
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() {
				for errs[i] == nil {
					_, errs[i] = scan(h.ctx, v, "s", store.Range{})
					once.Do(func() { close(started) })
				}
			})
		}
		<-started
		h.ok(h.s.Close())
		wg.Wait()
		for _, err := range errs {
			h.is(err, store.ErrClosed)
		}
	}},
}
