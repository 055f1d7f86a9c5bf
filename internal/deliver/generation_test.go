package deliver

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

func TestD19_WithdrawnIdentityReturnsInTheNextGeneration(t *testing.T) {
	r := newRig(t, 0)
	v := vaultRig(r)
	for g := range 4 {
		r.want("def", "a.evil.com", 80)
		r.sync()
		row := v.rows[vaultID("a.evil.com", uint32(g))]
		if row == nil || row.Withdrawn || row.Created.IsZero() || row.Created != row.Modified {
			t.Fatalf("generation %d: %+v", g, row)
		}
		// The clock does not move in between: every write is later all the same.
		r.want("def", "a.evil.com", 80).Attrs.Description = fmt.Sprint("words ", g)
		r.sync()
		if again := v.rows[vaultID("a.evil.com", uint32(g))]; again.Created != row.Created || !again.Modified.After(row.Modified) {
			t.Errorf("generation %d: created %s, then %s; modified %s, then %s", g, row.Created, again.Created, row.Modified, again.Modified)
		}
		r.unwant("def", "a.evil.com")
		r.sync()
		if len(v.live()) != 0 {
			t.Fatalf("generation %d was not withdrawn", g)
		}
		r.open() // nothing of it is in memory only
	}
	if v.stale != 0 {
		t.Errorf("%d writes were not later than the one before", v.stale)
	}
}

// What ended by itself was never withdrawn, and goes on under its id.
func TestD19_LapsedObjectKeepsItsGeneration(t *testing.T) {
	r := newRig(t, 0)
	v := vaultRig(r)
	r.want("def", "a.evil.com", 80).Attrs.ValidUntil = r.clock.Now().Add(day)
	r.sync()
	r.clock.Advance(3 * day)
	r.sync()
	if len(r.m.lists["vault/w1"].rows) != 1 {
		t.Fatal("the vault forgot it")
	}
	r.want("def", "a.evil.com", 80)
	r.sync()
	if row := v.rows[vaultID("a.evil.com", 0)]; row == nil || len(v.live()) != 1 || len(v.rows) != 1 {
		t.Errorf("rows %v", v.rows)
	}
	r.quiet()
}

func TestD19_CallsInDoubtRepeatTheStoredBody(t *testing.T) {
	for _, phase := range []string{"before", "after"} {
		r := newRig(t, 0)
		v := vaultRig(r)
		dead := true
		v.fault = func(_ sdk.OpName, at string) error {
			if dead && at == phase {
				return &sdk.Error{Failure: sdk.InDoubt, Message: "connection reset"}
			}
			return nil
		}
		r.want("def", "a.evil.com", 80)
		r.sync()
		sent := v.order[0]
		dead = false
		r.clock.Advance(time.Hour)
		r.open()
		r.sync()
		if last := v.order[len(v.order)-1]; last != sent {
			t.Errorf("%s: repeated as %s, was %s", phase, last, sent)
		}
		r.unwant("def", "a.evil.com")
		dead = true
		r.sync()
		dead = false
		sent = v.order[len(v.order)-1]
		r.clock.Advance(time.Hour)
		r.open()
		r.sync()
		if last := v.order[len(v.order)-1]; last != sent || len(v.live()) != 0 {
			t.Errorf("%s: the withdrawal was repeated as %s, was %s", phase, last, sent)
		}
		r.want("def", "a.evil.com", 80)
		r.sync()
		if v.rows[vaultID("a.evil.com", 1)] == nil {
			t.Errorf("%s: rows %v", phase, v.rows)
		}
	}
}

