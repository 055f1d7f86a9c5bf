package deliver

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// second aims the rig's node at another tenant as well.
func second(r *rig, clock *sdktest.Clock) (*tenant, *door) {
	t := newTenant(clock, 1000)
	d := t.door("app", "Block")
	d.info.Domain, d.info.Quota, d.info.Connection = "twin/t2", "twin/t2", "fabrikam"
	for op, o := range d.info.Ops {
		o.RateKey = "t2/" + o.RateKey
		d.info.Ops[op] = o
	}
	r.dests = append(r.dests, Destination{Node: "def", Target: d, Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards})
	r.configure()
	return t, d
}

// priced is a target that costs something and whose API is retired.
type priced struct{ *door }

func (p priced) Info() sdk.TargetInfo {
	info := p.door.Info()
	info.Deprecated = "since 2026-04, use the other one"
	return info
}

func (priced) Cost(writes, live int) string {
	return fmt.Sprintf("%d writes, %d live", writes, live)
}

func TestD8_OnePlanWithALineForEachTenant(t *testing.T) {
	r := newRig(t, 1000)
	other, d := second(r, r.clock)
	r.dests[1].Target = priced{d}
	r.dests[1].MaxTLP = indicator.Green
	r.configure()
	r.wantMany(10)
	for i := range 3 {
		r.want("def", fmt.Sprintf("h%04d.evil.com", i), 80).Attrs.TLP = indicator.Amber
	}
	p, err := r.m.PlanAll(t.Context(), "def", PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Parts) != 2 || len(p.Tenants) != 2 || p.Actions[Create] != 17 || len(p.Items) != 17 {
		t.Fatalf("parts %v, tenants %v, actions %v", p.Parts, p.Tenants, p.Actions)
	}
	first, last := p.Tenants[0], p.Tenants[1]
	if first.Actions[Create] != 10 || first.Held != 0 || first.Deprecated != "" || first.Cost != "" {
		t.Errorf("first %+v", first)
	}
	if last.Actions[Create] != 7 || last.Held != 3 || last.Connection != "fabrikam" || !strings.Contains(last.Deprecated, "2026-04") || last.Cost != "7 writes, 7 live" {
		t.Errorf("last %+v", last)
	}
	if err := r.m.SavePlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	r.open() // the plan is applied by its id, whole
	if p, err = r.m.LoadPlan(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	res, err := r.m.ApplyAll(t.Context(), p, ApplyOptions{By: "anna"})
	if err != nil || res.Counts[Create] != 17 || len(res.Parts) != 2 || len(r.tenant.live()) != 10 || len(other.live()) != 7 {
		t.Fatalf("%+v, %v", res, err)
	}
	if p, err = r.m.PlanAll(t.Context(), "", PlanOptions{}); err != nil || p.Changes() != 0 || p.Tenants[0].Keep != 10 || p.Tenants[1].Keep != 7 {
		t.Errorf("%v, %+v", err, p.Tenants)
	}
	if data, err := json.Marshal(p); err != nil || !strings.Contains(string(data), `"cost":"0 writes, 7 live"`) {
		t.Errorf("json %s, %v", data, err)
	}
}

func TestD8_HeldDriftAdoptAndBlockReachEveryTenant(t *testing.T) {
	r := newRig(t, 1000)
	other, _ := second(r, r.clock)
	r.dests[1].MaxTLP = indicator.Green
	r.configure()
	r.want("def", "amber.evil.com", 80).Attrs.TLP = indicator.Amber
	r.want("def", "b.evil.com", 80)
	other.add("lost.evil.com", "Block", "app", "mark")
	syncAll(r)
	n := 0
	if err := r.m.Held(t.Context(), "def", []reason.Code{reason.TLP}, func(h Held) error { n += one(h.Domain == "twin/t2"); return nil }); err != nil || n != 1 {
		t.Errorf("%d held at the second tenant, %v", n, err)
	}
	if n, err := r.m.Adopt(t.Context(), "def", ""); err != nil || n != 1 {
		t.Errorf("adopted %d, %v", n, err)
	}
	r.clock.Advance(2 * time.Hour)
	other.remove(other.live()["b.evil.com/Block"].ID)
	if d, err := r.m.Drift(t.Context(), "def"); err != nil || len(d) != 1 || d[0].Domain != "twin/t2" {
		t.Errorf("drift %v, %v", d, err)
	}
	res, err := r.m.Block(t.Context(), "def", ind("now.evil.com"), 0, "incident", "anna")
	if err != nil || res.Counts[Create] != 2 {
		t.Errorf("%+v, %v", res, err)
	}
}

func syncAll(r *rig) *Result {
	r.t.Helper()
	p, err := r.m.PlanAll(r.t.Context(), "", PlanOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	res, err := r.m.ApplyAll(r.t.Context(), p, ApplyOptions{By: "anna"})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// A removal withdraws at every tenant, where identities retire by a generation that is
// remembered.
func TestD1_RemovalWithdrawsAtEveryTenant(t *testing.T) {
	r := newRig(t, 1000)
	second(r, r.clock)
	v := newVault(r.clock)
	r.dests[1].Target = v
	r.configure()
	r.wantMany(5)
	syncAll(r)
	for i := range r.dests {
		r.dests[i].Retired = true
	}
	r.configure()
	syncAll(r)
	if len(r.tenant.live())+len(v.live()) != 0 {
		t.Fatalf("left %v %v", r.tenant.names(), v.live())
	}
	for i := range r.dests {
		r.dests[i].Retired = false
	}
	r.configure()
	syncAll(r)
	if len(v.live()) != 5 || v.rows[vaultID("h0000.evil.com", 1)] == nil {
		t.Errorf("live %v", v.live())
	}
}

// One tenant that fails keeps no other from its end, and is told apart.
func TestD8_OneTenantThatFailsHoldsUpNoOther(t *testing.T) {
	r := newRig(t, 1000)
	other, _ := second(r, r.clock)
	other.fault = func(int, sdk.OpName, string) error {
		return &sdk.Error{Failure: sdk.Unauthorized, Message: "no"}
	}
	r.wantMany(3)
	res := syncAll(r)
	if len(r.tenant.live()) != 3 || !res.Partial() || res.Parts[0].Partial() || !res.Parts[1].Partial() {
		t.Errorf("%d live, %+v", len(r.tenant.live()), res)
	}
}

// TestD12_ThrottledTenantSlowsNoOtherApply: of two tenants applied at once the one that
// is not throttled ends as if it were alone.
func TestD12_ThrottledTenantSlowsNoOtherApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1000)
		r.tenant.clock = sdktest.NewClock(time.Now())
		other, slow := second(r, sdktest.NewClock(time.Now()))
		slow.info.Ops[sdk.OpUpsert] = sdk.Op{Batch: 1, PerMinute: 1, RateKey: "t2/import", Idempotent: true}
		var ended atomic.Int64
		quick := &finishing{door: r.dests[0].Target.(*door), last: &ended}
		r.dests[0].Target = quick
		m, err := Open(t.Context(), Deps{Store: r.store, Clock: wall{&atomic.Int64{}}, Conditions: r.conds, Upstream: r.graph, Owner: "mark", Settings: r.set})
		if err != nil {
			t.Fatal(err)
		}
		r.m = m
		r.configure()
		r.wantMany(20)
		began := time.Now()
		if res := syncAll(r); res.Partial() {
			t.Fatalf("%+v", res)
		}
		if took := time.Since(began); took < 15*time.Minute || len(other.live()) != 20 {
			t.Errorf("the throttled tenant took %s, %d live", took, len(other.live()))
		}
		if quick := time.UnixMilli(ended.Load()).Sub(began); quick > 10*time.Second {
			t.Errorf("the other one ended after %s", quick)
		}
	})
}

