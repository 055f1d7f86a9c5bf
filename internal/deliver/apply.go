package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/sdk"
)

// ApplyOptions says who applies and who watches.
type ApplyOptions struct {
	// By names the person; "" is the automatic loop. A person's apply approves the
	// first plan and tries a stopped destination again.
	By string
	// Progress is called after every call, from the applying goroutine.
	Progress func(Progress)
	// Waits is called when another apply is running and this one waits for its end.
	Waits func()
	// Only limits the apply to these identities.
	Only map[string]bool
	// Nodes limits the apply, and what a person's apply approves, to these nodes; none
	// are all of the group.
	Nodes []string
	// UseReserve is how many slots of the reserve may be used (SEMANTICS D8).
	UseReserve int
	// standing: only objects that are there already are renewed or withdrawn, for which
	// nobody is asked.
	standing bool
	// asked is the node that a person named.
	asked string
}

// Progress is how far an apply is.
type Progress struct {
	Done, Total int
	Counts      map[Action]int
}

// Skip is an item that was not applied, and why.
type Skip struct {
	Domain   string `json:"domain"`
	Identity string `json:"identity"`
	Why      string `json:"why"`
}

// Result is what an apply did.
type Result struct {
	ID     string         `json:"id"`
	Plan   string         `json:"plan"`
	Counts map[Action]int `json:"counts"` // objects changed at the tenant or in the ledger
	Calls  int            `json:"calls"`
	// Rejected are parked with the service's reason.
	Rejected []Skip `json:"rejected,omitempty"`
	// Skipped were changed since the plan was made, or may not be sent any more.
	Skipped []Skip `json:"skipped,omitempty"`
	// Left is the number of items that go on with a later apply; Why says why.
	Left int      `json:"left"`
	Why  []string `json:"why,omitempty"`
	// Parts are the results by quota domain of a plan of several; each is an apply of
	// its own id.
	Parts []*Result `json:"parts,omitempty"`
}

// Partial reports whether not everything was done (exit code 3).
func (r *Result) Partial() bool { return r.Left > 0 || len(r.Skipped) > 0 || len(r.Why) > 0 }

// applier is one running apply.
type applier struct {
	m      *Manager
	g      *group
	sites  []*site
	by     map[string]*site
	judges map[string][]*judge // by node
	hand   map[string][]*indicator.Record
	plan   *Plan
	opts   ApplyOptions
	res    *Result
	total  int
	done   int
	strike strikes
	// full: a capacity answer ended creations in this apply.
	full bool
	off  map[string]error // domains that take no more calls in this apply
	down map[string]bool  // domains where a call used its attempts up: no other tries again
	// inverses are those of the apply that is rolled back, by domain and identity.
	inverses map[string]ledger.Inverse
	began    time.Time
}

// The errors that refuse a plan whole.
var (
	ErrPlanExpired = errors.New("the plan is older than its life; make a new one")
	ErrPlanConfig  = errors.New("the destination's configuration changed since the plan was made; make a new one")
	ErrUnapproved  = errors.New("nobody has approved the first plan of this destination")
	ErrUnlisted    = errors.New("the tenant cannot be listed and the ledger is empty, so a person must say that it holds nothing of ours")
)

// Apply makes a plan so, and nothing else. Items whose base or desired content
// changed since, or that may not be sent any more, are skipped and reported
// (SEMANTICS D16). The error is about the apply as a whole; what could not be done
// now is in the result.
func (m *Manager) Apply(ctx context.Context, p *Plan, opts ApplyOptions) (*Result, error) {
	g, err := m.holdTelling(ctx, p.Group, opts.Waits)
	if err != nil {
		return nil, err
	}
	defer g.busy.Unlock()
	return m.applyHeld(ctx, g, p, opts)
}

// planAndApply is PlanAndApply at one group.
func (m *Manager) planAndApply(ctx context.Context, group string, opts ApplyOptions) (*Result, error) {
	g, err := m.holdTelling(ctx, group, opts.Waits)
	if err != nil {
		return nil, err
	}
	defer g.busy.Unlock()
	back, err := m.lend(ctx, g, opts.UseReserve)
	if err != nil {
		return nil, err
	}
	defer back()
	p, err := m.planHeld(ctx, g, PlanOptions{Person: opts.By != "", Run: opts.Nodes, asked: opts.asked})
	if err != nil {
		return nil, err
	}
	if p.Lacks() {
		return &Result{Plan: p.ID, Why: p.Notes}, nil
	}
	return m.applyHeld(ctx, g, p, opts)
}

