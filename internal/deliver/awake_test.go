package deliver

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/reason"
)

// twoJobs is a rig with two jobs of one action at one tenant.
func twoJobs(t *testing.T, capacity int) *rig {
	t.Helper()
	r := newRig(t, capacity)
	a, b := r.dests[0], r.dests[0]
	a.Node, a.ByJob, a.Mode = "a", true, ModeFirst
	b.Node, b.ByJob, b.Mode, b.Target = "b", true, ModeFirst, r.tenant.door("app", "Block")
	r.dests = []Destination{a, b}
	r.configure()
	return r
}

// run is a run of the job that has one node; a person's where by is given.
func (r *rig) run(node, by string) *Result {
	r.t.Helper()
	res, err := r.m.PlanAndApply(r.t.Context(), node, ApplyOptions{By: by, Nodes: []string{node}})
	if err != nil {
		r.t.Fatalf("run of %s: %v", node, err)
	}
	return res
}

func TestD8_TwoJobsOfOneActionShareTheirObjects(t *testing.T) {
	r := twoJobs(t, 100)
	if errs := CheckDuplicates(r.dests); len(errs) != 0 {
		t.Fatalf("two jobs may want the same: %v", errs)
	}
	for _, w := range [][2]string{{"a", "both.evil.com"}, {"a", "a.evil.com"}, {"b", "both.evil.com"}, {"b", "b.evil.com"}} {
		r.want(w[0], w[1], 80, w[0]+".source")
	}
	r.run("a", "ana")
	r.tenantHas("a.evil.com/Block", "both.evil.com/Block")
	r.run("b", "ana")
	r.tenantHas("a.evil.com/Block", "b.evil.com/Block", "both.evil.com/Block")
	for _, node := range []string{"a", "b", "a", "b"} {
		before := r.tenant.writes()
		r.run(node, "")
		if n := r.tenant.writes() - before; n > 0 {
			t.Errorf("a run of %s writes %d times with nothing to do", node, n)
		}
	}

	// What one job wants no more stays for the other, and goes with the last.
	r.unwant("a", "both.evil.com")
	r.run("a", "")
	r.tenantHas("a.evil.com/Block", "b.evil.com/Block", "both.evil.com/Block")
	r.unwant("b", "b.evil.com")
	r.run("a", "")
	r.tenantHas("a.evil.com/Block", "b.evil.com/Block", "both.evil.com/Block")
	r.unwant("b", "both.evil.com")
	r.run("b", "")
	r.tenantHas("a.evil.com/Block")
}

// A job and another node are no equals: what both made would be due now and with the
// next run.
func TestD8_AJobAndAnotherNodeMayNotMakeTheSame(t *testing.T) {
	r := twoJobs(t, 100)
	r.dests[0].ByJob = false
	errs := CheckDuplicates(r.dests)
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "one is a job's") {
		t.Errorf("%v", errs)
	}
}

