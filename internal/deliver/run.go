package deliver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/condition"
)

// lookEvery is how often the loop asks whether anything changed upstream.
const lookEvery = 5 * time.Second

// planEvery is the longest time between two plans, so that renewals that became
// due and rows that ran out are seen.
const planEvery = 10 * time.Minute

// runState is what the loop remembers of a group between looks.
type runState struct {
	lookedAt  time.Time
	heads     string    // upstream as last seen
	changedAt time.Time // when it was last seen to change
	plannedOn string    // the heads the last complete apply was planned on
	plannedAt time.Time
	listedAt  time.Time // last drift look
	unsettled time.Time // since when upstream is not settled
	failures  int
	notBefore time.Time // growing wait after failures
	savedOn   string    // the heads of the plan that waits for a person
	savedAt   time.Time
}

// Run drives every group until ctx ends: an apply a while after upstream settles,
// renewals when due, a look for drift, and what was left of an earlier apply after
// growing waits. Each group has a loop of its own: a tenant that is slow, throttled
// or down holds up no other. The error is ctx's.
func (m *Manager) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	defer loops.Wait()
	for {
		for _, g := range m.groupsSorted() {
			if g.driven.CompareAndSwap(false, true) {
				loops.Go(func() {
					defer g.driven.Store(false)
					m.drive(ctx, g.name)
				})
			}
		}
		if err := m.deps.Clock.Sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// drive is the loop of one group; it ends with ctx or when nothing is aimed at the
// group any more.
func (m *Manager) drive(ctx context.Context, name string) {
	for {
		m.mu.Lock()
		g := m.groups[name]
		m.mu.Unlock()
		if g == nil {
			return
		}
		m.look(ctx, g)
		if m.deps.Clock.Sleep(ctx, lookEvery) != nil {
			return
		}
	}
}

// look does what is due for a group now.
func (m *Manager) look(ctx context.Context, g *group) {
	now := m.deps.Clock.Now()
	due, err := m.due(ctx, g, now)
	if err == nil && due {
		err = m.step(ctx, g, now)
	}
	if errors.Is(err, errBusy) {
		g.poke.Store(true) // a person plans or applies; the next look is soon
		return
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	m.backOff(g, now)
	m.deps.Log.Warn("delivery could not finish", "group", g.name, "err", err, "again", g.run.notBefore)
}

// The waits after failures grow from backOffFirst to backOffMost.
const (
	backOffFirst = time.Minute
	backOffMost  = 30 * time.Minute
)

func (m *Manager) backOff(g *group, now time.Time) {
	wait := min(backOffFirst<<min(g.run.failures, 10), backOffMost)
	g.run.failures++
	g.run.notBefore = now.Add(wait)
}

// due decides whether to plan now (SEMANTICS D5).
func (m *Manager) due(ctx context.Context, g *group, now time.Time) (bool, error) {
	settled, heads, err := m.upstream(ctx, g)
	if err != nil {
		return false, err
	}
	r := &g.run
	if r.lookedAt.After(now) { // the clock was set back: what was noted is from a time to come
		*r = runState{}
	}
	r.lookedAt = now
	if heads != r.heads {
		r.heads, r.changedAt = heads, now
	}
	if settled {
		r.unsettled = time.Time{}
	} else if r.unsettled.IsZero() {
		r.unsettled = now
	}
	poked := g.poke.Swap(false)
	if now.Before(r.notBefore) && !poked {
		return false, nil
	}
	if !settled && now.Sub(r.unsettled) < m.set.UnsettledAfter {
		g.poke.CompareAndSwap(false, poked) // what was asked for is still to be done
		return false, nil
	}
	if now.Sub(r.changedAt) < m.settle(g) && !poked {
		return false, nil
	}
	return poked || heads != r.plannedOn || now.Sub(r.plannedAt) >= planEvery, nil
}

func (m *Manager) upstream(ctx context.Context, g *group) (settled bool, heads string, err error) {
	settled = true
	var b strings.Builder
	for _, d := range g.dests {
		w, err := m.deps.Upstream.Watermark(ctx, d.Node)
		if err != nil {
			return false, "", fmt.Errorf("ask how far %s is: %w", d.Node, err)
		}
		settled = settled && (w.Settled || d.ByJob) // its run waits for its sources
		fmt.Fprintf(&b, "%s %s %v;", d.Node, d.ConfigVersion, w.AllowReady)
		for _, k := range slices.Sorted(maps.Keys(w.Heads)) {
			fmt.Fprintf(&b, "%s=%d,", k, w.Heads[k])
		}
	}
	return settled, b.String(), nil
}

// step plans and, where that is allowed, applies, with nobody in between. Where
// somebody else plans or applies it is errBusy.
func (m *Manager) step(ctx context.Context, g *group, now time.Time) error {
	if err := errors.Join(m.dropBlocks(ctx), m.dropOld(ctx)); err != nil {
		return err
	}
	heads := g.run.heads
	g, err := m.holdNow(ctx, g.name)
	if err != nil {
		return err
	}
	defer g.busy.Unlock()
	if rest, err := m.restful(ctx, g); rest || err != nil {
		g.run.plannedOn, g.run.plannedAt = heads, now
		return err
	}
	relist := now.Sub(g.run.listedAt) >= m.driftEvery(g)
	p, err := m.planHeld(ctx, g, PlanOptions{Relist: relist})
	if err != nil {
		return err
	}
	if relist && len(p.Listing) > 0 {
		g.run.listedAt = now
	}
	waiting, err := m.waits(ctx, g, p)
	if err != nil {
		return err
	}
	standing, err := m.standing(ctx, g, waiting)
	only, n := g.betweenRuns(p, waiting, standing)
	if err != nil || waiting && n == 0 {
		g.run.plannedOn, g.run.plannedAt = heads, now
		return err
	}
	if p.Lacks() {
		return fmt.Errorf("the plan is not complete: %s", strings.Join(p.Notes, "; "))
	}
	if p.Changes() == 0 && p.Actions[Note] == 0 || only != nil && n == 0 {
		g.run.plannedOn, g.run.plannedAt, g.run.failures = heads, now, 0
		return nil
	}
	res, err := m.applyHeld(ctx, g, p, ApplyOptions{Only: only, standing: waiting})
	if err != nil {
		return err
	}
	g.run.plannedOn, g.run.plannedAt = heads, now
	if res.Partial() {
		return fmt.Errorf("%d of %d changes are left: %s", res.Left, p.Changes(), strings.Join(res.Why, "; "))
	}
	g.run.failures = 0
	return nil
}

// waits says whether a plan must wait for a person, and says so to people.
func (m *Manager) waits(ctx context.Context, g *group, p *Plan) (bool, error) {
	manual := slices.ContainsFunc(g.dests, func(d *Destination) bool { return d.Mode == ModePlan })
	if !p.First && !manual {
		return false, nil
	}
	if len(p.Awake) == 0 {
		return false, nil // jobs alone, whose runs ask
	}
	who, n := p.Awake[0], p.new()
	if n == 0 {
		m.clearID(ctx, who, "plan_waiting", g.name)
		return true, nil
	}
	// One plan for one state of the sources: a person who looks at it finds it again,
	// and they do not pile up.
	if g.run.savedOn == g.run.heads && p.Made.Before(g.run.savedAt.Add(m.set.PlanLife/2)) {
		return true, nil
	}
	p.Waiting = true
	if err := m.SavePlan(ctx, p); err != nil {
		return true, err
	}
	g.run.savedOn, g.run.savedAt = g.run.heads, p.Made
	m.raise(ctx, condition.Condition{Node: who, Kind: "plan_waiting", ID: g.name,
		Message: fmt.Sprintf("a plan of %d changes at %s waits for a person", n, g.name),
		Help:    "remeld plan " + who + "; then remeld apply " + p.ID})
	return true, nil
}
