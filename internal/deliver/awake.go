package deliver

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/reason"
)

// A job's nodes get something new in its own runs alone. In every other plan of the
// tenant they are asleep: their objects are compared and keep their slots, their other
// records wait, and that their sources were not read yet holds up nobody. So a job that
// nobody has run keeps no other node from its first plan, and a preview of it takes no
// slot from anybody.

// asleep tells for each destination of the group whether it gets nothing new in a plan.
// A person who plans the tenant sees the jobs that are approved, too.
func (m *Manager) asleep(ctx context.Context, g *group, opts PlanOptions) ([]bool, error) {
	out := make([]bool, len(g.dests))
	for i, d := range g.dests {
		switch {
		case !d.ByJob || d.Retired:
		case d.Idle:
			out[i] = true
		case len(opts.Run) > 0:
			out[i] = !slices.Contains(opts.Run, d.Node)
		case !opts.Person:
			out[i] = true
		case d.Node != opts.asked:
			first, err := m.first(ctx, []*Destination{d})
			if err != nil {
				return nil, err
			}
			out[i] = first
		}
	}
	return out, nil
}

// rouse notes who is asleep, and what asleep nodes hold by now.
func (p *planner) rouse(asleep []bool) {
	p.asleep, p.dormant, p.plan.Awake = asleep, map[string]bool{}, []string{}
	p.own = map[nodeKey]bool{}
	index := map[string][]int{}
	for i, d := range p.dests {
		if asleep[i] {
			index[d.Node] = append(index[d.Node], i)
		} else if !slices.Contains(p.plan.Awake, d.Node) {
			p.plan.Awake = append(p.plan.Awake, d.Node)
		}
	}
	for _, s := range p.sites {
		for _, r := range s.book.Rows {
			if !r.Present() && r.State != ledger.Missing {
				continue
			}
			for _, c := range r.Contributors {
				for _, i := range index[c.Node] {
					p.own[nodeKey{i, c.Indicator}] = true
				}
			}
		}
	}
}

// waits: the record is new and waits for a run of the node's job.
func (p *planner) waits(node int, i indicator.Indicator) bool {
	return p.asleep[node] && !p.own[nodeKey{node, i}]
}

// watermarks asks how far the nodes' sources are. Whoever is asleep answers for its own
// objects alone.
func (p *planner) watermarks(ctx context.Context) error {
	for i, d := range p.dests {
		w, err := p.up.Watermark(ctx, d.Node)
		if err != nil {
			return fmt.Errorf("ask how far %s is: %w", d.Node, err)
		}
		if p.asleep[i] {
			p.dormant[d.Node] = !w.Settled
			continue
		}
		p.plan.Watermark[d.Node] = w
		p.settled = p.settled && w.Settled
		p.allowOK = p.allowOK && w.AllowReady
	}
	return nil
}

// unsettled: what stands behind a row may say otherwise once it was read (SEMANTICS D5).
func (p *planner) unsettled(r *ledger.Row) bool {
	return !p.settled || slices.ContainsFunc(r.Contributors, func(c ledger.Contributor) bool { return p.dormant[c.Node] })
}

// renews: somebody who wants the object has it renewed while it is wanted (SEMANTICS D15).
func (p *planner) renews(s *site, w *want) bool {
	return slices.ContainsFunc(w.wants, func(w Want) bool {
		i := p.nodeAt(s, w.Node)
		return i >= 0 && !p.dests[i].RenewOnChange
	})
}

// renewAsIs renews with the body it has an object whose change waits for a run of those
// who want it, where it is due: it would lapse with its change otherwise.
func (p *planner) renewAsIs(s *site, w *want, r *ledger.Row) *Item {
	for _, want := range w.wants {
		if i := p.nodeAt(s, want.Node); i < 0 || !p.asleep[i] {
			return nil
		}
	}
	if !p.renews(s, w) || !p.due(s, r, w) || !r.ValidUntil.IsZero() && !r.ValidUntil.After(r.Expires) {
		return nil
	}
	it := p.item(s, w, Renew)
	it.Reason, it.Held = reason.NextRun, true
	return it
}

// approvers are the nodes whose first plan it is: those of the run, or all that the plan
// gives something new.
func (p *Plan) approvers(dests []*Destination, run []string) []*Destination {
	if len(run) == 0 {
		run = p.Awake
	}
	if run == nil {
		return dests // saved by a version that woke everybody
	}
	return slices.DeleteFunc(slices.Clone(dests), func(d *Destination) bool { return !slices.Contains(run, d.Node) })
}

// new counts the changes for whoever is awake.
func (p *Plan) new() int {
	n := 0
	for _, it := range p.Items {
		switch it.Action {
		case Create, Update, Renew, Replace, Delete, Gone:
			n += one(it.concerns(p.Awake) || len(it.Wants) == 0)
		}
	}
	return n
}

// Of is what a plan does for some nodes: objects by action, and its withdrawals by reason.
func (p *Plan) Of(nodes []string) (actions map[Action]int, withdrawn map[reason.Code]int) {
	actions, withdrawn = map[Action]int{}, map[reason.Code]int{}
	for _, it := range p.Items {
		if !it.concerns(nodes) && !it.evicted() {
			continue
		}
		actions[it.Action]++
		if it.Action == Delete {
			withdrawn[it.Reason]++
		}
	}
	return actions, withdrawn
}

// HeldOut counts the records that are not sent and the objects that are left as they are,
// by reason; those that wait for another job's run are not among them.
func (p *Plan) HeldOut() map[reason.Code]int {
	out := maps.Clone(p.Reasons)
	delete(out, reason.NextRun)
	for _, it := range p.Items {
		if it.Action != Delete {
			continue
		}
		if out[it.Reason]--; out[it.Reason] <= 0 {
			delete(out, it.Reason)
		}
	}
	return out
}

// Together sorts nodes into lists that one plan is about: those that share tenants.
func (m *Manager) Together(nodes []string) ([][]string, error) {
	var lists, tenants [][]string
	for _, n := range nodes {
		groups, err := m.groupsNamed(n)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(tenants, func(have []string) bool {
			return !slices.ContainsFunc(groups, func(g string) bool { return !slices.Contains(have, g) })
		})
		if i < 0 {
			lists, tenants = append(lists, []string{n}), append(tenants, groups)
			continue
		}
		lists[i] = append(lists[i], n)
	}
	return lists, nil
}

// speakers are the nodes whose first plan the domain waits for: a job's only where there
// are no others.
func (s *site) speakers() []*Destination {
	others := slices.DeleteFunc(slices.Clone(s.dests), func(d *Destination) bool { return d.ByJob })
	if len(others) == 0 {
		return s.dests
	}
	return others
}