// applyHeld is Apply for who has the turn.
func (m *Manager) applyHeld(ctx context.Context, g *group, p *Plan, opts ApplyOptions) (*Result, error) {
	g.applying.Store(true)
	defer g.applying.Store(false)
	if err := m.acceptable(ctx, g, p, opts); err != nil {
		return nil, err
	}
	sites, err := m.sites(ctx, g)
	if err != nil {
		return nil, err
	}
	a := &applier{m: m, g: g, sites: sites, by: map[string]*site{}, judges: map[string][]*judge{}, plan: p, opts: opts, off: map[string]error{}, down: map[string]bool{}, began: m.deps.Clock.Now(),
		res: &Result{ID: newID("apply", m.deps.Clock.Now()), Plan: p.ID, Counts: map[Action]int{}}}
	if a.hand, err = m.blocks(ctx); err != nil {
		return nil, err
	}
	return a.res, a.run(ctx)
}

func (m *Manager) acceptable(ctx context.Context, g *group, p *Plan, opts ApplyOptions) error {
	now := m.deps.Clock.Now()
	if !now.Before(p.Expires) || now.Before(p.Made.Add(-jumpLimit)) {
		return fmt.Errorf("plan %s: %w", p.ID, ErrPlanExpired)
	}
	for _, d := range g.dests {
		if v, ok := p.Config[d.Node]; !ok || v != d.ConfigVersion {
			return fmt.Errorf("plan %s, node %s: %w", p.ID, d.Node, ErrPlanConfig)
		}
	}
	if p.Undoes != "" && opts.By == "" {
		return fmt.Errorf("plan %s: a rollback is a person's to apply", p.ID)
	}
	first, err := m.first(ctx, p.approvers(g.dests, opts.Nodes))
	if err != nil || !first || opts.standing {
		return err
	}
	if opts.By == "" {
		return fmt.Errorf("plan %s: %w", p.ID, ErrUnapproved)
	}
	if i := slices.IndexFunc(p.Stops, func(s StopReport) bool { return s.Key.Class == guard.Unlisted }); i >= 0 {
		return fmt.Errorf("plan %s: %w: remeld approve %s --reason TEXT, then plan again", p.ID, ErrUnlisted, p.Stops[i].ID)
	}
	if opts.Only != nil {
		return nil // a person's word for these objects is none for all the others
	}
	return m.approvePlan(ctx, g, p, opts.Nodes, Approval{ID: p.ID, By: opts.By, Reason: "applied by hand", At: now, Until: p.Expires})
}

func (a *applier) run(ctx context.Context) error {
	for i, d := range a.g.dests {
		s := a.site(d)
		a.judges[d.Node] = append(a.judges[d.Node], newJudge(d, i, s.now))
	}
	for _, s := range a.sites {
		if err := a.m.prepareSite(ctx, s, PlanOptions{Person: a.opts.By != ""}); err != nil {
			if fatal(err) || errors.Is(err, ledger.ErrStore) || ctx.Err() != nil {
				if err := a.shut(ctx, s, err); err != nil {
					return err
				}
				continue
			}
			a.why(err.Error())
		}
	}
	items := a.items()
	a.total = len(items)
	if err := a.begun(ctx); err != nil {
		return err
	}
	defer a.ended(ctx)
	for _, step := range a.steps(items) {
		if err := step(ctx); err != nil {
			a.res.Left = a.total - a.done
			return err
		}
	}
	a.res.Left = a.total - a.done
	return nil
}

func (a *applier) site(d *Destination) *site {
	domain := d.Target.Info().Domain
	if s := a.by[domain]; s != nil {
		return s
	}
	for _, s := range a.sites {
		a.by[s.domain] = s
	}
	return a.by[domain]
}

func (a *applier) items() []*Item {
	var out []*Item
	for _, it := range a.plan.Items {
		if it.Action == Frozen || it.Action == Adopt || a.opts.Only != nil && !a.opts.Only[it.Identity] ||
			len(a.opts.Nodes) > 0 && !it.concerns(a.opts.Nodes) && !it.evicted() {
			continue
		}
		out = append(out, it)
	}
	return out
}

