package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/store"
)

// PlanOptions says how a plan is made.
type PlanOptions struct {
	// Person: asked for by a person, who is told even where the loop would wait.
	Person bool
	// Relist takes a new listing even when there is a young one.
	Relist bool
	// Run are the nodes of the job whose run plans.
	Run []string
	// Waits is called when an apply is running and the plan waits for its end; nil is
	// nobody.
	Waits func()
	// asked is the node that a person named.
	asked string
}

// Plan compares what the destination's quota domain wants with its ledger and its
// tenant. name is a node, a destination domain or a quota domain. Calls in doubt
// are resolved and a listing is taken when none is young enough. While an apply is
// running the plan waits for its end; one that takes minutes is not waited for, and
// the plan says that it was made from what was known then. Planning sends nothing.
func (m *Manager) Plan(ctx context.Context, name string, opts PlanOptions) (*Plan, error) {
	g, err := m.holdFor(ctx, name, planPatience, opts.Waits)
	if errors.Is(err, errBusy) {
		return m.planMeanwhile(ctx, name, opts)
	}
	if err != nil {
		return nil, err
	}
	defer g.busy.Unlock()
	return m.planHeld(ctx, g, opts)
}

// planMeanwhile plans while somebody else has the turn: it writes nothing, since what
// it read may be from before what the other one did.
func (m *Manager) planMeanwhile(ctx context.Context, name string, opts PlanOptions) (*Plan, error) {
	g, err := m.current(ctx, name)
	if err != nil {
		return nil, err
	}
	sites, err := m.sites(ctx, g)
	if err != nil {
		return nil, err
	}
	p, err := m.plan(ctx, g, sites, opts)
	if err != nil {
		return nil, err
	}
	p.plan.Notes = append(p.plan.Notes, "an apply is running; the plan is made from what is known now")
	return p.plan, nil
}

// planHeld is Plan for who has the turn. What it stores, the stops of the guards,
// can so not be from before another apply or a person's word.
func (m *Manager) planHeld(ctx context.Context, g *group, opts PlanOptions) (*Plan, error) {
	sites, err := m.sites(ctx, g)
	if err != nil {
		return nil, err
	}
	var notes []string
	if err := m.prepare(ctx, sites, opts); err != nil {
		if !lacking(err) {
			return nil, err
		}
		notes = strings.Split(err.Error(), "\n")
	}
	p, err := m.plan(ctx, g, sites, opts)
	if err != nil {
		return nil, err
	}
	p.plan.Notes = append(p.plan.Notes, notes...)
	return p.plan, m.noteStops(ctx, g, p)
}

// lacking: the plan can be made without what failed; it will say what it lacks.
func lacking(err error) bool {
	var stop *StoppedError
	return errors.As(err, &stop) || !fatal(err) && !errors.Is(err, context.Canceled) && !errors.Is(err, ledger.ErrStore)
}

// prepare brings ledgers and listings up to date. A site that fails does not keep
// the others from it.
func (m *Manager) prepare(ctx context.Context, sites []*site, opts PlanOptions) error {
	var errs []error
	for _, s := range sites {
		errs = append(errs, m.prepareSite(ctx, s, opts))
	}
	return errors.Join(errs...)
}

func (m *Manager) prepareSite(ctx context.Context, s *site, opts PlanOptions) error {
	if err := m.stopped(ctx, s, opts.Person); err != nil {
		return err
	}
	if s.blind() { // where it once was listed, that is not missed any more
		m.clearID(ctx, s.dests[0].Node, ListingFailing, s.domain)
	}
	var err error
	if len(s.doubt) > 0 {
		err = m.resolve(ctx, s)
	}
	if !s.blind() && (s.list == nil || opts.Relist) {
		err = errors.Join(err, m.relist(ctx, s))
	}
	return err
}

