package engine

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/internal/ipset"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// Preview is what putting a configuration in force would do (SEMANTICS E11).
type Preview struct {
	Steps []graph.Step `json:"steps"`
	// Destinations names, for every destination table, how its rows would change as
	// far as today's tables tell; new sources have not been read yet.
	Destinations map[string]DestinationChange `json:"destinations"`
}

// DestinationChange is a preview of one destination's table.
type DestinationChange struct {
	Rows      int64 `json:"rows"` // today
	Withdrawn int64 `json:"withdrawn"`
	Added     int64 `json:"added"`
	// Sample holds some of what would be withdrawn, in key order.
	Sample []string `json:"sample,omitempty"`
}

const previewSample = 10

// Preview computes what specs would change and writes nothing. It reads all tables
// once: what a destination would hold is computed from the sources' tables of
// today through the new nodes.
func (e *Engine) Preview(ctx context.Context, specs []NodeSpec) (*Preview, error) {
	e.apply.Lock()
	defer e.apply.Unlock()
	next, steps, err := e.build(ctx, specs)
	if err != nil {
		return nil, err
	}
	v, err := e.Store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	p := &previewing{ctx: ctx, view: v, next: next, kept: map[string]bool{}}
	for _, s := range steps {
		p.kept[s.Name] = s.Action == graph.Keep || s.Action == graph.Rebuild
	}
	if err := p.prepare(); err != nil {
		return nil, err
	}
	out := &Preview{Steps: steps, Destinations: map[string]DestinationChange{}}
	for _, s := range steps {
		change, isDest, err := p.destination(s)
		if err != nil {
			return nil, fmt.Errorf("preview of node %s: %w", s.Name, err)
		}
		if isDest {
			out.Destinations[s.Name] = change
		}
	}
	return out, nil
}

// previewing computes rows of nodes that do not run.
type previewing struct {
	ctx    context.Context
	view   store.View
	next   *nodeSet
	kept   map[string]bool  // nodes whose rows stay what they are
	shadow map[string]*node // the new nodes, with dictionaries of their own
}

// prepare makes shadows of all nodes: they may number attributes and read
// allow-lists without touching the running ones.
func (p *previewing) prepare() error {
	p.shadow = map[string]*node{}
	set := &nodeSet{graph: p.next.graph, nodes: p.shadow}
	for _, name := range p.next.graph.Order() {
		n := p.next.nodes[name]
		s := &node{
			eng: n.eng, spec: n.spec, source: n.source, info: n.info, set: n.set, proc: n.proc, guarding: n.guarding,
			log: n.log, enrich: n.enrich,
		}
		if err := s.loadDict(p.ctx, p.view); err != nil {
			return err
		}
		st, err := loadState(p.ctx, p.view, name)
		if err != nil {
			return err
		}
		if st == nil {
			st = &state{}
		}
		s.st.Store(st)
		p.shadow[name] = s
	}
	p.next = set
	for _, s := range p.shadow {
		if !s.isSource() {
			if err := s.prepare(p.ctx, p.view, set); err != nil {
				return err
			}
		}
	}
	return nil
}

// value computes the row a node would have for a key: a source's is that of today.
func (p *previewing) value(name string, key []byte) ([]byte, error) {
	n := p.shadow[name]
	if n.isSource() {
		return p.sourceValue(n, key)
	}
	s := &stepping{node: n, set: p.next, view: p.view, st: n.st.Load()}
	if ranged(n.proc) {
		return p.pieceValue(s, key)
	}
	var in [][]byte
	for _, from := range n.spec.Inputs {
		v, err := p.value(from, key)
		if err != nil {
			return nil, err
		}
		in = append(in, v)
	}
	m, err := s.reduce(key, func(i int) []byte { return in[i] }, nil)
	if err != nil || !m.emit {
		return nil, err
	}
	return m.value(), nil
}

// value encodes what a node would write.
func (m *mind) value() []byte {
	first, last, blob := row.Split(&m.rec.Attrs, nil)
	r := row.Row{Changed: 1, First: first, Last: last, Attrs: row.Ref{Blob: blob}}
	return r.Append(nil)
}

// pieceValue is the row of a piece of address space, if the new inputs cut it so.
func (p *previewing) pieceValue(s *stepping, key []byte) ([]byte, error) {
	if err := p.cut(s); err != nil {
		return nil, err
	}
	i, err := indicator.FromKey(key)
	if err != nil {
		return nil, err
	}
	from, to, ok := i.Addrs()
	piece, live := s.node.ranger.claims.At(from)
	if !ok || !live || piece.From != from || piece.To != to {
		return nil, nil
	}
	_, m, err := s.piece(&piece, nil)
	if err != nil || !m.emit {
		return nil, err
	}
	return m.value(), nil
}

