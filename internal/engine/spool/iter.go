package spool

import (
	"bytes"
	"sync"
)

// Iter reads a part in ascending order. Key and Value are valid until the next
// Next. Not safe for concurrent use.
type Iter struct {
	next       func() (key, value []byte, ok bool, err error)
	fold       Fold
	key, value []byte
	ahead      bool
	aKey, aVal []byte
	folded     [2][]byte
	err        error
	close      func() error
	duplicates int
}

// Next moves to the next key.
func (it *Iter) Next() bool {
	if it.err != nil {
		return false
	}
	if !it.ahead && !it.pull() {
		return false
	}
	it.key, it.value, it.ahead = it.aKey, it.aVal, false
	return it.gather()
}

// pull reads one item ahead.
func (it *Iter) pull() bool {
	it.aKey, it.aVal, it.ahead, it.err = it.next()
	return it.ahead && it.err == nil
}

// gather folds what follows with the same key.
func (it *Iter) gather() bool {
	for it.pull() && bytes.Equal(it.aKey, it.key) {
		it.duplicates++
		it.key = it.aKey // the next pull may overwrite the older one
		if bytes.Equal(it.aVal, it.value) {
			it.value = it.aVal
			continue
		}
		out, err := it.fold(it.folded[0][:0], it.value, it.aVal)
		if err != nil {
			it.err = err
			return false
		}
		it.folded[0], it.folded[1], it.value = it.folded[1], out, out
	}
	return it.err == nil
}

// Key returns the key.
func (it *Iter) Key() []byte { return it.key }

// Value returns what is said of it, all duplicates folded.
func (it *Iter) Value() []byte { return it.value }

// Duplicates returns how many items were folded into others so far.
func (it *Iter) Duplicates() int { return it.duplicates }

// Err returns what ended the walk early.
func (it *Iter) Err() error { return it.err }

// Close frees what the iterator holds.
func (it *Iter) Close() error {
	if it.close == nil {
		return nil
	}
	return it.close()
}

var sorters = sync.Pool{New: func() any { return new(sorter) }}

// Part opens a part; the first time it is sorted.
func (s *Sorted) Part(part int) (*Iter, error) {
	if s.runs != nil {
		return s.mergeRuns()
	}
	p := &s.parts[part]
	p.once.Do(func() {
		depth := 0
		if from, to := s.Range(part); from != nil && to != nil {
			depth = sharedPrefix(from, to)
		}
		so := sorters.Get().(*sorter)
		so.part(&p.part, depth)
		sorters.Put(so)
	})
	chunk, rest := 0, []byte(nil)
	return &Iter{fold: s.spool.fold, next: func() (key, value []byte, ok bool, err error) {
		for len(rest) == 0 {
			if chunk == len(p.chunks) {
				return nil, nil, false, nil
			}
			rest = p.chunks[chunk]
			chunk++
		}
		key, value, n := item(rest)
		rest = rest[n:]
		return key, value, true, nil
	}}, nil
}
