package deliver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/store"
)

// SoleContributions counts, by destination node and then by source, the live rows
// that nobody but the given sources speaks for: what would be withdrawn if they
// went (SEMANTICS E11). A row of several of them counts for each; one that is on its way
// counts as live.
func (m *Manager) SoleContributions(ctx context.Context, sources []string) (map[string]map[string]int, error) {
	out := map[string]map[string]int{}
	for _, g := range m.groupsSorted() {
		sites, err := m.sites(ctx, g)
		if err != nil {
			return nil, err
		}
		for _, s := range sites {
			s.soleContributions(sources, out)
		}
	}
	return out, nil
}

func (s *site) soleContributions(sources []string, out map[string]map[string]int) {
	s.solely(sources, func(r *ledger.Row) {
		for _, node := range r.Nodes() {
			if out[node] == nil {
				out[node] = map[string]int{}
			}
			for _, src := range r.Sources() {
				out[node][src]++
			}
		}
	})
}

// solely calls fn for every row that nobody but the given sources speaks for.
func (s *site) solely(sources []string, fn func(*ledger.Row)) {
	s.book.Owed(func(r *ledger.Row) {
		by := r.Sources()
		others := slices.ContainsFunc(by, func(src string) bool { return !slices.Contains(sources, src) })
		if !others && len(by) > 0 {
			fn(r)
		}
	})
}

// soleRows counts such rows of which node is the first, in all and by source.
func (s *site) soleRows(sources []string, node string) (rows int, bySource map[string]int) {
	bySource = map[string]int{}
	s.solely(sources, func(r *ledger.Row) {
		if r.Nodes()[0] != node {
			return
		}
		rows++
		for _, src := range r.Sources() {
			bySource[src]++
		}
	})
	return rows, bySource
}

// AllowWithdrawals lets as many withdrawals pass the guards as byNode says, by
// destination node and then by source, until the given time: a person saw them in the
// preview of a commit and approved exactly those (SEMANTICS E11). id names the commit:
// what was allowed for it before is replaced.
func (m *Manager) AllowWithdrawals(ctx context.Context, id string, byNode map[string]map[string]int, by string, until time.Time) error {
	word := guard.Allowance{ID: id, Until: until, By: by, Reason: id}
	return m.eachWindow(ctx, func(s *site) bool {
		changed := s.window.Forbid(id)
		for node, bySource := range byNode {
			changed = s.allow(node, bySource, word) || changed
		}
		return changed
	})
}

// ForbidWithdrawals takes back what AllowWithdrawals allowed under an id.
func (m *Manager) ForbidWithdrawals(ctx context.Context, id string) error {
	return m.eachWindow(ctx, func(s *site) bool { return s.window.Forbid(id) })
}

// allow lets pass, of what was approved, as many withdrawals as there are rows at the
// tenant. A row is one withdrawal, however many sources and nodes speak for it: it
// passes with the first of its nodes.
func (s *site) allow(node string, bySource map[string]int, word guard.Allowance) bool {
	rows, here := s.soleRows(slices.Sorted(maps.Keys(bySource)), node)
	total := 0
	for src, n := range bySource {
		n = min(n, here[src])
		total += n
		word.Key, word.Left = guard.Key{Class: guard.Source, Of: src}, n
		s.window.Allow(word)
	}
	word.Key, word.Left = guard.Key{Class: guard.Delete}, min(total, rows)
	s.window.Allow(word)
	return total > 0
}

// eachWindow calls fn for every destination domain, in turn, and stores the guards'
// window of those that fn says it changed.
func (m *Manager) eachWindow(ctx context.Context, fn func(*site) bool) error {
	for _, g := range m.groupsSorted() {
		// A group that is not concerned may be in the middle of a long apply.
		if seen, err := m.sites(ctx, g); err != nil {
			return err
		} else if !slices.ContainsFunc(seen, fn) {
			continue
		}
		err := m.withSites(ctx, g.name, func(_ *group, sites []*site) error {
			for _, s := range sites {
				if !fn(s) {
					continue
				}
				c := s.book.Begin()
				if err := writeDoc(c, guardSpace, s.domain, s.window); err != nil {
					return err
				}
				if err := s.book.Commit(ctx, c); err != nil {
					return fmt.Errorf("keep what was approved at %s: %w", s.domain, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// LiveOf counts the rows at a destination domain that a node speaks for, those on their
// way included, whether or not anything is aimed there now.
func (m *Manager) LiveOf(ctx context.Context, node, domain string) (int, error) {
	b, err := ledger.Read(ctx, m.deps.Store, store.Fence{}, domain, m.deps.Clock.Now())
	if err != nil {
		return 0, err
	}
	live := 0
	b.Owed(func(r *ledger.Row) {
		if slices.Contains(r.Nodes(), node) {
			live++
		}
	})
	return live, nil
}
