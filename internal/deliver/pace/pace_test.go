package pace

import (
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

func TestD12_NoWindowIsEverOverrun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := sdk.Op{PerMinute: rapid.IntRange(1, 40).Draw(t, "minute"), PerHour: rapid.IntRange(1, 300).Draw(t, "hour"), RateKey: "k"}
		clock := sdktest.NewClock(time.Time{})
		l := New(clock)
		var at []time.Time
		for i := range rapid.IntRange(1, 500).Draw(t, "calls") {
			clock.Advance(time.Duration(rapid.IntRange(0, 5000).Draw(t, "pause")) * time.Millisecond)
			when, err := l.Wait(context.Background(), op)
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, when)
			if n := i - op.PerMinute; n >= 0 && when.Sub(at[n]) < time.Minute {
				t.Fatalf("%d calls within %s", op.PerMinute+1, when.Sub(at[n]))
			}
			if n := i - op.PerHour; n >= 0 && when.Sub(at[n]) < time.Hour {
				t.Fatalf("%d calls within %s", op.PerHour+1, when.Sub(at[n]))
			}
		}
	})
}

func TestD12_RecordAndBlockHoldBack(t *testing.T) {
	clock := sdktest.NewClock(time.Time{})
	l := New(clock)
	start := clock.Now()
	l.Record("k", start.Add(-10*time.Second), start.Add(-5*time.Second))
	op := sdk.Op{PerMinute: 2, RateKey: "k"}
	if at, err := l.Wait(t.Context(), op); err != nil || at.Sub(start) != 51*time.Second {
		t.Errorf("counted at +%s, %v", at.Sub(start), err)
	}
	l.Block("k", start.Add(time.Hour))
	if at, err := l.Wait(t.Context(), op); err != nil || at.Sub(start) != time.Hour {
		t.Errorf("counted at +%s, %v", at.Sub(start), err)
	}
	if at, err := l.Wait(t.Context(), sdk.Op{RateKey: "other"}); err != nil || !at.Equal(clock.Now()) {
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
	if at, err := l.Wait(t.Context(), sdk.Op{PerMinute: 1, RateKey: "k"}); err != nil || !at.Equal(start) {
		t.Errorf("counted at +%s, %v", at.Sub(start), err)
	}
}
