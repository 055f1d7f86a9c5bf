package engine

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/ipset"
	"github.com/remeld/remeld/internal/store"
)

// keyed is one key of a pass, with what the tables have of it and what the new
// nodes would make of that.
type keyed struct {
	p      *previewing
	key    []byte
	reads  map[string]*reading // sources, and nodes over address space
	today  map[string]*reading // tables to compare with
	values map[string][]byte   // of nodes, computed for this key
}

// reading is one table, or the pieces of a node, being walked.
type reading struct {
	store.Cursor
	live, at bool // there is a row; it is the one of the key at hand
}

// pass walks all keys in r of what the nodes called wanted are made of, and of the
// tables of those called today, side by side: each table is read once, in order.
func (p *previewing) pass(r store.Range, wanted, today []string, each func(*keyed) error) (err error) {
	k := &keyed{p: p, reads: map[string]*reading{}, today: map[string]*reading{}, values: map[string][]byte{}}
	var all []*reading
	defer func() {
		for _, rd := range all {
			err = errors.Join(err, rd.Close())
		}
	}()
	open := func(in map[string]*reading, name string, cur store.Cursor, err error) error {
		if err == nil {
			in[name] = &reading{Cursor: cur, live: cur.Next()}
			all = append(all, in[name])
		}
		return err
	}
	for _, name := range p.roots(wanted) {
		cur, err := p.cursor(name, r)
		if err := open(k.reads, name, cur, err); err != nil {
			return err
		}
	}
	for _, name := range today {
		cur, err := p.view.Cursor(p.ctx, p.shadow[name].out(), r)
		if err := open(k.today, name, cur, err); err != nil {
			return err
		}
	}
	return k.walk(p, all, each)
}

func (k *keyed) walk(p *previewing, all []*reading, each func(*keyed) error) error {
	for n := 1; k.next(all); n++ {
		if n&0xFFF == 0 && p.ctx.Err() != nil {
			return p.ctx.Err()
		}
		if err := each(k); err != nil {
			return err
		}
	}
	for _, rd := range all {
		if err := rd.Err(); err != nil {
			return err
		}
	}
	return nil
}

// next moves everything that stands on the key at hand on to the least key left.
func (k *keyed) next(all []*reading) bool {
	clear(k.values)
	k.key = nil
	for _, rd := range all {
		if rd.at {
			rd.live = rd.Next()
		}
		if rd.live && (k.key == nil || bytes.Compare(rd.Key(), k.key) < 0) {
			k.key = rd.Key()
		}
	}
	for _, rd := range all {
		rd.at = rd.live && bytes.Equal(rd.Key(), k.key)
	}
	return k.key != nil
}

// has tells whether a table that is compared with has the key today.
func (k *keyed) has(name string) bool { return k.today[name].at }

// of returns the row a node would have, nil for none.
func (k *keyed) of(name string) ([]byte, error) {
	if v, known := k.values[name]; known {
		return v, nil
	}
	v, err := k.compute(name)
	k.values[name] = v
	return v, err
}

func (k *keyed) compute(name string) ([]byte, error) {
	n := k.p.shadow[name]
	s := &stepping{node: n, set: k.p.next, view: k.p.view, st: n.st.Load()}
	if rd := k.reads[name]; rd != nil {
		switch {
		case !rd.at:
			return nil, nil
		case ranged(n.proc):
			return k.piece(s)
		}
		return k.source(n, rd.Value())
	}
	in := make([][]byte, len(n.spec.Inputs))
	for i, from := range n.spec.Inputs {
		var err error
		if in[i], err = k.of(from); err != nil {
			return nil, err
		}
	}
	m, err := s.reduce(k.key, func(i int) []byte { return in[i] }, nil)
	if err != nil || !m.emit {
		return nil, err
	}
	return m.value(), nil
}

// source is a source's row of today under its new conditions.
func (k *keyed) source(n *node, value []byte) ([]byte, error) {
	if len(n.spec.Keep) == 0 && n.st.Load().Dropped == 0 {
		return value, nil
	}
	var r row.Row
	if err := r.Decode(value); err != nil || r.Aged {
		return nil, err
	}
	var rec indicator.Record
	if err := n.record(&rec, k.key, &r); err != nil {
		return nil, err
	}
	_, r.Dropped = n.enrich.drops(&rec)
	return r.Append(nil), nil
}

// piece is the row of a piece of address space.
func (k *keyed) piece(s *stepping) ([]byte, error) {
	i, err := indicator.FromKey(k.key)
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

// roots returns what has to be read to compute nodes: the sources and the nodes
// over address space above them.
func (p *previewing) roots(wanted []string) []string {
	var roots []string
	seen := map[string]bool{}
	var climb func(name string)
	climb = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		if n := p.shadow[name]; n.isSource() || ranged(n.proc) {
			roots = append(roots, name)
			return
		}
		for _, in := range p.shadow[name].spec.Inputs {
			climb(in)
		}
	}
	for _, name := range wanted {
		climb(name)
	}
	return roots
}

// cursor opens a source's table or the pieces of a node over address space.
func (p *previewing) cursor(name string, r store.Range) (store.Cursor, error) {
	n := p.shadow[name]
	if !ranged(n.proc) {
		return p.view.Cursor(p.ctx, n.out(), r)
	}
	if err := p.cut(n); err != nil {
		return nil, fmt.Errorf("cut the address space of node %s: %w", name, err)
	}
	c := &pieceCursor{at: -1}
	n.ranger.claims.Walk(netip.Addr{}, func(q ipset.Piece) bool {
		c.keys = append(c.keys, indicator.FromAddrs(q.From, q.To).AppendKey(nil))
		return true
	})
	return c, nil
}

// cut fills the claims of a node over address space from what its inputs would
// have.
func (p *previewing) cut(n *node) error {
	if n.ranger != nil {
		return nil
	}
	s := &stepping{node: n, set: p.next, view: p.view, st: n.st.Load()}
	r := newRangeState()
	edges := append(slices.Clone(n.spec.Inputs), n.spec.Allow...)
	err := p.pass(addressKinds, edges, nil, func(k *keyed) error {
		for i, name := range edges {
			value, err := k.of(name)
			if err != nil {
				return err
			}
			c, ok, err := s.claimant(p.shadow[name], s.edge(i), k.key, value)
			if err != nil {
				return err
			}
			if ok {
				r.add(claimID(s.edge(i), k.key), c)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	claims := make([]ipset.Claim, 0, len(r.list))
	for i := range r.list {
		claims = append(claims, r.list[i].claim)
	}
	n.ranger = r
	return r.claims.Load(claims)
}

// pieceCursor walks the keys of pieces; they have no values of their own.
type pieceCursor struct {
	keys [][]byte
	at   int
}

// Next implements store.Cursor.
func (c *pieceCursor) Next() bool { c.at++; return c.at < len(c.keys) }

// Seek implements store.Cursor.
func (c *pieceCursor) Seek(k []byte) bool {
	c.at, _ = slices.BinarySearchFunc(c.keys, k, bytes.Compare)
	return c.at < len(c.keys)
}

// Key implements store.Cursor.
func (c *pieceCursor) Key() []byte { return c.keys[c.at] }

// Value implements store.Cursor.
func (c *pieceCursor) Value() []byte { return nil }

// Err implements store.Cursor.
func (c *pieceCursor) Err() error { return nil }

// Close implements store.Cursor.
func (c *pieceCursor) Close() error { return nil }