// TestNobodyWaitsForAJobThatNobodyRan: neither its unread source nor its first plan is in
// the way of others at the tenant.
func TestNobodyWaitsForAJobThatNobodyRan(t *testing.T) {
	r := newRig(t, 4)
	job := r.dests[0]
	job.Node, job.ByJob, job.Mode, job.Target = "job", true, ModeFirst, r.tenant.door("app", "Audit")
	r.dests[0].Mode = ModeFirst
	r.dests = append(r.dests, job)
	r.configure()
	r.graph.unread = map[string]bool{"job": true}
	for _, h := range []string{"h1", "h2", "h3"} {
		r.want("def", h+".evil.com", 60)
	}
	for _, h := range []string{"j1", "j2", "j3", "j4"} { // by remeld job run --plan
		r.want("job", h+".evil.com", 99)
	}
	r.loop()
	r.clock.Advance(2 * time.Minute)
	r.loop()
	r.tenantHas()
	waits := r.conds.List()
	if len(waits) != 1 || waits[0].Node != "def" || !strings.Contains(waits[0].Message, "3 changes") {
		t.Fatalf("%+v", waits)
	}
	if _, err := r.m.PlanAndApply(t.Context(), "def", ApplyOptions{By: "ana"}); err != nil {
		t.Fatal(err)
	}
	r.tenantHas("h1.evil.com/Block", "h2.evil.com/Block", "h3.evil.com/Block")
	if r.condition("plan_waiting") {
		t.Error("it still waits for a person")
	}
	r.unwant("def", "h1.evil.com")
	r.want("def", "h4.evil.com", 60)
	r.graph.mark.Heads = map[string]uint64{"t": 2}
	for range 3 {
		r.clock.Advance(2 * time.Minute)
		r.loop()
	}
	r.tenantHas("h2.evil.com/Block", "h3.evil.com/Block", "h4.evil.com/Block")

	// That was no word for the job, whose records wait for its run.
	p := r.plan()
	if p.Reasons[reason.NextRun] != 4 || p.First {
		t.Errorf("reasons %v, first %v", p.Reasons, p.First)
	}
	r.graph.unread = nil
	if _, err := r.m.PlanAndApply(t.Context(), "job", ApplyOptions{Nodes: []string{"job"}}); !errors.Is(err, ErrUnapproved) {
		t.Errorf("a run by itself: %v", err)
	}

	// Its run takes the slots that its records rank for, whoever had them (D8).
	r.clock.Advance(2 * day)
	r.run("job", "ana")
	r.tenantHas("j1.evil.com/Audit", "j2.evil.com/Audit", "j3.evil.com/Audit", "j4.evil.com/Audit")
}

// TestRenewalsDoNotWaitForOthers: a job is renewed between its runs while another node of
// the tenant waits for a person, and while another job was never run.
func TestRenewalsDoNotWaitForOthers(t *testing.T) {
	r := twoJobs(t, 100)
	def := r.dests[0]
	def.Node, def.ByJob, def.Target = "def", false, r.tenant.door("app", "Audit")
	r.dests = append(r.dests, def)
	r.configure()
	r.want("a", "h1.evil.com", 80)
	r.run("a", "ana")
	first := r.tenant.live()["h1.evil.com/Block"].Expires
	r.want("def", "h2.evil.com", 80)
	for range 29 {
		r.clock.Advance(day)
		r.loop()
	}
	r.tenantHas("h1.evil.com/Block")
	if now := r.tenant.live()["h1.evil.com/Block"].Expires; !now.After(first) {
		t.Errorf("not renewed: it ends %s", now)
	}
}

// TestANewNodeHoldsUpNoLiveOne: while the first plan of a node waits for a person, what
// another one has at the tenant is renewed, and withdrawn where it must not be there; the
// rest of both waits.
func TestANewNodeHoldsUpNoLiveOne(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].Mode = ModeFirst
	r.configure()
	for _, h := range []string{"h1", "h2", "h3"} {
		r.want("def", h+".evil.com", 80)
	}
	if _, err := r.m.PlanAndApply(t.Context(), "def", ApplyOptions{By: "ana"}); err != nil {
		t.Fatal(err)
	}
	added := r.dests[0]
	added.Node, added.Target = "new", r.tenant.door("app", "Audit")
	r.dests = append(r.dests, added)
	r.configure()
	r.want("new", "n1.evil.com", 80)
	r.want("def", "h4.evil.com", 80)
	r.unwant("def", "h2.evil.com")
	red := r.want("def", "h3.evil.com", 80)
	red.Attrs.TLP = indicator.Red
	r.clock.Advance(day)
	r.loop()
	r.tenantHas("h1.evil.com/Block", "h2.evil.com/Block")
	if !r.condition("plan_waiting") {
		t.Error("nobody is told")
	}
	for range 34 {
		r.clock.Advance(day)
		r.loop()
	}
	r.tenantHas("h1.evil.com/Block") // of what nobody wants the expiry is the withdrawal
}

