package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/remeld/remeld/internal/store"
)

// step brings a reader one batch further and tells whether there is more to do
// (SEMANTICS E1, E2).
func (n *node) step(ctx context.Context) (more bool, err error) {
	n.work.Lock()
	defer n.work.Unlock()
	n.openEmission()
	defer func() {
		if !more || err != nil {
			n.closeEmission(ctx, err)
		}
	}()
	if err := n.eng.clock.check(ctx); err != nil {
		return false, err
	}
	set := n.eng.set.Load()
	ready, err := n.allowReady(ctx, set)
	if err != nil || !ready {
		return false, err
	}
	// The snapshot comes after the look: it must hold what made the lists ready.
	v, err := n.eng.Store.View()
	if err != nil {
		return false, err
	}
	b := &stepping{node: n, set: set, view: v}
	defer func() { b.view.Close() }()
	if err := n.prepare(ctx, v, set); err != nil {
		return false, err
	}
	b.st = n.st.Load().clone()
	if ranged(n.proc) && n.ranger == nil {
		if err := b.loadRanges(ctx); err != nil {
			n.ranger = nil
			return false, err
		}
	}
	if b.st.Step.Rebuild == nil {
		return b.tail(ctx)
	}
	if n.ranger == nil {
		// First what the lists lost, else the merge would let it through unmarked.
		if moved, err := b.tailAllow(ctx); moved || err != nil {
			return true, err
		}
	}
	return true, b.rebuildChunk(ctx)
}

// restart asks for an outer merge of everything from the first key on, also when
// one is under way.
func (s *stepping) restart(why, lifted string) {
	if rb := s.st.Step.Rebuild; rb != nil && lifted == "" {
		lifted = rb.Lifted
	}
	s.st.Step.Rebuild = &rebuild{Why: why, Lifted: lifted}
}

// stepping is one step under way.
type stepping struct {
	node *node
	set  *nodeSet
	view store.View
	st   *state
	// gone are allow entries that disappeared: what becomes visible because of
	// them is marked (SEMANTICS E10).
	gone map[string]*allowSet
}

// inputs returns the nodes that are read, in the order of the config.
func (s *stepping) inputs() []*node {
	ins := make([]*node, 0, len(s.node.spec.Inputs))
	for _, name := range s.node.spec.Inputs {
		ins = append(ins, s.set.nodes[name])
	}
	return ins
}

// tail follows the logs of the inputs from their cursors.
func (s *stepping) tail(ctx context.Context) (more bool, err error) {
	heads, err := s.heads(ctx)
	if err != nil {
		return false, err
	}
	if s.st.Step.Rebuild != nil {
		return true, s.commitState(ctx)
	}
	if moved, err := s.tailAllow(ctx); moved || err != nil {
		return moved, err
	}
	keys, more, err := s.changes(ctx, heads)
	if errors.Is(err, store.ErrTrimmed) {
		s.begin("left behind by a trimmed log")
		return true, s.commitState(ctx)
	}
	if err != nil || len(keys) == 0 {
		return false, err
	}
	if s.node.ranger != nil {
		err := s.mergeRanges(ctx, keys)
		return more || s.node.ranger == nil, err
	}
	return more, s.merge(ctx, keys)
}

// heads reads the inputs' heads; a reader far behind reads the tables instead.
func (s *stepping) heads(ctx context.Context) (map[string]uint64, error) {
	heads := map[string]uint64{}
	for _, in := range s.inputs() {
		last, first, err := s.view.Head(ctx, in.logName())
		if err != nil {
			return nil, fmt.Errorf("read the log of node %s: %w", in.name(), err)
		}
		heads[in.name()] = last
		at, known := s.st.Step.Cursors[in.name()]
		switch {
		case !known:
			s.begin("new input " + in.name())
		case at > last:
			s.begin("the log of " + in.name() + " is not the one that was read")
		case at+1 < first && at < last:
			s.begin("left behind by the log of " + in.name())
		case last-at > farBehind && int64(last-at) > in.st.Load().Rows:
			s.begin("far behind " + in.name())
		}
	}
	return heads, nil
}

// farBehind is from when on a lag is compared with the size of the table.
const farBehind = 100_000

// begin asks for an outer merge of everything.
func (s *stepping) begin(why string) {
	if s.st.Step.Rebuild == nil {
		s.st.Step.Rebuild = &rebuild{Why: why}
	}
}

// changes collects a batch of changed keys of all inputs, sorted, and moves the
// cursors past them.
func (s *stepping) changes(ctx context.Context, heads map[string]uint64) (keys [][]byte, more bool, err error) {
	limit := max(1, s.node.eng.Chunk/max(1, len(s.node.spec.Inputs)))
	for _, in := range s.inputs() {
		at := s.st.Step.Cursors[in.name()]
		if at >= heads[in.name()] {
			continue
		}
		err := s.view.Changes(ctx, in.logName(), at, limit, func(seq uint64, key []byte) error {
			keys = append(keys, bytes.Clone(key))
			s.st.Step.Cursors[in.name()] = seq
			return nil
		})
		if err != nil {
			return nil, false, fmt.Errorf("read the changes of node %s: %w", in.name(), err)
		}
		more = more || s.st.Step.Cursors[in.name()] < heads[in.name()]
	}
	slices.SortFunc(keys, bytes.Compare)
	return slices.CompactFunc(keys, bytes.Equal), more, nil
}

// merge computes keys, which ascend, from what the inputs have of them.
func (s *stepping) merge(ctx context.Context, keys [][]byte) error {
	b := &batch{keys: keys}
	if err := b.get(ctx, s.view, s.node.out()); err != nil {
		return err
	}
	for _, in := range s.inputs() {
		if err := b.get(ctx, s.view, in.out()); err != nil {
			return err
		}
	}
	o, err := s.reduceAll(b)
	if err != nil {
		return err
	}
	return s.commitRows(ctx, o)
}

// batch holds the rows of some keys in several tables: tables[0] is the node's
// own, then one for each input.
type batch struct {
	keys   [][]byte
	tables [][][]byte
	arena  []byte
}

func (b *batch) keep(value []byte) []byte {
	if len(b.arena)+len(value) > cap(b.arena) {
		b.arena = make([]byte, 0, max(256<<10, len(value)))
	}
	at := len(b.arena)
	b.arena = append(b.arena, value...)
	return b.arena[at:len(b.arena):len(b.arena)]
}

func (b *batch) get(ctx context.Context, v store.View, space string) error {
	t := make([][]byte, len(b.keys))
	err := v.GetMany(ctx, space, b.keys, func(i int, value []byte) error {
		if value != nil {
			t[i] = b.keep(value)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read rows of %s: %w", space, err)
	}
	b.tables = append(b.tables, t)
	return nil
}
