package deliver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

// An ad hoc block before anybody approved the first plan blocks that value and
// approves nothing else.
func TestD8_BlockDoesNotApproveTheFirstPlan(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].Mode = ModeFirst
	r.configure()
	r.wantMany(20)
	if _, err := r.m.Block(t.Context(), "def", ind("now.evil.com"), time.Hour, "incident", "ana"); err != nil {
		t.Fatal(err)
	}
	r.tenantHas("now.evil.com/Block")
	if p := r.plan(); !p.First {
		t.Error("the first plan counts as approved")
	}
	if _, err := r.m.Apply(t.Context(), r.plan(), ApplyOptions{}); !errors.Is(err, ErrUnapproved) {
		t.Errorf("the loop may apply the first plan: %v", err)
	}
}

// Of two live rows of one value the one that lost goes, though its record passes
// every rule.
func TestD8_LoserOfAConflictIsWithdrawn(t *testing.T) {
	r := newRig(t, 100)
	r.dests = []Destination{
		{Node: "block", Target: r.tenant.door("app", "Block"), Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards},
		{Node: "audit", Target: r.tenant.door("app", "Audit"), Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards},
	}
	r.configure()
	sync := func() *Plan {
		p, err := r.m.Plan(t.Context(), "audit", PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r.apply(p)
		return p
	}
	r.want("audit", "h1.evil.com", 80)
	sync()
	// The creation of the other row is done, the deletion that belongs to it fails.
	r.want("block", "h1.evil.com", 100)
	broken := true
	r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
		if op == sdk.OpDelete && broken {
			return &sdk.Error{Failure: sdk.NotSent, Message: "no route"}
		}
		return nil
	}
	r.clock.Advance(25 * time.Hour) // past the tenure
	sync()
	broken = false
	sync()
	sync()
	r.tenantHas("h1.evil.com/Block")
	if p := sync(); p.Changes() > 0 {
		t.Errorf("planned at rest: %v", p.Actions)
	}
}

// A call in doubt is not repeated for what nobody wants any more: an allow-list may
// have taken it in meanwhile.
func TestD11_DoubtIsNotRepeatedForWhatIsNotWanted(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "h1.evil.com", 80)
	r.tenant.fault = failAll(sdk.OpUpsert, sdk.InDoubt)
	r.sync()
	r.tenant.fault = nil
	before := r.tenant.writes()
	r.unwant("def", "h1.evil.com")
	r.sync()
	if n := r.tenant.writes() - before; n > 0 {
		t.Errorf("%d write calls for what nobody wants", n)
	}
	r.tenantHas()
	r.quiet()
}

func failAll(of sdk.OpName, failure sdk.Failure) func(int, sdk.OpName, string) error {
	return func(_ int, op sdk.OpName, _ string) error {
		if op == of {
			return &sdk.Error{Failure: failure, Message: "injected"}
		}
		return nil
	}
}

// A service that asks for a long wait is not waited for inside an apply: a person's
// command comes back, and nobody calls before the time.
func TestD12_LongRetryAfterEndsTheApply(t *testing.T) {
	for _, failure := range []sdk.Failure{sdk.Throttled, sdk.Unavailable} {
		r := newRig(t, 100)
		r.wantMany(3)
		until := r.clock.Now().Add(50 * time.Minute)
		r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
			if op == sdk.OpUpsert && r.clock.Now().Before(until) {
				return &sdk.Error{Failure: failure, Message: "later", RetryAt: until}
			}
			return nil
		}
		at := r.clock.Now()
		if res := r.sync(); !res.Partial() || r.clock.Now().Sub(at) > patience {
			t.Errorf("%s: partial %v after %s", failure, res.Partial(), r.clock.Now().Sub(at))
		}
		calls := r.tenant.writes()
		r.sync()
		if r.tenant.writes() != calls {
			t.Errorf("%s: called before the time", failure)
		}
		r.clock.Advance(51 * time.Minute)
		r.sync()
		if n := len(r.tenant.live()); n != 3 {
			t.Errorf("%s: %d live", failure, n)
		}
	}
}