// cut fills the claims of a ranged node from what its inputs would have.
func (p *previewing) cut(s *stepping) error {
	if s.node.ranger != nil {
		return nil
	}
	r := newRangeState()
	var claims []ipset.Claim
	for k, name := range append(slices.Clone(s.node.spec.Inputs), s.node.spec.Allow...) {
		from, edge := p.shadow[name], s.edge(k)
		err := p.each(from, func(key []byte) error {
			value, err := p.value(name, key)
			if err != nil {
				return err
			}
			c, ok, err := s.claimant(from, edge, key, value)
			if ok {
				r.add(claimID(edge, key), c)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for i := range r.list {
		claims = append(claims, r.list[i].claim)
	}
	s.node.ranger = r
	return r.claims.Load(claims)
}

// each calls fn for every key a node may have: its sources' and its pieces'.
func (p *previewing) each(n *node, fn func(key []byte) error) error {
	seen := map[string]bool{}
	once := func(key []byte) error {
		if seen[string(key)] {
			return nil
		}
		seen[string(key)] = true
		return fn(key)
	}
	for _, above := range append(p.next.graph.Ancestors(n.name()), n.name()) {
		a := p.shadow[above]
		var err error
		switch {
		case a.isSource():
			err = p.view.Scan(p.ctx, a.out(), store.Range{}, func(key, _ []byte) error { return once(bytes.Clone(key)) })
		case ranged(a.proc):
			err = p.eachPiece(a, once)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *previewing) eachPiece(n *node, fn func(key []byte) error) error {
	if err := p.cut(&stepping{node: n, set: p.next, view: p.view, st: n.st.Load()}); err != nil {
		return err
	}
	var err error
	n.ranger.claims.Walk(netip.Addr{}, func(q ipset.Piece) bool {
		err = fn(indicator.FromAddrs(q.From, q.To).AppendKey(nil))
		return err == nil
	})
	return err
}

// sourceValue is a source's row of today under its new conditions.
func (p *previewing) sourceValue(n *node, key []byte) ([]byte, error) {
	v, err := p.view.Get(p.ctx, n.out(), key)
	if err != nil || v == nil {
		return nil, err
	}
	var r row.Row
	if err := r.Decode(v); err != nil || r.Aged {
		return nil, err
	}
	var rec indicator.Record
	if err := n.record(&rec, key, &r); err != nil {
		return nil, err
	}
	_, drop := n.enrich.drops(&rec)
	r.Dropped = drop
	return r.Append(nil), nil
}

// destination compares a destination's table with what it would be.
func (p *previewing) destination(s graph.Step) (DestinationChange, bool, error) {
	n := p.shadow[s.Name]
	if s.Action == graph.Remove {
		return p.removed(s.Name)
	}
	if n.spec.Role != sdk.RoleFeed && n.spec.Role != sdk.RoleTarget {
		return DestinationChange{}, false, nil
	}
	c := DestinationChange{}
	if p.untouched(s.Name) {
		c.Rows = n.st.Load().Rows
		return c, true, nil
	}
	err := p.view.Scan(p.ctx, n.out(), store.Range{}, func(key, _ []byte) error {
		c.Rows++
		v, err := p.value(s.Name, key)
		if err == nil && v == nil {
			c.withdraw(key)
		}
		return err
	})
	if err != nil {
		return c, true, err
	}
	err = p.each(n, func(key []byte) error {
		have, err := p.view.Get(p.ctx, n.out(), key)
		if err != nil || have != nil {
			return err
		}
		v, err := p.value(s.Name, key)
		if v != nil {
			c.Added++
		}
		return err
	})
	return c, true, err
}

// untouched tells whether neither the node nor anything above it changes.
func (p *previewing) untouched(name string) bool {
	for _, n := range append(p.next.graph.Ancestors(name), name) {
		if !p.kept[n] {
			return false
		}
	}
	return true
}

func (c *DestinationChange) withdraw(key []byte) {
	c.Withdrawn++
	if i, err := indicator.FromKey(key); err == nil && len(c.Sample) < previewSample {
		c.Sample = append(c.Sample, i.Value)
	}
}

// removed tells what goes with a destination that is taken out.
func (p *previewing) removed(name string) (DestinationChange, bool, error) {
	st, err := loadState(p.ctx, p.view, name)
	if err != nil || st == nil {
		return DestinationChange{}, false, err
	}
	c := DestinationChange{Rows: st.Rows, Withdrawn: st.Rows}
	role := sdk.Role(st.Role)
	return c, role == sdk.RoleFeed || role == sdk.RoleTarget, nil
}
