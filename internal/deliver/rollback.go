package deliver

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

// pinned: a rollback restored the row and holds it as it is.
func (s *site) pinned(r *ledger.Row) bool {
	pin, held := s.book.Pins[r.Identity]
	return held && !pin.Absent && r.Present()
}

// Rollback plans to undo an apply: each object that it wrote and that is still as it
// left it becomes what it was before. What changed since is a conflict and stays;
// protection, TLP ceilings, allow-lists and capacity are asked as for any plan
// (SEMANTICS D17). What the plan's apply restores is pinned until Release. Nothing is
// sent by planning.
func (m *Manager) Rollback(ctx context.Context, apply string) (*Plan, error) {
	inverses, err := m.Inverses(ctx, apply)
	if err != nil {
		return nil, err
	}
	if len(inverses) == 0 {
		return nil, fmt.Errorf("nothing is recorded of an apply %q: remeld rollback lists the applies", apply)
	}
	var p *Plan
	err = m.withSites(ctx, inverses[0].Domain, func(g *group, sites []*site) error {
		p, err = m.planUndo(ctx, g, sites, apply, inverses)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("roll back %s: %w", apply, err)
	}
	return p, nil
}

// planUndo is Rollback for who has the turn.
func (m *Manager) planUndo(ctx context.Context, g *group, sites []*site, apply string, inverses []ledger.Inverse) (*Plan, error) {
	notes := ""
	if err := m.prepare(ctx, sites, PlanOptions{Person: true}); err != nil {
		if !lacking(err) {
			return nil, err
		}
		notes = err.Error()
	}
	p, err := m.newPlanner(ctx, g, sites, PlanOptions{Person: true})
	if err != nil {
		return nil, err
	}
	p.plan.Undoes = apply
	for i := range inverses {
		if err := p.undo(ctx, &inverses[i]); err != nil {
			return nil, err
		}
	}
	for _, s := range sites {
		p.pair(s)
	}
	p.fit()
	p.plan.total()
	p.matrix()
	if notes != "" {
		p.plan.Notes = append(p.plan.Notes, strings.Split(notes, "\n")...)
	}
	p.plan.ID = newID("plan", p.now)
	m.remember(p.plan)
	return p.plan, nil
}

// Inverses returns what would undo an apply, by domain and identity; they are recorded
// from the first apply on (SEMANTICS D17).
func (m *Manager) Inverses(ctx context.Context, apply string) ([]ledger.Inverse, error) {
	v, err := m.deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("read the inverses of %s: %w", apply, err)
	}
	defer v.Close()
	var out []ledger.Inverse
	err = ledger.Undos(ctx, v, apply, func(in ledger.Inverse) { out = append(out, in) })
	return out, err
}

// undo adds what one inverse needs to the plan: an item, a conflict, a reason why it
// may not be, or nothing.
func (p *planner) undo(ctx context.Context, in *ledger.Inverse) error {
	s := p.byDomain[in.Domain]
	if s == nil {
		return fmt.Errorf("no node is aimed at %s any more", in.Domain)
	}
	r := s.book.Rows[in.Identity]
	if why := s.changedSince(in, r); why != "" {
		p.plan.Conflicts = append(p.plan.Conflicts, Skip{Domain: s.domain, Identity: in.Identity, Why: why})
		return nil
	}
	there, was := r != nil && r.Present(), in.Before != nil && in.Before.Present()
	it := &Item{Domain: s.domain, Identity: in.Identity, Undoes: p.plan.Undoes}
	if r != nil {
		it.Slot, it.Base, it.Expires, it.Wants = r.Slot, r.Base, r.Expires, wantsOf(r)
	}
	switch {
	case !was && !there, was && there && in.Before.Hash == r.Hash:
		return nil // it was renewed, or refused
	case !was:
		it.Action = Delete
		it.Reason = reason.RolledBack
		p.plan.Items = append(p.plan.Items, it)
		return nil
	case there:
		it.Action = Update
	default:
		it.Action = Create
	}
	it.Slot, it.Wants, it.Desired = in.Before.Slot, wantsOf(in.Before), in.Before.Hash
	return p.restore(ctx, s, it, in)
}

