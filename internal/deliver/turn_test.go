package deliver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remeld/remeld/sdk"
)

// slowApply starts an apply of a person that ends when it is released.
func slowApply(t *testing.T, r *rig) (release func()) {
	t.Helper()
	p, err := r.m.Plan(t.Context(), "def", PlanOptions{Person: true})
	if err != nil {
		t.Fatal(err)
	}
	hold, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, err := r.m.Apply(context.WithoutCancel(t.Context()), p, ApplyOptions{By: "alice", Progress: func(Progress) { <-hold }})
		if err != nil {
			t.Errorf("apply: %v", err)
		}
	}()
	synctest.Wait()
	return func() { close(hold); <-done }
}

// A plan that a person asks for while an apply is running waits for its end and is
// made from what is so then, and says that it waits. An apply that takes long is not
// waited for.
func TestD16_PlanWaitsForTheApply(t *testing.T) {
	for _, long := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, 1000)
			_, stop := running(t, r)
			stop() // no loop, which may have looked once already
			r.wantMany(50)
			release := slowApply(t, r)
			told, done := make(chan struct{}, 1), make(chan *Plan, 1)
			go func() {
				p, err := r.m.Plan(t.Context(), "def", PlanOptions{Person: true, Waits: func() { told <- struct{}{} }})
				if err != nil {
					t.Error(err)
				}
				done <- p
			}()
			time.Sleep(planPatience / 2)
			synctest.Wait()
			if len(done) > 0 || len(told) == 0 {
				t.Fatalf("it did not wait (told %d)", len(told))
			}
			if long {
				time.Sleep(planPatience)
				synctest.Wait()
			}
			release()
			p := <-done
			if p == nil {
				t.FailNow()
			}
			if noted := strings.Contains(strings.Join(p.Notes, " "), "apply is running"); noted != long {
				t.Errorf("long %v: notes %q", long, p.Notes)
			}
			if !long && (p.Changes() > 0 || p.Keep != 50) {
				t.Errorf("%v, %d kept", p.Actions, p.Keep)
			}
		})
	}
}

// A person who applies keeps the loop from its look, which is no failure of anything:
// it looks again soon, not after the wait for failures.
func TestD12_LoopComesBackSoonAfterAPersonsApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1000)
		r.wantMany(50)
		follow, stop := running(t, r)
		defer stop()
		r.graph.mark.Settled = false // the loop leaves the first one to the person
		release := slowApply(t, r)
		r.want("def", "new.evil.com", 80)
		r.graph.mark.Settled, r.graph.mark.Heads = true, map[string]uint64{"t": 2}
		follow(10 * time.Minute)
		release()
		follow(3 * lookEvery)
		if n := len(r.tenant.live()); n != 51 {
			t.Errorf("%d live soon after the person was done", n)
		}
	})
}

// What a person asks the loop to do at once is not forgotten because upstream is not
// settled at that moment.
func TestD5_APokeOutlivesAnUnsettledUpstream(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	g := r.m.groupsSorted()[0]
	due := func() bool {
		t.Helper()
		due, err := r.m.due(t.Context(), g, r.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return due
	}
	due()
	g.run.plannedOn, g.run.plannedAt = g.run.heads, r.clock.Now()
	r.clock.Advance(2 * time.Minute)
	if due() {
		t.Fatal("due though nothing changed")
	}
	r.m.poke()
	r.graph.mark.Settled = false
	if due() {
		t.Fatal("due though upstream is not settled")
	}
	r.graph.mark.Settled = true
	if !due() {
		t.Error("the poke is forgotten")
	}
}

// A block by hand and a person's plan-and-apply are one thing: from the listing to the
// last call nobody else gets the turn, so that the loop cannot take over what was asked
// for and leave the person with "skipped".
func TestD16_NobodyComesBetweenPlanAndApply(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	calls, free := map[sdk.OpName]int{}, 0
	r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
		calls[op]++
		if g, err := r.m.holdNow(t.Context(), "def"); !errors.Is(err, errBusy) {
			g.busy.Unlock()
			free++
		}
		return nil
	}
	if res, err := r.m.PlanAndApply(t.Context(), "def", ApplyOptions{By: "alice"}); err != nil || res.Counts[Create] != 3 || res.Partial() {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err := r.m.Block(t.Context(), "def", ind("adhoc.evil.com"), time.Hour, "incident", "alice"); err != nil || res.Counts[Create] != 1 || res.Partial() {
		t.Errorf("%+v, %v", res, err)
	}
	if calls[sdk.OpList] == 0 || calls[sdk.OpUpsert] < 2 || free > 0 {
		t.Errorf("calls %v, the turn was free at %d of them", calls, free)
	}
	g, err := r.m.holdNow(t.Context(), "def")
	if err != nil {
		t.Fatalf("the turn was not given back: %v", err)
	}
	g.busy.Unlock()
}

// What a call is just making counts where it is decided what goes: a commit in that
// moment must neither forget it (SEMANTICS D1) nor preview nothing (E11).
func TestE11_WhatIsOnItsWayCounts(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3, "feed")
	asked := 0
	r.tenant.fault = func(_ int, op sdk.OpName, phase string) error {
		if op != sdk.OpUpsert || phase == "before" {
			return nil
		}
		asked++ // the tenant has them, and nobody here heard of it
		sole, err := r.m.SoleContributions(t.Context(), []string{"feed"})
		if err != nil || sole["def"]["feed"] != 3 {
			t.Errorf("sole contributions %v, %v", sole, err)
		}
		if n, err := r.m.LiveOf(t.Context(), "def", r.dests[0].Target.Info().Domain); err != nil || n != 3 {
			t.Errorf("%d live, %v", n, err)
		}
		return nil
	}
	r.sync()
	if asked == 0 {
		t.Error("nothing was made")
	}
}
