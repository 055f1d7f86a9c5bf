package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// catalogue is what the writer knows by heart: names, log heads and fences. It is
// loaded at Open and follows each applied batch.
type catalogue struct {
	next   uint32
	spaces map[string]uint32
	logs   map[string]logHead
	fences map[string]uint64
}

// change is what a batch will do to the catalogue; it is merged in once the batch
// is applied, so that a batch given up half-way leaves no trace.
type change struct {
	cat    *catalogue
	next   uint32
	spaces map[string]uint32
	logs   map[string]logHead
	fences map[string]uint64
}

func (c *catalogue) begin() *change {
	return &change{
		cat: c, next: c.next,
		spaces: map[string]uint32{}, logs: map[string]logHead{}, fences: map[string]uint64{},
	}
}

func (c *change) space(name string) (uint32, bool) {
	if id, ok := c.spaces[name]; ok {
		return id, true
	}
	id, ok := c.cat.spaces[name]
	return id, ok
}

func (c *change) log(name string) (logHead, bool) {
	if h, ok := c.logs[name]; ok {
		return h, true
	}
	h, ok := c.cat.logs[name]
	return h, ok
}

func (c *change) newID() (uint32, error) {
	if c.next >= math.MaxUint32-1 {
		return 0, errors.New("no ids are left for new spaces")
	}
	c.next++
	return c.next - 1, nil
}

// needSpace returns the id of the space, making it if it is new.
func (c *change) needSpace(name string) (uint32, error) {
	if id, ok := c.space(name); ok {
		return id, nil
	}
	id, err := c.newID()
	if err != nil {
		return 0, err
	}
	c.spaces[name] = id
	return id, nil
}

// needLog returns the head of the log, making it if it is new.
func (c *change) needLog(name string) (logHead, error) {
	if h, ok := c.log(name); ok {
		return h, nil
	}
	id, err := c.newID()
	if err != nil {
		return logHead{}, err
	}
	h := logHead{id: id, first: 1}
	c.logs[name] = h
	return h, nil
}

// encode writes the changed entries into the batch.
func (c *change) encode(b *pebble.Batch) error {
	var errs []error
	if c.next != c.cat.next {
		errs = append(errs, b.Set(keyNext, binary.BigEndian.AppendUint32(nil, c.next), nil))
	}
	for name, id := range c.spaces {
		errs = append(errs, b.Set(nameKey(tagSpace, name), binary.BigEndian.AppendUint32(nil, id), nil))
	}
	for name, h := range c.logs {
		errs = append(errs, b.Set(nameKey(tagLog, name), h.encode(), nil))
	}
	for name, epoch := range c.fences {
		errs = append(errs, b.Set(nameKey(tagFence, name), binary.BigEndian.AppendUint64(nil, epoch), nil))
	}
	return errors.Join(errs...)
}

func (c *change) merge() {
	c.cat.next = c.next
	maps.Copy(c.cat.spaces, c.spaces)
	maps.Copy(c.cat.logs, c.logs)
	maps.Copy(c.cat.fences, c.fences)
}

// loadCatalogue reads the catalogue and the ids of unfinished loads.
func loadCatalogue(db *pebble.DB) (catalogue, []uint32, error) {
	c := catalogue{next: 1, spaces: map[string]uint32{}, logs: map[string]logHead{}, fences: map[string]uint64{}}
	var pending []uint32
	it, err := db.NewIterWithContext(context.Background(),
		&pebble.IterOptions{LowerBound: keyNext, UpperBound: []byte{tagPending + 1}})
	if err != nil {
		return c, nil, err
	}
	for it.First(); it.Valid() && err == nil; it.Next() {
		var id uint32
		if id, err = c.add(it.Key(), it.Value()); id != 0 {
			pending = append(pending, id)
		}
	}
	return c, pending, errors.Join(err, it.Error(), it.Close())
}

// add takes one stored entry in; for an unfinished load it returns its id.
func (c *catalogue) add(key, value []byte) (pending uint32, err error) {
	name := string(key[1:])
	switch key[0] {
	case tagMeta:
		if string(key) == string(keyNext) {
			c.next, err = decodeID(value)
		}
	case tagSpace:
		c.spaces[name], err = decodeID(value)
	case tagLog:
		c.logs[name], err = decodeHead(value)
	case tagFence:
		if len(value) != 8 {
			return 0, fmt.Errorf("fence %q has %d bytes, not 8", name, len(value))
		}
		c.fences[name] = binary.BigEndian.Uint64(value)
	case tagPending:
		return decodeID(key[1:])
	}
	if err != nil {
		return 0, fmt.Errorf("entry %q: %w", key, err)
	}
	return 0, nil
}
