package deliver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// distant is a target whose every call takes a while.
type distant struct {
	*door
	latency time.Duration
	mu      sync.Mutex
	at      []time.Time // when each write call reached the service
	most    int         // calls under way at once
	now     atomic.Int32
	// meets is asked in each call how much longer it takes and how it
	// ends; nil is as ever.
	meets func(body string) (time.Duration, error)
}

func (d *distant) Send(ctx context.Context, op sdk.OpName, body []byte) (sdk.Answer, error) {
	n := int(d.now.Add(1))
	defer d.now.Add(-1)
	d.mu.Lock()
	d.at, d.most = append(d.at, time.Now()), max(d.most, n)
	d.mu.Unlock()
	var more time.Duration
	var failed error
	if d.meets != nil {
		more, failed = d.meets(string(body))
	}
	if time.Sleep(d.latency + more); failed != nil {
		return sdk.Answer{}, failed
	}
	ans, err := d.door.Send(ctx, op, body)
	ans.ServerTime = time.Time{} // the twin's clock is another one
	return ans, err
}

// faraway is a rig in a bubble's time with a distant target.
func faraway(t *testing.T, batch, perMinute int) (*rig, *distant) {
	t.Helper()
	r := newRig(t, 1<<20)
	r.tenant.clock = sdktest.NewClock(time.Now())
	d := &distant{door: r.dests[0].Target.(*door), latency: 100 * time.Millisecond}
	d.info.Ops[sdk.OpUpsert] = sdk.Op{Batch: batch, PerMinute: perMinute, RateKey: "import", Idempotent: true}
	r.dests[0].Target = d
	m, err := Open(t.Context(), Deps{Store: r.store, Clock: wall{&atomic.Int64{}}, Conditions: r.conds, Upstream: r.graph, Owner: "mark", Settings: r.set})
	if err != nil {
		t.Fatal(err)
	}
	r.m = m
	r.configure()
	return r, d
}

// perfect is how long a sliding window of perMinute takes for so many calls.
func perfect(calls, perMinute int, latency time.Duration) time.Duration {
	return time.Duration((calls-1)/perMinute)*time.Minute + latency
}

// TestD12_ThroughputIsThatOfTheWindow: an apply of many calls takes at most 1 % longer
// than the service's window allows, and no window holds more calls than published.
func TestD12_ThroughputIsThatOfTheWindow(t *testing.T) {
	for _, c := range []struct{ calls, perMinute int }{{1000, 100}, {300, 30}} {
		synctest.Test(t, func(t *testing.T) {
			r, d := faraway(t, 2, c.perMinute)
			r.wantMany(2 * c.calls)
			p := r.plan()
			began := time.Now()
			res := r.apply(p)
			took, best := time.Since(began), perfect(c.calls, c.perMinute, d.latency)
			if res.Partial() || res.Calls != c.calls {
				t.Fatalf("%+v", res)
			}
			ratio := float64(took) / float64(best)
			t.Logf("%d calls at %d a minute: %s, at best %s: %.4f", c.calls, c.perMinute, took, best, ratio)
			if ratio > 1.01 {
				t.Errorf("%d calls took %s, %.3f of %s", c.calls, took, ratio, best)
			}
			for i := c.perMinute; i < len(d.at); i++ {
				if gap := d.at[i].Sub(d.at[i-c.perMinute]); gap < time.Minute {
					t.Fatalf("calls %d to %d within %s", i-c.perMinute, i, gap)
				}
			}
			if most := atOnce(d.info.Ops[sdk.OpUpsert]); d.most > most || most > c.perMinute {
				t.Errorf("%d calls at once, of at most %d", d.most, most)
			}
		})
	}
}

// TestD12_SlowAnswersLeaveTheWindowFull: an answer of ten seconds holds back what waits
// for it, not the calls that the service lets through meanwhile.
func TestD12_SlowAnswersLeaveTheWindowFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, d := faraway(t, 1, 1000)
		d.latency = 10 * time.Second
		r.wantMany(2500)
		p, began := r.plan(), time.Now()
		res := r.apply(p)
		if took := time.Since(began); res.Partial() || took > 3*(time.Minute+d.latency+time.Second) {
			t.Errorf("2500 calls at 1000 a minute took %s (%d made, %d at once)", took, res.Calls, d.most)
		}
		for i := 1000; i < len(d.at); i++ {
			if gap := d.at[i].Sub(d.at[i-1000]); gap < time.Minute {
				t.Fatalf("calls %d to %d within %s", i-1000, i, gap)
			}
		}
	})
}

// TestD12_AnOutageIsWaitedForOnce: of many calls under way that fail, one is tried
// again until it is given up; the others go on with a later apply too.
func TestD12_AnOutageIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, d := faraway(t, 1, 1000)
		r.wantMany(600)
		down := true
		r.tenant.fault = func(_ int, op sdk.OpName, phase string) error {
			if down && op == sdk.OpUpsert && phase == "before" {
				return &sdk.Error{Failure: sdk.Unavailable, Message: "injected"}
			}
			return nil
		}
		p, began := r.plan(), time.Now()
		res := r.apply(p)
		if took := time.Since(began); !res.Partial() || took > 2*time.Minute || res.Calls > 260 {
			t.Errorf("ended after %s and %d calls, left %d", took, res.Calls, res.Left)
		}
		down = false
		for tries := 0; r.plan().Changes() > 0 && tries < 10; tries++ {
			r.sync()
		}
		if len(r.tenant.rows) != 600 || d.most != 250 {
			t.Errorf("%d rows, %d at once", len(r.tenant.rows), d.most)
		}
		r.quiet()
	})
}

