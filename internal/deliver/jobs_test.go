package deliver

import (
	"testing"
	"time"
)

// loop lets the group's loop look once, long enough after the last time.
func (r *rig) loop() {
	r.t.Helper()
	for _, g := range r.m.groupsSorted() {
		r.m.look(r.t.Context(), g)
	}
}

// TestBetweenRuns: what a job applies is renewed between its runs and nothing is
// created, changed or withdrawn; where nothing of it is there, nothing is asked for.
func TestBetweenRuns(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].ByJob = true
	r.configure()
	r.want("def", "h1.evil.com", 80)
	r.tenant.calls = nil
	r.loop()
	if len(r.tenant.calls) > 0 {
		t.Errorf("calls before the first run: %v", r.tenant.calls)
	}
	res, err := r.m.PlanAndApply(t.Context(), "def", ApplyOptions{By: "ana", Nodes: []string{"def"}})
	if err != nil || res.Counts[Create] != 1 {
		t.Fatalf("%+v %v", res, err)
	}
	r.want("def", "h2.evil.com", 80)
	first := r.tenant.live()["h1.evil.com/Block"].Expires
	for range 29 {
		r.clock.Advance(day)
		r.loop()
	}
	r.tenantHas("h1.evil.com/Block")
	if now := r.tenant.live()["h1.evil.com/Block"].Expires; !now.After(first) {
		t.Errorf("not renewed: it ends %s", now)
	}
	r.unwant("def", "h1.evil.com")
	r.clock.Advance(time.Hour)
	r.loop()
	r.tenantHas("h1.evil.com/Block")
	if _, err := r.m.PlanAndApply(t.Context(), "def", ApplyOptions{Nodes: []string{"def"}}); err != nil {
		t.Fatal(err)
	}
	r.tenantHas("h2.evil.com/Block")
}

// TestD8_UseReserve: a run uses slots of the reserve by a person's word, and for itself
// alone: what it sent stays, the next one sends no more, and slots that fall free are
// reserved again.
func TestD8_UseReserve(t *testing.T) {
	r := newRig(t, 10)
	r.dests[0].Target.(*door).info.Reserve = 4
	r.configure()
	r.wantMany(10)
	apply := func(n int) {
		t.Helper()
		if _, err := r.m.PlanAndApply(t.Context(), "def", ApplyOptions{By: "ana", UseReserve: n}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct{ use, want int }{{0, 6}, {2, 8}, {0, 8}, {1, 9}, {0, 9}} {
		apply(step.use)
		if got := len(r.tenant.live()); got != step.want {
			t.Fatalf("after %d of the reserve %d rows, want %d", step.use, got, step.want)
		}
	}
	for value := range r.tenant.live() {
		r.unwant("def", value[:len(value)-len("/Block")])
	}
	apply(0)
	for i := range 10 {
		r.want("def", string(rune('a'+i))+"new.evil.com", 80)
	}
	apply(0)
	if got := len(r.tenant.live()); got != 6 {
		t.Errorf("%d rows once the reserve was free again, want 6", got)
	}
}
