package deliver

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

// rollBack plans the rollback of an apply and applies it by a person's hand.
func (r *rig) rollBack(id string) (*Plan, *Result) {
	r.t.Helper()
	p, err := r.m.Rollback(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	res, err := r.m.Apply(r.t.Context(), p, ApplyOptions{By: "anna"})
	if err != nil {
		r.t.Fatal(err)
	}
	return p, res
}

// notes are the contents at the tenant by value/action.
func (r *rig) notes() map[string]string {
	m := map[string]string{}
	for k, row := range r.tenant.live() {
		m[k] = row.Note
	}
	return m
}

func sameNotes(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// mixed applies a change of every kind: one object made, one changed, one deleted, one
// replaced, one left alone.
func mixed(r *rig) (before map[string]string, res *Result) {
	r.t.Helper()
	d := r.dests[0].Target.(*door)
	for _, v := range []string{"changed.evil.com", "deleted.evil.com", "replaced.evil.com", "same.evil.com"} {
		r.want("def", v, 80).Attrs.Description = "old"
	}
	r.sync()
	before = r.notes()
	r.clock.Advance(2 * time.Minute)
	r.want("def", "made.evil.com", 80).Attrs.Description = "new"
	r.want("def", "changed.evil.com", 80).Attrs.Description = "new"
	r.unwant("def", "deleted.evil.com")
	r.dests[0].Target = &switching{door: d, to: r.tenant.door("app", "Audit"), value: "replaced.evil.com"}
	r.configure()
	return before, r.sync()
}

// switching makes one value's object with another action.
type switching struct {
	*door
	to    *door
	value string
}

func (s *switching) Map(rec *indicator.Record) ([]sdk.Object, *sdk.Unfit) {
	if rec.Value == s.value {
		return s.to.Map(rec)
	}
	return s.door.Map(rec)
}

func TestD17_RollbackRestoresWhatAnApplyDidAndHoldsIt(t *testing.T) {
	r := newRig(t, 100)
	before, done := mixed(r)
	after := r.notes()
	if len(after) != 4 || sameNotes(before, after) {
		t.Fatalf("after %v", after)
	}
	p, res := r.rollBack(done.ID)
	if len(p.Conflicts) != 0 || res.Partial() || !sameNotes(r.notes(), before) {
		t.Fatalf("conflicts %v, result %+v, tenant %v, want %v", p.Conflicts, res, r.notes(), before)
	}
	// What is wanted did not change, and is held all the same: also after a restart.
	r.open()
	r.quiet()
	held := r.plan()
	if held.Reasons[reason.Pinned] != 3 || held.Reasons[reason.RolledBack] != 2 {
		t.Errorf("held %v", held.Reasons)
	}
	w, err := r.m.Why(t.Context(), ind("changed.evil.com"))
	if err != nil || w[0].Reason != reason.Pinned || w[0].Objects[0].Pinned != done.ID {
		t.Errorf("why %+v, %v", w, err)
	}
	if w, err = r.m.Why(t.Context(), ind("made.evil.com")); err != nil || w[0].Reason != reason.RolledBack {
		t.Errorf("why %+v, %v", w, err)
	}
	if st, err := r.m.Status(t.Context()); err != nil || st[0].Pins[done.ID] != 5 {
		t.Errorf("status %+v, %v", st, err)
	}
	shown := 0
	err = r.m.Held(t.Context(), "def", []reason.Code{reason.Pinned, reason.RolledBack}, func(Held) error { shown++; return nil })
	if err != nil || shown != 5 {
		t.Errorf("%d held, %v", shown, err)
	}
	if n, err := r.m.Release(t.Context(), done.ID); n != 5 || err != nil {
		t.Fatalf("released %d, %v", n, err)
	}
	r.sync()
	if !sameNotes(r.notes(), after) {
		t.Errorf("after the release %v, want %v", r.notes(), after)
	}
	r.quiet()
}

func TestD17_RollbackOfARollback(t *testing.T) {
	r := newRig(t, 100)
	_, done := mixed(r)
	after := r.notes()
	_, back := r.rollBack(done.ID)
	p, res := r.rollBack(back.ID)
	if len(p.Conflicts) != 0 || res.Partial() || !sameNotes(r.notes(), after) {
		t.Fatalf("conflicts %v, result %+v, tenant %v, want %v", p.Conflicts, res, r.notes(), after)
	}
	r.quiet()
	if _, err := r.m.Release(t.Context(), back.ID); err != nil {
		t.Fatal(err)
	}
	r.quiet()
}

func TestD17_WhatChangedSinceIsAConflict(t *testing.T) {
	r := newRig(t, 100)
	_, done := mixed(r)
	r.clock.Advance(2 * time.Hour)
	r.want("def", "changed.evil.com", 80).Attrs.Description = "newer"
	r.want("def", "deleted.evil.com", 80).Attrs.Description = "back"
	r.sync()
	r.tenant.rows[r.tenant.live()["made.evil.com/Block"].ID].Note = "edited by hand"
	r.clock.Advance(2 * time.Hour)
	p, res := r.rollBack(done.ID)
	if len(p.Conflicts) != 3 || res.Partial() {
		t.Fatalf("conflicts %v, %+v", p.Conflicts, res)
	}
	want := map[string]string{"changed.evil.com/Block": "newer", "deleted.evil.com/Block": "back", "made.evil.com/Block": "edited by hand",
		"replaced.evil.com/Block": "old", "same.evil.com/Block": "old"}
	if !sameNotes(r.notes(), want) {
		t.Errorf("tenant %v, want %v", r.notes(), want)
	}
}

func TestD17_ProtectionTLPAllowListsAndCapacityWin(t *testing.T) {
	r := newRig(t, 5)
	for _, v := range []string{"own.evil.com", "tlp.evil.com", "allowed.evil.com", "back.evil.com", "late.evil.com"} {
		rec := r.want("def", v, 80)
		rec.Attrs.TLP = indicator.Green
		if v == "tlp.evil.com" {
			rec.Attrs.TLP = indicator.Amber
		}
	}
	r.sync()
	clear(r.graph.nodes["def"])
	r.clock.Advance(2 * time.Minute)
	done := r.sync()
	r.tenantHas()
	r.dests[0].MaxTLP = indicator.Green
	r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", []indicator.Indicator{ind("own.evil.com")})}}
	r.graph.cause[ind("allowed.evil.com")] = reason.AllowListed
	r.configure()
	for range 4 { // one slot is left
		r.tenant.add(newName(), "Block", "other", "")
	}
	r.clock.Advance(2 * time.Hour)
	p, _ := r.rollBack(done.ID)
	if p.Reasons[reason.Protected.With("assets")] != 1 || p.Reasons[reason.TLP] != 1 || p.Reasons[reason.AllowListed] != 1 || p.Actions[Create] != 1 || p.Reasons[reason.Quota] != 1 {
		t.Errorf("reasons %v, actions %v", p.Reasons, p.Actions)
	}
	if n := len(r.tenant.live()); n != 5 {
		t.Errorf("%d live", n)
	}
	// What is held falls to protection that comes later.
	r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", []indicator.Indicator{ind("evil.com")})}}
	r.configure()
	r.sync()
	if n := len(r.tenant.live()); n != 4 {
		t.Errorf("%d live: a pin outlived protection", n)
	}
}

var names int

func newName() string {
	names++
	return "x" + strings.Repeat("y", names) + ".other.net"
}

func TestD17_ARollbackIsAPersonsAndPassesTheGuards(t *testing.T) {
	r := newRig(t, 1000)
	r.dests[0].Guards = guardLimits{} // the defaults
	r.dests[0].Mode = ModeFirst
	r.configure()
	r.wantMany(400)
	if _, err := r.m.Apply(t.Context(), r.plan(), ApplyOptions{By: "anna"}); err != nil {
		t.Fatal(err)
	}
	list, err := r.m.Applies(t.Context(), 10)
	if err != nil || len(list) != 1 || list[0].By != "anna" || list[0].Counts[Create] != 400 || list[0].Ended.IsZero() {
		t.Fatalf("applies %+v, %v", list, err)
	}
	r.clock.Advance(time.Minute)
	p, err := r.m.Rollback(t.Context(), list[0].ID)
	if err != nil || p.Actions[Delete] != 400 {
		t.Fatalf("%v, %v", p, err)
	}
	if _, err := r.m.Apply(t.Context(), p, ApplyOptions{}); err == nil {
		t.Error("the loop applied a rollback")
	}
	if res, err := r.m.Apply(t.Context(), p, ApplyOptions{By: "anna"}); err != nil || res.Counts[Delete] != 400 {
		t.Fatalf("%+v, %v", res, err)
	}
	r.tenantHas()
	r.quiet()
	if list, err = r.m.Applies(t.Context(), 10); err != nil || len(list) != 2 || list[0].Undoes != list[1].ID || list[1].Pinned != 400 {
		t.Errorf("applies %+v, %v", list, err)
	}
}

func TestD17_RestoredRowsAreRenewedWhileHeld(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "a.evil.com", 80)
	r.sync()
	r.unwant("def", "a.evil.com")
	r.clock.Advance(time.Minute)
	done := r.sync()
	r.rollBack(done.ID)
	for range 12 {
		r.clock.Advance(5 * day)
		r.sync()
		r.tenantHas("a.evil.com/Block")
	}
}

func TestD17_UnknownApplyAndNothingToRelease(t *testing.T) {
	r := newRig(t, 100)
	if _, err := r.m.Rollback(t.Context(), "apply-x"); err == nil || !strings.Contains(err.Error(), "remeld rollback") {
		t.Errorf("err %v", err)
	}
	if _, err := r.m.Release(t.Context(), "apply-x"); err == nil {
		t.Error("nothing was released without an error")
	}
}

// A rollback at a service whose withdrawn ids never return makes the next generation.
func TestD17_RollbackWhereIdentitiesRetire(t *testing.T) {
	r := newRig(t, 0)
	v := vaultRig(r)
	r.want("def", "a.evil.com", 80).Attrs.Description = "old"
	r.sync()
	r.unwant("def", "a.evil.com")
	r.clock.Advance(time.Minute)
	done := r.sync()
	r.rollBack(done.ID)
	if live := v.live(); live["a.evil.com"] != "old" || v.rows[vaultID("a.evil.com", 1)] == nil {
		t.Errorf("live %v, rows %v", live, v.rows)
	}
	r.quiet()
}

// Whenever the process dies in a rollback, the next attempt ends where one that was
// not disturbed does, and what was restored is held.
func TestD20_KilledRollbackGoesOn(t *testing.T) {
	for kill := 1; kill <= 14; kill++ {
		for _, after := range []bool{false, true} {
			r := newRig(t, 100)
			before, done := mixed(r)
			alive := r.store
			m := &mortal{Store: alive, left: kill, after: after}
			r.store = m
			if err := openAndRollBack(r, done.ID); err != nil && !errors.Is(err, errKilled) {
				t.Fatalf("kill at commit %d: %v", kill, err)
			}
			r.store = alive
			r.open()
			r.clock.Advance(time.Minute)
			r.plan() // resolves what is in doubt
			r.rollBack(done.ID)
			if !sameNotes(r.notes(), before) {
				t.Errorf("kill at commit %d (durable %v): %v, want %v", kill, after, r.notes(), before)
			}
			r.quiet()
		}
	}
}

func openAndRollBack(r *rig, id string) error {
	m, err := Open(r.t.Context(), Deps{Store: r.store, Clock: r.clock, Upstream: r.graph, Owner: "mark", Settings: r.set})
	if err != nil {
		return err
	}
	if err := m.Configure(r.t.Context(), r.dests); err != nil {
		return err
	}
	p, err := m.Rollback(r.t.Context(), id)
	if err != nil {
		return err
	}
	_, err = m.Apply(r.t.Context(), p, ApplyOptions{By: "anna"})
	return err
}
