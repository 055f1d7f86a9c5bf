package pace

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// answering is a clock on which the calls under way are answered in their time.
type answering struct {
	*sdktest.Clock
	under []flight
}

type flight struct {
	*Call
	answered time.Time
}

func (c *answering) Sleep(ctx context.Context, d time.Duration) error {
	for until := c.Now().Add(d); ; {
		c.under = slices.DeleteFunc(c.under, func(f flight) bool {
			if f.answered.After(c.Now()) {
				return false
			}
			f.End()
			return true
		})
		next := until
		for _, f := range c.under {
			if f.answered.Before(next) {
				next = f.answered
			}
		}
		c.Advance(next.Sub(c.Now()))
		if next.Equal(until) {
			return ctx.Err()
		}
	}
}

// TestD12_NoWindowIsEverOverrun: a call reaches the service at any moment between its
// token and its end, later ones perhaps before earlier ones, and the service's clock is
// a little slow. Whatever the moments, it never sees more calls in a window than it
// published.
func TestD12_NoWindowIsEverOverrun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := sdk.Op{PerMinute: rapid.IntRange(1, 40).Draw(t, "minute"), PerHour: rapid.IntRange(1, 300).Draw(t, "hour"), RateKey: "k"}
		clock := &answering{Clock: sdktest.NewClock(time.Time{})}
		l := New(clock)
		var reached []time.Time
		milliseconds := func(most int, name string) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Millisecond
		}
		for range rapid.IntRange(1, 500).Draw(t, "calls") {
			if err := clock.Sleep(context.Background(), milliseconds(5000, "pause")); err != nil {
				t.Fatal(err)
			}
			call, err := l.Wait(context.Background(), op)
			if err != nil {
				t.Fatal(err)
			}
			took := milliseconds(40_000, "latency")
			clock.under = append(clock.under, flight{call, call.At.Add(took)})
			reached = append(reached, call.At.Add(milliseconds(int(took.Milliseconds()), "way")))
		}
		slices.SortFunc(reached, time.Time.Compare)
		const slow = 0.9995 // the service's clock against ours
		for i := range reached {
			for _, limit := range []struct {
				n    int
				span time.Duration
			}{{op.PerMinute, time.Minute}, {op.PerHour, time.Hour}} {
				if n := i - limit.n; n >= 0 && reached[i].Sub(reached[n]).Seconds()*slow < limit.span.Seconds() {
					t.Fatalf("%d calls within %s", limit.n+1, reached[i].Sub(reached[n]))
				}
			}
		}
	})
}

// TestD12_AWindowCostsOneAnswerAndAMargin: the next window begins a span after the
// answers of the last one, not later.
func TestD12_AWindowCostsOneAnswerAndAMargin(t *testing.T) {
	clock := sdktest.NewClock(time.Time{})
	l, start, op := New(clock), clock.Now(), sdk.Op{PerMinute: 30, RateKey: "k"}
	for range 10 {
		var calls []*Call
		for range op.PerMinute {
			call, err := l.Wait(t.Context(), op)
			if err != nil {
				t.Fatal(err)
			}
			calls = append(calls, call)
		}
		clock.Advance(100 * time.Millisecond)
		for _, call := range calls {
			call.End()
			call.End() // counts once
		}
	}
	if took, want := clock.Now().Sub(start), 9*(hold(time.Minute)+100*time.Millisecond)+100*time.Millisecond; took != want || float64(took) > 1.01*float64(9*time.Minute) {
		t.Errorf("10 windows took %s, want %s", took, want)
	}
}

// TestD12_ACallWithoutAnAnswerKeepsItsPlace: however long it takes, until it ends.
func TestD12_ACallWithoutAnAnswerKeepsItsPlace(t *testing.T) {
	clock := sdktest.NewClock(time.Time{})
	l, op := New(clock), sdk.Op{PerMinute: 1, RateKey: "k"}
	call, err := l.Wait(t.Context(), op)
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(10 * time.Minute)
	if free := l.Free(op); free != hold(time.Minute) {
		t.Errorf("free in %s, while the call may still reach the service", free)
	}
	call.End()
	clock.Advance(hold(time.Minute))
	if free := l.Free(op); free != 0 {
		t.Errorf("free in %s", free)
	}
}

func TestD12_RecordAndBlockHoldBack(t *testing.T) {
	clock := sdktest.NewClock(time.Time{})
	l := New(clock)
	start := clock.Now()
	l.Record("k", start.Add(-10*time.Second), start.Add(-5*time.Second))
	op := sdk.Op{PerMinute: 2, RateKey: "k"}
	call, err := l.Wait(t.Context(), op)
	if want := -10*time.Second + unseen + hold(time.Minute); err != nil || call.At.Sub(start) != want || want < 51*time.Second {
		t.Fatalf("counted at %v, %v", call, err)
	}
	call.End()
	l.Block("k", start.Add(time.Hour))
	if call, err := l.Wait(t.Context(), op); err != nil || call.At.Sub(start) != time.Hour {
		t.Errorf("counted at %v, %v", call, err)
	}
	if call, err := l.Wait(t.Context(), sdk.Op{RateKey: "other"}); err != nil || !call.At.Equal(clock.Now()) {
		t.Errorf("another key waits: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Wait(ctx, op); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
}

func TestE16_CallsOfATimeToComeHoldNothingUp(t *testing.T) {
	clock := sdktest.NewClock(time.Time{})
	l := New(clock)
	start := clock.Now()
	l.Record("k", start.Add(10*365*24*time.Hour)) // made before the clock was set back
	if call, err := l.Wait(t.Context(), sdk.Op{PerMinute: 1, RateKey: "k"}); err != nil || !call.At.Equal(start) {
		t.Errorf("counted at %v, %v", call, err)
	}
}
