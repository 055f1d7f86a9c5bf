package memstore

import (
	"context"

	"github.com/RaduBerinde/btreemap"

	"github.com/remeld/remeld/internal/store"
)

// cursor finds each row anew from the key of the last one: slow and plainly right.
type cursor struct {
	ctx        context.Context
	view       *view
	tree       *tree // nil for a space without rows
	r          store.Range
	started    bool
	valid      bool
	closed     bool
	at         string
	key, value []byte
	err        error
}

// Cursor implements store.View.
func (v *view) Cursor(ctx context.Context, space string, r store.Range) (store.Cursor, error) {
	if err := v.usable(ctx); err != nil {
		return nil, err
	}
	return &cursor{ctx: ctx, view: v, tree: v.spaces[space], r: r}, nil
}

// Next implements store.Cursor.
func (c *cursor) Next() bool {
	switch {
	case c.started && !c.valid:
		if c.closed {
			c.err = store.ErrClosed
		}
		return false
	case c.started:
		return c.move(btreemap.GT(c.at))
	case c.r.From != nil:
		return c.move(btreemap.GE(string(c.r.From)))
	}
	return c.move(btreemap.Min[string]())
}

// Seek implements store.Cursor.
func (c *cursor) Seek(k []byte) bool {
	return c.move(btreemap.GE(max(string(k), string(c.r.From))))
}

func (c *cursor) move(lower btreemap.LowerBound[string]) bool {
	c.started, c.valid = true, false
	spoil(c.key)
	spoil(c.value)
	c.key, c.value = nil, nil
	if c.err = c.usable(); c.err != nil || c.tree == nil {
		return false
	}
	c.tree.AscendFunc(lower, btreemap.Max[string](), func(k, v string) bool {
		if c.r.To == nil || k < string(c.r.To) {
			c.valid, c.at, c.key, c.value = true, k, []byte(k), []byte(v)
		}
		return false
	})
	return c.valid
}

func (c *cursor) usable() error {
	if c.closed {
		return store.ErrClosed
	}
	return c.view.usable(c.ctx)
}

// Key implements store.Cursor.
func (c *cursor) Key() []byte { return c.key }

// Value implements store.Cursor.
func (c *cursor) Value() []byte { return c.value }

// Err implements store.Cursor.
func (c *cursor) Err() error { return c.err }

// Close implements store.Cursor.
func (c *cursor) Close() error {
	c.closed, c.valid, c.started = true, false, true
	c.key, c.value = nil, nil
	return nil
}
