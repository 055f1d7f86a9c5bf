package engine

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/graph"
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
// once and side by side: what a destination would hold is computed from the
// sources' tables of today through the new nodes.
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
	dests, err := p.destinations(steps)
	if err != nil {
		return nil, err
	}
	return &Preview{Steps: steps, Destinations: dests}, nil
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

// value encodes what a node would write.
func (m *mind) value() []byte {
	first, last, blob := row.Split(&m.rec.Attrs, nil)
	r := row.Row{Changed: 1, First: first, Last: last, Attrs: row.Ref{Blob: blob}}
	return r.Append(nil)
}

// destinations compares the tables of all destinations with what they would be, in
// one pass over everything they are made of.
func (p *previewing) destinations(steps []graph.Step) (map[string]DestinationChange, error) {
	out := map[string]DestinationChange{}
	var moved []string
	for _, s := range steps {
		if s.Action == graph.Remove {
			if err := p.removed(out, s.Name); err != nil {
				return nil, fmt.Errorf("preview of node %s: %w", s.Name, err)
			}
			continue
		}
		n := p.shadow[s.Name]
		switch {
		case n.spec.Role != sdk.RoleFeed && n.spec.Role != sdk.RoleTarget:
		case p.untouched(s.Name):
			out[s.Name] = DestinationChange{Rows: n.st.Load().Rows}
		default:
			moved = append(moved, s.Name)
		}
	}
	changes := make([]DestinationChange, len(moved))
	err := p.pass(store.Range{}, moved, moved, func(k *keyed) error {
		for i, name := range moved {
			if err := changes[i].compare(k, name); err != nil {
				return fmt.Errorf("preview of node %s: %w", name, err)
			}
		}
		return nil
	})
	for i, name := range moved {
		out[name] = changes[i]
	}
	return out, err
}

// compare counts one key of a destination.
func (c *DestinationChange) compare(k *keyed, name string) error {
	has := k.has(name)
	if has {
		c.Rows++
	}
	v, err := k.of(name)
	switch {
	case err != nil:
		return err
	case has && v == nil:
		c.withdraw(k.key)
	case !has && v != nil:
		c.Added++
	}
	return nil
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
func (p *previewing) removed(out map[string]DestinationChange, name string) error {
	st, err := loadState(p.ctx, p.view, name)
	if err != nil || st == nil {
		return err
	}
	if role := sdk.Role(st.Role); role == sdk.RoleFeed || role == sdk.RoleTarget {
		out[name] = DestinationChange{Rows: st.Rows, Withdrawn: st.Rows}
	}
	return nil
}
