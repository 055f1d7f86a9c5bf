package deliver

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
	"github.com/remeld/remeld/sdk"
)

// newStore is an empty store: the old one was lost.
func newStore(t *testing.T) store.Store {
	t.Helper()
	s := memstore.New()
	t.Cleanup(func() { s.Close() })
	return s
}

// vouch gives the person's word that an unlisted tenant holds nothing of ours.
func vouch(r *rig) {
	r.t.Helper()
	r.want("def", "first.evil.com", 80)
	for _, s := range r.plan().Stops {
		if err := r.m.Approve(r.t.Context(), s.ID, "anna", "looked", r.clock.Now().Add(time.Hour)); err != nil {
			r.t.Fatal(err)
		}
	}
	r.unwant("def", "first.evil.com")
}

func blindRig(t *testing.T) (*rig, *vault) {
	t.Helper()
	r := newRig(t, 0)
	v := vaultRig(r)
	v.info.Blind = "the login may not query the workspace"
	r.configure()
	return r, v
}

func TestD3_UnlistedTenantWithAnEmptyLedgerWaitsForAPerson(t *testing.T) {
	r, v := blindRig(t)
	r.want("def", "a.evil.com", 80)
	p := r.plan()
	if p.Changes() != 0 || p.Reasons[reason.UnlistedStart] != 1 || len(p.Stops) != 1 || !strings.Contains(p.Stops[0].Text, "may not query") {
		t.Fatalf("actions %v, reasons %v, stops %v", p.Actions, p.Reasons, p.Stops)
	}
	r.apply(p)
	if len(v.order) != 0 || !r.condition("guard_stop") {
		t.Fatalf("%d calls, conditions %v", len(v.order), r.conds.List())
	}
	if err := r.m.Approve(t.Context(), p.Stops[0].ID, "anna", "a new workspace", r.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if res := r.sync(); res.Counts[Create] != 1 || r.condition("guard_stop") {
		t.Errorf("%+v", res)
	}
	// The word holds for this store, also when everything was withdrawn meanwhile.
	r.unwant("def", "a.evil.com")
	r.sync()
	r.open()
	r.want("def", "b.evil.com", 80)
	if res := r.sync(); res.Counts[Create] != 1 {
		t.Errorf("%+v", res)
	}
	r.quiet()
}

// A first plan that waits for that word is not approved by applying it: nothing of it
// could be created, and everything would be a mass change afterwards.
func TestD3_FirstPlanOfAnUnlistedTenantAsksForTheWordFirst(t *testing.T) {
	r, v := blindRig(t)
	r.dests[0].Mode = ModeFirst
	r.configure()
	r.wantMany(5)
	p := r.plan()
	_, err := r.m.Apply(t.Context(), p, ApplyOptions{By: "anna"})
	if !errors.Is(err, ErrUnlisted) || !strings.Contains(err.Error(), p.Stops[0].ID) {
		t.Fatalf("err %v", err)
	}
	if err := r.m.Approve(t.Context(), p.Stops[0].ID, "anna", "a new workspace", r.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if res, err := r.m.Apply(t.Context(), r.plan(), ApplyOptions{By: "anna"}); err != nil || res.Counts[Create] != 5 || len(v.live()) != 5 {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestD18_DriftOfAnUnlistedTenantCannotBeKnown(t *testing.T) {
	r, _ := blindRig(t)
	vouch(r)
	r.wantMany(3)
	r.sync()
	d, err := r.m.Drift(t.Context(), "def")
	unlisted, err2 := r.m.Unlisted("def")
	if err != nil || err2 != nil || len(d) != 0 || unlisted["vault/w1"] == "" {
		t.Errorf("drift %v, unlisted %v, %v, %v", d, unlisted, err, err2)
	}
	if _, err := r.m.Adopt(t.Context(), "def", ""); err == nil || !strings.Contains(err.Error(), "cannot be listed") {
		t.Errorf("adopt: %v", err)
	}
}

// A creation in doubt that may not be repeated any more, because its value was
// declared an own asset, is taken to be there, and withdrawn.
func TestD11_UnlistedCreateInDoubtIsWithdrawnOnceProtected(t *testing.T) {
	r, v := blindRig(t)
	vouch(r)
	r.want("def", "own.corp.com", 80)
	v.fault = func(op sdk.OpName, at string) error {
		if op == sdk.OpUpsert && at == "after" {
			return &sdk.Error{Failure: sdk.InDoubt, Message: "connection reset"}
		}
		return nil
	}
	r.sync()
	if len(v.live()) != 1 {
		t.Fatalf("live %v", v.live())
	}
	r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", []indicator.Indicator{ind("corp.com")})}}
	r.configure()
	r.sync()
	if len(v.live()) != 0 {
		t.Errorf("live %v", v.live())
	}
}
