package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/store"
)

// Status is one destination domain at a glance.
type Status struct {
	Domain  string         `json:"domain"`
	Nodes   []string       `json:"nodes"`
	Live    int            `json:"live"`
	States  map[string]int `json:"states"`
	InDoubt int            `json:"in_doubt"`
	Budget  int            `json:"budget"` // 0 = no limit
	Foreign int            `json:"foreign"`
	Listed  time.Time      `json:"listed,omitzero"` // when the tenant was listed last
	Heard   time.Time      `json:"heard,omitzero"`  // when it answered last, local time
	Stopped string         `json:"stopped,omitempty"`
	// Unlisted is why the last listing failed, "" where it did not; nothing is created
	// without one. It is filled by who has the conditions.
	Unlisted string    `json:"unlisted,omitempty"`
	Approved bool      `json:"approved"` // a first plan was approved, or mode is auto
	NextDue  time.Time `json:"next_due,omitzero"`
	Applying bool      `json:"applying,omitempty"`
	// Pins counts, by the apply that was rolled back, what its rollback holds.
	Pins map[string]int `json:"pins,omitempty"`
}

// Status reads every domain's state; it makes no calls and waits for no apply.
func (m *Manager) Status(ctx context.Context) ([]Status, error) {
	var out []Status
	for _, g := range m.groupsSorted() {
		sites, err := m.sites(ctx, g)
		if err != nil {
			return nil, err
		}
		for _, s := range sites {
			st := s.status()
			first, err := m.first(ctx, s.speakers())
			if err != nil {
				return nil, err
			}
			limit, foreign := budget(sites, st.Live)
			st.Budget, st.Foreign, st.Approved, st.Applying = max(limit, 0), foreign, !first, g.applying.Load()
			out = append(out, st)
		}
	}
	return out, nil
}

func (s *site) status() Status {
	st := Status{Domain: s.domain, States: map[string]int{}, InDoubt: len(s.doubt), Stopped: s.book.Meta.Stopped, Heard: s.book.Meta.ServedLocal}
	for _, d := range s.dests {
		st.Nodes = append(st.Nodes, d.Node)
	}
	if s.list != nil {
		st.Listed = s.list.at
	}
	if len(s.book.Pins) > 0 {
		st.Pins = map[string]int{}
	}
	for _, p := range s.book.Pins {
		st.Pins[p.Undone]++
	}
	for _, r := range s.book.Rows {
		st.States[r.State.String()]++
		if !r.Present() {
			continue
		}
		st.Live++
		if at := renewalAt(r, s.book.Meta.Offset()); !r.Expires.IsZero() && (st.NextDue.IsZero() || at.Before(st.NextDue)) {
			st.NextDue = at
		}
	}
	return st
}

// Block puts one value on a destination at once, past its keep conditions, TLP
// ceiling and confidence, and out of the reserve where the budget is used up
// (SEMANTICS D8). Protection still wins. It ends after ttl (0 = the default) and
// is withdrawn then. The node must be a destination.
func (m *Manager) Block(ctx context.Context, node string, i indicator.Indicator, ttl time.Duration, why, by string) (*Result, error) {
	var all *Result
	err := m.eachNamed(node, func(group string) error {
		r, err := m.blockAt(ctx, group, node, i, ttl, why, by)
		switch {
		case r == nil:
		case all == nil:
			all = r
		default:
			all.add(r)
		}
		return err
	})
	return all, err
}

// blockAt is Block at one group.
func (m *Manager) blockAt(ctx context.Context, group, node string, i indicator.Indicator, ttl time.Duration, why, by string) (*Result, error) {
	g, err := m.hold(ctx, group) // the loop would take it out of a person's hands
	if err != nil {
		return nil, err
	}
	defer g.busy.Unlock()
	if ttl <= 0 {
		ttl = m.set.BlockLife
	}
	now := m.deps.Clock.Now()
	b := block{Node: node, Indicator: i, Reason: why, By: by, At: now, Until: now.Add(ttl)}
	if err := m.mayBlock(g, node, b.record()); err != nil {
		return nil, err
	}
	if err := m.put(ctx, blockSpace, blockKey(node, i), b); err != nil {
		return nil, err
	}
	p, err := m.planHeld(ctx, g, PlanOptions{Person: true})
	if err != nil {
		return nil, err
	}
	only := map[string]bool{}
	for _, it := range p.Items {
		for _, w := range it.Wants {
			if w.Node == node && w.Indicator == i {
				only[it.Identity] = true
			}
		}
	}
	return m.applyHeld(ctx, g, p, ApplyOptions{By: by, Only: only})
}

