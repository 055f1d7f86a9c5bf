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
	s.book.Owed(func(r *ledger.Row) {
		by := r.Sources()
		others := slices.ContainsFunc(by, func(src string) bool { return !slices.Contains(sources, src) })
		if others || len(by) == 0 {
			return
		}
		for _, node := range r.Nodes() {
			if out[node] == nil {
				out[node] = map[string]int{}
			}
			for _, src := range by {
				out[node][src]++
			}
		}
	})
}

// allowAt is AllowWithdrawals for one group: of what was approved, as many as there
// are at the tenant.
func (m *Manager) allowAt(ctx context.Context, group, node string, bySource map[string]int, by, why string, until time.Time) error {
	g, err := m.hold(ctx, group)
	if err != nil {
		return err
	}
	defer g.busy.Unlock()
	sites, err := m.sites(ctx, g)
	if err != nil {
		return err
	}
	sources := slices.Sorted(maps.Keys(bySource))
	for _, s := range sites {
		here := map[string]map[string]int{}
		s.soleContributions(sources, here)
		total := 0
		for src, n := range bySource {
			total += min(n, here[node][src])
		}
		s.window.Allow(guard.Allowance{Key: guard.Key{Class: guard.Delete}, Left: total, Until: until, By: by, Reason: why})
		for src, n := range bySource {
			n = min(n, here[node][src])
			s.window.Allow(guard.Allowance{Key: guard.Key{Class: guard.Source, Of: src}, Left: n, Until: until, By: by, Reason: why})
		}
		c := s.book.Begin()
		if err := writeDoc(c, guardSpace, s.domain, s.window); err != nil {
			return err
		}
		if err := s.book.Commit(ctx, c); err != nil {
			return fmt.Errorf("allow the withdrawals of %s: %w", why, err)
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
