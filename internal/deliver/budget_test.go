package deliver

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

func TestD14_ChangedActionAtFreeBudgetHasNoGap(t *testing.T) { changedAction(t, 100, true) }

func TestD14_ChangedActionAtFullBudget(t *testing.T) { changedAction(t, 30, false) }

func changedAction(t *testing.T, capacity int, noGap bool) {
	t.Helper()
	r := newRig(t, capacity)
	r.wantMany(30)
	r.dests[0].Target = r.tenant.door("app", "Audit")
	r.configure()
	r.sync()
	r.dests[0].Target = r.tenant.door("app", "Block")
	r.configure()
	worst := 30
	r.tenant.fault = func(int, sdk.OpName, string) error {
		values := map[string]bool{}
		for _, row := range r.tenant.rows {
			values[row.Value] = true
		}
		worst = min(worst, len(values))
		if len(r.tenant.rows) > capacity {
			t.Error("the tenant is over its capacity")
		}
		return nil
	}
	res := r.sync()
	r.tenant.fault = nil
	if res.Counts[Replace] != 60 || res.Partial() {
		t.Errorf("result %+v", res)
	}
	for name := range r.tenant.live() {
		if !strings.HasSuffix(name, "/Block") {
			t.Errorf("%s is left", name)
		}
	}
	if len(r.tenant.live()) != 30 {
		t.Errorf("%d live", len(r.tenant.live()))
	}
	if noGap && worst < 30 || worst < 30-pairsAtFull {
		t.Errorf("only %d values were at the tenant for a moment", worst)
	}
	r.quiet()
}

func TestD14_RefusedReplacementKeepsTheOldObject(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].Target = r.tenant.door("app", "Audit")
	r.configure()
	r.want("def", "h1.evil.com", 80)
	r.sync()
	r.dests[0].Target = r.tenant.door("app", "Block")
	r.configure()
	r.tenant.badItem = func(string) string { return "not allowed" }
	r.sync()
	r.tenantHas("h1.evil.com/Audit")
	r.quiet()
	if p := r.plan(); p.Reasons[reason.ReplacementStuck] != 1 {
		t.Errorf("reasons %v", p.Reasons)
	}
}

func TestD8_WithdrawnAndAddedAgainInOnePollIsNothing(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(5)
	r.sync()
	r.unwant("def", "h0001.evil.com")
	r.want("def", "h0001.evil.com", 80)
	r.quiet()
}

