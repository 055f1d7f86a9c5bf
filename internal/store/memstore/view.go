package memstore

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync/atomic"

	"github.com/RaduBerinde/btreemap"

	"github.com/remeld/remeld/internal/store"
)

// View implements store.Store.
func (s *Store) View() (store.View, error) {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	v := &view{store: s, spaces: make(map[string]*tree, len(d.spaces)), logs: make(map[string]logState, len(d.logs))}
	for name, t := range d.spaces {
		v.spaces[name] = t.Clone()
	}
	for name, l := range d.logs {
		v.logs[name] = l
	}
	return v, nil
}

type view struct {
	store  *Store
	spaces map[string]*tree
	logs   map[string]logState
	closed atomic.Bool
}

// Close implements store.View.
func (v *view) Close() error {
	v.closed.Store(true)
	return nil
}

func (v *view) usable(ctx context.Context) error {
	if v.closed.Load() {
		return store.ErrClosed
	}
	v.store.disk.mu.Lock()
	defer v.store.disk.mu.Unlock()
	return v.store.usable(ctx)
}

// Get implements store.View.
func (v *view) Get(ctx context.Context, space string, key []byte) ([]byte, error) {
	if err := v.usable(ctx); err != nil {
		return nil, err
	}
	return v.get(space, string(key)), nil
}

// get returns a fresh slice, nil when the key is absent.
func (v *view) get(space, key string) []byte {
	t := v.spaces[space]
	if t == nil {
		return nil
	}
	_, value, ok := t.Get(key)
	if !ok {
		return nil
	}
	return append(make([]byte, 0, len(value)), value...)
}

// GetMany implements store.View.
func (v *view) GetMany(ctx context.Context, space string, keys [][]byte, fn func(i int, value []byte) error) error {
	for i := 1; i < len(keys); i++ {
		if string(keys[i-1]) > string(keys[i]) {
			return fmt.Errorf("get many from %q, key %d: %w", space, i, store.ErrUnsorted)
		}
	}
	for i, k := range keys {
		if err := v.usable(ctx); err != nil {
			return err
		}
		value := v.get(space, string(k))
		err := fn(i, value)
		spoil(value)
		if err != nil {
			return store.Ended(err)
		}
	}
	return v.usable(ctx)
}

// Scan implements store.View.
func (v *view) Scan(ctx context.Context, space string, r store.Range, fn func(key, value []byte) error) error {
	return v.walk(ctx, space, fn, func(t *tree, each func(k, v string) bool) { walkUp(t, r, each) })
}

// ScanBack implements store.View.
func (v *view) ScanBack(ctx context.Context, space string, r store.Range, fn func(key, value []byte) error) error {
	return v.walk(ctx, space, fn, func(t *tree, each func(k, v string) bool) {
		lower, upper := btreemap.Min[string](), btreemap.Max[string]()
		if r.From != nil {
			lower = btreemap.GE(string(r.From))
		}
		if r.To != nil {
			upper = btreemap.LT(string(r.To))
		}
		if r.From != nil && r.To != nil && string(r.From) >= string(r.To) {
			return
		}
		t.DescendFunc(upper, lower, each)
	})
}

func (v *view) walk(
	ctx context.Context, space string, fn func(key, value []byte) error,
	rows func(t *tree, each func(k, v string) bool),
) error {
	if err := v.usable(ctx); err != nil {
		return err
	}
	t := v.spaces[space]
	if t == nil {
		return nil
	}
	var err error
	rows(t, func(k, val string) bool {
		if err = v.usable(ctx); err != nil {
			return false
		}
		key, value := []byte(k), []byte(val)
		err = fn(key, value)
		spoil(key)
		spoil(value)
		return err == nil
	})
	return store.Ended(err)
}

// spoil overwrites a slice whose time is over (see the package comment).
func spoil(b []byte) {
	for i := range b {
		b[i] ^= 0xA5
	}
}

// Head implements store.View.
func (v *view) Head(ctx context.Context, log string) (last, first uint64, err error) {
	if err := v.usable(ctx); err != nil {
		return 0, 0, err
	}
	l := v.logs[log]
	return l.last, l.first(), nil
}

// Changes implements store.View.
func (v *view) Changes(
	ctx context.Context, log string, after uint64, limit int, fn func(seq uint64, key []byte) error,
) error {
	if err := v.usable(ctx); err != nil {
		return err
	}
	l := v.logs[log]
	if after < l.first()-1 {
		return fmt.Errorf("log %q, after %d, kept from %d: %w", log, after, l.first(), store.ErrTrimmed)
	}
	for seq := after + 1; after < l.last && seq <= l.last && limit > 0; seq++ {
		if err := v.usable(ctx); err != nil {
			return err
		}
		limit--
		key := []byte(l.keys[seq-l.first()])
		err := fn(seq, key)
		spoil(key)
		if err != nil {
			return store.Ended(err)
		}
	}
	return nil
}

// Spaces implements store.View.
func (v *view) Spaces(ctx context.Context, prefix string) ([]string, error) {
	if err := v.usable(ctx); err != nil {
		return nil, err
	}
	var names []string
	for name, t := range v.spaces {
		if strings.HasPrefix(name, prefix) && t.Len() > 0 {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}