// restore plans an object that was there before, unless it may not be there now.
func (p *planner) restore(ctx context.Context, s *site, it *Item, in *ledger.Inverse) error {
	if len(in.Body) == 0 {
		p.plan.Conflicts = append(p.plan.Conflicts, Skip{Domain: s.domain, Identity: it.Identity, Why: "what it was is not recorded"})
		return nil
	}
	o := undoneObject(in)
	code, detail := forbidden(p.judges, s.domain, in.Before), ""
	if code == "" {
		cause, err := p.cause(ctx, s, in.Before)
		if err != nil {
			return err
		}
		if cause == reason.AllowListed {
			code = cause
		}
	}
	if code == "" && it.Action == Create {
		code, detail = s.foreignAt(&o)
	}
	if code == "" && s.expiry(s.info.Expiry, &o, in.Before.ValidUntil).Sub(s.now) < minLife {
		code = reason.Expired
	}
	if code != "" {
		p.plan.held(it.held(code, detail))
		return nil
	}
	if it.Action == Create {
		if code := s.shut(); code != "" {
			it.Action, it.Reason = Frozen, code
		}
	}
	p.plan.Items = append(p.plan.Items, it)
	return nil
}

// changedSince says how an object differs from what the apply left, "" if it does not.
func (s *site) changedSince(in *ledger.Inverse, r *ledger.Row) string {
	there := r != nil && r.Present()
	switch {
	case !in.Compared:
		return "it was recorded by an earlier version, without what the apply left"
	case s.doubt[in.Identity]:
		return "a call about it is in doubt"
	case in.Left && !there:
		return "it is not there any more"
	case !in.Left && there:
		return "it was made again since"
	case in.Left && s.lapsed(r):
		return "it ended since"
	case in.Left && r.State != ledger.Live:
		return "it is " + r.State.String() + " since"
	case in.Left && r.Hash != in.LeftHash:
		return "it was written with another content since"
	}
	return ""
}

// forbidden says why a row may not be at the tenant, whatever a rollback wants: it is
// protected, or its TLP is above the ceiling of every node aimed there.
func forbidden(judges []*judge, domain string, r *ledger.Row) reason.Code {
	var code reason.Code
	for _, j := range judges {
		if j.domain != domain {
			continue
		}
		if code = j.forbids(r); code == "" {
			return ""
		}
		if code != reason.TLP {
			return code
		}
	}
	return code
}

// forbids asks protection and the TLP ceiling about a row.
func (j *judge) forbids(r *ledger.Row) reason.Code {
	if code, _, held := j.rules.Check(r.Indicator); held {
		return code
	}
	if r.TLP > j.maxTLP {
		return reason.TLP
	}
	return ""
}

func undoneObject(in *ledger.Inverse) sdk.Object {
	b := in.Before
	return sdk.Object{Identity: b.Identity, Slot: b.Slot, Indicator: b.Indicator, Action: b.Action, Body: in.Body, Hash: b.Hash, Score: b.Score, Life: b.Life}
}

// mayUndo loads what a rollback restores, and lets its changes pass the guards: they
// are a person's word.
func (a *applier) mayUndo(ctx context.Context) error {
	inverses, err := a.m.Inverses(ctx, a.plan.Undoes)
	if err != nil {
		return err
	}
	a.inverses = map[string]ledger.Inverse{}
	for _, in := range inverses {
		a.inverses[in.Domain+"\x00"+in.Identity] = in
	}
	for _, s := range a.sites {
		planned := guard.Counts{}
		for _, it := range a.items() {
			if it.Domain == s.domain {
				tally(planned, it)
			}
		}
		s.window.Forbid(a.plan.ID) // an apply that goes on with the plan
		for key, n := range planned {
			s.window.Allow(guard.Allowance{ID: a.plan.ID, Key: key, Left: n, Until: a.plan.Expires, By: a.opts.By, Reason: "rollback of " + a.plan.Undoes})
		}
	}
	return nil
}

