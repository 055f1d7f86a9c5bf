package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
	"github.com/remeld/remeld/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble is the clock of a synctest bubble.
type bubble struct{}

func (bubble) Now() time.Time { return time.Now() }

func (bubble) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// running starts an engine inside a bubble; stop ends it and waits.
func running(t *testing.T, s store.Store, specs ...NodeSpec) (e *Engine, stop func()) {
	t.Helper()
	e, cancel, done := runningWith(t, s, nil, specs...)
	return e, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func runningWith(t *testing.T, s store.Store, log *slog.Logger, specs ...NodeSpec) (*Engine, func(), <-chan error) {
	t.Helper()
	conds, err := condition.Open(t.Context(), s, bubble{})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	e, err := New(t.Context(), Deps{
		Store: s, Clock: bubble{}, Conditions: conds, Dir: t.TempDir(), Log: log,
		Monotonic: func() time.Duration { return time.Since(start) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	synctest.Wait()
	return e, cancel, done
}

func values(t *testing.T, e *Engine, node string) []string {
	t.Helper()
	var got []string
	err := e.Desired(t.Context(), node, func(r *indicator.Record) error {
		got = append(got, r.Value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	return got
}

func TestRunPollsStepsAndAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := list(hosts(3)...)
		s := source("a", a)
		s.Source.Age.FirstSeen = 36 * time.Hour
		e, stop := running(t, memstore.New(), s, reader("meld", sdk.RoleProcessor, "a"), reader("edl", sdk.RoleFeed, "meld"))
		defer stop()
		if got := values(t, e, "edl"); len(got) != 3 {
			t.Fatalf("the first poll is due at once: %v", got)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if a.polled() < 23 || a.polled() > 27 {
			t.Errorf("%d polls in a day of one an hour, 10 %% jitter", a.polled())
		}
		time.Sleep(12*time.Hour + time.Minute)
		synctest.Wait()
		if got := values(t, e, "edl"); len(got) != 0 {
			t.Errorf("aged out on time, not with the next poll: %v", got)
		}
	})
}

func TestRunWaitsLongerForAFailingSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := list(hosts(3)...)
		a.err = errCut
		e, stop := running(t, memstore.New(), source("a", a))
		defer stop()
		var gaps []time.Duration
		last, since := a.polled(), time.Now()
		for time.Since(since) < 40*time.Hour {
			at := time.Now()
			for a.polled() == last && time.Since(at) < 10*time.Hour {
				time.Sleep(10 * time.Second)
				synctest.Wait()
			}
			gaps, last = append(gaps, time.Since(at)), a.polled()
		}
		if gaps[0] > 2*time.Minute {
			t.Errorf("a failure is retried soon, not after %v", gaps[0])
		}
		longest := slices.Max(gaps)
		if longest < 5*time.Hour || longest > 7*time.Hour {
			t.Errorf("waits grow to six hours, not %v", longest)
		}
		st, err := e.Status(t.Context())
		if err != nil || st[0].State != "failing" || st[0].Detail == "" {
			t.Errorf("%+v %v", st, err)
		}
	})
}

func TestE10_AnEmptyAllowListLetsThroughOnceItWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := list()
		own.err = errCut
		e, stop := running(t, memstore.New(), melded(list(hosts(3)...), own)...)
		defer stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := values(t, e, "edl"); len(got) != 0 {
			t.Errorf("before the list was read: %v", got)
		}
		own.mu.Lock()
		own.err = nil
		own.mu.Unlock()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := values(t, e, "edl"); len(got) != 3 {
			t.Errorf("after it was read: %v", got)
		}
	})
}

func TestRunAppliesWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := list(hosts(3)...), list("b.example.org")
		specs := []NodeSpec{source("a", a), reader("edl", sdk.RoleFeed, "a")}
		e, stop := running(t, memstore.New(), specs...)
		defer stop()
		polls := a.polled()
		specs[1].Inputs = []string{"a", "b"}
		if err := e.Apply(t.Context(), append(specs, source("b", b))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := values(t, e, "edl"); len(got) != 4 {
			t.Errorf("%v", got)
		}
		if a.polled() != polls {
			t.Error("an unchanged node must keep running as it was")
		}
		if err := e.Apply(t.Context(), []NodeSpec{source("b", b), reader("edl", sdk.RoleFeed, "b")}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := values(t, e, "edl"); len(got) != 1 {
			t.Errorf("%v", got)
		}
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		if a.polled() != polls {
			t.Error("a removed node must stop")
		}
	})
}

func TestRunGoesOnAfterTheStoreFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &flaky{Store: memstore.New()}
		a := list(hosts(3)...)
		e, stop := running(t, s, source("a", a), reader("edl", sdk.RoleFeed, "a"))
		defer stop()
		s.fail.Store(true)
		a.set(hosts(6)...)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		s.fail.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := values(t, e, "edl"); len(got) != 6 {
			t.Errorf("%v", got)
		}
	})
}

type flaky struct {
	store.Store
	fail atomic.Bool
}

func (f *flaky) Commit(ctx ctxT, c *store.Commit) (store.Receipt, error) {
	if f.fail.Load() {
		return store.Receipt{}, errors.New("disk full")
	}
	return f.Store.Commit(ctx, c)
}

// TestOnDemandSourcesAreNotPolledByThemselves: the source of a job is read by its runs,
// and what its last read left for the next can be shown and replaced in between.
func TestOnDemandSourcesAreNotPolledByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := list(hosts(3)...)
		s := source("a", a)
		s.Source.OnDemand = true
		e, stop := running(t, memstore.New(), s, reader("edl", sdk.RoleFeed, "a"))
		defer stop()
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if a.polled() != 0 {
			t.Errorf("polled %d times by itself", a.polled())
		}
		if _, err := e.PollNow(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := values(t, e, "edl"); len(got) != 3 {
			t.Errorf("what was asked for did not arrive: %v", got)
		}
		set := func(next []byte, is bool) (had string) {
			err := e.Reading(t.Context(), "a", func(_ any, state []byte) ([]byte, bool, error) {
				had = string(state)
				return next, is, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return had
		}
		set([]byte("elsewhere"), true)
		if got := set(nil, false); got != "elsewhere" {
			t.Errorf("the state is %q", got)
		}
		st, err := e.Status(t.Context())
		if err != nil || !st[0].Next.IsZero() {
			t.Errorf("a next poll is promised: %+v %v", st, err)
		}
	})
}