// TestD15_RenewalCarriesWhatWaitsForARun: a record that changed after the last run, by a
// preview or a run that was not finished, is renewed in time like any other. Its change
// waited for a run until then, and the object would have lapsed with it.
func TestD15_RenewalCarriesWhatWaitsForARun(t *testing.T) {
	r := twoJobs(t, 100)
	r.want("a", "h1.evil.com", 60)
	r.want("b", "h2.evil.com", 60)
	r.run("a", "ana")
	r.run("b", "ana")
	r.dests[1].RenewOnChange = true
	r.configure()
	for node, host := range map[string]string{"a": "h1.evil.com", "b": "h2.evil.com"} {
		r.want(node, host, 95)
	}
	before := r.tenant.writes()
	for range 20 {
		r.clock.Advance(day)
		r.loop()
	}
	if n := r.tenant.writes() - before; n > 0 {
		t.Errorf("%d writes before the renewal is due", n)
	}
	for range 20 {
		r.clock.Advance(day)
		r.loop()
	}
	r.tenantHas("h1.evil.com/Block") // the other's job lets lapse what no run sent
}

// TestJobsObjectsKeepTheirSlotsBetweenRuns: another node's better record waits for the
// slot, and its delivery has nothing left to do meanwhile.
func TestJobsObjectsKeepTheirSlotsBetweenRuns(t *testing.T) {
	r := newRig(t, 3)
	job := r.dests[0]
	job.Node, job.ByJob, job.Mode, job.Target = "job", true, ModeFirst, r.tenant.door("app", "Audit")
	r.dests = append(r.dests, job)
	r.configure()
	r.want("job", "j1.evil.com", 60)
	r.want("job", "j2.evil.com", 60)
	r.run("job", "ana")
	r.clock.Advance(3 * day)
	r.want("def", "h1.evil.com", 99)
	r.want("def", "h2.evil.com", 99)
	for range 5 {
		r.clock.Advance(time.Hour)
		r.loop()
	}
	r.tenantHas("h1.evil.com/Block", "j1.evil.com/Audit", "j2.evil.com/Audit")
	p, err := r.m.Plan(t.Context(), "def", PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Actions[Delete] > 0 || p.Actions[Create] > 0 || p.Reasons[reason.Quota] != 1 {
		t.Errorf("actions %v, reasons %v", p.Actions, p.Reasons)
	}
	if g, _ := r.m.groupOf("def"); g.run.failures > 0 {
		t.Errorf("delivery failed %d times in a row", g.run.failures)
	}
	if _, err := r.m.PlanAndApply(t.Context(), "def", ApplyOptions{By: "ana"}); err != nil {
		t.Fatal(err)
	}
	if live := r.tenant.names(); !slices.Contains(live, "h2.evil.com/Block") {
		t.Errorf("what a person asks for takes the slots that its records rank for: %v", live)
	}
}

// TestIdleJobSendsAndEvictsNothing: with a reserve from the capacity on.
func TestIdleJobSendsAndEvictsNothing(t *testing.T) {
	r := twoJobs(t, 100)
	r.want("a", "h1.evil.com", 80)
	r.run("a", "ana")
	r.dests[0].Idle, r.dests[0].RenewOnChange = true, true
	r.configure()
	r.want("a", "h2.evil.com", 80)
	r.want("b", "h3.evil.com", 80)
	r.run("b", "ana")
	r.tenantHas("h1.evil.com/Block", "h3.evil.com/Block")
	before := r.tenant.writes()
	r.clock.Advance(day)
	r.loop()
	if _, err := r.m.PlanAndApply(t.Context(), "a", ApplyOptions{By: "ana"}); err != nil {
		t.Fatal(err)
	}
	if n := r.tenant.writes() - before; n > 0 {
		t.Errorf("%d write calls", n)
	}
	r.tenantHas("h1.evil.com/Block", "h3.evil.com/Block")
}

// TestD15_ExpiryIsThatOfTheNode: several nodes at one tenant keep their own expiration days.
func TestD15_ExpiryIsThatOfTheNode(t *testing.T) {
	r := twoJobs(t, 100)
	r.dests[1].Target.(*door).info.Expiry = map[indicator.Kind]time.Duration{indicator.Domain: 7 * day}
	r.configure()
	r.want("a", "h1.evil.com", 80)
	r.want("b", "h2.evil.com", 80)
	r.run("a", "ana")
	r.run("b", "ana")
	live := r.tenant.live()
	if d := live["h1.evil.com/Block"].Expires.Sub(live["h2.evil.com/Block"].Expires).Round(time.Hour); d != 23*day {
		t.Errorf("they end %s apart, want 23 days", d)
	}
}
