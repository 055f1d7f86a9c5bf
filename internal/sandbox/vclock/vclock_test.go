package vclock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestRunsStandsAndMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(t0, 0, time.Now)
		time.Sleep(time.Hour) // bubble time
		if !c.Now().Equal(t0) {
			t.Errorf("a standing clock moved to %v", c.Now())
		}
		if err := c.SetRate(60); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if want := t0.Add(time.Hour); !c.Now().Equal(want) {
			t.Errorf("at rate 60: %v, want %v", c.Now(), want)
		}
		c.Advance(-time.Hour)
		if !c.Now().Equal(t0) {
			t.Errorf("set back: %v", c.Now())
		}
		if c.Set(t0.AddDate(10, 0, 0)); c.Now().Year() != 2036 {
			t.Errorf("set: %v", c.Now())
		}
		for _, bad := range []float64{-1, MaxRate * 2} {
			if c.SetRate(bad) == nil {
				t.Errorf("took rate %v", bad)
			}
		}
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(t0, 0, time.Now)
		done := make(chan error, 1)
		go func() { done <- c.Wait(t.Context(), time.Hour) }()
		synctest.Wait()
		c.Advance(59 * time.Minute)
		synctest.Wait()
		if len(done) != 0 {
			t.Fatal("woke too early")
		}
		if err := c.SetRate(2); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := <-done; err != nil || time.Since(begin) < 30*time.Second || time.Since(begin) > 31*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