// steps is the order of an apply (SEMANTICS D12): what touches only the ledger,
// emergency withdrawals, due renewals by deadline, and the rest such that slots
// are free before they are needed.
func (a *applier) steps(items []*Item) []func(context.Context) error {
	pick := func(take func(*Item) bool) []*Item {
		var out []*Item
		for _, it := range items {
			if take(it) {
				out = append(out, it)
			}
		}
		return out
	}
	urgent := func(it *Item) bool { return it.Action == Delete && it.Reason.Protective() }
	renewals := pick(func(it *Item) bool { return it.Action == Renew })
	slices.SortStableFunc(renewals, func(x, y *Item) int { return x.Expires.Compare(y.Expires) })
	creates := pick(func(it *Item) bool { return it.Action == Create })
	slices.SortStableFunc(creates, byRank)
	notes := pick(func(it *Item) bool { return it.Action == Note || it.Action == Gone })
	urgents, updates := pick(urgent), pick(func(it *Item) bool { return it.Action == Update })
	deletes := pick(func(it *Item) bool { return it.Action == Delete && !urgent(it) })
	swaps := pick(func(it *Item) bool { return it.Action == Replace })
	return []func(context.Context) error{
		func(ctx context.Context) error { return a.notes(ctx, notes) },
		func(ctx context.Context) error { return a.send(ctx, sdk.OpDelete, urgents) },
		func(ctx context.Context) error { return a.send(ctx, sdk.OpUpdate, renewals) },
		func(ctx context.Context) error { return a.send(ctx, sdk.OpUpdate, updates) },
		func(ctx context.Context) error { return a.send(ctx, sdk.OpDelete, deletes) },
		func(ctx context.Context) error { return a.replace(ctx, swaps) },
		func(ctx context.Context) error { return a.send(ctx, sdk.OpUpsert, creates) },
	}
}