// mayBlock refuses what would be held out, with the reason.
func (m *Manager) mayBlock(g *group, node string, rec *indicator.Record) error {
	for k, d := range g.dests {
		if d.Node != node {
			continue
		}
		if code, detail := newJudge(d, k, m.deps.Clock.Now()).allows(rec, true); code != "" {
			return fmt.Errorf("block %s at %s: %s (%s %s)", rec.Value, node, code.Text(), code, detail)
		}
		if _, unfit := d.Target.Map(rec); unfit != nil {
			return fmt.Errorf("block %s at %s: the destination cannot express it: %s %s", rec.Value, node, unfit.Code, unfit.Detail)
		}
	}
	return nil
}

// Unblock lifts an ad hoc block; the next apply withdraws it unless a source wants
// it too.
func (m *Manager) Unblock(ctx context.Context, node string, i indicator.Indicator) error {
	defer m.poke()
	return m.put(ctx, blockSpace, blockKey(node, i), nil)
}

func blockKey(node string, i indicator.Indicator) string {
	return node + "\x00" + string(i.AppendKey(nil))
}

// dropBlocks removes the ad hoc blocks that ran out.
func (m *Manager) dropBlocks(ctx context.Context) error {
	v, err := m.deps.Store.View()
	if err != nil {
		return fmt.Errorf("read the ad hoc blocks: %w", err)
	}
	defer v.Close()
	c := &store.Commit{}
	now := m.deps.Clock.Now()
	err = v.Scan(ctx, blockSpace, store.Range{}, func(k, val []byte) error {
		var b block
		if err := json.Unmarshal(val, &b); err != nil {
			return err
		}
		if now.Sub(b.Until) > m.set.PlanLife {
			c.Writes = append(c.Writes, store.Write{Space: blockSpace, Key: slices.Clone(k), Delete: true})
		}
		return nil
	})
	if err != nil || len(c.Writes) == 0 {
		return err
	}
	_, err = m.deps.Store.Commit(ctx, c)
	return err
}

// Orphans returns the destination domains that have live rows and no node, with
// their number: what on_remove must decide about (SEMANTICS D1).
func (m *Manager) Orphans(ctx context.Context) (map[string]int, error) {
	v, err := m.deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("look for destinations without a node: %w", err)
	}
	defer v.Close()
	domains, err := ledger.Domains(ctx, v)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	for _, d := range m.dests {
		domains = slices.DeleteFunc(domains, func(x string) bool { return x == d.Target.Info().Domain })
	}
	m.mu.Unlock()
	out := map[string]int{}
	for _, d := range domains {
		b, err := ledger.Read(ctx, m.deps.Store, store.Fence{}, d, m.deps.Clock.Now())
		if err != nil {
			return nil, err
		}
		if n := b.Present(); n > 0 {
			out[d] = n
		}
	}
	return out, nil
}

// Recorded counts the rows of every ledger, whether a node is aimed there or not.
func (m *Manager) Recorded(ctx context.Context) (int, error) {
	v, err := m.deps.Store.View()
	if err != nil {
		return 0, fmt.Errorf("count what the ledgers hold: %w", err)
	}
	defer v.Close()
	domains, err := ledger.Domains(ctx, v)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, d := range domains {
		b, err := ledger.Read(ctx, m.deps.Store, store.Fence{}, d, m.deps.Clock.Now())
		if err != nil {
			return 0, err
		}
		n += len(b.Rows) + len(b.Open)
	}
	return n, nil
}

// CheckDuplicates tells whether two nodes make identical objects at one tenant: a
// configuration error (SEMANTICS D8). Two jobs may: each is a list of its own that
// cannot be made one node with the other's, and what both want is one object of both.
// It maps one sample of each kind.
func CheckDuplicates(dests []Destination) []error {
	type maker struct{ domain, identity string }
	made := map[maker]*Destination{}
	var errs []error
	reported := map[string]bool{}
	for i := range dests {
		d := &dests[i]
		for _, rec := range samples {
			objects, _ := d.Target.Map(rec)
			for _, o := range objects {
				k := maker{d.Target.Info().Domain, o.Identity}
				first, taken := made[k]
				if !taken {
					made[k] = d
					continue
				}
				pair := first.Node + "\x00" + d.Node
				if first.Node == d.Node || first.ByJob && d.ByJob || reported[pair] {
					continue
				}
				reported[pair] = true
				errs = append(errs, &DuplicateError{Domain: k.domain, Identity: k.identity, Nodes: []string{first.Node, d.Node}, ByJob: first.ByJob || d.ByJob})
			}
		}
	}
	return errs
}

var samples = func() []*indicator.Record {
	values := map[indicator.Kind]string{indicator.IPv4: "8.8.8.8", indicator.Domain: "sample.example.com", indicator.URL: "http://sample.example.com/x",
		indicator.SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", indicator.Email: "someone@sample.example.com"}
	var out []*indicator.Record
	for _, k := range slices.Sorted(maps.Keys(values)) {
		out = append(out, &indicator.Record{Indicator: indicator.Indicator{Kind: k, Value: values[k]},
			Attrs: indicator.Attributes{Confidence: indicator.Known(90), Severity: indicator.Known(4), TLP: indicator.Clear}})
	}
	return out
}()
