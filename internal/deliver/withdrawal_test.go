package deliver

import (
	"slices"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

// TestD3_WithdrawnObjectsDoNotSpoilAListing: objects that were withdrawn for good stay
// listed for ever; a tenant that holds some can be listed and created at all the same.
func TestD3_WithdrawnObjectsDoNotSpoilAListing(t *testing.T) {
	r := newRig(t, 0)
	v := vaultRig(r)
	r.want("def", "a.evil.com", 80)
	r.want("def", "b.evil.com", 80)
	r.sync()
	r.unwant("def", "a.evil.com")
	r.sync()
	r.clock.Advance(2 * time.Hour)
	r.want("def", "c.evil.com", 80)
	if res := r.sync(); res.Counts[Create] != 1 || res.Partial() {
		t.Errorf("%+v", res)
	}
	if live := v.live(); len(live) != 2 {
		t.Errorf("live: %v", live)
	}
}

// TestD4_AProtectiveWithdrawalWaitsForNoReplacement: what an allow-list takes away goes,
// also where the other object of the same value, that another node wants, cannot be made now.
func TestD4_AProtectiveWithdrawalWaitsForNoReplacement(t *testing.T) {
	r := newRig(t, 10)
	r.dests = append(r.dests, Destination{Node: "aud", Target: r.tenant.door("app", "Audit"), Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards})
	r.configure()
	r.want("def", "a.evil.com", 80)
	r.sync()
	r.tenantHas("a.evil.com/Block")
	r.unwant("def", "a.evil.com")
	r.graph.cause[ind("a.evil.com")] = reason.AllowListed
	r.want("aud", "a.evil.com", 80)
	r.clock.Advance(3 * time.Hour)
	r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
		if op == sdk.OpList {
			return &sdk.Error{Failure: sdk.Unavailable, Message: "injected"}
		}
		return nil
	}
	r.sync()
	r.tenantHas()
}

// TestD14_AProtectiveDeletionGoesFirstAndAlone: where its successor could come, too, it is
// no half of a replacement: it goes before renewals and replacements, and a creation that
// is refused does not keep it; a guard that stops it stops its successor.
func TestD14_AProtectiveDeletionGoesFirstAndAlone(t *testing.T) {
	setup := func(capacity int) *rig {
		r := newRig(t, capacity)
		r.dests = append(r.dests, Destination{Node: "aud", Target: r.tenant.door("app", "Audit"), Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards})
		r.configure()
		r.wantMany(3)
		r.sync()
		r.unwant("def", "h0000.evil.com")
		r.graph.cause[ind("h0000.evil.com")] = reason.AllowListed
		r.want("aud", "h0000.evil.com", 80)
		r.clock.Advance(25 * 24 * time.Hour) // the others are due for renewal
		return r
	}
	for _, capacity := range []int{3, 100} { // a full tenant, and one with room
		r := setup(capacity)
		var calls []sdk.OpName
		r.tenant.fault = func(_ int, op sdk.OpName, phase string) error {
			if phase != "before" || op == sdk.OpList {
				return nil
			}
			if calls = append(calls, op); len(calls) == 3 { // the creation
				return &sdk.Error{Failure: sdk.Refused, Code: "no", Message: "injected"}
			}
			return nil
		}
		r.sync()
		r.tenantHas("h0001.evil.com/Block", "h0002.evil.com/Block")
		if want := []sdk.OpName{sdk.OpDelete, sdk.OpUpsert, sdk.OpUpsert}; !slices.Equal(calls, want) {
			t.Errorf("capacity %d: calls %v, want %v", capacity, calls, want)
		}
	}
	r := setup(100)
	r.sync()
	r.tenantHas("h0000.evil.com/Audit", "h0001.evil.com/Block", "h0002.evil.com/Block")
	r.quiet()

	r = setup(100)
	strict := looseGuards
	strict.Protective = guard.Limit{}
	r.dests[0].Guards = strict
	r.configure()
	p := r.plan()
	if p.Reasons[reason.GuardProtective] != 2 || p.Actions[Create]+p.Actions[Delete] != 0 {
		t.Errorf("stopped: %v %v", p.Actions, p.Reasons)
	}
}

// TestE11_ARowOfSeveralSourcesIsApprovedOnce: what is approved is rows; one that two
// sources which go spoke for passes one withdrawal, and not two.
func TestE11_ARowOfSeveralSourcesIsApprovedOnce(t *testing.T) {
	r := newRig(t, 100)
	r.dests = append(r.dests, Destination{Node: "also", Target: r.tenant.door("app", "Block"), Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards})
	r.configure()
	r.wantMany(10, "s1", "s2")
	for _, rec := range r.graph.nodes["def"] {
		r.want("also", rec.Value, 80, "s1", "s2")
	}
	r.sync()
	all, err := r.m.SoleContributions(t.Context(), []string{"s1", "s2"})
	if err != nil {
		t.Fatal(err)
	}
	passes := func(want int) {
		t.Helper()
		left := map[guard.Key]int{}
		err := r.m.inTurn(t.Context(), "def", func(sites []*site) error {
			for _, a := range sites[0].window.Allowed {
				left[a.Key] += a.Left
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []guard.Key{{Class: guard.Delete}, {Class: guard.Source, Of: "s1"}, {Class: guard.Source, Of: "s2"}} {
			if left[key] != want {
				t.Errorf("10 rows were approved, %d withdrawals of %+v pass, want %d", left[key], key, want)
			}
		}
	}
	for range 2 { // the same word again is no other word
		if err := r.m.AllowWithdrawals(t.Context(), "commit-1", all, "anna", r.clock.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		passes(10)
	}
	if err := r.m.AllowWithdrawals(t.Context(), "commit-2", all, "anna", r.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	passes(20)
	for _, id := range []string{"commit-1", "commit-1", "commit-2"} { // one that failed is taken back, and no other
		if err := r.m.ForbidWithdrawals(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		passes(map[string]int{"commit-1": 10}[id])
	}
}
