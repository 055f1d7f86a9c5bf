package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/remeld/remeld/internal/store"
)

// View implements store.Store.
func (s *Store) View() (store.View, error) {
	if err := s.life.enter(); err != nil {
		return nil, err
	}
	defer s.life.leave()
	if err := s.h.readable(); err != nil {
		return nil, err
	}
	v := &view{s: s, snap: s.db.NewSnapshot(), cursors: map[*cursor]struct{}{}}
	s.mu.Lock()
	s.views[v] = struct{}{}
	s.mu.Unlock()
	return v, nil
}

// view is one snapshot. Names are looked up in the snapshot itself: a load gives a
// space another id.
type view struct {
	s    *Store
	snap *pebble.Snapshot
	ids  sync.Map // space name → uint32, 0 when absent

	mu      sync.RWMutex // held to read while the snapshot is used directly, to write by end
	closed  bool
	cursors map[*cursor]struct{} // guarded by curMu
	curMu   sync.Mutex
}

// checkEvery is the number of rows after which a walk looks whether it should stop.
const checkEvery = 1024

// Close implements store.View.
func (v *view) Close() error {
	v.s.mu.Lock()
	delete(v.s.views, v)
	v.s.mu.Unlock()
	return v.end()
}

func (v *view) end() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	v.curMu.Lock()
	open := v.cursors
	v.cursors = nil
	v.curMu.Unlock()
	var errs []error
	for c := range open {
		errs = append(errs, c.end())
	}
	errs = append(errs, v.snap.Close())
	return errors.Join(errs...)
}

// begin starts an operation; the caller calls s.life.leave when it returns nil.
func (v *view) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return v.s.life.enter()
}

// goOn tells a walk under way whether it should stop.
func (v *view) goOn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.mu.RLock()
	closed := v.closed
	v.mu.RUnlock()
	if closed || v.s.life.ended() {
		return store.ErrClosed
	}
	return nil
}

// raw returns a copy of a stored value, nil when the key is absent.
func (v *view) raw(key []byte) ([]byte, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, store.ErrClosed
	}
	b, closer, err := v.snap.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, v.s.readError("reading", err)
	}
	return append(make([]byte, 0, len(b)), b...), closer.Close()
}

func (v *view) iter(ctx context.Context, lower, upper []byte) (*pebble.Iterator, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, store.ErrClosed
	}
	it, err := v.snap.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, v.s.readError("reading", err)
	}
	return it, nil
}

// space returns the id of a space, 0 when the snapshot does not know it.
func (v *view) space(name string) (uint32, error) {
	if id, ok := v.ids.Load(name); ok {
		return id.(uint32), nil
	}
	b, err := v.raw(nameKey(tagSpace, name))
	if err != nil {
		return 0, err
	}
	var id uint32
	if b != nil {
		if id, err = decodeID(b); err != nil {
			return 0, v.s.readError(fmt.Sprintf("reading space %q", name), err)
		}
	}
	v.ids.Store(name, id)
	return id, nil
}

// Get implements store.View.
func (v *view) Get(ctx context.Context, space string, key []byte) ([]byte, error) {
	if err := v.begin(ctx); err != nil {
		return nil, err
	}
	defer v.s.life.leave()
	id, err := v.space(space)
	if err != nil {
		return nil, err
	}
	if err := v.goOn(ctx); err != nil || id == 0 {
		return nil, err
	}
	return v.raw(rowKey(make([]byte, 0, prefixLen+len(key)), id, key))
}

// Scan implements store.View.
func (v *view) Scan(ctx context.Context, space string, r store.Range, fn func(key, value []byte) error) error {
	return v.walk(ctx, space, r, fn, (*pebble.Iterator).First, (*pebble.Iterator).Next)
}

// ScanBack implements store.View.
func (v *view) ScanBack(ctx context.Context, space string, r store.Range, fn func(key, value []byte) error) error {
	return v.walk(ctx, space, r, fn, (*pebble.Iterator).Last, (*pebble.Iterator).Prev)
}

func (v *view) walk(
	ctx context.Context, space string, r store.Range, fn func(key, value []byte) error,
	first, next func(*pebble.Iterator) bool,
) error {
	if err := v.begin(ctx); err != nil {
		return err
	}
	defer v.s.life.leave()
	id, err := v.space(space)
	if err != nil {
		return err
	}
	lower, upper, ok := rowBounds(id, r.From, r.To)
	if id == 0 || !ok {
		return v.goOn(ctx)
	}
	it, err := v.iter(ctx, lower, upper)
	if err != nil {
		return err
	}
	n := 0
	for ok := first(it); ok && err == nil; ok = next(it) {
		if n++; n%checkEvery == 0 {
			if err = v.goOn(ctx); err != nil {
				break
			}
		}
		var value []byte
		if value, err = valueOf(it); err == nil {
			if err = fn(it.Key()[prefixLen:], value); err != nil {
				_ = v.finish(it, nil)
				return store.Ended(err)
			}
		}
	}
	return v.finish(it, err)
}

// finish closes an iterator and tells the first thing that went wrong.
func (v *view) finish(it *pebble.Iterator, err error) error {
	if err == nil {
		err = it.Error()
		if err != nil {
			err = v.s.readError("reading", err)
		}
	}
	if cerr := it.Close(); err == nil && cerr != nil {
		err = v.s.readError("reading", cerr)
	}
	return err
}

// valueOf is the current value, never nil.
func valueOf(it *pebble.Iterator) ([]byte, error) {
	value, err := it.ValueAndErr()
	if value == nil {
		value = []byte{}
	}
	return value, err
}
