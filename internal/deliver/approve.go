package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/store"
)

// stopSpace holds the standing stops by id.
const stopSpace = "stop"

// Stop is a guard's stop that waits for a person.
type Stop struct {
	ID      string    `json:"id"`
	Group   string    `json:"group"`
	Domain  string    `json:"domain"`
	Nodes   []string  `json:"nodes"`
	Key     guard.Key `json:"key"`
	Planned int       `json:"planned"`
	Text    string    `json:"text"`
	Since   time.Time `json:"since"`
}

// Stops lists the standing stops by id.
func (m *Manager) Stops(ctx context.Context) ([]Stop, error) {
	v, err := m.deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("read the stops: %w", err)
	}
	defer v.Close()
	var out []Stop
	err = v.Scan(ctx, stopSpace, store.Range{}, func(_, val []byte) error {
		var s Stop
		if err := json.Unmarshal(val, &s); err != nil {
			return err
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the stops: %w", err)
	}
	return out, nil
}

// noteStops stores the stops of a plan, raises their conditions and ends those
// that are over.
func (m *Manager) noteStops(ctx context.Context, g *group, p *planner) error {
	standing, err := m.Stops(ctx)
	if err != nil {
		return err
	}
	old := map[string]Stop{}
	for _, s := range standing {
		if s.Group == g.name {
			old[s.ID] = s
		}
	}
	for _, r := range p.plan.Stops {
		s := Stop{ID: r.ID, Group: g.name, Domain: r.Domain, Key: r.Key, Planned: r.Planned, Text: r.Text, Since: p.now}
		for _, d := range p.byDomain[r.Domain].dests {
			s.Nodes = append(s.Nodes, d.Node)
		}
		was, stood := old[r.ID]
		delete(old, r.ID)
		if stood {
			s.Since = was.Since
		}
		if !stood || was.Planned != s.Planned || was.Text != s.Text {
			if err := m.put(ctx, stopSpace, s.ID, s); err != nil {
				return err
			}
		}
		m.raise(ctx, condition.Condition{Node: s.Nodes[0], Kind: "guard_stop", ID: s.ID,
			Message: fmt.Sprintf("%s at %s stopped: %s", s.Key, s.Domain, s.Text),
			Help:    "remeld held " + s.Nodes[0] + "; then remeld approve " + s.ID + " --reason TEXT --until TIME"})
	}
	for id, s := range old {
		if err := m.put(ctx, stopSpace, id, nil); err != nil {
			return err
		}
		m.clearID(ctx, s.Nodes[0], "guard_stop", id)
	}
	return nil
}

// Approve gives a person's word for a stop, a plan, or "clock" (the machine's
// clock is right after a jump). A stop's approval lets as many changes pass as the
// stop counted, until the given time; a plan's is for the first plan of its
// destinations and for what that plan changes.
func (m *Manager) Approve(ctx context.Context, id, by, why string, until time.Time) error {
	now := m.deps.Clock.Now()
	ap := Approval{ID: id, By: by, Reason: why, At: now, Until: until}
	if id == "clock" {
		return m.approveClock(ctx)
	}
	if !until.After(now) {
		return fmt.Errorf("approve %s: the end %s is past", id, until.UTC().Format(time.RFC3339))
	}
	stops, err := m.Stops(ctx)
	if err != nil {
		return err
	}
	for _, s := range stops {
		if s.ID == id {
			return m.approveStop(ctx, s, ap)
		}
	}
	p, err := m.LoadPlan(ctx, id)
	if err != nil {
		return fmt.Errorf("approve %s: no stop or plan of that id stands", id)
	}
	for _, part := range p.Parts {
		if err := m.Approve(ctx, part, by, why, until); err != nil {
			return err
		}
	}
	if len(p.Parts) > 0 {
		return nil
	}
	g, err := m.hold(ctx, p.Group)
	if err != nil {
		return err
	}
	defer g.busy.Unlock()
	defer m.poke()
	return m.approvePlan(ctx, g, p, nil, ap)
}

func (m *Manager) approveStop(ctx context.Context, s Stop, ap Approval) error {
	return m.withSites(ctx, s.Group, func(_ *group, sites []*site) error { return m.approveAt(ctx, sites, s, ap) })
}

// approveAt is approveStop for who has the turn.
func (m *Manager) approveAt(ctx context.Context, sites []*site, s Stop, ap Approval) error {
	for _, site := range sites {
		if site.domain != s.Domain {
			continue
		}
		c := site.book.Begin()
		if s.Key.Class == guard.Unlisted {
			c.Meta().Vouched = ap.At
		} else {
			site.window.Allow(guard.Allowance{Key: s.Key, Left: s.Planned, Until: ap.Until, By: ap.By, Reason: ap.Reason})
		}
		if err := writeDoc(c, guardSpace, site.domain, site.window); err != nil {
			return err
		}
		if err := writeDoc(c, approvalSpace, "stop/"+s.ID+"/"+ap.At.UTC().Format(time.RFC3339Nano), ap); err != nil {
			return err
		}
		c.Write(store.Write{Space: stopSpace, Key: []byte(s.ID), Delete: true})
		if s.Key.Class == guard.Lifted {
			if err := m.unlift(ctx, c, site, s.Key.Of); err != nil {
				return err
			}
		}
		if err := site.book.Commit(ctx, c); err != nil {
			return err
		}
	}
	m.clearID(ctx, s.Nodes[0], "guard_stop", s.ID)
	if s.Key.Class == guard.Lifted && m.deps.Lifted != nil {
		for _, n := range s.Nodes {
			if err := m.deps.Lifted(ctx, n, s.Key.Of); err != nil {
				return fmt.Errorf("approve %s: %w", s.ID, err)
			}
		}
	}
	m.poke()
	return nil
}

// approvePlan records the first approval and allows what the plan changes, so that
// an apply of it that takes several rounds is not stopped half-way.
func (m *Manager) approvePlan(ctx context.Context, g *group, p *Plan, nodes []string, ap Approval) error {
	approved := p.approvers(g.dests, nodes)
	first, err := m.first(ctx, approved)
	if err != nil || !first {
		return err
	}
	sites, err := m.sites(ctx, g)
	if err != nil {
		return err
	}
	var named []string
	for _, d := range approved {
		named = append(named, d.Node)
	}
	for _, s := range sites {
		planned := guard.Counts{}
		for _, it := range p.Items {
			if it.Domain == s.domain && it.Action != Frozen && (it.concerns(named) || len(nodes)+len(it.Wants) == 0) {
				tally(planned, it)
			}
		}
		for key, n := range planned {
			s.window.Allow(guard.Allowance{Key: key, Left: n, Until: ap.Until, By: ap.By, Reason: ap.Reason})
		}
		c := s.book.Begin()
		if err := writeDoc(c, guardSpace, s.domain, s.window); err != nil {
			return err
		}
		for _, d := range p.approvers(s.dests, nodes) {
			if err := writeDoc(c, approvalSpace, firstKey(d), ap); err != nil {
				return err
			}
		}
		if err := s.book.Commit(ctx, c); err != nil {
			return err
		}
	}
	for _, d := range approved {
		m.clearID(ctx, d.Node, "plan_waiting", g.name)
	}
	return nil
}

// approveClock forgets when the services were last heard, so that the next answer
// starts the comparison anew.
func (m *Manager) approveClock(ctx context.Context) error {
	for _, g := range m.groupsSorted() {
		err := m.withSites(ctx, g.name, func(_ *group, sites []*site) error { return m.forgetClock(ctx, sites) })
		if err != nil {
			return err
		}
	}
	m.poke()
	return nil
}

func (m *Manager) forgetClock(ctx context.Context, sites []*site) error {
	for _, s := range sites {
		c := s.book.Begin()
		c.Meta().ServedAt, c.Meta().ServedLocal = time.Time{}, time.Time{}
		if err := s.book.Commit(ctx, c); err != nil {
			return err
		}
		m.clear(ctx, s.dests[0].Node, "clock_jump")
	}
	return nil
}
