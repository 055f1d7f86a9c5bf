package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/store"
)

// Inverse is what would undo one write of one object by one apply (SEMANTICS D17).
type Inverse struct {
	Domain   string
	Identity string
	Before   *Row   // nil: it did not exist
	Body     []byte // as it was last sent; nil: it is not known
	// Left says whether the apply left an object, LeftHash its content; Compared is
	// false for a record that does not say so.
	Left, Compared bool
	LeftHash       string
}

// Undo records what the object was before an apply wrote it, once per apply and
// object (SEMANTICS D17). A nil before means that it did not exist, a nil left that
// the write removed it.
func (c *Change) Undo(apply string, identity string, before *Row, body []byte, left *Row) {
	var row []byte
	if before != nil {
		row = before.AppendBinary(nil)
	}
	val := appendString(nil, string(row))
	val = appendString(val, string(body))
	if left != nil {
		val = appendString(append(val, 1), left.Hash)
	} else {
		val = append(val, 0)
	}
	c.put(undoSpace, apply+"\x00"+c.book.Domain+"\x00"+identity, val)
}

// Undos calls fn with every inverse of an apply, by domain and identity.
func Undos(ctx context.Context, v store.View, apply string, fn func(Inverse)) error {
	r := store.Range{From: []byte(apply + "\x00"), To: []byte(apply + "\x01")}
	err := v.Scan(ctx, undoSpace, r, func(k, val []byte) error {
		domain, identity, _ := strings.Cut(string(k[len(apply)+1:]), "\x00")
		in, err := decodeInverse(identity, val)
		if err == nil {
			in.Domain = domain
			fn(in)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read the inverses of %s: %w", apply, err)
	}
	return nil
}

func decodeInverse(identity string, val []byte) (Inverse, error) {
	d := decoder{data: val}
	in := Inverse{Identity: identity}
	row := d.bytes()
	in.Body = append([]byte(nil), d.bytes()...)
	if !d.failed && len(d.data) > 0 { // the first version ended here
		in.Compared, in.Left = true, d.byte() == 1
		if in.Left {
			in.LeftHash = d.string()
		}
	}
	if d.failed || len(d.data) > 0 {
		return in, errCorrupt
	}
	if len(row) > 0 {
		var err error
		if in.Before, err = DecodeRow(identity, row); err != nil {
			return in, err
		}
	}
	return in, nil
}

// Pin keeps an object as a rollback left it, until it is released.
type Pin struct {
	Undone string    `json:"undone"` // the apply that was rolled back
	By     string    `json:"by"`     // the apply that did so
	At     time.Time `json:"at"`
	// Absent: the rollback removed the object, and it stays away.
	Absent bool `json:"absent,omitempty"`
}

// Pin pins an identity, Unpin releases it; the last word of a change counts.
func (c *Change) Pin(identity string, p Pin) { c.setPin(identity, &p) }

// Unpin releases an identity.
func (c *Change) Unpin(identity string) {
	if _, pinned := c.book.Pins[identity]; pinned || c.pins[identity] != nil {
		c.setPin(identity, nil)
	}
}

func (c *Change) setPin(identity string, p *Pin) {
	if c.pins == nil {
		c.pins = map[string]*Pin{}
	}
	c.pins[identity] = p
}

func (c *Change) writePins() error {
	for identity, p := range c.pins {
		if p == nil {
			c.del(pinSpace+c.book.Domain, []byte(identity))
			c.apply = append(c.apply, func() { delete(c.book.Pins, identity) })
			continue
		}
		val, err := json.Marshal(p)
		if err != nil {
			return err
		}
		c.put(pinSpace+c.book.Domain, identity, val)
		c.apply = append(c.apply, func() { c.book.Pins[identity] = *p })
	}
	return nil
}
