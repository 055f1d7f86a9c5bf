// Package spool takes the items of a poll in any order from several goroutines
// and gives them back sorted, each key once. It holds them outside the reach of
// the garbage collector's scan, within a memory budget; what does not fit goes to
// disk in sorted runs.
//
// Items lie in parts of ascending key ranges, each small enough to be sorted
// inside a core's cache, and two readers can each take a part at the same time.
// A caller who spools much the same keys again gives the bounds of the last time,
// and items go to their parts at once.
package spool

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
)

// An item is addressed inside its part by chunk and place, 16 bits each.
const (
	chunkBits = 16
	chunkSize = 1 << chunkBits
	maxChunks = 1 << (32 - chunkBits)
)

// ErrTooLarge says that one item is larger than Limit.
var ErrTooLarge = errors.New("item is too large")

// Limit is the largest item in bytes.
const Limit = 8 << 20

// Budget is memory shared by spools. The zero Budget is empty: everything beyond
// one chunk a part goes to disk. Safe for concurrent use.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{}
	b.left.Store(bytes)
	return b
}

func (b *Budget) take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

// Fold makes one value of two that are said of the same key, appending it to dst.
// It must be commutative, associative and idempotent (SEMANTICS E8).
type Fold func(dst, a, b []byte) ([]byte, error)

// Spool collects items. Writer may be called from any goroutine; Seal after all
// writers are done.
type Spool struct {
	dir    string
	budget *Budget
	fold   Fold
	router *router

	mu      sync.Mutex
	writers []*Writer
	runs    []string
	taken   int64
}

// New returns an empty spool that puts its runs into dir, an existing directory.
// bounds are those of a Sorted of like keys, nil if there was none.
func New(dir string, budget *Budget, bounds [][]byte, fold Fold) *Spool {
	return &Spool{dir: dir, budget: budget, fold: fold, router: newRouter(bounds)}
}

// Writer adds items for one goroutine.
type Writer struct {
	spool *Spool
	parts []part
	n     int
}

// part holds items: full chunks and the one being filled, which is the last.
type part struct{ chunks [][]byte }

// Writer returns a writer for one more goroutine.
func (s *Spool) Writer() *Writer {
	w := &Writer{spool: s, parts: make([]part, len(s.router.bounds)+1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers = append(s.writers, w)
	return w
}

// Add takes a copy of key and value.
func (w *Writer) Add(key, value []byte) error {
	p := &w.parts[w.spool.router.part(key)]
	need := 2*binary.MaxVarintLen32 + len(key) + len(value)
	if p.room() < need {
		if err := w.grow(p, need); err != nil {
			return err
		}
	}
	p.add(key, value)
	w.n++
	return nil
}

// room is how many bytes fit into the last chunk.
func (p *part) room() int {
	if len(p.chunks) == 0 {
		return 0
	}
	last := p.chunks[len(p.chunks)-1]
	return cap(last) - len(last)
}

func (p *part) add(key, value []byte) {
	last := &p.chunks[len(p.chunks)-1]
	*last = appendItem(*last, key, value)
}

func (w *Writer) grow(p *part, need int) error {
	if need > Limit {
		return ErrTooLarge
	}
	size := int64(max(chunkSize, need))
	if len(p.chunks) >= maxChunks/8 || !w.spool.take(size) {
		if err := w.spill(); err != nil {
			return err
		}
		// One chunk a part is always granted.
		w.spool.take(size)
	}
	p.chunks = append(p.chunks, make([]byte, 0, size))
	return nil
}

func (s *Spool) take(n int64) bool {
	if !s.budget.take(n) {
		return false
	}
	s.mu.Lock()
	s.taken += n
	s.mu.Unlock()
	return true
}

func (s *Spool) release(n int64) {
	s.mu.Lock()
	n = min(n, s.taken)
	s.taken -= n
	s.mu.Unlock()
	s.budget.left.Add(n)
}

func appendItem(dst, key, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	dst = append(dst, key...)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

// item reads the item at the beginning of b and its length.
func item(b []byte) (key, value []byte, n int) {
	k, kn := length(b)
	key = b[kn : kn+k]
	v, vn := length(b[kn+k:])
	at := kn + k + vn
	return key, b[at : at+v], at + v
}

// itemKey reads only the key.
func itemKey(b []byte) []byte {
	k, n := length(b)
	return b[n : n+k]
}

func length(b []byte) (v, n int) {
	if b[0] < 0x80 {
		return int(b[0]), 1
	}
	u, n := binary.Uvarint(b)
	return int(u), n
}

// each calls fn for every item of the part.
func (p *part) each(fn func(key, value []byte)) {
	for _, c := range p.chunks {
		for len(c) > 0 {
			key, value, n := item(c)
			fn(key, value)
			c = c[n:]
		}
	}
}

func (p *part) bytes() (used, held int64) {
	for _, c := range p.chunks {
		used += int64(len(c))
		held += int64(cap(c))
	}
	return used, held
}