// What is declared protected while an apply runs is not sent by its later calls.
func TestD7_ProtectionDeclaredDuringAnApply(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(350) // four calls
	p := r.plan()
	res, err := r.m.Apply(t.Context(), p, ApplyOptions{Progress: func(pr Progress) {
		if pr.Done == 100 {
			r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", []indicator.Indicator{ind("h0349.evil.com")})}}
			r.configure()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, there := r.tenant.live()["h0349.evil.com/Block"]; there || len(res.Skipped) != 1 {
		t.Errorf("a value protected since was sent; skipped %v", res.Skipped)
	}
	if n := len(r.tenant.live()); n != 349 {
		t.Errorf("%d live", n)
	}
}

// Another configuration in the middle of an apply ends it; the next plan goes on.
func TestD16_ConfigurationChangedDuringAnApply(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(350)
	p := r.plan()
	res, err := r.m.Apply(t.Context(), p, ApplyOptions{Progress: func(pr Progress) {
		if pr.Done == 100 {
			r.dests[0].ConfigVersion = "2"
			r.configure()
		}
	}})
	if err != nil || res.Left != 250 || !strings.Contains(strings.Join(res.Why, " "), "configuration changed") {
		t.Errorf("%+v, %v", res, err)
	}
	r.sync()
	if n := len(r.tenant.live()); n != 350 {
		t.Errorf("%d live", n)
	}
	r.quiet()
}

// The plans that the loop saves for a person do not pile up while nobody comes.
func TestD16_WaitingPlansDoNotPileUp(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].Mode = ModeFirst
	r.configure()
	g := r.m.groupsSorted()[0]
	for i := range 200 {
		r.want("def", ind("x.evil.com").Value, 50+i%50)
		r.graph.mark.Heads["t"]++
		now := r.clock.Now()
		if _, err := r.m.due(t.Context(), g, now); err != nil {
			t.Fatal(err)
		}
		if err := r.m.step(t.Context(), g, now); err != nil {
			t.Fatal(err)
		}
		r.clock.Advance(time.Hour)
	}
	plans, err := r.m.Plans(t.Context())
	if err != nil || len(plans) > 26 {
		t.Errorf("%d plans are kept, %v", len(plans), err)
	}
	before := len(plans)
	for range 10 { // nothing changes: the plan that waits is the one to approve
		if err := r.m.step(t.Context(), g, r.clock.Now()); err != nil {
			t.Fatal(err)
		}
		r.clock.Advance(10 * time.Minute)
	}
	if plans, err = r.m.Plans(t.Context()); err != nil || len(plans) > before+1 {
		t.Errorf("%d plans after nothing changed, %d before; %v", len(plans), before, err)
	}
}

// A plan that is asked for while an apply ends must not write back the ledger it read
// before: it reads under the lock.
func TestD16_PlanDuringAnApplyWritesNothing(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(150)
	p := r.plan()
	noted := false
	_, err := r.m.Apply(t.Context(), p, ApplyOptions{Progress: func(pr Progress) {
		during, err := r.m.Plan(context.WithoutCancel(t.Context()), "def", PlanOptions{Relist: true})
		if err != nil {
			t.Error(err)
			return
		}
		noted = strings.Contains(strings.Join(during.Notes, " "), "apply is running")
		st, err := r.m.Status(t.Context())
		if err != nil || !st[0].Applying {
			t.Errorf("status %+v, %v", st, err)
		}
	}})
	if err != nil || !noted {
		t.Errorf("noted %v, %v", noted, err)
	}
	if p := r.plan(); p.Reasons[reason.InDoubt] > 0 || p.Changes() > 0 {
		t.Errorf("%v %v", p.Actions, p.Reasons)
	}
}