func TestD8_OneValueWithTwoActionsIsAConflict(t *testing.T) {
	r := newRig(t, 10)
	r.dests = []Destination{
		{Node: "block", Target: r.tenant.door("app", "Block"), Mode: ModeAuto, Guards: looseGuards},
		{Node: "audit", Target: r.tenant.door("app", "Audit"), Mode: ModeAuto, Guards: looseGuards},
	}
	r.configure()
	r.want("block", "h1.evil.com", 80)
	r.want("audit", "h1.evil.com", 80)
	p, err := r.m.Plan(t.Context(), "audit", PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Reasons[reason.Conflict] != 1 || p.Actions[Create] != 1 {
		t.Errorf("reasons %v, actions %v", p.Reasons, p.Actions)
	}
	r.apply(p)
	r.tenantHas("h1.evil.com/Block")
	if errs := CheckDuplicates(r.dests); len(errs) != 0 {
		t.Errorf("different actions are no duplicates: %v", errs)
	}
	r.dests[1].Target = r.tenant.door("app", "Block")
	var dup *DuplicateError
	if errs := CheckDuplicates(r.dests); len(errs) != 1 || !errors.As(errs[0], &dup) {
		t.Errorf("two nodes making the same objects: %v", errs)
	}
}

func TestD8_BudgetTakesTheBest(t *testing.T) {
	r := newRig(t, 20)
	r.dests[0].Target.(*door).info.Reserve = 5
	for i := range 100 {
		r.want("def", fmt.Sprintf("h%04d.evil.com", i), i)
	}
	r.sync()
	if n := len(r.tenant.live()); n != 15 {
		t.Fatalf("%d live, budget 15", n)
	}
	for i := 90; i < 100; i++ {
		if _, ok := r.tenant.live()[fmt.Sprintf("h%04d.evil.com/Block", i)]; !ok {
			t.Errorf("confidence %d has no slot", i)
		}
	}
	p := r.plan()
	if p.Reasons[reason.Quota] != 85 || p.Cut.Last == "" || p.Cut.Next == "" {
		t.Errorf("reasons %v, cut %+v", p.Reasons, p.Cut)
	}
	r.quiet()
}

func TestD8_BlockSpendsTheReserve(t *testing.T) {
	r := newRig(t, 10)
	r.dests[0].Target.(*door).info.Reserve = 2
	r.dests[0].MinConfidence = 70
	r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", []indicator.Indicator{ind("corp.com")})}}
	r.configure()
	r.wantMany(20)
	r.sync()
	res, err := r.m.Block(t.Context(), "def", ind("now.evil.com"), time.Hour, "incident 7", "ana")
	if err != nil || res.Counts[Create] != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	if len(r.tenant.live()) != 9 {
		t.Errorf("live %v", r.tenant.names())
	}
	r.quiet()
	if _, err := r.m.Block(t.Context(), "def", ind("www.corp.com"), time.Hour, "oops", "ana"); err == nil {
		t.Error("an own asset could be blocked")
	}
	r.clock.Advance(2 * time.Hour)
	r.sync()
	if _, ok := r.tenant.live()["now.evil.com/Block"]; ok || len(r.tenant.live()) != 8 {
		t.Errorf("the block did not end: %v", r.tenant.names())
	}
}

func TestD9_IncumbentsFallOnlyToAMarginAfterTenure(t *testing.T) {
	r := newRig(t, 5)
	for i := range 5 {
		r.want("def", fmt.Sprintf("h%04d.evil.com", i), 50)
	}
	r.sync()
	r.want("def", "little.evil.com", 60)
	r.clock.Advance(2 * day)
	r.quiet()
	r.want("def", "much.evil.com", 90)
	r.sync()
	if _, ok := r.tenant.live()["much.evil.com/Block"]; !ok {
		t.Errorf("a challenger by a margin got no slot: %v", r.tenant.names())
	}
	r.want("def", "top.evil.com", 100)
	for i := range 5 {
		r.unwant("def", fmt.Sprintf("h%04d.evil.com", i))
	}
	r.sync() // four free slots: little, top
	r.want("def", "h0000.evil.com", 10)
	r.want("def", "h0001.evil.com", 10)
	r.sync()
	r.want("def", "late.evil.com", 100)
	r.quiet() // the two are in their tenure
	r.clock.Advance(2 * day)
	r.sync()
	if _, ok := r.tenant.live()["late.evil.com/Block"]; !ok {
		t.Errorf("after the tenure: %v", r.tenant.names())
	}
}

func TestD9_SwapsADayAreBounded(t *testing.T) {
	r := newRig(t, 100)
	r.set.SwapsADay = 10
	r.open()
	for i := range 100 {
		r.want("def", fmt.Sprintf("h%04d.evil.com", i), 10)
	}
	r.sync()
	r.clock.Advance(2 * day)
	for i := range 100 {
		r.want("def", fmt.Sprintf("n%04d.evil.com", i), 100)
	}
	for d := 1; d <= 3; d++ {
		r.sync()
		r.sync()
		n := 0
		for name := range r.tenant.live() {
			if strings.HasPrefix(name, "n") {
				n++
			}
		}
		if n != 10*d {
			t.Errorf("day %d: %d swapped in, want %d", d, n, 10*d)
		}
		r.clock.Advance(day + time.Hour)
	}
}

func TestD8_ForeignGrowthDeletesNothingOfOurs(t *testing.T) {
	r := newRig(t, 20)
	r.wantMany(15)
	r.sync()
	for i := range 5 {
		r.tenant.add(fmt.Sprintf("f%05d.other.net", i), "Block", "other", "")
	}
	r.tenant.capacity = 18
	r.dests[0].Target.(*door).info.Capacity = 20
	for i := range 5 {
		r.tenant.add(fmt.Sprintf("g%05d.other.net", i), "Block", "other", "")
	}
	r.clock.Advance(2 * time.Hour)
	r.want("def", "more.evil.com", 80)
	res := r.sync()
	if res.Counts[Delete] != 0 || res.Counts[Create] != 0 {
		t.Errorf("%v", res.Counts)
	}
}

// A service that takes deletions and no creations must not empty a full tenant, one
// replacement after the other.
func TestD14_FailingCreationsAtFullBudgetCostOneObject(t *testing.T) {
	failures := map[string]func(r *rig){
		"no answer": func(r *rig) {
			r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
				if op == sdk.OpUpsert {
					return &sdk.Error{Failure: sdk.Unavailable, Message: "500"}
				}
				return nil
			}
		},
		"refused items": func(r *rig) { r.tenant.badItem = func(string) string { return "action not allowed here" } },
		"throttled": func(r *rig) {
			r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
				if op == sdk.OpUpsert {
					return &sdk.Error{Failure: sdk.Throttled, Message: "429"}
				}
				return nil
			}
		},
	}
	for what, fail := range failures {
		t.Run(what, func(t *testing.T) {
			r := newRig(t, 30)
			r.wantMany(30)
			r.dests[0].Target = r.tenant.door("app", "Audit")
			r.configure()
			r.sync()
			r.dests[0].Target = r.tenant.door("app", "Block")
			r.configure()
			fail(r)
			for range 5 {
				r.sync()
				r.clock.Advance(10 * time.Minute)
			}
			if n := len(r.tenant.live()); n < 29 {
				t.Errorf("%d of 30 objects are left", n)
			}
		})
	}
}
