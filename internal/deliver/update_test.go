package deliver

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

// patching makes the rig's tenant one like Graph's: a create is a POST that makes
// another row when it is repeated, a change goes by id and another operation, and a
// listing lags behind.
func patching(r *rig) *door {
	d := r.dests[0].Target.(*door)
	r.tenant.posts, r.tenant.lag = true, 15*time.Second
	d.info.Ops[sdk.OpUpsert] = sdk.Op{Batch: 20, PerMinute: 60, RateKey: "post"}
	d.info.Ops[sdk.OpUpdate] = sdk.Op{Batch: 10, PerMinute: 60, RateKey: "patch", Idempotent: true}
	r.configure()
	return d
}

// made counts the calls of each operation.
func made(r *rig) map[sdk.OpName]int {
	n := map[sdk.OpName]int{}
	for _, c := range r.tenant.calls {
		n[c.Op]++
	}
	return n
}

// rowsOf counts the rows of a value at the tenant.
func rowsOf(r *rig, value string) int {
	n := 0
	for _, row := range r.tenant.rows {
		if row.Value == value && row.deleted.IsZero() {
			n++
		}
	}
	return n
}

func TestD11_UpdatesAndRenewalsGoByTheirOwnOperation(t *testing.T) {
	r := newRig(t, 1000)
	patching(r)
	r.wantMany(25)
	r.sync()
	if n := made(r); n[sdk.OpUpsert] != 2 || n[sdk.OpUpdate] != 0 {
		t.Fatalf("calls %v", n)
	}
	for i := range 15 {
		r.want("def", fmt.Sprintf("h%04d.evil.com", i), 80).Attrs.Description = "new words"
	}
	r.clock.Advance(time.Minute)
	if res := r.sync(); res.Counts[Update] != 15 {
		t.Fatalf("%+v", res)
	}
	r.clock.Advance(25 * day)
	if res := r.sync(); res.Counts[Renew] != 25 {
		t.Fatalf("%+v", res)
	}
	// 15 updates by 10, 25 renewals by 10; nothing was created again.
	if n := made(r); n[sdk.OpUpsert] != 2 || n[sdk.OpUpdate] != 2+3 {
		t.Errorf("calls %v", n)
	}
	r.quiet()
	if n := len(r.tenant.rows); n != 25 {
		t.Errorf("%d rows", n)
	}
}

// The operation's own rate counts, not that of creations.
func TestD12_UpdatesHaveTheirOwnRate(t *testing.T) {
	r := newRig(t, 1000)
	d := patching(r)
	d.info.Ops[sdk.OpUpdate] = sdk.Op{Batch: 1, PerMinute: 2, RateKey: "patch", Idempotent: true}
	r.wantMany(5)
	r.sync()
	for i := range 5 {
		r.want("def", fmt.Sprintf("h%04d.evil.com", i), 80).Attrs.Description = "new words"
	}
	r.sync()
	var at []time.Time
	for _, c := range r.tenant.calls {
		if c.Op == sdk.OpUpdate {
			at = append(at, c.At)
		}
	}
	if len(at) != 5 || at[2].Sub(at[0]) < time.Minute || at[4].Sub(at[2]) < time.Minute {
		t.Errorf("calls at %v", at)
	}
}

func TestD11_CreateInDoubtIsLookedUpNeverRepeated(t *testing.T) {
	for _, phase := range []string{"before", "after"} {
		r := newRig(t, 1000)
		patching(r)
		r.wantMany(15)
		dead := true
		r.tenant.fault = func(_ int, op sdk.OpName, at string) error {
			if dead && op == sdk.OpUpsert && at == phase {
				return &sdk.Error{Failure: sdk.InDoubt, Message: "connection reset"}
			}
			return nil
		}
		r.sync()
		dead = false
		posts := made(r)[sdk.OpUpsert]
		if posts != 1 {
			t.Fatalf("%s: a POST in doubt was repeated: %d calls", phase, posts)
		}
		at := r.clock.Now()
		r.sync()
		if waited := r.clock.Now().Sub(at); waited < r.dests[0].Target.Info().ReadLag {
			t.Errorf("%s: decided after %s, before the listing can show the write", phase, waited)
		}
		want := map[string]int{"before": 2, "after": 1}[phase]
		if n := made(r)[sdk.OpUpsert]; n != want || len(r.tenant.rows) != 15 {
			t.Errorf("%s: %d POSTs, want %d; %d rows", phase, n, want, len(r.tenant.rows))
		}
		r.clock.Advance(time.Minute)
		r.quiet()
	}
}