// TestD12_AfterAFailureFewAreUnderWay: a service that is in trouble is not met with
// all that its window would hold.
func TestD12_AfterAFailureFewAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, d := faraway(t, 1, 1000)
		r.wantMany(900)
		calls, most := 0, 0
		r.tenant.fault = func(_ int, op sdk.OpName, phase string) error {
			if op != sdk.OpUpsert || phase != "before" {
				return nil
			}
			if calls++; calls == 10 {
				return &sdk.Error{Failure: sdk.Unavailable, Message: "injected"}
			}
			if calls > 510 { // all of before the failure was seen have ended
				most = max(most, int(d.now.Load()))
			}
			return nil
		}
		if res := r.apply(r.plan()); res.Partial() || d.most != 250 || most < 2 || most > inFlight {
			t.Errorf("%d at once, %d after a failure, left %d", d.most, most, res.Left)
		}
	})
}

// Faults among calls that are under way beside each other lose nothing and repeat
// nothing; a row that is refused is parked alone.
func TestD12_FaultsAmongCallsInFlight(t *testing.T) {
	for _, failure := range []sdk.Failure{sdk.Throttled, sdk.Unavailable, sdk.InDoubt, sdk.NotSent} {
		synctest.Test(t, func(t *testing.T) {
			r, d := faraway(t, 5, 1000)
			r.wantMany(300)
			bad := "h0123.evil.com"
			r.tenant.badRow = func(v string) string {
				if v == bad {
					return "not valid"
				}
				return ""
			}
			n := 0
			r.tenant.fault = func(_ int, op sdk.OpName, phase string) error {
				if op == sdk.OpUpsert && phase == "before" {
					if n++; n%7 == 0 {
						return &sdk.Error{Failure: failure, Message: "injected"}
					}
				}
				return nil
			}
			made, parked := 0, 0
			// A call in doubt that is refused when it is repeated is looked up first, by
			// the next plan. Which calls the faults meet depends on which of them come
			// first; each apply gets further, since the faults come every seventh call.
			for tries := 0; r.plan().Changes() > 0 && tries < 10; tries++ {
				res := r.sync()
				made, parked = made+res.Counts[Create], parked+len(res.Rejected)
			}
			if made != 299 || parked != 1 || len(r.tenant.rows) != 299 || d.most < 2 {
				t.Errorf("%s: %d made, %d parked, %d rows, %d at once", failure, made, parked, len(r.tenant.rows), d.most)
			}
			r.quiet()
		})
	}
}

// After a failure a call goes alone, and an apply that ends has none under way: it might
// be looked up, or made again, before it reached the service.
func TestD11_NothingIsUnderWayAfterAnApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, d := faraway(t, 1, 1000)
		r.wantMany(600)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var mu sync.Mutex
		calls, after, failed := 0, -1, "" // after counts those since the failed one was repeated
		d.meets = func(body string) (time.Duration, error) {
			mu.Lock()
			defer mu.Unlock()
			calls++
			switch {
			case calls == 10:
				failed = body
				return 0, &sdk.Error{Failure: sdk.Unavailable, Message: "injected"}
			case body == failed || after >= 0:
				after++
			}
			switch after {
			case 1:
				return 10 * time.Second, nil
			case 2:
				cancel()
				return 0, &sdk.Error{Failure: sdk.InDoubt, Message: "injected"}
			}
			return 0, nil
		}
		r.m.deps.Refresh = func(context.Context) error { synctest.Wait(); return nil } // calls begin in their order
		if _, err := r.m.Apply(ctx, r.plan(), ApplyOptions{}); !errors.Is(err, context.Canceled) {
			t.Fatalf("err %v", err)
		}
		if n := d.now.Load(); n > 0 || after != 2 {
			t.Errorf("%d calls under way, %d after the failure", n, after)
		}
	})
}

// A command that is ended while calls are under way settles what was taken, and the
// next one goes on with the rest.
func TestD11_EndedWithCallsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := faraway(t, 1, 1000)
		r.wantMany(600)
		p := r.plan()
		ctx, cancel := context.WithCancel(t.Context())
		_, err := r.m.Apply(ctx, p, ApplyOptions{Progress: func(pr Progress) {
			if pr.Done == 50 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("err %v", err)
		}
		for range 2 {
			r.sync()
		}
		sent := map[string]int{}
		for _, c := range r.tenant.calls {
			if c.Op == sdk.OpUpsert && c.OK {
				for _, name := range c.Names {
					sent[name]++
				}
			}
		}
		for i := range 600 {
			if name := fmt.Sprintf("h%04d.evil.com", i); sent[name] != 1 {
				t.Errorf("%s was written %d times", name, sent[name])
			}
		}
	})
}