func TestD19_EmptyLedgerAndRowsOfOursRefuseUntilAdopted(t *testing.T) {
	r := newRig(t, 0)
	v := vaultRig(r)
	r.want("def", "stays.evil.com", 80)
	r.want("def", "goes.evil.com", 80)
	r.want("def", "went.evil.com", 80)
	r.sync()
	r.unwant("def", "went.evil.com")
	r.sync()
	r.store = newStore(t)
	r.open()
	r.unwant("def", "goes.evil.com")
	r.want("def", "went.evil.com", 80)
	r.want("def", "new.evil.com", 80)
	writes := len(v.order)
	p := r.plan()
	if p.Changes() != 0 || p.Reasons[reason.AdoptFirst] != 2 || !r.condition("adopt_first") || r.condition("unknown_own") {
		t.Fatalf("actions %v, reasons %v, conditions %v", p.Actions, p.Reasons, r.conds.List())
	}
	r.apply(p)
	if len(v.order) != writes {
		t.Fatal("something was sent before the rows were adopted")
	}
	if n, err := r.m.Adopt(t.Context(), "def", ""); n != 2 || err != nil {
		t.Fatalf("adopted %d, %v", n, err)
	}
	if r.condition("adopt_first") {
		t.Error("the condition stays")
	}
	if res := r.sync(); res.Counts[Create] != 2 || res.Counts[Delete] != 1 || res.Counts[Update] != 0 {
		t.Errorf("%+v", res.Counts)
	}
	// What had been withdrawn before the store was lost returns in the next generation.
	if live := v.live(); len(live) != 3 || v.rows[vaultID("went.evil.com", 1)] == nil {
		t.Errorf("live %v", live)
	}
	if v.stale != 0 {
		t.Errorf("%d writes were not later than the one before", v.stale)
	}
	r.quiet()
}

// TestD19_AnyKillAndFaultEndsWhereDesiredIs: whatever dies, the vault ends with what
// is wanted, and no write was older than one before.
func TestD19_AnyKillAndFaultEndsWhereDesiredIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, 0)
		defer r.store.Close()
		v := vaultRig(r)
		blind := rapid.Bool().Draw(rt, "blind")
		if blind {
			v.info.Blind = "no right to query"
		}
		r.dests[0].Restore = true
		r.configure()
		if blind {
			vouch(r)
		}
		alive := r.store
		for step := range rapid.IntRange(1, 8).Draw(rt, "steps") {
			for range rapid.IntRange(0, 4).Draw(rt, "changes") {
				value := fmt.Sprintf("v%02d.evil.com", rapid.IntRange(0, 7).Draw(rt, "value"))
				if rapid.Bool().Draw(rt, "unwant") {
					r.unwant("def", value)
				} else {
					r.want("def", value, 80).Attrs.Description = fmt.Sprint(step)
				}
			}
			r.clock.Advance(time.Duration(rapid.IntRange(0, 900).Draw(rt, "hours")) * time.Hour)
			m := &mortal{Store: alive, left: rapid.IntRange(-1, 20).Draw(rt, "kill"), after: rapid.Bool().Draw(rt, "after")}
			if m.left == 0 {
				m.left = -1
			}
			r.store = m
			v.fault = vaultFaults(rt, m)
			tryOpenAndSync(r)
		}
		r.store, v.fault = alive, nil
		r.open()
		for range 4 {
			r.clock.Advance(time.Minute)
			r.sync()
		}
		live := v.live()
		for i, rec := range r.graph.nodes["def"] {
			if note, ok := live[i.Value]; !ok || note != rec.Attrs.Description {
				rt.Errorf("%s is %q (there: %v), want %q", i.Value, note, ok, rec.Attrs.Description)
			}
		}
		if len(live) != len(r.graph.nodes["def"]) {
			rt.Errorf("%d live, %d wanted", len(live), len(r.graph.nodes["def"]))
		}
		if v.stale != 0 {
			rt.Errorf("%d writes were not later than the one before", v.stale)
		}
	})
}

func vaultFaults(rt *rapid.T, m *mortal) func(sdk.OpName, string) error {
	return func(sdk.OpName, string) error {
		if m.dead {
			return &sdk.Error{Failure: sdk.InDoubt, Message: "killed"}
		}
		switch rapid.IntRange(0, 9).Draw(rt, "fault") {
		case 0:
			return &sdk.Error{Failure: sdk.InDoubt, Message: "reset"}
		case 1:
			return &sdk.Error{Failure: sdk.Unavailable, Message: "500"}
		case 2:
			return &sdk.Error{Failure: sdk.Throttled, Message: "429"}
		}
		return nil
	}
}
