package deliver

import (
	"maps"

	"github.com/remeld/remeld/sdk"
)

// matrix fills the plan's lines, one a destination domain.
func (p *planner) matrix() {
	lines := map[string]*Tenant{}
	for _, s := range p.sites {
		t := &Tenant{Domain: s.domain, Connection: s.info.Connection, Actions: map[Action]int{}, Keep: p.kept[s.domain], Live: s.book.Present(),
			Held: p.heldOut(s), Unlisted: s.info.Blind, Deprecated: s.info.Deprecated}
		for _, d := range s.dests {
			t.Nodes = append(t.Nodes, d.Node)
		}
		lines[s.domain] = t
	}
	for _, it := range p.plan.Items {
		lines[it.Domain].Actions[it.Action]++
	}
	for _, s := range p.sites {
		t := lines[s.domain]
		if c, ok := s.target.(sdk.Coster); ok {
			t.Cost = c.Cost(t.writes(), t.Live+t.Actions[Create]-t.Actions[Delete]-t.Actions[Gone])
		}
		p.plan.Tenants = append(p.plan.Tenants, *t)
	}
}

// heldOut counts the records of a domain's nodes that are held out.
func (p *planner) heldOut(s *site) int {
	n := 0
	for i, wanted := range p.desired {
		if p.judges[i].domain == s.domain {
			n += wanted
		}
	}
	for key, ok := range p.granted {
		n -= one(ok && p.judges[key.node].domain == s.domain)
	}
	return max(n, 0)
}

// together makes one plan of several: their lines, sums and items, to be saved and
// applied by one id.
func together(id string, plans []*Plan) *Plan {
	all := newPlan("", plans[0].Made, 0)
	all.ID, all.Expires = id, plans[0].Expires
	for _, p := range plans {
		all.Parts, all.Items = append(all.Parts, p.ID), append(all.Items, p.Items...)
		all.Tenants = append(all.Tenants, p.Tenants...)
		all.Keep, all.Desired, all.First = all.Keep+p.Keep, all.Desired+p.Desired, all.First || p.First
		all.Stops, all.Notes = append(all.Stops, p.Stops...), append(all.Notes, p.Notes...)
		if p.Expires.Before(all.Expires) {
			all.Expires = p.Expires
		}
		add(all.Actions, p.Actions)
		add(all.Reasons, p.Reasons)
		for source, n := range p.BySource {
			if all.BySource[source] == nil {
				all.BySource[source] = map[Action]int{}
			}
			add(all.BySource[source], n)
		}
		for code, list := range p.Samples {
			all.Samples[code] = append(all.Samples[code], list[:min(len(list), samplesEach-min(samplesEach, len(all.Samples[code])))]...)
		}
		maps.Copy(all.Config, p.Config)
		maps.Copy(all.Watermark, p.Watermark)
		maps.Copy(all.Ledger, p.Ledger)
		maps.Copy(all.Listing, p.Listing)
	}
	return all
}

func add[K comparable](to, from map[K]int) {
	for k, n := range from {
		to[k] += n
	}
}