// notes commits what changes the ledger alone.
func (a *applier) notes(ctx context.Context, items []*Item) error {
	for _, s := range a.sites {
		c := s.book.Begin()
		n := 0
		for _, it := range items {
			r := s.book.Rows[it.Identity]
			if it.Domain != s.domain || r == nil || a.off[s.domain] != nil {
				continue
			}
			a.done++
			if r.Base != it.Base {
				a.skip(it, "the ledger row changed since the plan was made")
				continue
			}
			n++
			a.res.Counts[it.Action]++
			if it.Action == Gone {
				c.Undo(a.res.ID, it.Identity, r, nil, nil)
				s.drop(c, r, time.Time{}, r.State == ledger.Missing)
				continue
			}
			next := *r
			if len(next.Contributors) == 0 { // adopted
				next.Score = it.Score
			}
			next.Contributors = contributors(it.Wants)
			c.Put(next, nil)
		}
		if n == 0 {
			continue
		}
		if err := s.book.Commit(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func contributors(wants []Want) []ledger.Contributor {
	out := make([]ledger.Contributor, len(wants))
	for i, w := range wants {
		out[i] = ledger.Contributor{Node: w.Node, Indicator: w.Indicator, Sources: w.Sources}
	}
	return out
}

func (a *applier) skip(it *Item, why string) {
	a.res.Skipped = append(a.res.Skipped, Skip{Domain: it.Domain, Identity: it.Identity, Why: why})
}

func (a *applier) why(text string) {
	if !slices.Contains(a.res.Why, text) {
		a.res.Why = append(a.res.Why, text)
	}
}

// shut keeps a domain from further calls in this apply; the error is returned when
// nothing at all can go on.
func (a *applier) shut(ctx context.Context, s *site, err error) error {
	if ctx.Err() != nil || errors.Is(err, ledger.ErrStore) {
		return err
	}
	a.off[s.domain] = err
	a.why(err.Error())
	return nil
}

// chunk is what goes into one call: one target, one operation.
type chunk struct {
	site   *site
	target sdk.Target
	op     sdk.OpName
	items  []*Item
}

// chunks splits items by target in their order. Deletions of a domain all go
// through its first login; updates go by the target's own operation for them, where
// it declares one.
func (a *applier) chunks(op sdk.OpName, items []*Item) []*chunk {
	var out []*chunk
	open := map[sdk.Target]*chunk{}
	for _, it := range items {
		s := a.by[it.Domain]
		target := s.target
		if op != sdk.OpDelete && len(it.Wants) > 0 {
			for _, d := range s.dests {
				if d.Node == it.Wants[0].Node {
					target = d.Target
				}
			}
		}
		c := open[target]
		by := operation(target, op)
		if c == nil || len(c.items) >= max(target.Info().Ops[by].Batch, 1) {
			c = &chunk{site: s, target: target, op: by}
			open[target] = c
			out = append(out, c)
		}
		c.items = append(c.items, it)
	}
	return out
}

// operation is the target's operation for what is to be done: one that declares no
// update writes everything by upsert.
func operation(target sdk.Target, op sdk.OpName) sdk.OpName {
	if op != sdk.OpUpdate {
		return op
	}
	if _, declared := target.Info().Ops[sdk.OpUpdate]; !declared {
		return sdk.OpUpsert
	}
	return op
}

// send makes the calls for items, in order.
func (a *applier) send(ctx context.Context, op sdk.OpName, items []*Item) error {
	_, err := a.accepted(ctx, op, items)
	return err
}

// sendChunk checks every item once more, sends what is left and returns the
// identities the service accepted.
func (a *applier) sendChunk(ctx context.Context, c *chunk) (accepted map[string]bool, err error) {
	b, err := a.ready(ctx, c)
	if err != nil || b == nil {
		return nil, err
	}
	if err = a.deliver(ctx, b); err != nil {
		err = a.shut(ctx, c.site, err)
	}
	a.progress()
	return b.accepted, err
}

// ready checks every item of a chunk once more and makes a batch of what is left; nil
// is nothing.
func (a *applier) ready(ctx context.Context, c *chunk) (*batch, error) {
	if _, off := a.off[c.site.domain]; off {
		return nil, nil
	}
	if err := a.fresh(ctx, c); err != nil {
		return nil, a.shut(ctx, c.site, err)
	}
	b := &batch{site: c.site, target: c.target, op: c.op, accepted: map[string]bool{}}
	room := slots{a.room(false), a.room(true)}
	for _, it := range c.items {
		bi, why, err := a.check(ctx, c, it)
		switch {
		case err != nil:
			return nil, err
		case why != "":
			a.skip(it, why)
			a.done++
		case bi.verb == ledger.Create && (a.full || !room.take(it)):
			a.why("no slot is free for some creations; the next plan decides who gets the next one")
		default:
			b.items = append(b.items, bi)
		}
	}
	if len(b.items) == 0 {
		return nil, nil
	}
	return b, errors.Join(a.bodies(ctx, b), a.generations(ctx, b))
}

// fresh brings the clock and, in an apply longer than a listing's life, the
// listing up to date.
func (a *applier) fresh(ctx context.Context, c *chunk) error {
	if err := a.follow(ctx); err != nil {
		return err
	}
	a.m.tick(c.site)
	for _, d := range c.site.dests {
		for _, j := range a.judges[d.Node] {
			if j.domain == c.site.domain {
				j.now, j.env.Now = c.site.now, c.site.now
			}
		}
	}
	if c.site.list != nil || c.op != sdk.OpUpsert || c.site.blind() {
		return nil
	}
	err := a.m.relist(ctx, c.site)
	if err == nil || fatal(err) || errors.Is(err, ledger.ErrStore) || ctx.Err() != nil {
		return err
	}
	a.why(err.Error())
	return nil
}

// follow takes over what is protected now: an apply may take minutes, and a person
// who declares an own asset does not wait for its end. Another configuration of a
// destination ends the apply (SEMANTICS D16).
func (a *applier) follow(ctx context.Context) error {
	g, err := a.m.current(ctx, a.g.name)
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrPlanConfig, err)
	}
	if g == a.g {
		return nil
	}
	if len(g.dests) != len(a.g.dests) {
		return ErrPlanConfig
	}
	for i, d := range g.dests {
		was := a.g.dests[i]
		if d.Node != was.Node || d.Retired != was.Retired || d.ConfigVersion != was.ConfigVersion {
			return fmt.Errorf("node %s: %w", was.Node, ErrPlanConfig)
		}
	}
	for _, judges := range a.judges {
		for _, j := range judges {
			j.protect(g.dests[j.index])
		}
	}
	a.g = g
	return nil
}

func (a *applier) progress() {
	if a.opts.Progress != nil {
		a.opts.Progress(Progress{Done: a.done, Total: a.total, Counts: a.res.Counts})
	}
}
