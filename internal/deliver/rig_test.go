package deliver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// graph is an Upstream in memory.
type graph struct {
	nodes map[string]map[indicator.Indicator]*indicator.Record
	mark  Watermark
	cause map[indicator.Indicator]reason.Code
	// unread are nodes whose sources are not settled.
	unread map[string]bool
}

func newGraph() *graph {
	return &graph{nodes: map[string]map[indicator.Indicator]*indicator.Record{}, mark: Watermark{Settled: true, AllowReady: true, Heads: map[string]uint64{"t": 1}},
		cause: map[indicator.Indicator]reason.Code{}}
}

func (g *graph) Watermark(_ context.Context, node string) (Watermark, error) {
	w := g.mark
	w.Settled = w.Settled && !g.unread[node]
	return w, nil
}

func (g *graph) Desired(_ context.Context, node string, fn func(*indicator.Record) error) error {
	recs := slices.SortedFunc(maps.Values(g.nodes[node]), func(a, b *indicator.Record) int {
		return slices.Compare(a.AppendKey(nil), b.AppendKey(nil))
	})
	for _, r := range recs {
		c := *r
		if err := fn(&c); err != nil {
			return err
		}
		c = indicator.Record{} // valid until fn returned, and no longer
	}
	return nil
}

func (g *graph) Lookup(_ context.Context, node string, i indicator.Indicator) (*indicator.Record, error) {
	return g.nodes[node][i], nil
}

func (g *graph) Cause(_ context.Context, _ string, i indicator.Indicator) (reason.Code, error) {
	return g.cause[i], nil
}

// rig is a manager with a tenant, a store and a clock.
type rig struct {
	t      *testing.T
	clock  *sdktest.Clock
	tenant *tenant
	graph  *graph
	store  store.Store
	conds  *condition.Set
	set    Settings
	dests  []Destination
	m      *Manager
}

var looseGuards = guard.Limits{Delete: guard.Limit{Count: 1 << 30}, Create: guard.Limit{Count: 1 << 30}, Protective: guard.Limit{Count: 1 << 30}, Source: guard.Limit{Count: 1 << 30}}

func newRig(t *testing.T, capacity int) *rig {
	t.Helper()
	clock := sdktest.NewClock(time.Time{})
	r := &rig{t: t, clock: clock, tenant: newTenant(clock, capacity), graph: newGraph(), store: memstore.New()}
	t.Cleanup(func() { r.store.Close() })
	r.dests = []Destination{{Node: "def", Target: r.tenant.door("app", "Block"), Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards}}
	r.open()
	return r
}

// open makes a new manager over the store, as a restart does.
func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.conds, err = condition.Open(r.t.Context(), r.store, r.clock); err != nil {
		r.t.Fatal(err)
	}
	r.m, err = Open(r.t.Context(), Deps{Store: r.store, Clock: r.clock, Conditions: r.conds, Upstream: r.graph, Owner: "mark", Settings: r.set})
	if err != nil {
		r.t.Fatal(err)
	}
	r.configure()
}

func (r *rig) configure() {
	r.t.Helper()
	if err := r.m.Configure(r.t.Context(), r.dests); err != nil {
		r.t.Fatal(err)
	}
}

func ind(value string) indicator.Indicator {
	i, err := indicator.Parse(indicator.Unknown, value)
	if err != nil {
		panic(err)
	}
	return i
}

// want puts a record into a node's table.
func (r *rig) want(node, value string, conf int, sources ...string) *indicator.Record {
	if len(sources) == 0 {
		sources = []string{"feed"}
	}
	rec := &indicator.Record{Indicator: ind(value), Attrs: indicator.Attributes{Confidence: indicator.Known(conf), Sources: sources}}
	if r.graph.nodes[node] == nil {
		r.graph.nodes[node] = map[indicator.Indicator]*indicator.Record{}
	}
	r.graph.nodes[node][rec.Indicator] = rec
	return rec
}

func (r *rig) wantMany(n int, sources ...string) {
	for i := range n {
		r.want("def", fmt.Sprintf("h%04d.evil.com", i), 80, sources...)
	}
}

func (r *rig) unwant(node, value string) { delete(r.graph.nodes[node], ind(value)) }

func (r *rig) plan() *Plan {
	r.t.Helper()
	p, err := r.m.Plan(r.t.Context(), "def", PlanOptions{})
	if err != nil {
		r.t.Fatalf("plan: %v", err)
	}
	return p
}

func (r *rig) apply(p *Plan) *Result {
	r.t.Helper()
	res, err := r.m.Apply(r.t.Context(), p, ApplyOptions{})
	if err != nil {
		r.t.Fatalf("apply: %v", err)
	}
	return res
}

func (r *rig) sync() *Result {
	r.t.Helper()
	return r.apply(r.plan())
}

// quiet asserts that nothing is left to do and that a plan makes no write call.
func (r *rig) quiet() {
	r.t.Helper()
	before := r.tenant.writes()
	p := r.plan()
	if n := p.Changes(); n > 0 {
		r.t.Errorf("%d changes are still planned: %v", n, p.Actions)
	}
	if n := r.tenant.writes() - before; n > 0 {
		r.t.Errorf("%d write calls at rest", n)
	}
}

func (r *rig) tenantHas(want ...string) {
	r.t.Helper()
	slices.Sort(want)
	if got := r.tenant.names(); !slices.Equal(got, want) {
		r.t.Errorf("the tenant holds %v, want %v", got, want)
	}
}

func (r *rig) condition(kind string) bool {
	return slices.ContainsFunc(r.conds.List(), func(c condition.Condition) bool { return c.Kind == kind })
}

func failOn(k int, failure sdk.Failure) func(int, sdk.OpName, string) error {
	n := 0
	return func(_ int, op sdk.OpName, phase string) error {
		if op == sdk.OpList || phase != "before" {
			return nil
		}
		if n++; n == k {
			return &sdk.Error{Failure: failure, Code: string(failure), Message: "injected"}
		}
		return nil
	}
}

func TestD1_SliceCreateUpdateDelete(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	if res := r.sync(); res.Counts[Create] != 3 || res.Partial() {
		t.Fatalf("result %+v", res)
	}
	r.tenantHas("h0000.evil.com/Block", "h0001.evil.com/Block", "h0002.evil.com/Block")
	r.quiet()
	r.unwant("def", "h0001.evil.com")
	r.want("def", "h0002.evil.com", 80).Attrs.Description = "new words"
	if res := r.sync(); res.Counts[Delete] != 1 || res.Counts[Update] != 1 {
		t.Fatalf("result %+v", res)
	}
	r.tenantHas("h0000.evil.com/Block", "h0002.evil.com/Block")
	r.quiet()
	r.open()
	r.quiet()
}