func (m *Manager) newPlanner(ctx context.Context, g *group, sites []*site, opts PlanOptions) (*planner, error) {
	now := m.deps.Clock.Now()
	p := &planner{set: m.set, now: now, up: m.deps.Upstream, sites: sites, byDomain: map[string]*site{}, dests: g.dests,
		settled: true, allowOK: true, between: len(opts.Run) == 0 && !opts.Person, plan: newPlan(g.name, now, m.set.PlanLife), holders: holdersOf(sites), kept: map[string]int{}, lifted: map[string]*liftedSet{}}
	for _, s := range sites {
		p.byDomain[s.domain] = s
		p.plan.Ledger[s.domain] = s.book.Meta.Version
		if s.list != nil {
			p.plan.Listing[s.domain] = s.list.at
		}
		lifted, err := m.liftedOf(ctx, s)
		if err != nil {
			return nil, err
		}
		p.lifted[s.domain] = lifted
	}
	present := 0
	for _, s := range sites {
		present += s.book.Present()
	}
	p.limit, p.plan.Cut.Foreign = budget(sites, present)
	p.plan.Cut.Budget = max(p.limit, 0)
	for i, d := range g.dests {
		p.judges = append(p.judges, newJudge(d, i, p.byDomain[d.Target.Info().Domain].now))
		p.plan.Config[d.Node] = d.ConfigVersion
	}
	asleep, err := m.asleep(ctx, g, opts)
	if err != nil {
		return nil, err
	}
	p.rouse(asleep)
	p.hand, err = m.blocks(ctx)
	if err == nil {
		err = p.watermarks(ctx)
	}
	return p, err
}

func (m *Manager) plan(ctx context.Context, g *group, sites []*site, opts PlanOptions) (*planner, error) {
	p, err := m.newPlanner(ctx, g, sites, opts)
	if err != nil {
		return nil, err
	}
	if p.plan.First, err = m.first(ctx, p.plan.approvers(g.dests, opts.Run)); err != nil {
		return nil, err
	}
	if err := p.choose(ctx); err != nil {
		return nil, err
	}
	if err := p.compare(ctx); err != nil {
		return nil, err
	}
	p.restrain()
	p.fit()
	p.renewFrozen()
	p.plan.total()
	p.matrix()
	p.plan.ID = newID("plan", p.now)
	m.remember(p.plan)
	return p, nil
}

// remember keeps the last plans in memory, so that one can be approved or applied
// by id without having been saved.
func (m *Manager) remember(p *Plan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, old := range m.plans {
		if old.Group == p.Group || m.deps.Clock.Now().After(old.Expires) {
			delete(m.plans, id)
		}
	}
	m.plans[p.ID] = p
}

// approvalSpace holds who approved a node's first plan.
const approvalSpace = "approval"

// Approval is a person's word.
type Approval struct {
	ID     string    `json:"id"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until,omitzero"`
}

// first: one of the destinations has never had an approved plan.
func (m *Manager) first(ctx context.Context, dests []*Destination) (bool, error) {
	for _, d := range dests {
		if d.Mode == ModeAuto {
			continue
		}
		val, err := m.get(ctx, approvalSpace, firstKey(d))
		if err != nil {
			return false, err
		}
		if val == nil {
			return true, nil
		}
	}
	return false, nil
}

func firstKey(d *Destination) string { return "first/" + d.Target.Info().Domain + "/" + d.Node }

// blockSpace holds ad hoc blocks: NODE, 0x00, key of the indicator.
const blockSpace = "block"

// blockSource is what an ad hoc block names as its source; no node can have this
// name.
const blockSource = "ad hoc block"

// block is one stored ad hoc block.
type block struct {
	Node      string              `json:"node"`
	Indicator indicator.Indicator `json:"indicator"`
	Reason    string              `json:"reason"`
	By        string              `json:"by"`
	At        time.Time           `json:"at"`
	Until     time.Time           `json:"until"`
}

func (b block) record() *indicator.Record {
	return &indicator.Record{Indicator: b.Indicator, Attrs: indicator.Attributes{
		Confidence: indicator.Known(100), Severity: indicator.Known(5), Description: b.Reason, Sources: []string{blockSource},
		FirstSeen: b.At, ValidUntil: b.Until,
	}}
}

// blocks reads the ad hoc blocks by node.
func (m *Manager) blocks(ctx context.Context) (map[string][]*indicator.Record, error) {
	v, err := m.deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("read the ad hoc blocks: %w", err)
	}
	defer v.Close()
	out := map[string][]*indicator.Record{}
	err = v.Scan(ctx, blockSpace, store.Range{}, func(_, val []byte) error {
		var b block
		if err := json.Unmarshal(val, &b); err != nil {
			return err
		}
		out[b.Node] = append(out[b.Node], b.record())
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the ad hoc blocks: %w", err)
	}
	return out, nil
}
