package deliver

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wall is the bubble's time, so that Run can be watched from outside.
// Reading it orders the loop after what the test changed before moving on.
type wall struct{ moved *atomic.Int64 }

func (w wall) Now() time.Time {
	w.moved.Load()
	return time.Now()
}

func (wall) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// running starts Run in the test's bubble; the tenant's clock follows.
func running(t *testing.T, r *rig) (follow func(time.Duration), stop func()) {
	t.Helper()
	moved := &atomic.Int64{}
	m, err := Open(t.Context(), Deps{Store: r.store, Clock: wall{moved}, Conditions: r.conds, Upstream: r.graph, Owner: "mark", Settings: r.set})
	if err != nil {
		t.Fatal(err)
	}
	r.m = m
	r.configure()
	r.tenant.clock = sdktest.NewClock(time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	return func(d time.Duration) {
			moved.Add(1)
			for end := time.Now().Add(d); time.Now().Before(end); {
				time.Sleep(time.Second)
				r.tenant.clock.Advance(time.Second)
			}
			synctest.Wait()
		}, func() {
			cancel()
			<-done
		}
}

func TestD5_LoopWaitsUntilUpstreamSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 100)
		follow, stop := running(t, r)
		defer stop()
		follow(time.Minute)
		r.graph.mark.Settled = false
		follow(2 * time.Minute)
		r.wantMany(3)
		r.graph.mark.Heads = map[string]uint64{"t": 2}
		follow(3 * time.Minute)
		if n := len(r.tenant.live()); n != 0 {
			t.Fatalf("%d live while upstream is not settled", n)
		}
		r.graph.mark.Settled = true
		r.graph.mark.Heads = map[string]uint64{"t": 3}
		follow(30 * time.Second)
		if n := len(r.tenant.live()); n != 0 {
			t.Fatalf("%d live before it was quiet for a minute", n)
		}
		follow(time.Minute)
		if n := len(r.tenant.live()); n != 3 {
			t.Fatalf("%d live", n)
		}
		// After the time-out an unsettled upstream may create and not delete.
		r.graph.mark.Settled = false
		r.graph.mark.Heads = map[string]uint64{"t": 4}
		r.want("def", "late.evil.com", 80)
		r.unwant("def", "h0000.evil.com")
		follow(35 * time.Minute)
		if n := len(r.tenant.live()); n != 4 {
			t.Errorf("%d live after the time-out: %v", n, r.tenant.names())
		}
	})
}

func TestD12_LoopGoesOnWithGrowingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 100)
		r.wantMany(3)
		r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
			if op == sdk.OpUpsert {
				return &sdk.Error{Failure: sdk.Unavailable, Message: "500"}
			}
			return nil
		}
		follow, stop := running(t, r)
		defer stop()
		follow(6 * time.Hour)
		if n := r.tenant.writes(); n < 12 || n > 120 {
			t.Errorf("%d calls in six hours of failure", n)
		}
		r.tenant.mu.Lock()
		r.tenant.fault = nil
		r.tenant.mu.Unlock()
		follow(time.Hour)
		if n := len(r.tenant.live()); n != 3 {
			t.Errorf("%d live after the service came back", n)
		}
	})
}

func TestD18_LoopLooksForDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 100)
		r.dests[0].Restore = true
		r.wantMany(3)
		follow, stop := running(t, r)
		defer stop()
		follow(5 * time.Minute)
		r.tenant.remove(r.tenant.live()["h0001.evil.com/Block"].ID)
		follow(7 * time.Hour)
		if n := len(r.tenant.live()); n != 3 {
			t.Errorf("%d live: the drift was not seen", n)
		}
	})
}

// A clock that is set back leaves moments of a time to come in what the loop
// remembers; it must not wait for them.
func TestE16_LoopGoesOnAfterTheClockIsSetBack(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	g := r.m.groupsSorted()[0]
	ahead := r.clock.Now().Add(10 * 365 * day)
	if _, err := r.m.due(t.Context(), g, ahead); err != nil {
		t.Fatal(err)
	}
	r.m.backOff(g, ahead)
	g.run.plannedOn, g.run.plannedAt = g.run.heads, ahead
	now := r.clock.Now()
	if _, err := r.m.due(t.Context(), g, now); err != nil {
		t.Fatal(err)
	}
	if due, err := r.m.due(t.Context(), g, now.Add(2*time.Minute)); err != nil || !due {
		t.Errorf("due %v, %v", due, err)
	}
}

// One tenant that is down and waited for holds up no other.
func TestD12_SlowTenantHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 100)
		r.wantMany(3)
		slow := newTenant(r.clock, 100)
		other := slow.door("app", "Block")
		other.info.Domain, other.info.Quota = "twin/t2", "twin/t2"
		other.info.Ops[sdk.OpUpsert] = sdk.Op{Batch: 1, PerHour: 1, RateKey: "slow", Idempotent: true}
		r.dests = append(r.dests, Destination{Node: "slow", Target: other, Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards})
		for _, v := range []string{"a.evil.com", "b.evil.com", "c.evil.com"} {
			r.want("slow", v, 80)
		}
		follow, stop := running(t, r)
		defer stop()
		slow.mu.Lock()
		slow.clock = r.tenant.clock
		slow.mu.Unlock()
		follow(10 * time.Minute) // the slow one waits for its hour by now
		r.tenant.mu.Lock()
		r.want("def", "new.evil.com", 80)
		r.graph.mark.Heads["t"]++
		r.tenant.mu.Unlock()
		follow(20 * time.Minute)
		if n := len(r.tenant.live()); n != 4 {
			t.Errorf("%d live at the tenant that answers, want 4", n)
		}
	})
}
