package deliver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/rank"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

var errKilled = errors.New("the process was killed")

// mortal is a store whose process dies at a chosen commit, before or after it is
// durable; from then on nothing reaches the store.
type mortal struct {
	store.Store
	left  int // commits until death; negative = immortal
	after bool
	dead  bool
}

func (s *mortal) Commit(ctx context.Context, c *store.Commit) (store.Receipt, error) {
	if s.dead {
		return store.Receipt{}, errKilled
	}
	if s.left--; s.left == 0 {
		s.dead = true
		if s.after {
			if _, err := s.Store.Commit(ctx, c); err != nil {
				return store.Receipt{}, err
			}
		}
		return store.Receipt{}, errKilled
	}
	return s.Store.Commit(ctx, c)
}

func (s *mortal) View() (store.View, error) {
	if s.dead {
		return nil, errKilled
	}
	return s.Store.View()
}

// expected is desired ∩ budget, computed from the definition: filter, rank, cut.
func expected(r *rig, foreign map[string]bool, budget int) []string {
	var fit []*indicator.Record
	for _, rec := range r.graph.nodes["def"] {
		if n, _ := rec.Attrs.Confidence.Get(); n >= 30 && !foreign[rec.Value] {
			fit = append(fit, rec)
		}
	}
	slices.SortFunc(fit, func(a, b *indicator.Record) int {
		return rank.Compare(rank.Entry{Rank: rank.Of(a), Rec: a}, rank.Entry{Rank: rank.Of(b), Rec: b})
	})
	var out []string
	for _, rec := range fit[:min(len(fit), budget)] {
		out = append(out, rec.Value+"/Block")
	}
	slices.Sort(out)
	return out
}

// TestD20_AnyKillAndFaultEndsWhereDesiredIs is the judge: after any sequence of
// source changes, faults and kills, then quiet, the tenant holds exactly desired ∩
// budget, no foreign row was touched, nothing is left in doubt, and no deletion
// took effect twice.
func TestD20_AnyKillAndFaultEndsWhereDesiredIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, 12)
		defer r.store.Close()
		r.set = Settings{Margin: -1, SwapsADay: -1, MinTenure: time.Nanosecond}
		r.dests[0].Keep = []Keep{{"least", filter(t, "confidence >= 30")}}
		r.dests[0].Restore = true
		d := r.dests[0].Target.(*door)
		r.tenant.posts = rapid.Bool().Draw(rt, "posts")
		d.info.Ops[sdk.OpUpsert] = sdk.Op{Batch: 4, PerMinute: 30, RateKey: "import", Idempotent: !r.tenant.posts}
		d.info.Ops[sdk.OpDelete] = sdk.Op{Batch: 4, PerMinute: 30, RateKey: "delete"}
		r.tenant.lag = time.Duration(rapid.IntRange(0, 1).Draw(rt, "lag")) * 10 * time.Second
		foreign := map[string]bool{"v00.evil.com": true, "v01.evil.com": true}
		for v := range foreign {
			r.tenant.add(v, "Block", "other", "")
		}
		alive := r.store
		for step := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			for range rapid.IntRange(0, 6).Draw(rt, "changes") {
				v := fmt.Sprintf("v%02d.evil.com", rapid.IntRange(0, 19).Draw(rt, "value"))
				switch rapid.IntRange(0, 4).Draw(rt, "change") {
				case 0:
					r.unwant("def", v)
				case 1:
					r.want("def", v, rapid.IntRange(0, 100).Draw(rt, "conf")).Attrs.Description = fmt.Sprint(step)
				case 2:
					portal(r, v)
				default:
					r.want("def", v, rapid.IntRange(0, 100).Draw(rt, "conf"))
				}
			}
			r.clock.Advance(time.Duration(rapid.IntRange(0, 72).Draw(rt, "hours")) * time.Hour)
			m := &mortal{Store: alive, left: rapid.IntRange(-1, 25).Draw(rt, "kill"), after: rapid.Bool().Draw(rt, "after")}
			if m.left == 0 {
				m.left = -1
			}
			r.store = m
			r.tenant.fault = faults(rt, m)
			tryOpenAndSync(r)
		}
		r.store, r.tenant.fault = alive, nil
		r.open()
		for range 4 {
			r.clock.Advance(time.Minute)
			if _, err := r.m.Drift(t.Context(), "def"); err != nil {
				rt.Fatal(err)
			}
			r.sync()
		}
		judge20(rt, r, foreign)
	})
}