// What was made in doubt and changed by the service on the way is ours all the same:
// it is updated, never made twice.
func TestD11_CreateInDoubtWithAnotherContentIsOurs(t *testing.T) {
	r := newRig(t, 100)
	patching(r)
	r.want("def", "a.evil.com", 80)
	dead := true
	r.tenant.fault = func(_ int, op sdk.OpName, at string) error {
		if dead && op == sdk.OpUpsert && at == "after" {
			return &sdk.Error{Failure: sdk.InDoubt, Message: "connection reset"}
		}
		return nil
	}
	r.sync()
	dead = false
	for _, row := range r.tenant.rows {
		row.Note = "normalised"
	}
	r.sync()
	r.clock.Advance(time.Minute)
	r.sync()
	if n := rowsOf(r, "a.evil.com"); n != 1 {
		t.Errorf("%d rows of one value", n)
	}
	if note := r.tenant.live()["a.evil.com/Block"].Note; note != "" {
		t.Errorf("content %q, want it as it is wanted", note)
	}
	r.quiet()
}

func TestD11_UpdateInDoubtIsRepeatedWithTheSameBody(t *testing.T) {
	r := newRig(t, 100)
	patching(r)
	r.wantMany(5)
	r.sync()
	r.want("def", "h0002.evil.com", 80).Attrs.Description = "new words"
	r.tenant.fault = failOn(1, sdk.InDoubt)
	if res := r.sync(); res.Partial() {
		t.Fatalf("an idempotent update is repeated at once: %+v", res)
	}
	if n := made(r)[sdk.OpUpdate]; n != 2 {
		t.Errorf("%d updates", n)
	}
	r.clock.Advance(time.Minute)
	r.quiet()
}

// An update that finds its row gone lists again: the row was deleted by hand, the
// others are updated.
func TestD13_UpdateOfARowDeletedByHand(t *testing.T) {
	r := newRig(t, 100)
	patching(r)
	r.tenant.lag = 0
	r.wantMany(5)
	r.sync()
	for i := range 5 {
		r.want("def", fmt.Sprintf("h%04d.evil.com", i), 80).Attrs.Description = "new words"
	}
	r.clock.Advance(30 * time.Second)
	p := r.plan()
	r.tenant.remove(r.tenant.live()["h0003.evil.com/Block"].ID)
	res := r.apply(p)
	if res.Counts[Update] != 4 || len(res.Skipped) != 1 {
		t.Fatalf("%+v", res)
	}
	if p := r.plan(); p.Reasons[reason.ChangedByHand] != 1 || p.Changes() != 0 {
		t.Errorf("reasons %v, actions %v", p.Reasons, p.Actions)
	}
}

func TestD11_DeletionCarriesTheBodyLastSent(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "a.evil.com", 80)
	r.sync()
	id := r.tenant.live()["a.evil.com/Block"].ID
	r.unwant("def", "a.evil.com")
	r.sync()
	if got := r.tenant.bodies[id]; got != "a.evil.com" {
		t.Errorf("the deletion carried %q", got)
	}
}

// A kill between a POST's effect and its outcome leaves no duplicate.
func TestD20_KilledAfterAPostMakesNoDuplicate(t *testing.T) {
	for kill := 1; kill <= 12; kill++ {
		for _, after := range []bool{false, true} {
			r := newRig(t, 1000)
			patching(r)
			r.wantMany(30)
			alive := r.store
			m := &mortal{Store: alive, left: kill, after: after}
			r.store = m
			if err := openAndSync(r); err != nil && !errors.Is(err, errKilled) {
				t.Fatalf("kill at commit %d: %v", kill, err)
			}
			r.store = alive
			r.open()
			for range 4 {
				r.clock.Advance(time.Minute)
				r.sync()
			}
			if n := len(r.tenant.rows); n != 30 {
				t.Errorf("kill at commit %d (durable %v): %d rows, want 30", kill, after, n)
			}
			r.quiet()
		}
	}
}

func openAndSync(r *rig) error {
	m, err := Open(r.t.Context(), Deps{Store: r.store, Clock: r.clock, Upstream: r.graph, Owner: "mark", Settings: r.set})
	if err != nil {
		return err
	}
	if err := m.Configure(r.t.Context(), r.dests); err != nil {
		return err
	}
	p, err := m.Plan(r.t.Context(), "def", PlanOptions{})
	if err != nil {
		return err
	}
	_, err = m.Apply(context.WithoutCancel(r.t.Context()), p, ApplyOptions{})
	return err
}
