package deliver

import (
	"testing"
	"time"
)

// Saved plans and what would undo an apply are kept for 90 days and no longer, whether
// or not anything is saved or applied since (SEMANTICS F, D17).
func TestD17_PlansAndInversesAreForgottenAfter90Days(t *testing.T) {
	r := newRig(t, 100)
	var applies, plans []string
	for i, v := range []string{"a.evil.com", "b.evil.com"} {
		r.want("def", v, 80)
		p := r.plan()
		if err := r.m.SavePlan(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		plans, applies = append(plans, p.ID), append(applies, r.apply(p).ID)
		if i == 0 {
			r.clock.Advance(60 * day)
		}
	}
	r.open() // what was planned by this process is in memory, too
	for _, step := range []struct {
		after time.Duration
		kept  int // of the two, the later ones
	}{{29 * day, 2}, {2 * day, 1}, {60 * day, 0}} {
		r.clock.Advance(step.after)
		g := r.m.groupsSorted()[0]
		if err := r.m.step(t.Context(), g, r.clock.Now()); err != nil {
			t.Fatal(err)
		}
		for i := range applies {
			want := i >= len(applies)-step.kept
			undo, err := r.m.Inverses(t.Context(), applies[i])
			if err != nil || want != (len(undo) > 0) {
				t.Errorf("after %s more: %d inverses of apply %d, %v", step.after, len(undo), i, err)
			}
			if _, err := r.m.LoadPlan(t.Context(), plans[i]); want != (err == nil) {
				t.Errorf("after %s more: plan %d: %v", step.after, i, err)
			}
		}
	}
}
