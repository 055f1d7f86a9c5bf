package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

const day = 24 * time.Hour

func TestD12_ThrottlingLosesNothingAndRepeatsNothing(t *testing.T) {
	for k := 1; k <= 4; k++ {
		r := newRig(t, 1000)
		r.wantMany(350)
		r.tenant.fault = failOn(k, sdk.Throttled)
		res := r.sync()
		if res.Partial() || res.Counts[Create] != 350 || len(r.tenant.live()) != 350 {
			t.Fatalf("throttled at call %d: %d live, %+v", k, len(r.tenant.live()), res)
		}
		sent := map[string]int{}
		for _, c := range r.tenant.calls {
			if c.Op == sdk.OpUpsert && c.OK {
				for _, n := range c.Names {
					sent[n]++
				}
			}
		}
		for n, times := range sent {
			if times != 1 {
				t.Fatalf("%s was written %d times", n, times)
			}
		}
		r.quiet()
	}
}

func TestD12_RetryAfterIsKept(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	r.tenant.skew = 10 * time.Minute // RetryAt is on the service's clock
	at := r.tenant.now().Add(90 * time.Second)
	n := 0
	r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
		if op != sdk.OpUpsert {
			return nil
		}
		if n++; n == 1 {
			return &sdk.Error{Failure: sdk.Throttled, Message: "slow down", RetryAt: at}
		}
		return nil
	}
	r.sync()
	calls := r.tenant.calls
	if got := calls[len(calls)-1].At.Add(r.tenant.skew); got.Before(at) || got.After(at.Add(5*time.Second)) {
		t.Errorf("the call was repeated at %s, the service asked for %s", got, at)
	}
}

