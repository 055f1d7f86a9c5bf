package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/remeld/remeld/internal/condition"
)

// removed are the targets of old that next does not have: a node that went, or one
// that was turned to another tenant, or one that went earlier and still has rows to
// withdraw. Another login of the same tenant is the same destination.
func removed(old, next *built) []target {
	type key struct{ node, domain string }
	stays := map[key]bool{}
	for _, t := range next.targets {
		stays[key{t.node.Name, t.target.Info().Domain}] = true
	}
	var gone []target
	for _, t := range slices.Concat(old.targets, old.retired) {
		if !stays[key{t.node.Name, t.target.Info().Domain}] {
			gone = append(gone, t)
		}
	}
	return gone
}

// retire decides what becomes of the live rows of destinations that go
// (SEMANTICS D1): without on_remove at the old node the commit is refused. It
// returns those whose rows are to be withdrawn; they stay aimed at their tenant
// until nothing is left.
func (a *App) retire(ctx context.Context, old, next *built) ([]target, error) {
	var retired []target
	for _, t := range removed(old, next) {
		domain := t.target.Info().Domain
		live, err := a.deliver.LiveOf(ctx, t.node.Name, domain)
		if err != nil {
			return nil, err
		}
		switch {
		case live == 0 || renamed(old, next, t):
		case t.node.OnRemove == "withdraw":
			retired = append(retired, t)
		case t.node.OnRemove == "":
			return nil, fmt.Errorf("node %s would leave %d live rows at %s: set on_remove: withdraw or keep at it, let that be committed, then take it out", t.node.Name, live, domain)
		case shared(next, domain):
			return nil, fmt.Errorf("node %s cannot keep its %d rows at %s: another node is kept in step with that tenant and would withdraw them; set on_remove: withdraw", t.node.Name, live, domain)
		}
	}
	return retired, nil
}

// renamed: the tenant has a node now that it did not have. It takes the ledger over,
// which belongs to the tenant and not to a name (SEMANTICS D1).
func renamed(old, next *built, gone target) bool {
	domain := gone.target.Info().Domain
	return slices.ContainsFunc(next.targets, func(t target) bool {
		return t.target.Info().Domain == domain && !slices.ContainsFunc(old.targets, func(o target) bool {
			return o.node.Name == t.node.Name && o.target.Info().Domain == domain
		})
	})
}

func shared(b *built, domain string) bool {
	for _, t := range b.targets {
		if t.target.Info().Domain == domain {
			return true
		}
	}
	return false
}

// tellOrphans says which tenants hold rows of ours that no node is aimed at.
func (a *App) tellOrphans(ctx context.Context) error {
	if err := a.conditions.Clear(ctx, "", "orphan_rows"); err != nil {
		return err
	}
	orphans, err := a.deliver.Orphans(ctx)
	if err != nil {
		return err
	}
	for domain, live := range orphans {
		err := a.conditions.Raise(ctx, condition.Condition{
			Kind: "orphan_rows", ID: domain,
			Message: fmt.Sprintf("%d rows of ours at %s belong to no node; they stay until they expire", live, domain),
			Help:    "to withdraw them, aim a node at that tenant again; it takes its ledger over",
		})
		if err != nil {
			return err
		}
	}
	return nil
}
