package scenario

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/internal/sandbox/journal"
)

// rows are the tenant's rows of our app by "value action".
func (w *world) rows() map[string]sandbox.Indicator {
	w.t.Helper()
	all, err := w.sb.Rows(tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]sandbox.Indicator{}
	for _, r := range all {
		if r.CreatedBy == sandbox.DemoApp {
			out[r.Value+" "+r.Action] = r
		}
	}
	return out
}

// holds asserts which rows of ours the tenant has.
func (w *world) holds(want ...string) {
	w.t.Helper()
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(w.rows())); !slices.Equal(got, want) {
		w.t.Errorf("the tenant holds %v, want %v", got, want)
	}
}

// has waits for the tenant to have so many rows of ours.
func (w *world) has(n int) {
	w.t.Helper()
	w.until("the tenant's rows are as many as wanted", func() bool { return len(w.rows()) == n })
}

// settled waits for the ledger to know so many live rows, with no call in doubt.
func (s *site) settled(live int) {
	s.t.Helper()
	s.until("every call has its outcome", func() bool {
		v, err := s.app.Status(s.t.Context(), app.None{})
		return err == nil && v.Destinations[0].Live == live && v.Destinations[0].InDoubt == 0
	})
}

// writes counts the calls that wrote, or tried to.
func (w *world) writes() int {
	return len(w.sb.Journal(sandbox.Query{Op: "import"})) + len(w.sb.Journal(sandbox.Query{Op: "batch_delete"}))
}

// effects counts what calls did to each value.
func (w *world) effects(effect string) map[string]int {
	out := map[string]int{}
	for _, e := range w.sb.Journal(sandbox.Query{Effect: effect}) {
		for _, it := range e.Items {
			if it.Effect == effect {
				out[it.Value]++
			}
		}
	}
	return out
}

func (w *world) deleted() map[string]int { return w.effects(journal.Deleted) }

// quiet asserts that nothing is written for a while.
func (s *site) quiet() {
	s.t.Helper()
	before := s.writes()
	s.advance(5 * time.Minute)
	if n := s.writes() - before; n > 0 {
		s.t.Errorf("%d write calls at rest", n)
	}
}

func (s *site) condition(kind string) *condition.Condition {
	s.t.Helper()
	all, err := s.app.Conditions(s.t.Context(), app.None{})
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range all {
		if all[i].Kind == kind {
			return &all[i]
		}
	}
	return nil
}

func (s *site) conditions() string {
	all, _ := s.app.Conditions(s.t.Context(), app.None{})
	var b strings.Builder
	for _, c := range all {
		b.WriteString(c.Node + " " + c.Kind + ": " + c.Message + "\n")
	}
	return b.String()
}

// held counts what a destination does not send, by reason.
func (s *site) held(dest string) map[reason.Code]int {
	s.t.Helper()
	v, err := do(s.world, func(ctx context.Context) (app.HeldView, error) {
		return s.app.Held(ctx, app.HeldArgs{Destination: dest})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return v.Counts
}

// poll reads a source now.
func (s *site) poll(node string) {
	s.t.Helper()
	_, err := do(s.world, func(ctx context.Context) (struct{}, error) {
		_, err := s.app.Poll(ctx, app.PollArgs{Node: node})
		return struct{}{}, err
	})
	if err != nil {
		s.t.Logf("poll of %s: %v", node, err)
	}
	s.settle()
}

// apply is a person's plan and apply.
func (s *site) apply() *deliver.Result {
	s.t.Helper()
	r, err := do(s.world, func(ctx context.Context) (*deliver.Result, error) {
		return s.app.Apply(ctx, app.ApplyArgs{By: "alice"})
	})
	if err != nil {
		s.t.Fatalf("apply: %v", err)
	}
	return r
}

func (s *site) approve(id string) {
	s.t.Helper()
	_, err := do(s.world, func(ctx context.Context) (app.None, error) {
		return s.app.Approve(ctx, app.ApproveArgs{ID: id, By: "alice", Reason: "seen", Until: s.clock.Now().Add(day)})
	})
	if err != nil {
		s.t.Fatalf("approve %s: %v", id, err)
	}
}

func (s *site) commit(args app.CommitArgs) (app.CommitView, error) {
	v, err := do(s.world, func(ctx context.Context) (app.CommitView, error) { return s.app.Commit(ctx, args) })
	s.resize()
	s.settle()
	return v, err
}