// finishing notes when its last write ended.
type finishing struct {
	*door
	last *atomic.Int64
}

func (f *finishing) Encode(op sdk.OpName, items []sdk.SendItem) ([]byte, error) {
	f.last.Store(time.Now().UnixMilli())
	return f.door.Encode(op, items)
}

// What differs for one tenant or scope of a node holds there alone, and a row there goes
// for the reason that holds there, also where both are planned together.
func TestD8_WhatDiffersForATenantHoldsThereAlone(t *testing.T) {
	r := newRig(t, 1000)
	scoped := r.tenant.door("app", "Audit")
	scoped.info.Domain = "twin/t1/scope"
	other := r.dests[0]
	other.Target = scoped
	r.dests = append(r.dests, other)
	r.configure()
	for _, value := range []string{"tlp.evil.com", "filter.evil.com", "sure.evil.com", "ok.evil.com"} {
		r.want("def", value, 80)
	}
	r.sync()
	if n := len(r.tenant.live()); n != 8 {
		t.Fatalf("%d live, want 4 at each scope", n)
	}
	for strict := range r.dests { // the first or the second is the stricter one
		for i := range r.dests {
			r.dests[i].MaxTLP, r.dests[i].Keep = indicator.Unlabelled, nil
		}
		r.dests[strict].MaxTLP, r.dests[strict].Keep = indicator.Green, []Keep{{Name: "few", Filter: filter(t, `value != "filter.evil.com"`)}}
		r.configure()
		r.want("def", "tlp.evil.com", 80).Attrs.TLP = indicator.Amber
		p := r.plan()
		got := map[string]reason.Code{}
		for _, it := range p.Items {
			if it.Action == Delete {
				got[it.Domain+" "+it.Wants[0].Indicator.Value] = it.Reason
			}
		}
		domain := r.dests[strict].Target.Info().Domain
		want := map[string]reason.Code{domain + " tlp.evil.com": reason.TLP, domain + " filter.evil.com": "filter/few"}
		if !maps.Equal(got, want) {
			t.Errorf("deletions %v, want %v", got, want)
		}
	}
}