func TestD12_RateWindowsHoldAcrossRestarts(t *testing.T) {
	r := newRig(t, 100000)
	r.wantMany(4500) // 45 calls of 100; 30 a minute
	r.plan()
	ctx, cancel := context.WithCancel(t.Context())
	p := r.plan()
	_, err := r.m.Apply(ctx, p, ApplyOptions{Progress: func(pr Progress) {
		if pr.Done >= 2000 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("err %v", err)
	}
	r.open()
	r.sync()
	if n := len(r.tenant.live()); n != 4500 {
		t.Fatalf("%d live", n)
	}
	var at []time.Time
	for _, c := range r.tenant.calls {
		if c.Op == sdk.OpUpsert {
			at = append(at, c.At)
		}
	}
	for i := 30; i < len(at); i++ {
		if d := at[i].Sub(at[i-30]); d < time.Minute {
			t.Fatalf("calls %d to %d within %s", i-30, i, d)
		}
	}
}

func TestD13_OneBadRowIsParkedAndTheOthersGo(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(100)
	bad := "h0042.evil.com"
	r.tenant.badRow = func(v string) string {
		if v == bad {
			return "Indicator " + v + " is not valid"
		}
		return ""
	}
	res := r.sync()
	if len(r.tenant.live()) != 99 || len(res.Rejected) != 1 || !strings.Contains(res.Rejected[0].Why, "not valid") {
		t.Fatalf("%d live, rejected %v", len(r.tenant.live()), res.Rejected)
	}
	r.quiet()
	if p := r.plan(); p.Reasons[reason.Rejected] != 1 {
		t.Errorf("reasons %v", p.Reasons)
	}
	// Another body is another question.
	r.tenant.badRow = nil
	r.want("def", bad, 80).Attrs.Description = "changed"
	r.sync()
	if len(r.tenant.live()) != 100 {
		t.Error("the changed row was not tried again")
	}
	r.quiet()
}

func TestD13_RejectedItemIsParked(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(10)
	r.tenant.badItem = func(v string) string {
		if v == "h0003.evil.com" {
			return "no"
		}
		return ""
	}
	if res := r.sync(); len(res.Rejected) != 1 || len(r.tenant.live()) != 9 {
		t.Fatalf("%+v", res)
	}
	r.quiet()
}

func TestD13_EverythingRefusedStopsTheDestination(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(100)
	r.tenant.badRow = func(string) string { return "rbac group does not exist" }
	res := r.sync()
	if n := r.tenant.writes(); n != 5 {
		t.Errorf("%d calls before the stop, want 5", n)
	}
	if !res.Partial() || !r.condition("destination_stopped") || len(res.Rejected) != 0 {
		t.Errorf("partial %v, conditions %v, rejected %d", res.Partial(), r.conds.List(), len(res.Rejected))
	}
	before := r.tenant.writes()
	r.sync()
	if r.tenant.writes() != before {
		t.Error("a stopped destination was called")
	}
	r.tenant.badRow = nil
	r.dests[0].ConfigVersion = "2"
	r.configure()
	r.sync()
	if len(r.tenant.live()) != 100 || r.condition("destination_stopped") {
		t.Errorf("after the config changed: %d live", len(r.tenant.live()))
	}
}

func TestD13_DeletionOfUnknownIdListsAndSubtracts(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(20)
	r.sync()
	p := func() *Plan { // planned before somebody deletes a row by hand
		for i := range 10 {
			r.unwant("def", fmt.Sprintf("h%04d.evil.com", i))
		}
		return r.plan()
	}()
	r.tenant.remove(r.tenant.live()["h0003.evil.com/Block"].ID)
	res := r.apply(p)
	if len(r.tenant.live()) != 10 || res.Counts[Delete] != 10 || res.Partial() {
		t.Fatalf("%d live, %+v", len(r.tenant.live()), res)
	}
	r.quiet()
}

func TestD12_ServerErrorsForEverEndInBoundedWaits(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(300)
	r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
		if op == sdk.OpUpsert {
			return &sdk.Error{Failure: sdk.Unavailable, Code: "500", Message: "internal error"}
		}
		return nil
	}
	before := r.clock.Now()
	res := r.sync()
	if !res.Partial() || r.tenant.writes() > 6 {
		t.Errorf("partial %v after %d calls", res.Partial(), r.tenant.writes())
	}
	waits := r.clock.Slept()
	if !slices.IsSorted(waits) || r.clock.Now().Sub(before) > 5*time.Minute {
		t.Errorf("waits %v", waits)
	}
	r.tenant.fault = nil
	r.sync()
	if len(r.tenant.live()) != 300 {
		t.Errorf("%d live after the service came back", len(r.tenant.live()))
	}
	r.quiet()
}

func TestD3_ForeignRowsFillTheTenant(t *testing.T) {
	r := newRig(t, 15000)
	for i := range 14900 {
		r.tenant.add(fmt.Sprintf("f%05d.other.net", i), "Block", "other", "")
	}
	same := r.tenant.add("h0000.evil.com", "Block", "other", "") // the value is the same
	allow := r.tenant.add("h0001.evil.com", "Allowed", "other", "")
	r.wantMany(400)
	res := r.sync()
	if res.Counts[Create] != 98 {
		t.Errorf("created %d, want 98 (14,902 foreign rows)", res.Counts[Create])
	}
	p := r.plan()
	if p.Reasons[reason.ForeignDuplicate] != 1 || p.Reasons[reason.ForeignAllow] != 1 || p.Reasons[reason.Quota] != 300 {
		t.Errorf("reasons %v", p.Reasons)
	}
	for _, id := range []string{same, allow} {
		if row := r.tenant.rows[id]; row.App != "other" || row.Mark != "" {
			t.Errorf("foreign row was written: %+v", row)
		}
	}
	r.quiet()
}

func TestD3_NoCreateWithoutAListing(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
		if op == sdk.OpList {
			return &sdk.Error{Failure: sdk.Unavailable, Message: "no listing today"}
		}
		return nil
	}
	p := r.plan()
	if p.Reasons[reason.NoListing] != 3 || p.Changes() != 0 {
		t.Errorf("reasons %v, actions %v", p.Reasons, p.Actions)
	}
	r.apply(p)
	r.tenantHas()
}

func TestD3_CapacityAnswerTeachesTheBudgetWhereForeignIsUnknown(t *testing.T) {
	r := newRig(t, 50)
	r.tenant.ownOnly = "app"
	for i := range 30 {
		r.tenant.add(fmt.Sprintf("f%05d.other.net", i), "Block", "other", "")
	}
	r.wantMany(60)
	res := r.sync()
	if len(r.tenant.live()) != 50 || !res.Partial() {
		t.Fatalf("%d live, %+v", len(r.tenant.live()), res)
	}
	p := r.plan()
	if p.Cut.Budget != 20 || p.Changes() != 0 || p.Reasons[reason.Quota] != 40 {
		t.Errorf("cut %+v, actions %v", p.Cut, p.Actions)
	}
	r.quiet()
}

func TestD3_ForeignTouchedIsNeverDeleted(t *testing.T) {
	r := newRig(t, 100)
	r.sync() // takes a listing
	r.want("def", "h1.evil.com", 80)
	p := r.plan()
	// Somebody else makes the same object between the listing and our call.
	id := r.tenant.add("h1.evil.com", "Block", "other", "theirs")
	r.m.lists["twin/t1"].rows[id] = sdk.Remote{ID: id, Identity: "other", App: "other"}
	r.apply(p)
	if !r.condition("foreign_touched") {
		t.Fatal("no condition")
	}
	r.unwant("def", "h1.evil.com")
	r.sync()
	if _, ok := r.tenant.rows[id]; !ok {
		t.Error("the foreign row was deleted")
	}
}

func TestD14_ChangedActionAtFreeBudgetHasNoGap(t *testing.T) { changedAction(t, 100, true) }

func TestD14_ChangedActionAtFullBudget(t *testing.T) { changedAction(t, 30, false) }

func changedAction(t *testing.T, capacity int, noGap bool) {
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

func TestD1_RangeIsWithdrawnCompletely(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "8.8.4.0-8.8.4.5", 80)
	r.want("def", "8.8.4.3", 80, "other") // shares one object
	r.sync()
	if len(r.tenant.live()) != 6 {
		t.Fatalf("live %v", r.tenant.names())
	}
	r.unwant("def", "8.8.4.0-8.8.4.5")
	r.sync()
	r.tenantHas("8.8.4.3/Block")
	r.unwant("def", "8.8.4.3")
	r.sync()
	r.tenantHas()
	r.quiet()
}

func TestD15_RenewalBeforeExpiryAndSpread(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(200)
	r.sync()
	perDay := map[int]int{}
	for h := range 40 * 24 {
		r.clock.Advance(time.Hour)
		perDay[h/24] += r.sync().Counts[Renew]
		if n := len(r.tenant.live()); n != 200 {
			t.Fatalf("hour %d: %d live", h, n)
		}
	}
	busy := 0
	for _, n := range perDay {
		if n > 0 {
			busy++
		}
	}
	if busy < 2 {
		t.Errorf("renewals are not spread: %v", perDay)
	}
}

func TestD15_NeverPastValidUntil(t *testing.T) {
	r := newRig(t, 100)
	until := r.clock.Now().Add(10 * day).Truncate(time.Second)
	r.want("def", "h1.evil.com", 80).Attrs.ValidUntil = until
	r.sync()
	if got := r.tenant.live()["h1.evil.com/Block"].Expires; !got.Equal(until) {
		t.Errorf("expires %s, want %s", got, until)
	}
	for range 12 {
		r.clock.Advance(day)
		if n := r.sync().Counts[Renew]; n > 0 {
			t.Error("renewed though it may not live longer")
		}
	}
	r.tenantHas()
	r.quiet()
}

func TestD15_RenewOnChangeLetsLapse(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].RenewOnChange = true
	r.configure()
	r.want("def", "h1.evil.com", 80)
	r.sync()
	for range 35 {
		r.clock.Advance(day)
		r.sync()
	}
	r.tenantHas()
	r.quiet()
	r.want("def", "h1.evil.com", 80).Attrs.Description = "seen again"
	r.sync()
	r.tenantHas("h1.evil.com/Block")
}

func TestD10_DriftingScoresWriteLittle(t *testing.T) {
	r := newRig(t, 2000)
	r.wantMany(500)
	r.sync()
	r.tenant.calls = nil
	wrote := 0
	for d := range 30 {
		for i := range 500 { // 70..79, drifting every day
			r.want("def", fmt.Sprintf("h%04d.evil.com", i), 71+(i*7+d*3)%9)
		}
		r.clock.Advance(day)
		wrote += r.sync().Counts[Update]
	}
	if share := float64(wrote) / 500 / 30; share > 0.02 {
		t.Errorf("%.1f %% of the rows were updated each day", share*100)
	}
}

func TestD10_ScorePastTheMarginIsOneUpdate(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "h1.evil.com", 70)
	r.sync()
	r.want("def", "h1.evil.com", 79)
	r.quiet()
	r.want("def", "h1.evil.com", 80)
	before := r.tenant.writes()
	if res := r.sync(); res.Counts[Update] != 1 || r.tenant.writes() != before+1 {
		t.Errorf("result %+v", res)
	}
	r.quiet()
}

func TestD8_WithdrawnAndAddedAgainInOnePollIsNothing(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(5)
	r.sync()
	r.unwant("def", "h0001.evil.com")
	r.want("def", "h0001.evil.com", 80)
	r.quiet()
}

func TestE10_AllowListNotLoadedSendsNothing(t *testing.T) {
	r := newRig(t, 100)
	r.graph.mark.AllowReady = false
	r.wantMany(5)
	r.sync()
	r.tenantHas()
	if p := r.plan(); p.Reasons[reason.AllowNotReady] != 5 {
		t.Errorf("reasons %v", p.Reasons)
	}
	r.graph.mark.AllowReady = true
	r.sync()
	if len(r.tenant.live()) != 5 {
		t.Error("nothing was sent once the list was there")
	}
}

func TestE10_AllowListEmptiedNeedsApproval(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(2)
	r.sync()
	r.want("def", "own.evil.com", 80).Attrs.Extra = map[string]any{extraLifted: "own_assets"}
	r.sync()
	p := r.plan()
	if len(r.tenant.live()) != 2 || p.Reasons[reason.AllowLifted] != 1 || len(p.Stops) != 1 {
		t.Fatalf("live %v, reasons %v, stops %v", r.tenant.names(), p.Reasons, p.Stops)
	}
	if err := r.m.Approve(t.Context(), p.Stops[0].ID, "ana", "it is ours no more", r.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	r.sync()
	if len(r.tenant.live()) != 3 {
		t.Errorf("live %v after the approval", r.tenant.names())
	}
}

func TestD7_ProtectionListShrunkNeedsApproval(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", []indicator.Indicator{ind("corp.com"), ind("9.9.9.0/24")})}}
	r.configure()
	r.want("def", "www.corp.com", 80)
	r.want("def", "x.evil.com", 80)
	r.sync()
	r.tenantHas("x.evil.com/Block")
	r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", nil)}}
	r.configure()
	r.sync()
	r.open()
	r.sync()
	r.tenantHas("x.evil.com/Block")
	p := r.plan()
	if p.Reasons[reason.ProtectionLifted] != 1 || len(p.Stops) != 1 {
		t.Fatalf("reasons %v, stops %v", p.Reasons, p.Stops)
	}
	if err := r.m.Approve(t.Context(), p.Stops[0].ID, "ana", "sold", r.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	r.sync()
	r.tenantHas("www.corp.com/Block", "x.evil.com/Block")
}

func TestD7_WhatContainsAProtectedValueIsHeld(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", []indicator.Indicator{ind("host.corp.com"), ind("8.8.4.3")})}}
	r.configure()
	for _, v := range []string{"corp.com", "host.corp.com", "a.host.corp.com", "http://host.corp.com/x", "8.8.4.0/29", "10.0.0.1", "co.uk", "x.evil.com"} {
		r.want("def", v, 80)
	}
	r.sync()
	r.tenantHas("x.evil.com/Block")
	p := r.plan()
	if p.Reasons["protected/assets"] != 5 || p.Reasons[reason.SpecialPurpose] != 1 || p.Reasons[reason.PublicSuffix] != 1 {
		t.Errorf("reasons %v", p.Reasons)
	}
}

func filter(t *testing.T, src string) *tql.Filter {
	t.Helper()
	f, err := tql.Compile(src, tql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestD4_EveryReasonHoldsOut(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].Keep = []Keep{{Name: "sure", Filter: filter(t, "confidence >= 50")}}
	r.dests[0].MinConfidence = 70
	r.dests[0].MaxTLP = indicator.Amber
	r.configure()
	all := map[string]*indicator.Record{}
	for v, conf := range map[string]int{"ok.evil.com": 90, "filter.evil.com": 40, "conf.evil.com": 60, "tlp.evil.com": 90, "old.evil.com": 90, "someone@evil.com": 90} {
		all[v] = r.want("def", v, conf)
	}
	all["tlp.evil.com"].Attrs.TLP = indicator.Red
	all["old.evil.com"].Attrs.ValidUntil = r.clock.Now().Add(-time.Hour)
	r.want("def", "unknown.evil.com", 0).Attrs.Confidence = 0
	r.sync()
	r.tenantHas("ok.evil.com/Block")
	got := map[string]reason.Code{}
	err := r.m.Held(t.Context(), "def", nil, func(h Held) error { got[h.Indicator.Value] = h.Reason; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[string]reason.Code{"filter.evil.com": "filter/sure", "conf.evil.com": "confidence", "tlp.evil.com": "tlp",
		"old.evil.com": "expired", "someone@evil.com": "unfit/unsupported_kind", "unknown.evil.com": "filter/sure"} {
		if got[v] != want {
			t.Errorf("%s: held for %q, want %q", v, got[v], want)
		}
	}
	n := 0
	if err := r.m.Held(t.Context(), "def", []reason.Code{reason.Filter}, func(Held) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("filtered by code: %d, %v", n, err)
	}
	// A live row whose record falls under a held-out reason is deleted.
	all["ok.evil.com"].Attrs.TLP = indicator.Red
	r.sync()
	r.tenantHas()
}

func TestD1_ScoreCrossingTwoBranchesLeavesNoGap(t *testing.T) {
	r := newRig(t, 10)
	r.dests = []Destination{
		{Node: "audit", Target: r.tenant.door("app", "Audit"), Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards, Keep: []Keep{{"low", filter(t, "confidence < 75")}}},
		{Node: "block", Target: r.tenant.door("app", "Block"), Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards, Keep: []Keep{{"high", filter(t, "confidence >= 75")}}},
	}
	r.configure()
	set := func(conf int) {
		for _, n := range []string{"audit", "block"} {
			r.want(n, "h1.evil.com", conf)
		}
	}
	sync := func() {
		p, err := r.m.Plan(t.Context(), "audit", PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r.apply(p)
	}
	set(74)
	sync()
	r.tenantHas("h1.evil.com/Audit")
	set(76)
	r.tenant.fault = func(int, sdk.OpName, string) error {
		if len(r.tenant.rows) == 0 {
			t.Error("for a moment nothing was at the tenant")
		}
		return nil
	}
	sync()
	r.tenant.fault = nil
	r.tenantHas("h1.evil.com/Block")
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

func TestD18_DeletedInThePortalIsFrozenAndRestoredOnDemand(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	r.sync()
	r.clock.Advance(2 * time.Hour)
	r.tenant.remove(r.tenant.live()["h0001.evil.com/Block"].ID)
	r.sync()
	r.tenantHas("h0000.evil.com/Block", "h0002.evil.com/Block")
	d, err := r.m.Drift(t.Context(), "def")
	if err != nil || len(d) != 1 || d[0].What != "missing" {
		t.Fatalf("drift %v, %v", d, err)
	}
	if p := r.plan(); p.Reasons[reason.ChangedByHand] != 1 {
		t.Errorf("reasons %v", p.Reasons)
	}
	if n, err := r.m.Restore(t.Context(), "def", nil); n != 1 || err != nil {
		t.Fatalf("restored %d, %v", n, err)
	}
	r.sync()
	if len(r.tenant.live()) != 3 {
		t.Errorf("live %v", r.tenant.names())
	}
	r.quiet()
}

func TestD18_EditedRowIsLeftUnlessRestoring(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(2)
	r.sync()
	r.clock.Advance(2 * time.Hour)
	id := r.tenant.live()["h0001.evil.com/Block"].ID
	r.tenant.rows[id].Note = "an analyst was here"
	r.sync()
	if r.tenant.rows[id].Note != "an analyst was here" {
		t.Error("the edit was overwritten")
	}
	r.dests[0].Restore = true
	r.configure()
	r.sync()
	if r.tenant.rows[id].Note != "" {
		t.Error("on_drift: restore did not re-assert")
	}
	r.quiet()
}

func TestD18_YoungRowsAreNoDrift(t *testing.T) {
	r := newRig(t, 100)
	r.tenant.lag = 15 * time.Second
	r.wantMany(3)
	r.sync()
	if d, err := r.m.Drift(t.Context(), "def"); err != nil || len(d) != 0 {
		t.Errorf("drift %v, %v", d, err)
	}
	r.unwant("def", "h0001.evil.com")
	r.clock.Advance(time.Minute)
	r.sync()
	if _, err := r.m.Drift(t.Context(), "def"); err != nil || r.condition("unknown_own") {
		t.Errorf("a row deleted a moment ago is taken for an unknown one (%v)", err)
	}
}

func TestD2_TwoStoresLeaveEachOtherAlone(t *testing.T) {
	r := newRig(t, 1000)
	other := newRig(t, 1000)
	other.tenant, other.clock = r.tenant, r.clock
	var err error
	other.m, err = Open(t.Context(), Deps{Store: other.store, Clock: r.clock, Upstream: other.graph, Owner: "second", Conditions: other.conds})
	if err != nil {
		t.Fatal(err)
	}
	other.dests[0].Target = r.tenant.door("app", "Block") // the same app, even
	other.configure()
	r.want("def", "a.evil.com", 80)
	r.want("def", "both.evil.com", 80)
	r.sync()
	other.want("def", "b.evil.com", 80)
	other.want("def", "both.evil.com", 80)
	other.sync()
	r.tenantHas("a.evil.com/Block", "b.evil.com/Block", "both.evil.com/Block")
	if !other.condition("foreign_mark") {
		t.Error("no condition about the other store's rows")
	}
	clear(other.graph.nodes["def"])
	other.sync()
	r.tenantHas("a.evil.com/Block", "both.evil.com/Block")
	clear(r.graph.nodes["def"])
	r.sync()
	r.tenantHas()
}

func TestD2_UnknownOwnIsAdoptedNeverDeleted(t *testing.T) {
	r := newRig(t, 100)
	r.tenant.add("lost.evil.com", "Block", "app", "mark")
	r.tenant.add("wanted.evil.com", "Block", "app", "mark")
	r.want("def", "wanted.evil.com", 80)
	r.sync()
	if p := r.plan(); p.Actions[Adopt] != 2 || !r.condition("unknown_own") {
		t.Fatalf("actions %v", p.Actions)
	}
	r.tenantHas("lost.evil.com/Block", "wanted.evil.com/Block")
	if n, err := r.m.Adopt(t.Context(), "def", ""); n != 2 || err != nil {
		t.Fatalf("adopted %d, %v", n, err)
	}
	r.sync()
	r.tenantHas("wanted.evil.com/Block")
	r.quiet()
}

func TestD11_ResetAfterEffectIsResolvedWithoutDuplicate(t *testing.T) {
	for _, phase := range []string{"before", "after"} {
		r := newRig(t, 1000)
		r.wantMany(50)
		dead := true
		r.tenant.fault = func(_ int, op sdk.OpName, at string) error {
			if dead && op != sdk.OpList && at == phase {
				return &sdk.Error{Failure: sdk.InDoubt, Message: "connection reset"}
			}
			return nil
		}
		if res := r.sync(); !res.Partial() {
			t.Fatal("an unanswered call is no success")
		}
		if p := r.plan(); p.Reasons[reason.InDoubt] != 50 || p.Changes() != 0 {
			t.Errorf("%s: in doubt is planned as %v %v", phase, p.Actions, p.Reasons)
		}
		dead = false
		r.sync()
		if len(r.tenant.live()) != 50 {
			t.Errorf("%d live", len(r.tenant.live()))
		}
		r.quiet()
		// The same for a deletion, which may not be repeated blindly.
		clear(r.graph.nodes["def"])
		dead = true
		r.sync()
		dead = false
		r.sync()
		r.tenantHas()
		r.quiet()
	}
}

func TestD11_DoubtIsNotRepeatedOnceProtected(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "own.corp.com", 80)
	r.tenant.fault = func(_ int, op sdk.OpName, at string) error {
		if op == sdk.OpUpsert {
			return &sdk.Error{Failure: sdk.InDoubt, Message: "connection reset"}
		}
		return nil
	}
	r.sync()
	r.tenant.fault = nil
	before := r.tenant.writes()
	r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", []indicator.Indicator{ind("corp.com")})}}
	r.configure()
	r.sync()
	if r.tenant.writes() != before {
		t.Error("a protected value was sent")
	}
	r.tenantHas()
}

func TestE16_ClockJumpStops(t *testing.T) {
	for _, jump := range []time.Duration{10 * 365 * day, -10 * 365 * day} {
		r := newRig(t, 100)
		r.wantMany(5)
		r.sync()
		r.clock.Advance(jump) // ours moves
		r.tenant.skew = -jump // the service's does not
		before := r.tenant.writes()
		_, err := r.m.Plan(t.Context(), "def", PlanOptions{})
		var clock *ClockError
		if !errors.As(err, &clock) || !r.condition("clock_jump") {
			t.Errorf("jump %s: %v", jump, err)
		}
		if r.tenant.writes() != before || len(r.tenant.live()) != 5 {
			t.Error("something was sent")
		}
		if err := r.m.Approve(t.Context(), "clock", "ana", "set by hand", time.Time{}); err != nil {
			t.Fatal(err)
		}
		r.quiet()
		if len(r.tenant.live()) != 5 {
			t.Errorf("%d live after the approval", len(r.tenant.live()))
		}
	}
}

func TestD12_SecretRefusedStopsUntilTheConfigChanges(t *testing.T) {
	for failure, kind := range map[sdk.Failure]string{sdk.Unauthorized: "secret_refused", sdk.Forbidden: "role_missing"} {
		r := newRig(t, 100)
		r.wantMany(3)
		r.tenant.fault = func(int, sdk.OpName, string) error { return &sdk.Error{Failure: failure, Message: "no"} }
		r.sync()
		calls := len(r.tenant.calls)
		r.sync()
		if !r.condition(kind) || len(r.tenant.calls) != calls {
			t.Errorf("%s: condition %v, %d calls after the stop", failure, r.condition(kind), len(r.tenant.calls)-calls)
		}
		r.tenant.fault = nil
		r.dests[0].ConfigVersion = "2"
		r.configure()
		r.sync()
		if len(r.tenant.live()) != 3 || r.condition(kind) {
			t.Errorf("%s: %d live", failure, len(r.tenant.live()))
		}
	}
}

func TestD6_MassDeletionStopsOnlyDeletions(t *testing.T) {
	r := newRig(t, 15000)
	r.dests[0].Guards = guard.Defaults()
	r.configure()
	for i := range 300 {
		r.want("def", fmt.Sprintf("a%04d.evil.com", i), 80, "good")
		r.want("def", fmt.Sprintf("b%04d.evil.com", i), 80, "bad")
	}
	r.sync()
	r.clock.Advance(2 * day)
	for i := range 200 {
		r.unwant("def", fmt.Sprintf("b%04d.evil.com", i))
	}
	r.unwant("def", "a0000.evil.com")
	r.want("def", "new.evil.com", 80, "good")
	r.want("def", "a0001.evil.com", 80, "good").Attrs.Description = "changed"
	res := r.sync()
	if res.Counts[Create] != 1 || res.Counts[Update] != 1 || res.Counts[Delete] != 0 || len(r.tenant.live()) != 601 {
		t.Fatalf("%d live, %v", len(r.tenant.live()), res.Counts)
	}
	stops, err := r.m.Stops(t.Context())
	if err != nil || len(stops) != 2 || !r.condition("guard_stop") {
		t.Fatalf("stops %v, %v", stops, err)
	}
	for _, s := range stops {
		if err := r.m.Approve(t.Context(), s.ID, "ana", "the feed was cleaned", r.clock.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	r.sync()
	if len(r.tenant.live()) != 400 || r.condition("guard_stop") {
		t.Errorf("%d live after the approval", len(r.tenant.live()))
	}
	r.quiet()
}

func TestD6_SalamiIsCountedOverADay(t *testing.T) {
	r := newRig(t, 15000)
	r.dests[0].Guards = guard.Defaults()
	r.configure()
	r.wantMany(600)
	r.sync()
	r.clock.Advance(2 * day)
	r.want("def", "start.evil.com", 80)
	r.sync()
	for i := range 600 { // thirty an hour
		r.unwant("def", fmt.Sprintf("h%04d.evil.com", i))
		if i%30 == 29 {
			r.clock.Advance(time.Hour)
			r.sync()
		}
	}
	if n := len(r.tenant.live()); n < 480 || n > 520 {
		t.Errorf("%d of 601 are live: the day's limit is 10 %% and 100, a source's 20 %% and 50", n)
	}
}

func TestD6_FrozenRowsAreRenewedUpToALimit(t *testing.T) {
	r := newRig(t, 15000)
	r.dests[0].Guards = guard.Defaults()
	r.configure()
	r.wantMany(300)
	r.sync()
	r.clock.Advance(2 * day)
	clear(r.graph.nodes["def"])
	for d := range 60 {
		r.clock.Advance(day)
		r.sync()
		if d == 35 && len(r.tenant.live()) != 300 {
			t.Fatalf("the guard became a withdrawal by expiry: %d live", len(r.tenant.live()))
		}
	}
	if n := len(r.tenant.live()); n > 0 {
		t.Logf("%d live after 60 days", n)
	}
	r.clock.Advance(40 * day)
	r.sync()
	r.tenantHas()
}

func TestD4_ProtectiveWithdrawalsPassUpToTheirOwnLimit(t *testing.T) {
	r := newRig(t, 15000)
	r.dests[0].Guards = guard.Defaults()
	r.configure()
	r.wantMany(1000)
	r.sync()
	for i := range 250 {
		r.graph.cause[ind(fmt.Sprintf("h%04d.evil.com", i))] = reason.AllowListed
		r.unwant("def", fmt.Sprintf("h%04d.evil.com", i))
	}
	r.sync()
	if n := len(r.tenant.live()); n != 750 {
		t.Fatalf("%d live: allow-listed rows were held by the mass guard", n)
	}
	for i := range 500 {
		v := fmt.Sprintf("h%04d.evil.com", 250+i)
		r.graph.cause[ind(v)] = reason.AllowListed
		r.unwant("def", v)
	}
	r.sync()
	if n := len(r.tenant.live()); n != 750 {
		t.Errorf("%d live: an allow-list of everything passed", n)
	}
}

func TestD5_UnsettledDeletesNothing(t *testing.T) {
	r := newRig(t, 5)
	r.wantMany(5)
	r.sync()
	r.graph.mark.Settled = false
	r.unwant("def", "h0000.evil.com")
	r.want("def", "best.evil.com", 100)
	r.sync()
	if n := r.tenant.names(); len(n) != 5 || slices.Contains(n, "best.evil.com/Block") {
		t.Errorf("live %v", n)
	}
	if p := r.plan(); p.Reasons[reason.Unsettled] != 1 {
		t.Errorf("reasons %v", p.Reasons)
	}
	r.graph.mark.Settled = true
	r.sync()
	if n := r.tenant.names(); len(n) != 5 || !slices.Contains(n, "best.evil.com/Block") {
		t.Errorf("live %v", n)
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

func TestD16_SavedPlanSkipsWhatChanged(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(5)
	p := r.plan()
	if err := r.m.SavePlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	r.open() // another process
	p, err := r.m.LoadPlan(t.Context(), p.ID)
	if err != nil || len(p.Items) != 5 {
		t.Fatalf("%d items, %v", len(p.Items), err)
	}
	r.unwant("def", "h0000.evil.com")
	r.want("def", "h0001.evil.com", 80).Attrs.Description = "changed"
	r.want("def", "late.evil.com", 80)
	if _, err := r.m.Plan(t.Context(), "def", PlanOptions{}); err != nil { // takes the listing
		t.Fatal(err)
	}
	res := r.apply(p)
	if len(res.Skipped) != 2 || !res.Partial() || len(r.tenant.live()) != 3 {
		t.Errorf("skipped %v, live %v", res.Skipped, r.tenant.names())
	}
	res = r.apply(p) // once more: every base has changed
	if res.Counts[Create] != 0 {
		t.Errorf("a second apply did %v", res.Counts)
	}
	r.clock.Advance(25 * time.Hour)
	if _, err := r.m.Apply(t.Context(), p, ApplyOptions{}); !errors.Is(err, ErrPlanExpired) {
		t.Errorf("after 25 h: %v", err)
	}
	p = r.plan()
	r.dests[0].ConfigVersion = "2"
	r.configure()
	if _, err := r.m.Apply(t.Context(), p, ApplyOptions{}); !errors.Is(err, ErrPlanConfig) {
		t.Errorf("with another config: %v", err)
	}
}

func TestD16_ApplyAsksProtectionAgain(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "www.corp.com", 80)
	p := r.plan()
	r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", []indicator.Indicator{ind("corp.com")})}}
	r.configure()
	if res := r.apply(p); len(res.Skipped) != 1 {
		t.Errorf("%+v", res)
	}
	r.tenantHas()
}

func TestD6_FirstPlanNeedsAPerson(t *testing.T) {
	r := newRig(t, 15000)
	r.dests[0].Mode, r.dests[0].Guards = ModeFirst, guard.Defaults()
	r.configure()
	r.wantMany(3000)
	p := r.plan()
	if _, err := r.m.Apply(t.Context(), p, ApplyOptions{}); !errors.Is(err, ErrUnapproved) || !p.First {
		t.Fatalf("err %v", err)
	}
	r.m.look(t.Context(), r.m.groups["twin/t1"])
	r.clock.Advance(2 * time.Minute)
	r.m.look(t.Context(), r.m.groups["twin/t1"])
	if len(r.tenant.live()) != 0 || !r.condition("plan_waiting") {
		t.Fatalf("%d live, conditions %v", len(r.tenant.live()), r.conds.List())
	}
	p = r.plan()
	if _, err := r.m.Apply(t.Context(), p, ApplyOptions{By: "ana"}); err != nil {
		t.Fatal(err)
	}
	if len(r.tenant.live()) != 3000 {
		t.Fatalf("%d live", len(r.tenant.live()))
	}
	r.want("def", "next.evil.com", 80)
	r.clock.Advance(2 * time.Minute)
	r.graph.mark.Heads = map[string]uint64{"t": 2}
	r.m.look(t.Context(), r.m.groups["twin/t1"])
	r.clock.Advance(2 * time.Minute)
	r.m.look(t.Context(), r.m.groups["twin/t1"])
	if len(r.tenant.live()) != 3001 || r.condition("plan_waiting") {
		t.Errorf("%d live: it does not apply by itself", len(r.tenant.live()))
	}
}

func TestD17_InversesAreRecorded(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "h1.evil.com", 80).Attrs.Description = "old"
	r.sync()
	r.want("def", "h1.evil.com", 80).Attrs.Description = "new"
	res := r.sync()
	undo, err := r.m.Inverses(t.Context(), res.ID)
	if err != nil || len(undo) != 1 || undo[0].Before == nil || !strings.Contains(string(undo[0].Body), "old") {
		t.Errorf("inverses %+v, %v", undo, err)
	}
}

func TestD1_WhyAnswersThroughCover(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "evil.com", 80)
	r.want("def", "8.8.4.4", 80)
	r.sync()
	for v, pick := range map[string]func(Why) []Object{
		"evil.com":            func(w Why) []Object { return w.Objects },
		"www.evil.com":        func(w Why) []Object { return w.Covering },
		"http://www.evil.com": func(w Why) []Object { return w.Covering },
		"8.8.4.0/24":          func(w Why) []Object { return w.Inside },
	} {
		ws, err := r.m.Why(t.Context(), ind(v))
		if err != nil || len(ws) != 1 || len(pick(ws[0])) != 1 {
			t.Errorf("%s: %+v, %v", v, ws, err)
		}
	}
}
