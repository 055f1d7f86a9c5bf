package scenario

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/internal/sandbox/journal"
)

const waiting = feedNode + `
  defender: {class: defender, inputs: [feed], to: [contoso], settle: 2s, config: {action: block}}
`

func TestD1_FeedToTenantAndRest(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 20, 80)...)
	s := w.open(oneFeed)
	w.has(20)
	s.quiet()
}

// 429 on call k of n loses nothing and repeats nothing.
func TestD12_ThrottledOnAnyCall(t *testing.T) {
	for k := 1; k <= 3; k++ {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			w := newWorld(t)
			w.feed("feed", hosts(0, 1400, 80)...)
			s := w.open(waiting)
			s.until("the plan waits", func() bool { return s.condition("plan_waiting") != nil })
			w.fault(sandbox.Rule{Op: "import", From: k, Count: 1, Action: sandbox.Action{Status: 429, RetryAfter: "40"}})
			if r := s.apply(); r.Partial() || r.Counts[deliver.Create] != 1400 {
				t.Errorf("result %+v", r)
			}
			created := w.effects(journal.Created)
			for v, n := range created {
				if n != 1 {
					t.Errorf("%s was made %d times", v, n)
				}
			}
			if len(created) != 1400 || len(w.effects(journal.Updated)) > 0 {
				t.Errorf("%d created, %d written again", len(created), len(w.effects(journal.Updated)))
			}
			calls := w.sb.Journal(sandbox.Query{Op: "import"})
			if wait := calls[k].Time.Sub(calls[k-1].Time); len(calls) != 4 || wait < 40*time.Second {
				t.Errorf("%d calls, the throttled one again after %s", len(calls), wait)
			}
			s.quiet()
		})
	}
}

// One bad row does not stop the others and is parked with the service's reason,
// whether the service refuses the row or the whole call.
func TestD13_OneBadRow(t *testing.T) {
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprintf("whole call %v", whole), func(t *testing.T) {
			w := newWorld(t)
			w.feed("feed", hosts(0, 300, 80)...)
			end := w.fault(sandbox.Rule{Op: "import", Action: sandbox.Action{Refuse: []sandbox.Refusal{{Value: name(42), Reason: "the moon is full", FailCall: whole}}}})
			s := w.open(oneFeed)
			w.has(299)
			s.advance(time.Minute)
			if n := s.held("defender")[reason.Rejected]; n != 1 {
				t.Errorf("%d rejected, want 1", n)
			}
			v, err := s.app.Why(t.Context(), app.WhyArgs{Value: name(42)})
			if text := fmt.Sprintf("%+v", v.Destinations); err != nil || !strings.Contains(text, "the moon is full") {
				t.Errorf("why says %s, %v", text, err)
			}
			s.quiet()
			end()
			s.quiet() // the same body is not tried again
			w.feed("feed", append(hosts(0, 42, 80), append(hosts(43, 300, 80), host(42, 95))...)...)
			w.has(300)
			s.quiet()
		})
	}
}

// 500 for ever: growing waits that are bounded, a partial result, and a process
// that answers.
func TestD12_ServerErrorsForEver(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 30, 80)...)
	s := w.open(waiting)
	s.until("the plan waits", func() bool { return s.condition("plan_waiting") != nil })
	end := w.fault(sandbox.Rule{Op: "import", Action: sandbox.Action{Status: 500}})
	if r := s.apply(); !r.Partial() || r.Left != 30 {
		t.Errorf("partial %v, left %d, want all 30", r.Partial(), r.Left)
	}
	first := w.writes()
	if first < 2 || first > 8 {
		t.Errorf("%d calls in one apply", first)
	}
	s.leap(2*time.Hour, 30*time.Second)
	if n := w.writes() - first; n < 4 || n > 60 {
		t.Errorf("%d calls in two hours", n)
	}
	// The clock stands: a status that waited for an apply would never come.
	ctx, cancel := context.WithTimeout(t.Context(), settleMost)
	defer cancel()
	if _, err := s.app.Status(ctx, app.None{}); err != nil || ctx.Err() != nil {
		t.Errorf("status: %v", err)
	}
	end()
	w.has(30)
	s.quiet()
}

// An import answered by a reset connection is in doubt and resolved without a
// duplicate, whether or not it had its effect.
func TestD11_ImportAnsweredByReset(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t)
			w.feed("feed", hosts(0, 30, 80)...)
			s := w.open(waiting)
			s.until("the plan waits", func() bool { return s.condition("plan_waiting") != nil })
			end := w.fault(sandbox.Rule{Op: "import", Action: sandbox.Action{Reset: true, When: when}})
			if r := s.apply(); !r.Partial() {
				t.Error("a call without an answer is no success")
			}
			v, err := s.app.Status(t.Context(), app.None{})
			if err != nil || v.Destinations[0].InDoubt != 30 {
				t.Errorf("%d in doubt, %v", v.Destinations[0].InDoubt, err)
			}
			end()
			s.settled(30)
			if n := len(w.rows()); n != 30 {
				t.Errorf("%d rows", n)
			}
			s.quiet()
		})
	}
}

// A deletion answered by a reset connection is looked up, not repeated.
func TestD11_DeletionAnsweredByReset(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t)
			w.feed("feed", hosts(0, 30, 80)...)
			s := w.open(oneFeed)
			w.has(30)
			end := w.fault(sandbox.Rule{Op: "batch_delete", Count: 1, Action: sandbox.Action{Reset: true, When: when}})
			defer end()
			w.feed("feed", hosts(0, 20, 80)...)
			w.has(20)
			s.settled(20) // the deletion is looked up
			s.quiet()
		})
	}
}

// A restart in the middle of an apply, with calls on the way, loses nothing and
// makes nothing twice.
func TestD20_RestartInTheMiddle(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 1400, 80)...)
	s := w.open(waiting)
	s.until("the plan waits", func() bool { return s.condition("plan_waiting") != nil })
	end := w.fault(sandbox.Rule{Op: "import", From: 2, Action: sandbox.Action{Reset: true, When: "after"}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.app.Apply(ctx, app.ApplyArgs{By: "alice"}) // it is cut off
	}()
	for len(w.sb.Journal(sandbox.Query{Op: "import"})) < 2 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	end()
	s.stop()
	s.start()
	w.has(1400)
	s.quiet()
	created := w.effects(journal.Created)
	for v, n := range created {
		if n != 1 {
			t.Errorf("%s was made %d times", v, n)
		}
	}
	if len(created) != 1400 {
		t.Errorf("%d were made", len(created))
	}
}
