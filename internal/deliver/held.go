package deliver

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/reason"
)

// heldAt is Held for one group. only filters by code, with or without its
// detail ("filter", "filter/sure"); none is all. Nothing is stored for a loser:
// the same pure functions that made the plan are asked again (SEMANTICS D9).
func (m *Manager) heldAt(ctx context.Context, group, name string, only []reason.Code, fn func(Held) error) error {
	g, err := m.current(ctx, group)
	if err != nil {
		return err
	}
	sites, err := m.sites(ctx, g)
	if err != nil {
		return err
	}
	p, err := m.newPlanner(ctx, g, sites, PlanOptions{Person: true, asked: name})
	if err != nil {
		return err
	}
	if err := p.choose(ctx); err != nil {
		return err
	}
	out := func(h Held) error {
		if !matches(h.Reason, only) {
			return nil
		}
		return fn(h)
	}
	for _, h := range p.parts {
		if name == "" || name == h.Node || name == g.name || name == h.Domain {
			if err := out(h); err != nil {
				return err
			}
		}
	}
	for i, d := range p.dests {
		if name != "" && name != d.Node && name != g.name && name != p.judges[i].domain {
			continue
		}
		err := p.up.Desired(ctx, d.Node, func(rec *indicator.Record) error {
			code, detail := p.verdict(i, rec)
			if code == "" {
				return nil
			}
			return out(p.heldRecord(i, rec, code, detail))
		})
		if err != nil {
			return fmt.Errorf("read what %s wants: %w", d.Node, err)
		}
	}
	if err := p.compare(ctx); err != nil {
		return err
	}
	p.restrain()
	return frozenItems(p.plan, out)
}

func frozenItems(p *Plan, out func(Held) error) error {
	for _, it := range p.Items {
		if it.Action != Frozen && it.Action != Adopt {
			continue
		}
		if err := out(it.held(it.Reason, it.Identity)); err != nil {
			return err
		}
	}
	return nil
}

// held is the item as something that is not sent.
func (it *Item) held(code reason.Code, detail string) Held {
	h := Held{Domain: it.Domain, Reason: code, Detail: detail, Sources: it.Sources()}
	if len(it.Wants) > 0 {
		h.Node, h.Indicator = it.Wants[0].Node, it.Wants[0].Indicator
	}
	return h
}

// verdict is the outcome for one record after choose: "" where it got its slot.
func (p *planner) verdict(node int, rec *indicator.Record) (reason.Code, string) {
	if code, detail := p.judges[node].allows(rec, false); code != "" {
		return code, detail
	}
	if p.waits(node, rec.Indicator) {
		return reason.NextRun, ""
	}
	key := nodeKey{node, rec.Indicator}
	if p.granted[key] {
		return "", ""
	}
	if code, ok := p.refused[key]; ok {
		return code, ""
	}
	return reason.Quota, ""
}

func matches(code reason.Code, only []reason.Code) bool {
	return len(only) == 0 || slices.Contains(only, code) || slices.Contains(only, code.Base())
}

// Drifted is a row that somebody changed at the tenant.
type Drifted struct {
	Domain    string              `json:"domain"`
	Identity  string              `json:"identity"`
	Indicator indicator.Indicator `json:"indicator"`
	RemoteID  string              `json:"remote_id"`
	What      string              `json:"what"` // missing or edited
	Nodes     []string            `json:"nodes"`
}

// Unlisted says, by domain, why a destination's tenant cannot be listed: what was
// changed there by hand cannot be known.
func (m *Manager) Unlisted(name string) (map[string]string, error) {
	out := map[string]string{}
	err := m.eachNamed(name, func(group string) error {
		g, err := m.groupOf(group)
		if err != nil {
			return err
		}
		for _, d := range g.dests {
			if info := d.Target.Info(); info.Blind != "" {
				out[info.Domain] = info.Blind
			}
		}
		return nil
	})
	return out, err
}

// driftOf is Drift for one group.
func (m *Manager) driftOf(ctx context.Context, sites []*site) ([]Drifted, error) {
	if err := m.prepare(ctx, sites, PlanOptions{Relist: true}); err != nil {
		return nil, err
	}
	var out []Drifted
	for _, s := range sites {
		for _, r := range s.book.Rows {
			if r.State == ledger.Missing || r.State == ledger.Edited {
				out = append(out, Drifted{Domain: s.domain, Identity: r.Identity, Indicator: r.Indicator, RemoteID: r.RemoteID, What: r.State.String(), Nodes: r.Nodes()})
			}
		}
	}
	slices.SortFunc(out, func(a, b Drifted) int { return strings.Compare(a.Domain+"\x00"+a.Identity, b.Domain+"\x00"+b.Identity) })
	return out, nil
}

// restoreIn is Restore for one group.
func (m *Manager) restoreIn(ctx context.Context, sites []*site, identities []string) (int, error) {
	n := 0
	for _, s := range sites {
		c := s.book.Begin()
		for _, r := range s.book.Rows {
			if r.State != ledger.Missing && r.State != ledger.Edited || len(identities) > 0 && !slices.Contains(identities, r.Identity) {
				continue
			}
			next := *r
			next.Code, next.Reason = restoreCode, "to be put back on demand"
			c.Put(next, nil)
			n++
		}
		if err := s.book.Commit(ctx, c); err != nil {
			return n, err
		}
	}
	m.poke()
	return n, nil
}
