package engine

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/store"
)

// Finding is what one node has to say of an indicator.
type Finding struct {
	Node  string `json:"node"`
	Class string `json:"class"`
	// Asked is what was asked about; Found what the node has: the same, or what
	// covers it (a parent domain, a CIDR, the host of a URL).
	Asked indicator.Indicator `json:"-"`
	Found indicator.Indicator `json:"found"`
	// Emitted: readers of the node see it. Else Rule and Reason say why not: rule
	// keep with the condition's name, allow with the list's, processor with its
	// reason, aged, missing allow-list.
	Emitted bool   `json:"emitted"`
	Rule    string `json:"rule,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Detail  string `json:"detail,omitempty"`
	// Missing: the source does not list it any more, it is not withdrawn yet.
	Missing bool      `json:"missing,omitempty"`
	First   time.Time `json:"firstSeen,omitzero"`
	Last    time.Time `json:"lastSeen,omitzero"`
	Changed time.Time `json:"changed,omitzero"`
	Attrs   indicator.Attributes
	// Inputs names the inputs that emit it.
	Inputs []string `json:"inputs,omitempty"`
}

// Explain asks every node, inputs before readers, what it has of i or of what
// covers it. Nodes that know nothing of it are left out.
func (e *Engine) Explain(ctx context.Context, i indicator.Indicator) ([]Finding, error) {
	set := e.set.Load()
	v, err := e.Store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	last := e.lastComplete()
	var all []Finding
	for _, n := range set.sorted() {
		cands, err := n.covering(ctx, v, set, i)
		if err != nil {
			return nil, fmt.Errorf("look into node %s: %w", n.name(), err)
		}
		for _, c := range cands {
			f, ok, err := n.explain(ctx, v, set, c, last)
			if err != nil {
				return nil, fmt.Errorf("look into node %s: %w", n.name(), err)
			}
			if ok {
				f.Asked = i
				all = append(all, f)
			}
		}
	}
	return all, nil
}

// covers returns i and everything that may cover it by E9: parent domains, the
// host of a URL and its parents, every CIDR around an address.
func covers(i indicator.Indicator) []indicator.Indicator {
	out := []indicator.Indicator{i}
	name, addr := i.Host()
	if i.Kind == indicator.Domain {
		name = i.Value
	}
	for n := name; n != ""; n = parent(n) {
		if d, err := indicator.Parse(indicator.Domain, n); err == nil && d != i {
			out = append(out, d)
		}
	}
	bits := -1
	if p, ok := i.Prefix(); ok {
		addr, bits = p.Addr(), p.Bits()-1
	} else if addr.IsValid() {
		bits = addr.BitLen()
	}
	for ; bits >= 0; bits-- {
		p, err := addr.Prefix(bits)
		if err == nil {
			out = append(out, indicator.FromAddrs(p.Masked().Addr(), lastAddr(p)))
		}
	}
	return out
}

func parent(name string) string {
	for i := range len(name) {
		if name[i] == '.' {
			return name[i+1:]
		}
	}
	return ""
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// covering returns what the node, or any of its inputs, has of i or around it.
func (n *node) covering(ctx context.Context, v store.View, set *nodeSet, i indicator.Indicator) ([]indicator.Indicator, error) {
	tables := []string{n.out()}
	for _, in := range n.spec.Inputs {
		tables = append(tables, set.nodes[in].out())
	}
	var found []indicator.Indicator
	for _, c := range covers(i) {
		key := c.AppendKey(nil)
		for _, t := range tables {
			value, err := v.Get(ctx, t, key)
			if err != nil {
				return nil, err
			}
			if value != nil {
				found = append(found, c)
				break
			}
		}
	}
	ranges, err := n.rangesAround(ctx, v, i)
	return append(found, ranges...), err
}

// rangesAround finds address ranges that are no CIDR in the own table: those that
// begin before i, looking back a bounded way.
func (n *node) rangesAround(ctx context.Context, v store.View, i indicator.Indicator) ([]indicator.Indicator, error) {
	from, _, ok := i.Addrs()
	if !ok {
		if _, from = i.Host(); !from.IsValid() {
			return nil, nil
		}
	}
	at := indicator.FromAddrs(from, from)
	key := at.AppendKey(nil)
	r := store.Range{From: key[:1], To: append(key, 0xFF)}
	var found []indicator.Indicator
	seen := 0
	err := v.ScanBack(ctx, n.out(), r, func(key, _ []byte) error {
		if seen++; seen > rangeLookback {
			return store.Stop
		}
		c, err := indicator.FromKey(key)
		if err != nil {
			return err
		}
		if _, single := c.Prefix(); !single && indicator.Covers(c, i) && c != i {
			found = append(found, c)
		}
		return nil
	})
	return found, err
}

// rangeLookback bounds how many rows before an address are looked at for ranges.
const rangeLookback = 4096

func (n *node) explain(ctx context.Context, v store.View, set *nodeSet, i indicator.Indicator, last map[string]time.Time) (Finding, bool, error) {
	f := Finding{Node: n.name(), Class: n.spec.Class, Found: i}
	value, err := v.Get(ctx, n.out(), i.AppendKey(nil))
	if err != nil {
		return f, false, err
	}
	var old *row.Row
	if value != nil {
		old = new(row.Row)
		if err := old.Decode(value); err != nil {
			return f, false, err
		}
		if err := n.describeRow(&f, old, last); err != nil {
			return f, false, err
		}
	}
	if n.isSource() {
		return f, old != nil, nil
	}
	return n.explainReader(ctx, v, set, f, old)
}

func (n *node) describeRow(f *Finding, r *row.Row, last map[string]time.Time) error {
	rec := indicator.Record{Indicator: f.Found}
	if err := n.dict.Attrs(&rec.Attrs, r.Attrs, r.First, r.Last); err != nil {
		return err
	}
	n.resolveLast(&rec, r, last)
	f.Emitted, f.Missing = r.Emitted(), r.Missing != 0
	f.First, f.Last, f.Changed = row.Time(r.First), rec.Attrs.LastSeen, row.Time(r.Changed)
	f.Attrs = rec.Attrs.Clone()
	switch {
	case r.Aged:
		f.Rule, f.Reason = "aged", "reached its age while the source still lists it"
	case r.Dropped:
		f.Rule = "keep"
		f.Reason, _ = n.enrich.drops(&rec)
	}
	return nil
}

// explainReader says what the inputs give and, if nothing is emitted, what took it
// out.
func (n *node) explainReader(ctx context.Context, v store.View, set *nodeSet, f Finding, old *row.Row) (Finding, bool, error) {
	n.work.Lock() // the allow sets are a step's own
	defer n.work.Unlock()
	if err := n.prepare(ctx, v, set); err != nil {
		return f, false, err
	}
	s := &stepping{node: n, set: set, view: v, st: n.st.Load()}
	key := f.Found.AppendKey(nil)
	var rows [][]byte
	for _, in := range s.inputs() {
		value, err := v.Get(ctx, in.out(), key)
		if err != nil {
			return f, false, err
		}
		rows = append(rows, value)
	}
	given, err := s.contributions(func(in int) []byte { return rows[in] })
	if err != nil {
		return f, false, err
	}
	for _, c := range given {
		f.Inputs = append(f.Inputs, c.Input)
	}
	if old != nil || len(given) == 0 {
		return f, old != nil, nil
	}
	for _, edge := range n.spec.Allow {
		if !s.st.Step.AllowReady[edge] {
			f.Rule, f.Reason, f.Detail = "allow", edge, "the allow-list had no complete poll yet"
			return f, true, nil
		}
	}
	m, err := s.reduce(key, func(in int) []byte { return rows[in] }, nil)
	if err != nil {
		return f, false, err
	}
	f.Rule, f.Reason, f.Detail = m.rule, m.reason, m.detail
	if m.emit {
		f.Rule, f.Reason = "step", "not stepped yet"
		if ranged(n.proc) {
			f.Rule, f.Reason = "ranges", "part of other pieces of address space"
		}
	}
	return f, true, nil
}

// Causes of a record's absence, for delivery's guards.
const (
	CauseRemoved     = "removed"      // its source deleted it explicitly
	CauseAllowListed = "allow_listed" // an allow-list covers it
	CauseWithdrawn   = "withdrawn"    // everything else
)

// Cause says why a node does not have a record (any more).
func (e *Engine) Cause(ctx context.Context, name string, i indicator.Indicator) (string, error) {
	set := e.set.Load()
	if _, err := e.node(name); err != nil {
		return "", err
	}
	cause := CauseWithdrawn
	for _, above := range append(set.graph.Ancestors(name), name) {
		n := set.nodes[above]
		if n.isSource() {
			removed, err := n.wasRemoved(ctx, i)
			if err != nil {
				return "", err
			}
			if removed {
				cause = CauseRemoved
			}
			continue
		}
		if len(n.spec.Allow) == 0 {
			continue
		}
		covered, err := n.isAllowed(ctx, i)
		if err != nil {
			return "", err
		}
		if covered {
			return CauseAllowListed, nil
		}
	}
	return cause, nil
}

// wasRemoved tells whether the source deleted i explicitly in the last days.
func (n *node) wasRemoved(ctx context.Context, i indicator.Indicator) (bool, error) {
	v, err := n.eng.Store.View()
	if err != nil {
		return false, err
	}
	defer v.Close()
	value, err := v.Get(ctx, n.gone(), i.AppendKey(nil))
	return value != nil, err
}

// isAllowed asks the allow edges, which a running step keeps to itself.
func (n *node) isAllowed(ctx context.Context, i indicator.Indicator) (bool, error) {
	n.work.Lock()
	defer n.work.Unlock()
	v, err := n.eng.Store.View()
	if err != nil {
		return false, err
	}
	defer v.Close()
	if err := n.prepare(ctx, v, n.eng.set.Load()); err != nil {
		return false, err
	}
	_, _, ok := n.allowed(i)
	return ok, nil
}
