package engine

import (
	"bytes"
	"context"
	"fmt"

	"github.com/remeld/remeld/internal/store"
)

// rebuildChunk goes on with the outer merge of all inputs and the own table
// (SEMANTICS E2): every key anyone has is computed, and differences are written.
// The heads were noted when it began, so that tailing from there afterwards sees
// whatever changed behind the merge's back.
func (s *stepping) rebuildChunk(ctx context.Context) error {
	rb := s.st.Step.Rebuild
	if rb.Heads == nil {
		rb.Heads = map[string]uint64{}
		for _, in := range s.inputs() {
			last, _, err := s.view.Head(ctx, in.logName())
			if err != nil {
				return fmt.Errorf("read the log of node %s: %w", in.name(), err)
			}
			rb.Heads[in.name()] = last
		}
	}
	if s.node.ranger != nil {
		return s.rebuildRanges(ctx)
	}
	b, done, err := s.outerMerge(ctx, after(rb.Key))
	if err != nil {
		return fmt.Errorf("merge the inputs of node %s: %w", s.node.name(), err)
	}
	o, err := s.reduceAll(b)
	if err != nil {
		return err
	}
	if done {
		s.endRebuild()
	} else {
		rb.Key = b.keys[len(b.keys)-1]
	}
	return s.commitRows(ctx, o)
}

// endRebuild goes over to tailing.
func (s *stepping) endRebuild() {
	allow := s.st.Step.Cursors
	s.st.Step.Cursors = s.st.Step.Rebuild.Heads
	for _, name := range s.node.spec.Allow {
		s.st.Step.Cursors[name] = allow[name]
	}
	s.st.Step.Rebuild = nil
}

// after is the range behind key.
func after(key []byte) store.Range {
	if key == nil {
		return store.Range{}
	}
	return store.Range{From: append(bytes.Clone(key), 0)}
}

// outerMerge reads a chunk of keys from the own table and all inputs side by side.
func (s *stepping) outerMerge(ctx context.Context, r store.Range) (b *batch, done bool, err error) {
	spaces := []string{s.node.out()}
	for _, in := range s.inputs() {
		spaces = append(spaces, in.out())
	}
	b = &batch{tables: make([][][]byte, len(spaces))}
	curs := make([]store.Cursor, len(spaces))
	defer func() {
		for _, c := range curs {
			if c != nil {
				c.Close()
			}
		}
	}()
	live := make([]bool, len(spaces))
	for i, space := range spaces {
		if curs[i], err = s.view.Cursor(ctx, space, r); err != nil {
			return nil, false, err
		}
		live[i] = curs[i].Next()
	}
	for len(b.keys) < s.node.eng.Chunk {
		if !b.takeLeast(curs, live) {
			done = true
			break
		}
	}
	for _, c := range curs {
		if c.Err() != nil {
			return nil, false, c.Err()
		}
	}
	return b, done, ctx.Err()
}

// takeLeast takes the rows of the least key and moves the cursors that stand on it.
func (b *batch) takeLeast(curs []store.Cursor, live []bool) bool {
	var least []byte
	for i, c := range curs {
		if live[i] && (least == nil || bytes.Compare(c.Key(), least) < 0) {
			least = c.Key()
		}
	}
	if least == nil {
		return false
	}
	key := b.keep(least)
	b.keys = append(b.keys, key)
	for i, c := range curs {
		var value []byte
		if live[i] && bytes.Equal(c.Key(), key) {
			value = b.keep(c.Value())
			live[i] = c.Next()
		}
		b.tables[i] = append(b.tables[i], value)
	}
	return true
}
