// Package memstore keeps a store in memory. Use it in tests of what lives above
// the store boundary, and as the model the durable engines are compared with; it
// keeps every promise of store.Store but surviving the process.
//
// It is also a strict counterpart: slices handed to callbacks are overwritten as
// soon as the callback returns, so that a caller that keeps one is found out here
// and not on a large table.
package memstore

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/RaduBerinde/btreemap"

	"github.com/remeld/remeld/internal/store"
)

// degree of the B-trees: small enough that copying a node for a snapshot is cheap.
const degree = 32

// tree is one space. Its Clone is a snapshot that costs nothing until the next
// write to either of the two.
type tree = btreemap.BTreeMap[string, string]

func newTree() *tree {
	return btreemap.New[string, string](degree, func(a, b string) int {
		switch {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	})
}

// logState is one log; keys[i] has the number last-len(keys)+1+i. The backing
// array is only ever appended to, so a copy of the struct is a snapshot.
type logState struct {
	last uint64
	keys []string
}

func (l logState) first() uint64 { return l.last - uint64(len(l.keys)) + 1 }

// Disk is what outlives a Store: open it, close it and open it again. Safe for
// concurrent use.
type Disk struct {
	mu     sync.Mutex
	open   bool
	spaces map[string]*tree
	logs   map[string]logState
	fences map[string]uint64
}

// NewDisk returns an empty disk.
func NewDisk() *Disk {
	return &Disk{spaces: map[string]*tree{}, logs: map[string]logState{}, fences: map[string]uint64{}}
}

// Open opens the store on the disk, or returns a *store.LockedError when one is
// open already (SEMANTICS E15).
func (d *Disk) Open() (*Store, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open {
		return nil, &store.LockedError{Path: "memory", PID: os.Getpid()}
	}
	d.open = true
	return &Store{disk: d}, nil
}

// Store is an open in-memory store.
type Store struct {
	disk   *Disk
	closed bool // guarded by disk.mu
}

var _ store.Store = (*Store)(nil)

// New returns a store on a disk of its own.
func New() *Store {
	s, err := NewDisk().Open()
	if err != nil {
		panic("memstore: a new disk is locked: " + err.Error())
	}
	return s
}

// Close implements store.Store. Open views stop working; a second Close does nothing.
func (s *Store) Close() error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if !s.closed {
		s.closed, s.disk.open = true, false
	}
	return nil
}

// Acquire implements store.Store.
func (s *Store) Acquire(ctx context.Context, name string) (store.Fence, error) {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return store.Fence{}, err
	}
	if name == "" {
		return store.Fence{}, store.ErrNoName
	}
	d.fences[name]++
	return store.Fence{Name: name, Epoch: d.fences[name]}, nil
}

// usable reports why the store cannot serve; disk.mu is held.
func (s *Store) usable(ctx context.Context) error {
	if s.closed {
		return store.ErrClosed
	}
	return ctx.Err()
}

// checkFence refuses a stale fence; disk.mu is held.
func (d *Disk) checkFence(f store.Fence) error {
	if f == (store.Fence{}) {
		return nil
	}
	if f.Epoch == 0 || d.fences[f.Name] != f.Epoch {
		return fmt.Errorf("writer %q, epoch %d: %w", f.Name, f.Epoch, store.ErrFenced)
	}
	return nil
}
