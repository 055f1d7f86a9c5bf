package engine

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/ipset"
	"github.com/remeld/remeld/sdk"
)

// walkPieces collects a chunk of live pieces from an address on.
func (s *stepping) walkPieces(from netip.Addr, behind []byte) (pieces []ipset.Piece, done bool) {
	if behind != nil && !from.IsValid() {
		return nil, true // the last address of IPv6 is behind us
	}
	done = true
	s.node.ranger.claims.Walk(from, func(p ipset.Piece) bool {
		if len(pieces) >= s.node.eng.Chunk {
			done = false
			return false
		}
		p.IDs = slices.Clone(p.IDs)
		pieces = append(pieces, p)
		return true
	})
	return pieces, done
}

// mergePieces compares pieces, which ascend, with the own rows behind a key up to
// the last piece, or to the end if these are all.
func (s *stepping) mergePieces(ctx context.Context, pieces []ipset.Piece, behind []byte, all bool) (*outcome, error) {
	r := after(behind)
	if !all {
		last := pieces[len(pieces)-1]
		r.To = after(indicator.FromAddrs(last.From, last.To).AppendKey(nil)).From
	}
	cur, err := s.view.Cursor(ctx, s.node.out(), r)
	if err != nil {
		return nil, err
	}
	defer cur.Close()
	o := &outcome{}
	have := cur.Next()
	stale := func(until []byte) error {
		for have && (until == nil || bytes.Compare(cur.Key(), until) < 0) {
			s.differ(o, bytes.Clone(cur.Key()), new(row.Row), &mind{})
			have = cur.Next()
		}
		return cur.Err()
	}
	for i := range pieces {
		p := &pieces[i]
		if err := stale(indicator.FromAddrs(p.From, p.To).AppendKey(nil)); err != nil {
			return nil, err
		}
		var old *row.Row
		if have && bytes.Equal(cur.Key(), indicator.FromAddrs(p.From, p.To).AppendKey(nil)) {
			old = new(row.Row)
			if err := old.Decode(cur.Value()); err != nil {
				return nil, fmt.Errorf("row of node %s: %w", s.node.name(), err)
			}
		}
		key, m, err := s.piece(p, old)
		if err != nil {
			return nil, err
		}
		s.differ(o, key, old, m)
		if old != nil {
			have = cur.Next()
		}
	}
	if all {
		err = stale(nil)
	}
	return o, err
}

// mergeRanges follows changed keys of the inputs.
func (s *stepping) mergeRanges(ctx context.Context, keys [][]byte) error {
	b := &batch{keys: keys}
	ins := s.inputs()
	for _, in := range ins {
		if err := b.get(ctx, s.view, in.out()); err != nil {
			return err
		}
	}
	w := &pieceWriter{s: s, pieces: map[string]ipset.Piece{}}
	for i, key := range keys {
		for edge, in := range ins {
			if err := w.row(ctx, in, edge, key, b.tables[edge][i]); err != nil {
				s.node.ranger = nil // memory is ahead of the store: read anew
				return err
			}
		}
	}
	if err := w.finish(ctx); err != nil {
		s.node.ranger = nil
		return err
	}
	s.takeLeftOut()
	return nil
}

// takeLeftOut has the address space read anew once there is room again for ranges
// that were left out.
func (s *stepping) takeLeftOut() {
	r, most := s.node.ranger, s.node.proc.(sdk.Ranger).MaxPieces()
	if r.bound && r.freed && r.claims.Pieces() <= most-most/10 {
		s.node.ranger = nil
	}
}

// allowRanges follows changed entries of an allow edge.
func (s *stepping) allowRanges(ctx context.Context, name string, changes []allowChange, head uint64) error {
	edge := -1 - slices.Index(s.node.spec.Allow, name)
	from := s.set.nodes[name]
	b := &batch{}
	for _, c := range changes {
		b.keys = append(b.keys, c.key)
	}
	if err := b.get(ctx, s.view, from.out()); err != nil {
		return err
	}
	w := &pieceWriter{s: s, pieces: map[string]ipset.Piece{}}
	for i, key := range b.keys {
		if err := w.row(ctx, from, edge, key, b.tables[0][i]); err != nil {
			s.node.ranger = nil
			return err
		}
	}
	w.allow, w.head = name, head
	if err := w.finish(ctx); err != nil {
		s.node.ranger = nil
		return err
	}
	return nil
}

// pieceWriter turns changes of claims into rows. A change that cuts very many
// pieces is committed in parts; the cursors move with the last.
type pieceWriter struct {
	s      *stepping
	pieces map[string]ipset.Piece // by key, the last word on each
	allow  string
	head   uint64
}

