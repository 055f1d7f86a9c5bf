// Package spool takes the items of a poll in any order from several goroutines
// and gives them back sorted, each key once. It holds them outside the reach of
// the garbage collector's scan, within a memory budget; what does not fit goes to
// disk in sorted runs.
//
// Items in memory come back in parts of ascending key ranges, so that two readers
// can each sort and merge a part at the same time.
package spool

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
)

// chunkBits is the size of an arena chunk; an item is addressed by its chunk and
// the place inside in 32 bits.
const (
	chunkBits = 20
	chunkSize = 1 << chunkBits
	maxChunks = 1 << (32 - chunkBits)
	// chunkCost is what a chunk costs in all: its bytes and, when it is sorted,
	// an index of 16 bytes an item.
	chunkCost = chunkSize + chunkSize/2
)

// ErrTooLarge: one item is larger than Limit.
var ErrTooLarge = errors.New("item is too large")

// Limit is the largest item in bytes.
const Limit = 8 << 20

// Budget is memory shared by spools. The zero Budget is empty: everything beyond
// one chunk a writer goes to disk. Safe for concurrent use.
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

	mu      sync.Mutex
	writers []*Writer
	runs    []string
	taken   int64
}

// New returns an empty spool that puts its runs into dir, an existing directory.
func New(dir string, budget *Budget, fold Fold) *Spool {
	return &Spool{dir: dir, budget: budget, fold: fold}
}

// Writer adds items for one goroutine.
type Writer struct {
	spool  *Spool
	chunks [][]byte
	cur    []byte
	n      int
}

// Writer returns a writer for one more goroutine.
func (s *Spool) Writer() *Writer {
	w := &Writer{spool: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers = append(s.writers, w)
	return w
}

// Add takes a copy of key and value.
func (w *Writer) Add(key, value []byte) error {
	need := 2*binary.MaxVarintLen32 + len(key) + len(value)
	if len(w.cur)+need > cap(w.cur) {
		if err := w.grow(need); err != nil {
			return err
		}
	}
	w.cur = appendItem(w.cur, key, value)
	w.n++
	return nil
}

func (w *Writer) grow(need int) error {
	if need > Limit {
		return ErrTooLarge
	}
	if w.cur != nil {
		w.chunks = append(w.chunks, w.cur)
		w.cur = nil
	}
	size := max(chunkSize, need)
	cost := int64(size) + int64(size)/2
	full := len(w.chunks) >= maxChunks/8
	if full || !w.spool.take(cost) {
		if err := w.spill(); err != nil {
			return err
		}
		if !w.spool.take(cost) {
			cost = 0 // one chunk a writer is always granted
		}
	}
	w.cur = make([]byte, 0, size)
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