func portal(r *rig, value string) {
	for id, row := range r.tenant.rows {
		if row.Value == value && row.Mark == "mark" && row.deleted.IsZero() {
			r.tenant.remove(id)
			return
		}
	}
}

// faults makes calls fail in every way there is, and the process die around them.
func faults(rt *rapid.T, m *mortal) func(int, sdk.OpName, string) error {
	plan := rapid.SliceOfN(rapid.IntRange(0, 12), 0, 30).Draw(rt, "faults")
	n := 0
	return func(_ int, op sdk.OpName, phase string) error {
		if n++; n > len(plan) {
			return nil
		}
		switch plan[n-1] {
		case 0:
			return &sdk.Error{Failure: sdk.Unavailable, Message: "500"}
		case 1:
			return &sdk.Error{Failure: sdk.InDoubt, Message: "reset"}
		case 2:
			if phase == "before" {
				return &sdk.Error{Failure: sdk.Throttled, Message: "slow"}
			}
		case 3:
			m.dead = true
			return &sdk.Error{Failure: sdk.InDoubt, Message: "killed in the call"}
		case 4:
			if phase == "before" {
				return &sdk.Error{Failure: sdk.NotSent, Message: "no route"}
			}
		}
		return nil
	}
}

// tryOpenAndSync runs until the process dies or is done; errors are the point.
func tryOpenAndSync(r *rig) {
	ctx := r.t.Context()
	m, err := Open(ctx, Deps{Store: r.store, Clock: r.clock, Upstream: r.graph, Owner: "mark", Settings: r.set.withDefaults()})
	if err != nil {
		return
	}
	if m.Configure(ctx, r.dests) != nil {
		return
	}
	p, err := m.Plan(ctx, "def", PlanOptions{Relist: true})
	if err != nil {
		return
	}
	_, _ = m.Apply(ctx, p, ApplyOptions{}) // whatever it ends with is judged at the end
}

func judge20(rt *rapid.T, r *rig, foreign map[string]bool) {
	p := r.plan()
	if p.Changes() != 0 || p.Actions[Frozen] != 0 || p.Actions[Adopt] != 0 {
		rt.Errorf("not at rest: %v, %v", p.Actions, p.Reasons)
	}
	var got []string
	if n := len(r.tenant.rows); n != len(r.tenant.live()) && r.tenant.lag == 0 {
		rt.Errorf("%d rows for %d objects: something was created twice", n, len(r.tenant.live()))
	}
	for name, row := range r.tenant.live() {
		if row.App == "other" {
			if row.Mark != "" || !foreign[row.Value] {
				rt.Errorf("foreign row touched: %+v", row)
			}
			continue
		}
		got = append(got, name)
	}
	slices.Sort(got)
	if want := expected(r, foreign, 10); !slices.Equal(got, want) {
		rt.Errorf("the tenant holds\n%v\nwant\n%v\nnotes %v %v", got, want, p.Reasons, slices.Collect(maps.Keys(p.Samples)))
	}
	erased := map[string]int{}
	for _, c := range r.tenant.calls {
		if c.Op == sdk.OpDelete && c.OK {
			for _, id := range c.Names {
				if erased[id]++; erased[id] > 1 {
					rt.Errorf("row %s was deleted twice", id)
				}
			}
		}
	}
}
