package deliver

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/remeld/remeld/internal/deliver/reason"
)

// PlanAll plans every quota domain that a name means ("" is all), beside each other: a
// tenant that is slow holds up no other's plan. Of several it makes one plan of Parts,
// which is saved, approved and applied by its id.
func (m *Manager) PlanAll(ctx context.Context, name string, opts PlanOptions) (*Plan, error) {
	groups, err := m.groupsNamed(name)
	if err != nil {
		return nil, err
	}
	opts.asked = name
	plans := make([]*Plan, len(groups))
	err = each(groups, func(i int, group string) error {
		var err error
		plans[i], err = m.Plan(ctx, group, opts)
		return err
	})
	if err != nil || len(plans) == 1 {
		return plans[0], err
	}
	all := together(newID("plan", m.deps.Clock.Now()), plans)
	m.remember(all)
	return all, nil
}

// each calls fn for every group beside each other and joins the errors.
func each(groups []string, fn func(i int, group string) error) error {
	errs := make([]error, len(groups))
	var all sync.WaitGroup
	for i, g := range groups {
		all.Go(func() { errs[i] = fn(i, g) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// ApplyAll is Apply for a plan of several quota domains as well; their parts are applied
// beside each other, and one that fails keeps no other from its end. The result counts
// all of them together and has no id; its Parts tell them apart.
func (m *Manager) ApplyAll(ctx context.Context, p *Plan, opts ApplyOptions) (*Result, error) {
	if len(p.Parts) == 0 {
		return m.applyPart(ctx, p, opts)
	}
	parts := make([]*Plan, len(p.Parts))
	for i, id := range p.Parts {
		var err error
		if parts[i], err = m.LoadPlan(ctx, id); err != nil {
			return nil, fmt.Errorf("plan %s: %w", p.ID, err)
		}
	}
	groups := make([]string, len(parts))
	for i := range parts {
		groups[i] = parts[i].Group
	}
	return beside(ctx, &Result{Plan: p.ID}, groups, opts, func(i int, opts ApplyOptions) (*Result, error) {
		return m.applyPart(ctx, parts[i], opts)
	})
}

// PlanAndApply plans every quota domain that a name means ("" is all) and applies
// that, with nobody in between at each of them: what a person asks for is not taken
// out of its hands by the loop. A plan that found nothing to do because something is
// missing is a partial result.
func (m *Manager) PlanAndApply(ctx context.Context, name string, opts ApplyOptions) (*Result, error) {
	groups, err := m.groupsNamed(name)
	if err != nil {
		return nil, err
	}
	opts.asked = name
	if len(groups) == 1 {
		return m.planAndApply(ctx, groups[0], opts)
	}
	return beside(ctx, &Result{}, groups, opts, func(i int, opts ApplyOptions) (*Result, error) {
		return m.planAndApply(ctx, groups[i], opts)
	})
}

// beside applies several quota domains beside each other and counts them together in
// all.
func beside(ctx context.Context, all *Result, groups []string, opts ApplyOptions, apply func(i int, opts ApplyOptions) (*Result, error)) (*Result, error) {
	all.Counts, all.Parts = map[Action]int{}, make([]*Result, len(groups))
	told := summed(opts.Progress, len(groups))
	errs := make([]error, len(groups))
	_ = each(groups, func(i int, _ string) error {
		own := opts
		if told != nil {
			own.Progress = func(pr Progress) { told(i, pr) }
		}
		all.Parts[i], errs[i] = apply(i, own)
		return nil
	})
	failed := 0
	for i, r := range all.Parts {
		if errs[i] != nil {
			failed++
			all.Why = append(all.Why, fmt.Sprintf("%s: %v", groups[i], errs[i]))
		}
		if r == nil {
			all.Parts[i] = &Result{Counts: map[Action]int{}, Why: []string{fmt.Sprint(errs[i])}}
			continue
		}
		all.add(r)
	}
	if failed == len(groups) {
		return all, errors.Join(errs...)
	}
	return all, ctx.Err()
}

// add counts another result in.
func (r *Result) add(o *Result) {
	add(r.Counts, o.Counts)
	r.Calls, r.Left = r.Calls+o.Calls, r.Left+o.Left
	r.Rejected, r.Skipped, r.Why = append(r.Rejected, o.Rejected...), append(r.Skipped, o.Skipped...), append(r.Why, o.Why...)
}

// applyPart applies one quota domain's plan. That nothing was found to do because
// something is missing is not "done".
func (m *Manager) applyPart(ctx context.Context, p *Plan, opts ApplyOptions) (*Result, error) {
	if p.Lacks() {
		return &Result{Plan: p.ID, Why: p.Notes}, nil
	}
	return m.Apply(ctx, p, opts)
}

// summed adds the progress of several applies that go on beside each other.
func summed(told func(Progress), n int) func(part int, pr Progress) {
	if told == nil {
		return nil
	}
	var mu sync.Mutex
	last := make([]Progress, n)
	return func(part int, pr Progress) {
		mu.Lock()
		defer mu.Unlock()
		last[part] = pr
		sum := Progress{Counts: map[Action]int{}}
		for _, l := range last {
			sum.Done, sum.Total = sum.Done+l.Done, sum.Total+l.Total
			add(sum.Counts, l.Counts)
		}
		told(sum)
	}
}

// Held calls fn for every record of a destination that is not sent, and for every row
// that is frozen, with the reason, at each of its tenants; only filters by code.
func (m *Manager) Held(ctx context.Context, name string, only []reason.Code, fn func(Held) error) error {
	groups, err := m.groupsNamed(name)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := m.heldAt(ctx, g, name, only, fn); err != nil {
			return err
		}
	}
	return nil
}

// Drift takes new listings and returns the rows changed by hand (SEMANTICS D18).
func (m *Manager) Drift(ctx context.Context, name string) ([]Drifted, error) {
	var out []Drifted
	err := m.inTurn(ctx, name, func(sites []*site) error {
		rows, err := m.driftOf(ctx, sites)
		out = append(out, rows...)
		return err
	})
	return out, err
}

// Restore marks rows changed by hand to be put back with the next apply; no
// identities means all of them. It returns how many were marked.
func (m *Manager) Restore(ctx context.Context, name string, identities []string) (int, error) {
	n := 0
	err := m.inTurn(ctx, name, func(sites []*site) error {
		marked, err := m.restoreIn(ctx, sites, identities)
		n += marked
		return err
	})
	return n, err
}

// Adopt takes the rows over that carry this store's mark but are not in its
// ledger, and, with createdBy set, those another app made without a mark: they
// become ours by the update that the next apply writes (SEMANTICS D2). It returns
// how many were taken over.
func (m *Manager) Adopt(ctx context.Context, name, createdBy string) (int, error) {
	n := 0
	err := m.inTurn(ctx, name, func(sites []*site) error {
		adopted, err := m.adoptIn(ctx, sites, createdBy)
		n += adopted
		return err
	})
	return n, err
}

// inTurn calls fn with the sites of every group that a name means, each in its turn;
// the first error ends it.
func (m *Manager) inTurn(ctx context.Context, name string, fn func(sites []*site) error) error {
	return m.eachNamed(name, func(name string) error {
		return m.withSites(ctx, name, func(_ *group, sites []*site) error { return fn(sites) })
	})
}

// eachNamed calls fn for every group that a name means; the first error ends it.
func (m *Manager) eachNamed(name string, fn func(group string) error) error {
	groups, err := m.groupsNamed(name)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := fn(g); err != nil {
			return err
		}
	}
	return nil
}
