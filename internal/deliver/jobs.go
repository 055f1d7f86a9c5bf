package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/remeld/remeld/internal/deliver/reason"
)

// concerns tells whether one of the nodes stands behind the item.
func (it *Item) concerns(nodes []string) bool {
	return slices.ContainsFunc(it.Wants, func(w Want) bool { return slices.Contains(nodes, w.Node) })
}

// evicted: others won its slot. A run makes the room that its own objects need,
// whoever had it (SEMANTICS D8).
func (it *Item) evicted() bool { return it.Action == Delete && it.Reason.Base() == reason.Quota }

// jobNodes are the nodes of a group that a job applies.
func (g *group) jobNodes() []string {
	var out []string
	for _, d := range g.dests {
		if d.ByJob && !d.Retired {
			out = append(out, d.Node)
		}
	}
	return out
}

// standing are the nodes whose objects the loop keeps whatever else waits: those of jobs
// and, where the plan waits for a person, those whose own first plan was approved. What
// another node at the tenant waits for is no reason to let theirs lapse.
func (m *Manager) standing(ctx context.Context, g *group, waiting bool) ([]string, error) {
	nodes := g.jobNodes()
	for _, d := range g.dests {
		if !waiting || d.ByJob || d.Mode == ModePlan {
			continue
		}
		first, err := m.first(ctx, []*Destination{d})
		if err != nil {
			return nil, err
		}
		if !first {
			nodes = append(nodes, d.Node)
		}
	}
	return nodes, nil
}

// betweenRuns are the identities that the loop may apply at a group where a job has
// nodes, or where the plan waits for a person; nil is everything. Of the objects of the
// nodes that stand, those that are due for renewal, and those that must not be there
// (SEMANTICS D7); everything else of a job's waits for its run, and where the plan waits
// for a person what belongs to no job waits as well. n is how many items they are.
func (g *group) betweenRuns(p *Plan, waiting bool, standing []string) (only map[string]bool, n int) {
	if len(standing) == 0 {
		return nil, 0
	}
	jobs := g.jobNodes()
	only = map[string]bool{}
	for _, it := range p.Items {
		own := !waiting && !it.concerns(jobs)
		switch it.Action {
		case Frozen, Adopt:
			continue
		case Renew, Gone:
			own = own || it.concerns(standing)
		case Delete:
			own = own || it.concerns(standing) && it.Reason.Protective()
		}
		if own {
			only[it.Identity] = true
			n++
		}
	}
	return only, n
}

// restful: only jobs send to the group, and nothing of theirs is there: between runs
// there is nothing to ask the service for.
func (m *Manager) restful(ctx context.Context, g *group) (bool, error) {
	if len(g.jobNodes()) < len(g.dests) {
		return false, nil
	}
	sites, err := m.sites(ctx, g)
	for _, s := range sites {
		if len(s.book.Rows) > 0 || len(s.doubt) > 0 {
			return false, err
		}
	}
	return true, err
}

// spentKey is where it is kept, in approvalSpace, how much of a group's reserve runs
// have spent by a person's word (SEMANTICS D8).
func spentKey(g *group) string { return "reserve/" + g.name }

// spent is how much of the reserve rows of ours sit in. It never grows by itself:
// once they are gone their slots are reserved again.
func (m *Manager) spent(ctx context.Context, g *group, sites []*site) (int, error) {
	val, err := m.get(ctx, approvalSpace, spentKey(g))
	if err != nil || val == nil {
		return 0, err
	}
	var most int
	if err := json.Unmarshal(val, &most); err != nil {
		return 0, fmt.Errorf("read how much of the reserve of %s is spent: %w", g.name, err)
	}
	capacity, reserve, present := 0, 0, 0
	for _, s := range sites {
		reserve = max(reserve, s.target.Info().Reserve) // as configured: the site's own may be lowered already
		if capacity == 0 || s.info.Capacity > 0 && s.info.Capacity < capacity {
			capacity = s.info.Capacity
		}
		for _, r := range s.book.Rows {
			present += one(r.Present() && !byHand(r))
		}
	}
	return max(min(most, present-(capacity-reserve)), 0), nil
}

// lend lets the holder of the turn use n slots of the group's reserve until back is
// called; what it used stays spent.
func (m *Manager) lend(ctx context.Context, g *group, n int) (back func(), err error) {
	if n <= 0 {
		return func() {}, nil
	}
	sites, err := m.sites(ctx, g)
	if err != nil {
		return nil, err
	}
	was, err := m.spent(ctx, g, sites)
	if err == nil {
		err = m.put(ctx, approvalSpace, spentKey(g), was+n)
	}
	if err != nil {
		return nil, err
	}
	g.lent.Store(int64(was + n))
	return func() { g.lent.Store(0) }, nil
}

// reserve lowers the reserve of a group's sites by what is spent of it.
func (m *Manager) reserve(ctx context.Context, g *group, sites []*site) error {
	spent := int(g.lent.Load())
	if spent == 0 && reserveOf(sites) > 0 {
		var err error
		if spent, err = m.spent(ctx, g, sites); err != nil {
			return err
		}
	}
	for _, s := range sites {
		s.info.Reserve = max(s.info.Reserve-spent, 0)
	}
	return nil
}
