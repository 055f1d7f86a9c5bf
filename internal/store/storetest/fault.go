package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/remeld/remeld/internal/store"
)

// FaultDisk is a medium whose write operations can be made to fail.
type FaultDisk struct {
	Open   Medium // opens the store on the failing disk
	Healed Medium // opens it on the same disk without faults
}

// Fault makes the write operations of a disk fail, once or from some moment on, and
// checks that the failure comes back as an error of the operation (nothing hangs or
// panics), and that the healed disk holds all that was acknowledged and nothing by
// halves. newDisk must call inject before each write operation and fail it with
// the error returned, if any. It reports how many operations were failed.
func Fault(t *testing.T, at int64, lasting bool, fault syscall.Errno, newDisk func(inject func() error) FaultDisk) int64 {
	t.Helper()
	var ops, failed atomic.Int64
	disk := newDisk(func() error {
		if n := ops.Add(1); n == at || lasting && n > at {
			failed.Add(1)
			return fault
		}
		return nil
	})
	left := cut{medium: disk.Healed}
	s, err := disk.Open()
	if err != nil {
		wantFault(t, err, fault)
	} else {
		r := &faultRun{crashRun: crashRun{ctx: t.Context(), s: s}, t: t, fault: fault}
		r.work()
		if err := s.Close(); err != nil {
			wantFault(t, err, fault)
		}
		for w := range crashWorkers {
			left.min[w], left.max[w] = r.acked[w].Load(), r.begun[w].Load()
		}
		left.loaded = r.loadWas.Load()
	}
	if err := left.check(t.Context()); err != nil {
		t.Fatalf("fault at write %d: %v", at, err)
	}
	return failed.Load()
}

func wantFault(t *testing.T, err error, fault syscall.Errno) {
	t.Helper()
	var broken *store.BrokenError
	if !errors.Is(err, fault) && !errors.As(err, &broken) {
		t.Errorf("error is %v, want one that tells of %v", err, fault)
	}
}

// faultRun works like crashRun, but each worker stops at its first error.
type faultRun struct {
	crashRun
	t     *testing.T
	fault syscall.Errno
}

func (r *faultRun) work() {
	var wg sync.WaitGroup
	for w := range crashWorkers {
		wg.Go(func() {
			for i := int64(1); i <= crashCommits; i++ {
				r.begun[w].Store(i)
				if _, err := r.s.Commit(r.ctx, crashCommit(w, i)); err != nil {
					wantFault(r.t, err, r.fault)
					return
				}
				r.acked[w].Store(i)
			}
		})
	}
	wg.Go(func() {
		if err := r.s.Ingest(r.ctx, crashBulk()); err != nil {
			wantFault(r.t, err, r.fault)
			return
		}
		r.loadWas.Store(true)
	})
	wg.Wait()
}
