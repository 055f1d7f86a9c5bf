package pebblestore

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/remeld/remeld/internal/store"
)

// A seek costs about as much as stepping over thirty rows, so GetMany steps while
// the wanted rows lie close together and seeks while they do not.
const (
	minSteps = 2
	maxSteps = 32
)

// GetMany implements store.View.
func (v *view) GetMany(ctx context.Context, space string, keys [][]byte, fn func(i int, value []byte) error) error {
	for i := 1; i < len(keys); i++ {
		if bytes.Compare(keys[i-1], keys[i]) > 0 {
			return fmt.Errorf("get many from %q, key %d: %w", space, i, store.ErrUnsorted)
		}
	}
	if err := v.begin(ctx); err != nil {
		return err
	}
	defer v.s.life.leave()
	id, err := v.space(space)
	if err != nil {
		return err
	}
	if err := v.goOn(ctx); err != nil || len(keys) == 0 {
		return err
	}
	if id == 0 {
		return eachAbsent(keys, fn)
	}
	last := keys[len(keys)-1]
	it, err := v.iter(ctx, rowKey(nil, id, keys[0]), append(rowKey(nil, id, last), 0))
	if err != nil {
		return err
	}
	f := finder{it: it, id: id, steps: minSteps}
	for i, k := range keys {
		if i%checkEvery == checkEvery-1 {
			if err := v.goOn(ctx); err != nil {
				return v.finish(it, err)
			}
		}
		value, err := f.find(k)
		if err != nil {
			return v.finish(it, v.s.readError("reading", err))
		}
		if err := fn(i, value); err != nil {
			_ = v.finish(it, nil)
			return store.Ended(err)
		}
	}
	return v.finish(it, nil)
}

func eachAbsent(keys [][]byte, fn func(i int, value []byte) error) error {
	for i := range keys {
		if err := fn(i, nil); err != nil {
			return store.Ended(err)
		}
	}
	return nil
}

// finder moves one iterator forward from key to key.
type finder struct {
	it      *pebble.Iterator
	id      uint32
	buf     []byte
	started bool
	over    bool // nothing follows
	steps   int  // how far to step before seeking
}

// find returns the value of key, nil when it is absent. Keys must ascend.
func (f *finder) find(key []byte) ([]byte, error) {
	f.buf = rowKey(f.buf, f.id, key)
	if !f.over {
		f.moveTo(f.buf)
	}
	if f.over || !bytes.Equal(f.it.Key(), f.buf) {
		return nil, f.it.Error()
	}
	return valueOf(f.it)
}

// moveTo goes to the first row with a key >= k.
func (f *finder) moveTo(k []byte) {
	if f.started {
		for n := 0; ; n++ {
			if bytes.Compare(f.it.Key(), k) >= 0 {
				f.steps = min(max(f.steps, 2*n), maxSteps)
				return
			}
			if n == f.steps {
				break
			}
			if !f.it.Next() {
				f.over = true
				return
			}
		}
		f.steps = max(f.steps/2, minSteps)
	}
	f.started = true
	f.over = !f.it.SeekGE(k)
}