// checkUndo looks at an item of a rollback again right before it is sent.
func (a *applier) checkUndo(ctx context.Context, c *chunk, bi *batchItem) (*batchItem, string, error) {
	it := bi.it
	if bi.before != nil && bi.before.Present() {
		if why := a.untouchable(c.site, bi.before); why != "" {
			return nil, why, nil
		}
	}
	if it.Desired == "" {
		if bi.before == nil || bi.before.RemoteID == "" && !c.site.info.Retires {
			return nil, "there is no remote id to delete by", nil
		}
		bi.verb, bi.after = ledger.Delete, *bi.before
		bi.object = sdk.Object{Identity: it.Identity, Slot: it.Slot, Indicator: bi.before.Indicator, Action: bi.before.Action, Hash: bi.before.Hash}
		return bi, "", nil
	}
	in, ok := a.inverses[it.Domain+"\x00"+it.Identity]
	if !ok || in.Before == nil {
		return nil, "what it was is not recorded any more", nil
	}
	return a.undone(ctx, c, bi, &in)
}

// undone makes the write that restores what an object was.
func (a *applier) undone(ctx context.Context, c *chunk, bi *batchItem, in *ledger.Inverse) (*batchItem, string, error) {
	var judges []*judge
	for _, d := range c.site.dests {
		judges = append(judges, a.judges[d.Node]...)
	}
	if code := forbidden(judges, c.site.domain, in.Before); code != "" {
		return nil, code.Text(), nil
	}
	creates := bi.before == nil || !bi.before.Present()
	bi.object = undoneObject(in)
	if creates {
		if code := c.site.shut(); code != "" {
			return nil, code.Text(), nil
		}
		if code, detail := c.site.foreignAt(&bi.object); code != "" {
			return nil, code.Text() + " (" + detail + ")", nil
		}
	}
	b := in.Before
	bi.after = ledger.Row{Identity: b.Identity, Slot: b.Slot, Action: b.Action, Indicator: b.Indicator, Contributors: b.Contributors,
		Hash: b.Hash, Score: b.Score, TLP: b.TLP, State: ledger.Live, ValidUntil: b.ValidUntil, Life: b.Life, Expires: c.site.expiry(c.target.Info().Expiry, &bi.object, b.ValidUntil)}
	if bi.after.Expires.Sub(c.site.now) < minLife {
		return nil, "it ends within two minutes", nil
	}
	bi.verb = ledger.Create
	if bi.before != nil {
		bi.after.Generation, bi.after.Made, bi.after.Modified = bi.before.Generation, bi.before.Made, bi.before.Modified
	}
	if !creates {
		bi.verb = ledger.Update
		bi.after.RemoteID, bi.after.Created, bi.after.AdoptedFrom = bi.before.RemoteID, bi.before.Created, bi.before.AdoptedFrom
	}
	return bi, "", ctx.Err()
}

// Release ends what the rollback of an apply holds: the next plan goes on as ever. id
// names the apply that was rolled back or the one that did so. It returns the number of
// objects released.
func (m *Manager) Release(ctx context.Context, id string) (int, error) {
	n := 0
	for _, g := range m.groupsSorted() {
		err := m.withSites(ctx, g.name, func(_ *group, sites []*site) error {
			released, err := m.releaseIn(ctx, sites, id)
			n += released
			return err
		})
		if err != nil {
			return n, err
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("no rollback holds anything of %q: remeld rollback lists what is held", id)
	}
	m.poke()
	return n, nil
}

func (m *Manager) releaseIn(ctx context.Context, sites []*site, id string) (int, error) {
	n := 0
	for _, s := range sites {
		c := s.book.Begin()
		for identity, p := range s.book.Pins {
			if p.Undone == id || p.By == id {
				c.Unpin(identity)
				n++
			}
		}
		if n == 0 {
			continue
		}
		if err := s.book.Commit(ctx, c); err != nil {
			return 0, err
		}
		m.deps.Log.Info("a rollback was released", "apply", id, "domain", s.domain, "objects", n, "at", m.deps.Clock.Now().Format(time.RFC3339))
	}
	return n, nil
}
