package pebblestore

import (
	"context"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/remeld/remeld/internal/store"
)

// cursor implements store.Cursor over one iterator. The lock is against Close of
// the view or store only.
type cursor struct {
	v   *view
	ctx context.Context
	id  uint32

	mu      sync.Mutex
	it      *pebble.Iterator // nil when closed or when nothing is in range
	closed  bool
	started bool
	valid   bool
	buf     []byte
	value   []byte
	steps   int
	err     error
}

// Cursor implements store.View.
func (v *view) Cursor(ctx context.Context, space string, r store.Range) (store.Cursor, error) {
	if err := v.begin(ctx); err != nil {
		return nil, err
	}
	defer v.s.life.leave()
	id, err := v.space(space)
	if err != nil {
		return nil, err
	}
	c := &cursor{v: v, ctx: ctx, id: id}
	if lower, upper, ok := rowBounds(id, r.From, r.To); ok && id != 0 {
		if c.it, err = v.iter(ctx, lower, upper); err != nil {
			return nil, err
		}
	}
	v.curMu.Lock()
	defer v.curMu.Unlock()
	if v.cursors == nil {
		if c.it != nil {
			_ = c.it.Close()
		}
		return nil, store.ErrClosed
	}
	v.cursors[c] = struct{}{}
	return c, nil
}

// Next implements store.Cursor.
func (c *cursor) Next() bool {
	return c.move(func() bool {
		switch {
		case !c.started:
			return c.it.First()
		case !c.valid:
			return false
		}
		return c.it.Next()
	})
}

// Seek implements store.Cursor.
func (c *cursor) Seek(k []byte) bool {
	return c.move(func() bool {
		c.buf = rowKey(c.buf, c.id, k)
		return c.it.SeekGE(c.buf)
	})
}

func (c *cursor) move(step func() bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.steps++; c.steps%checkEvery == 1 && c.err == nil {
		c.err = c.v.goOn(c.ctx)
	}
	if c.closed && c.err == nil {
		c.err = store.ErrClosed
	}
	if c.err != nil || c.it == nil {
		c.valid = false
		return false
	}
	c.valid = step()
	c.started = true
	err := c.it.Error()
	if c.valid && err == nil {
		c.value, err = valueOf(c.it)
	}
	if err != nil {
		c.err, c.valid = c.v.s.readError("reading", err), false
	}
	return c.valid
}

// Key implements store.Cursor.
func (c *cursor) Key() []byte {
	if !c.valid {
		return nil
	}
	return c.it.Key()[prefixLen:]
}

// Value implements store.Cursor.
func (c *cursor) Value() []byte {
	if !c.valid {
		return nil
	}
	return c.value
}

// Err implements store.Cursor.
func (c *cursor) Err() error { return c.err }

// Close implements store.Cursor.
func (c *cursor) Close() error {
	c.v.curMu.Lock()
	delete(c.v.cursors, c)
	c.v.curMu.Unlock()
	return c.end()
}

func (c *cursor) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed, c.valid = true, false
	if c.it == nil {
		return nil
	}
	err := c.it.Close()
	c.it = nil
	return err
}
