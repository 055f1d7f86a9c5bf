package ledger

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/store"
)

// ErrStore marks a failure of the store: what is in memory may be behind.
var ErrStore = errors.New("the store failed")

// Change is one commit of a ledger being put together. Nothing of it is visible
// before Book.Commit returned.
type Change struct {
	book   *Book
	writes []store.Write
	apply  []func()
	meta   Meta
	pins   map[string]*Pin // nil: goes
}

// Begin starts a change; it takes the ledger's next version.
func (b *Book) Begin() *Change {
	c := &Change{book: b, meta: b.Meta}
	c.meta.Version++
	return c
}

// Version is what rows put by this change carry as Base.
func (c *Change) Version() uint64 { return c.meta.Version }

// Meta is the domain's memory as this change leaves it.
func (c *Change) Meta() *Meta { return &c.meta }

// Write adds a write of another room to the same commit.
func (c *Change) Write(w ...store.Write) { c.writes = append(c.writes, w...) }

// Put stores a row, and its body unless that is nil.
func (c *Change) Put(r Row, body []byte) {
	r.Base = c.meta.Version
	d := c.book.Domain
	if old := c.book.Rows[r.Identity]; old != nil {
		c.index(old, true)
	}
	c.index(&r, false)
	c.put(rowSpace+d, r.Identity, r.AppendBinary(nil))
	if body != nil {
		c.put(bodySpace+d, r.Identity, body)
	}
	c.apply = append(c.apply, func() { c.book.Rows[r.Identity] = &r })
}

// Drop removes a row. gone is the local time its object was deleted by us, zero
// when it ended by itself.
func (c *Change) Drop(identity string, gone time.Time) {
	d := c.book.Domain
	old := c.book.Rows[identity]
	if old == nil {
		return
	}
	c.index(old, true)
	c.del(rowSpace+d, []byte(identity))
	c.del(bodySpace+d, []byte(identity))
	if !gone.IsZero() && old.RemoteID != "" {
		c.put(goneSpace+d, old.RemoteID, appendTime(nil, gone))
	}
	c.apply = append(c.apply, func() {
		delete(c.book.Rows, identity)
		if !gone.IsZero() && old.RemoteID != "" {
			c.book.Gone[old.RemoteID] = gone
		}
	})
}

// Remember keeps what is known of an identity whose row goes, for good.
func (c *Change) Remember(identity string, p Past) {
	c.put(pastSpace+c.book.Domain, identity, p.appendBinary(nil))
}

// Forget drops the memory of a deleted remote id.
func (c *Change) Forget(remoteID string) {
	c.del(goneSpace+c.book.Domain, []byte(remoteID))
	c.apply = append(c.apply, func() { delete(c.book.Gone, remoteID) })
}

// Open stores a call before it is made, giving it a number when it has none.
func (c *Change) Open(in *Intent) {
	fresh := in.ID == 0
	if fresh {
		c.meta.Calls++
		in.ID = c.meta.Calls
	}
	c.put(intentSpace+c.book.Domain, string(callKey(in.ID)), in.appendBinary(nil))
	if fresh {
		c.apply = append(c.apply, func() { c.book.Open = append(c.book.Open, in) })
	}
}

// Close stores that the outcome of a call is known; only its times are kept.
func (c *Change) Close(in *Intent) {
	shut := &Intent{ID: in.ID, Apply: in.Apply, Op: in.Op, Rate: in.Rate, Attempts: in.Attempts, Closed: true}
	c.put(intentSpace+c.book.Domain, string(callKey(in.ID)), shut.appendBinary(nil))
	c.apply = append(c.apply, func() {
		for i, o := range c.book.Open {
			if o.ID == in.ID {
				c.book.Open = append(c.book.Open[:i:i], c.book.Open[i+1:]...)
				return
			}
		}
	})
}

// Tick stores a call that changes nothing at the tenant, such as a page of a
// listing: it only counts in its rate window.
func (c *Change) Tick(rate string, at time.Time) {
	c.meta.Calls++
	in := &Intent{ID: c.meta.Calls, Rate: rate, Attempts: []time.Time{at}, Closed: true}
	c.put(intentSpace+c.book.Domain, string(callKey(in.ID)), in.appendBinary(nil))
}

// Commit makes the change durable and visible. After an error the book is as
// before, though the change may have become durable: read the book anew.
func (b *Book) Commit(ctx context.Context, c *Change) error {
	meta, err := json.Marshal(&c.meta)
	if err != nil {
		return fmt.Errorf("write ledger of %s: %w", b.Domain, err)
	}
	c.put(metaSpace, b.Domain, meta)
	if err := c.writePins(); err != nil {
		return fmt.Errorf("write ledger of %s: %w", b.Domain, err)
	}
	for _, id := range b.stale {
		c.del(intentSpace+b.Domain, callKey(id))
	}
	if _, err := b.store.Commit(ctx, &store.Commit{Fence: b.fence, Writes: c.writes}); err != nil {
		return fmt.Errorf("write ledger of %s: %w: %w", b.Domain, ErrStore, err)
	}
	b.Meta, b.stale = c.meta, nil
	for _, fn := range c.apply {
		fn()
	}
	return nil
}

func (c *Change) index(r *Row, drop bool) {
	for _, k := range r.Contributors {
		key := append(indexPrefix(k.Indicator), r.Identity...)
		c.writes = append(c.writes, store.Write{Space: keySpace + c.book.Domain, Key: key, Value: []byte{1}, Delete: drop})
	}
}

func (c *Change) put(space, key string, value []byte) {
	c.writes = append(c.writes, store.Write{Space: space, Key: []byte(key), Value: value})
}

func (c *Change) del(space string, key []byte) {
	c.writes = append(c.writes, store.Write{Space: space, Key: key, Delete: true})
}

func callKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }
