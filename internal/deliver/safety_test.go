package deliver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/tql"
)

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

// The least confidence to block is asked of a record, not of a destination: a rule that
// turns an alert into a block does not escape it, and one that turns a block into an
// alert is not held back by it.
func TestDefaults_LeastConfidenceToBlockIsARecords(t *testing.T) {
	for _, test := range []struct {
		action, ruled string
		want          []string
		held          string
	}{
		{"Audit", "Block", []string{"faint.evil.com/Audit", "sure.evil.com/Audit", "watch-sure.evil.com/Block"}, "watch-faint.evil.com"},
		{"Block", "Audit", []string{"sure.evil.com/Block", "watch-faint.evil.com/Audit", "watch-sure.evil.com/Audit"}, "faint.evil.com"},
	} {
		r := newRig(t, 100)
		d := r.tenant.door("app", test.action)
		d.rule = func(rec *indicator.Record) string {
			if strings.HasPrefix(rec.Value, "watch") {
				return test.ruled
			}
			return ""
		}
		r.dests[0].Target, r.dests[0].MinConfidence = d, 70
		r.configure()
		for value, conf := range map[string]int{"sure.evil.com": 90, "faint.evil.com": 60, "watch-sure.evil.com": 90, "watch-faint.evil.com": 60} {
			r.want("def", value, conf)
		}
		r.sync()
		r.tenantHas(test.want...)
		held := map[string]reason.Code{}
		if err := r.m.Held(t.Context(), "def", nil, func(h Held) error { held[h.Indicator.Value] = h.Reason; return nil }); err != nil {
			t.Fatal(err)
		}
		if want := map[string]reason.Code{test.held: reason.Confidence}; !maps.Equal(held, want) {
			t.Errorf("%s with rules that %s: held %v, want %v", test.action, test.ruled, held, want)
		}
		why, err := r.m.Why(t.Context(), ind(test.held))
		if err != nil || len(why) != 1 || why[0].Reason != reason.Confidence {
			t.Errorf("why %+v, %v", why, err)
		}
		r.quiet()
	}
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