// row makes what an edge has of a key its claim.
func (w *pieceWriter) row(ctx context.Context, from *node, edge int, key, value []byte) error {
	r := w.s.node.ranger
	now, listed, err := w.s.claimant(from, edge, key, value)
	if err != nil {
		return err
	}
	id := claimID(edge, key)
	n, had := r.ids[id]
	switch {
	case listed && !had:
		n = r.add(id, now)
		if ok, err := w.s.fits(ctx, r.list[n].claim); err != nil || !ok {
			return err // known, but without a claim
		}
		return w.change(ctx, ipset.Change{Op: ipset.Insert, Claim: r.list[n].claim})
	case listed:
		was := r.list[n].said
		now.claim.ID = n
		r.list[n] = now
		if edge < 0 || was.First == now.said.First && from.dict.Same(was.Attrs, now.said.Attrs) {
			return nil
		}
		return w.change(ctx, ipset.Change{Op: ipset.Touch, Claim: now.claim})
	case had:
		if err := w.change(ctx, ipset.Change{Op: ipset.Remove, Claim: r.list[n].claim}); err != nil {
			return err
		}
		r.remove(id)
		r.freed = true
	}
	return nil
}

// change applies one change of the claims and collects the pieces it touches,
// stopping to commit where they are many.
func (w *pieceWriter) change(ctx context.Context, ch ipset.Change) error {
	claims := w.s.node.ranger.claims
	from := netip.Addr{}
	for {
		next, err := claims.Diff(ch, from, func(p ipset.Piece) bool {
			p.IDs = slices.Clone(p.IDs)
			w.pieces[string(indicator.FromAddrs(p.From, p.To).AppendKey(nil))] = p
			return len(w.pieces) < w.s.node.eng.Chunk
		})
		if err != nil {
			return err
		}
		if !next.IsValid() {
			break
		}
		if err := w.flush(ctx, false); err != nil {
			return err
		}
		from = next
	}
	_, err := claims.Apply(ch)
	return err
}

// finish commits what is left, with the cursors.
func (w *pieceWriter) finish(ctx context.Context) error {
	if w.allow != "" {
		w.s.st.Step.Cursors[w.allow] = w.head
	}
	return w.flush(ctx, true)
}

// flush writes the collected pieces; before the last time the state's cursors stay
// where they are.
func (w *pieceWriter) flush(ctx context.Context, last bool) error {
	s := w.s
	b := &batch{}
	for key := range w.pieces {
		b.keys = append(b.keys, []byte(key))
	}
	slices.SortFunc(b.keys, bytes.Compare)
	if err := b.get(ctx, s.view, s.node.out()); err != nil {
		return err
	}
	o, err := w.outcome(b)
	if err != nil {
		return err
	}
	w.pieces = map[string]ipset.Piece{}
	if last {
		return s.commitRows(ctx, o)
	}
	moved := s.st
	s.st = s.node.st.Load().clone()
	s.st.Step.Lifting = moved.Step.Lifting
	if err := s.commitRows(ctx, o); err != nil {
		return err
	}
	done := s.node.st.Load()
	moved.Rows, moved.Marks = done.Rows, done.Marks
	s.st = moved
	// What follows must see what was just written.
	return s.refresh()
}

// outcome computes the rows; pieces that were cut from a marked one inherit its
// mark, else cutting would approve (SEMANTICS E10).
func (w *pieceWriter) outcome(b *batch) (*outcome, error) {
	s := w.s
	old := make([]*row.Row, len(b.keys))
	for i, key := range b.keys {
		if b.tables[0][i] == nil {
			continue
		}
		old[i] = new(row.Row)
		if err := old[i].Decode(b.tables[0][i]); err != nil {
			return nil, fmt.Errorf("row of node %s: %w", s.node.name(), err)
		}
		if w.pieces[string(key)].Gone {
			if err := s.inheritMark(key, old[i]); err != nil {
				return nil, err
			}
		}
	}
	o := &outcome{}
	for i, k := range b.keys {
		p := w.pieces[string(k)]
		key, m, err := s.piece(&p, old[i])
		if err != nil {
			return nil, err
		}
		s.differ(o, key, old[i], m)
	}
	return o, nil
}

// inheritMark remembers a marked row that goes.
func (s *stepping) inheritMark(key []byte, old *row.Row) error {
	if len(s.st.Step.Lifting) == 0 {
		return nil
	}
	var a indicator.Attributes
	if err := s.node.dict.Attrs(&a, old.Attrs, 0, 0); err != nil {
		return err
	}
	by, _ := a.Extra[liftedBy].(string)
	if by == "" {
		return nil
	}
	i, err := indicator.FromKey(key)
	if err != nil {
		return err
	}
	if s.gone == nil {
		s.gone = map[string]*allowSet{}
	}
	if s.gone[by] == nil {
		s.gone[by] = newAllowSet()
	}
	s.gone[by].put(string(key), i, false)
	return nil
}

// refresh takes a new snapshot after a commit in the middle of a step.
func (s *stepping) refresh() error {
	v, err := s.node.eng.Store.View()
	if err != nil {
		return err
	}
	old := s.view
	s.view = v
	return old.Close()
}

func sortByOrder(in []sdk.Contribution) []sdk.Contribution {
	slices.SortStableFunc(in, func(a, b sdk.Contribution) int { return cmp.Compare(a.Order, b.Order) })
	return in
}
