package memstore

import (
	"context"
	"fmt"

	"github.com/RaduBerinde/btreemap"

	"github.com/remeld/remeld/internal/store"
)

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, c *store.Commit) (store.Receipt, error) {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return store.Receipt{}, err
	}
	if err := d.checkFence(c.Fence); err != nil {
		return store.Receipt{}, err
	}
	for _, r := range c.Clear {
		d.clear(r)
	}
	d.write(c.Writes)
	receipt := store.Receipt{Heads: map[string]uint64{}}
	for _, a := range c.Appends {
		receipt.Heads[a.Log] = d.append(a)
	}
	for _, t := range c.Trims {
		d.trim(t)
	}
	return receipt, nil
}

func (d *Disk) clear(r store.SpaceRange) {
	t := d.spaces[r.Space]
	if t == nil {
		return
	}
	var gone []string
	walkUp(t, r.Range, func(k, _ string) bool {
		gone = append(gone, k)
		return true
	})
	for _, k := range gone {
		t.Delete(k)
	}
}

func (d *Disk) write(writes []store.Write) {
	for _, w := range writes {
		t := d.spaces[w.Space]
		if w.Delete {
			if t != nil {
				t.Delete(string(w.Key))
			}
			continue
		}
		if t == nil {
			t = newTree()
			d.spaces[w.Space] = t
		}
		t.ReplaceOrInsert(string(w.Key), string(w.Value))
	}
}

func (d *Disk) append(a store.Append) uint64 {
	l := d.logs[a.Log]
	for _, k := range a.Keys {
		l.last++
		l.keys = append(l.keys, string(k))
	}
	d.logs[a.Log] = l
	return l.last
}

func (d *Disk) trim(t store.Trim) {
	l := d.logs[t.Log]
	if t.UpTo < l.first() {
		return
	}
	n := min(t.UpTo-l.first()+1, uint64(len(l.keys)))
	l.keys = l.keys[n:]
	d.logs[t.Log] = l
}

// Ingest implements store.Store.
func (s *Store) Ingest(ctx context.Context, b *store.Bulk) error {
	if err := s.admit(ctx, b, nil); err != nil {
		return err
	}
	loaded := map[string]*tree{}
	for _, sp := range b.Spaces {
		t, err := load(ctx, sp)
		if err != nil {
			return err
		}
		loaded[sp.Space] = t
	}
	return s.admit(ctx, b, loaded)
}

// admit checks that b may be loaded and, when its rows are there, loads it.
func (s *Store) admit(ctx context.Context, b *store.Bulk, loaded map[string]*tree) error {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	if err := d.checkFence(b.Fence); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, sp := range b.Spaces {
		if seen[sp.Space] {
			return fmt.Errorf("ingest names space %q twice", sp.Space)
		}
		seen[sp.Space] = true
		if t := d.spaces[sp.Space]; t != nil && t.Len() > 0 {
			return fmt.Errorf("ingest into %q: %w", sp.Space, store.ErrNotEmpty)
		}
	}
	for name, head := range b.Heads {
		if l := d.logs[name]; len(l.keys) > 0 || l.last > head {
			return fmt.Errorf("ingest sets head %d of log %q at %d: %w", head, name, l.last, store.ErrNotEmpty)
		}
	}
	if loaded == nil {
		return nil
	}
	for name, t := range loaded {
		d.spaces[name] = t
	}
	for name, head := range b.Heads {
		d.logs[name] = logState{last: head}
	}
	d.write(b.Writes)
	return nil
}

func load(ctx context.Context, sp store.BulkSpace) (*tree, error) {
	t := newTree()
	var last string
	var broken error
	put := func(key, value []byte) error {
		if broken == nil {
			broken = ctx.Err()
		}
		if broken == nil && t.Len() > 0 && string(key) <= last {
			broken = fmt.Errorf("ingest into %q: %w", sp.Space, store.ErrUnsorted)
		}
		if broken != nil {
			return broken
		}
		last = string(key)
		t.ReplaceOrInsert(last, string(value))
		return nil
	}
	if err := sp.Rows(put); err != nil {
		return nil, err
	}
	return t, broken
}

// walkUp calls fn for the rows of t in r, ascending, until it returns false.
func walkUp(t *tree, r store.Range, fn func(k, v string) bool) {
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
	t.AscendFunc(lower, upper, fn)
}
