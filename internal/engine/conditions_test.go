package engine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/sdk"
)

func TestE16_AJumpIsRememberedAcrossARestart(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(5)...)
		s := source("a", a)
		s.Source.Age.FirstSeen = 24 * time.Hour
		var mono time.Duration
		w.eng.Monotonic = func() time.Duration { return mono }
		w.apply(s)
		w.poll("a")
		w.clock.Advance(10 * 24 * time.Hour)
		mono += time.Minute
		if w.eng.ClockOK(t.Context()) {
			t.Fatal("ten days in a minute")
		}
		w.restart(s)
		if err := w.eng.Age(t.Context()); !errors.Is(err, errClockJump) {
			t.Errorf("a restart is no acknowledgement: %v", err)
		}
		w.wantRaised("engine", "clock_jump", true)
		w.want("a", hosts(5)...)
		w.clock.Advance(-10 * 24 * time.Hour)
		w.restart(s)
		w.age()
		w.wantRaised("engine", "clock_jump", false)
		w.want("a", hosts(5)...)
	})
}

// A clock that ran ahead and was put right must not keep a source waiting until
// the time it once showed.
func TestE16_AfterAClockThatRanAheadSourcesArePolledInTime(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(5)...)
		w.apply(source("a", a))
		w.poll("a")
		w.clock.Advance(-60 * 24 * time.Hour)
		if w.eng.ClockOK(t.Context()) {
			t.Fatal("sixty days back")
		}
		if err := w.eng.AcceptClock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if wait := w.status("a").Next.Sub(w.clock.Now()); wait > 2*time.Hour {
			t.Errorf("next poll in %v", wait)
		}
	})
}

func TestConditionOfAFailureGoesWhenItFailsOtherwise(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := list(hosts(5)...)
		w.apply(source("a", a))
		a.err = &sdk.Error{Failure: sdk.Unauthorized, Message: "401"}
		w.poll("a")
		w.wantRaised("a", "secret_refused", true)
		a.err = errCut
		w.poll("a")
		w.wantRaised("a", "secret_refused", false)
		w.wantRaised("a", "source_failing", true)
		w.restart(source("a", a))
		a.err = nil
		w.poll("a")
		if left := w.conds.List(); len(left) != 0 {
			w.t.Errorf("%+v", left)
		}
	})
}

func TestConditionsOfOneFreezeEndWithItsOrigin(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := list(hosts(300)...)
		s := source("a", a)
		w.apply(s)
		w.poll("a")
		a.set(hosts(3)...)
		w.poll("a")
		since := w.raised("a", "source_frozen").Since
		w.restart(s)
		w.poll("a")
		if got := w.raised("a", "source_frozen"); !got.Since.Equal(since) || !strings.Contains(got.Help, "remeld accept a --poll ") {
			w.t.Errorf("%+v", got)
		}
		moved := list()
		moved.info.Origin, moved.err = "other", errCut
		s.Build, s.Fingerprint = func() (any, error) { return moved, nil }, "2"
		w.apply(s)
		w.wantRaised("a", "source_frozen", false)
		w.poll("a")
		w.apply()
		if left := w.conds.List(); len(left) != 0 {
			w.t.Errorf("a removed node leaves %+v", left)
		}
	})
}
