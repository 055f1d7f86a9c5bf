// Package row is how the engine writes one row of a node's table, small enough
// that a list of five million plain values stays a list: what all rows of a node
// say is kept once, in the node's dictionary, and a row names it by number.
//
// Use it only below internal/engine; everybody else sees indicator.Record.
package row

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/remeld/remeld/indicator"
)

// ErrCorrupt is wrapped by the errors of values that this package never wrote.
var ErrCorrupt = errors.New("not a table row")

// Ref is a set of attributes: by number in the node's dictionary, or, where ID is
// 0, in place. The zero Ref is no attributes.
type Ref struct {
	ID   uint32
	Blob []byte
}

// Row is one row. Times are Unix milliseconds, 0 where there is none. Attributes
// are without first and last seen, which have their own fields: the last seen of
// a present row moves with every poll and is no content (SEMANTICS E5).
type Row struct {
	// Changed is when the node last emitted a change of the row.
	Changed int64
	// First is when the row was first seen, by the source's word if FirstSaid.
	First     int64
	FirstSaid bool
	// Last is an explicit last seen; 0 means as of the source's last accepted
	// complete poll.
	Last int64
	// LastSaid: Last is the source's word, not the engine's.
	LastSaid bool
	// Missing is the number of the first accepted complete poll that did not list
	// the row; 0 while it is present.
	Missing uint64
	// Aged: aged out while still listed, not emitted (SEMANTICS E6).
	Aged bool
	// Dropped: a keep condition of the node did not hold, not emitted.
	Dropped bool
	Attrs   Ref
}

// Emitted tells whether readers of the node see the row.
func (r *Row) Emitted() bool { return !r.Aged && !r.Dropped }

const (
	flagMissing = 1 << iota
	flagAged
	flagDropped
	flagLast
	flagLastSaid
	flagFirstSaid
	flagInline
)

// Append appends the encoded row.
func (r *Row) Append(dst []byte) []byte {
	flags := byte(0)
	for _, f := range [...]struct {
		on   bool
		flag byte
	}{
		{r.Missing != 0, flagMissing}, {r.Aged, flagAged}, {r.Dropped, flagDropped}, {r.Last != 0, flagLast},
		{r.LastSaid, flagLastSaid}, {r.FirstSaid, flagFirstSaid}, {r.Attrs.ID == 0, flagInline},
	} {
		if f.on {
			flags |= f.flag
		}
	}
	dst = append(dst, flags)
	dst = binary.AppendVarint(dst, r.Changed)
	dst = binary.AppendVarint(dst, r.Changed-r.First)
	if r.Missing != 0 {
		dst = binary.AppendUvarint(dst, r.Missing)
	}
	if r.Last != 0 {
		dst = binary.AppendVarint(dst, r.Changed-r.Last)
	}
	if r.Attrs.ID == 0 {
		return append(dst, r.Attrs.Blob...)
	}
	return binary.AppendUvarint(dst, uint64(r.Attrs.ID))
}

// Decode reads an encoded row into r; its attributes share data.
func (r *Row) Decode(data []byte) error {
	if len(data) == 0 {
		return ErrCorrupt
	}
	flags := data[0]
	c := cursor{data: data[1:]}
	r.Changed = c.varint()
	r.First = r.Changed - c.varint()
	r.FirstSaid = flags&flagFirstSaid != 0
	r.Missing, r.Last = 0, 0
	if flags&flagMissing != 0 {
		r.Missing = c.uvarint()
	}
	if flags&flagLast != 0 {
		r.Last = r.Changed - c.varint()
	}
	r.LastSaid = flags&flagLastSaid != 0
	r.Aged, r.Dropped = flags&flagAged != 0, flags&flagDropped != 0
	return c.ref(&r.Attrs, flags&flagInline != 0)
}

// Said is what one poll says of a key.
type Said struct {
	Remove      bool
	First, Last int64 // as given by the source, 0 if not
	Attrs       Ref
}

const (
	saidRemove = 1 << iota
	saidFirst
	saidLast
	saidInline
)

// Append appends the encoded statement.
func (s *Said) Append(dst []byte) []byte {
	if s.Remove {
		return append(dst, saidRemove|saidInline)
	}
	flags := byte(0)
	if s.First != 0 {
		flags |= saidFirst
	}
	if s.Last != 0 {
		flags |= saidLast
	}
	if s.Attrs.ID == 0 {
		flags |= saidInline
	}
	dst = append(dst, flags)
	if s.First != 0 {
		dst = binary.AppendVarint(dst, s.First)
	}
	if s.Last != 0 {
		dst = binary.AppendVarint(dst, s.Last)
	}
	if s.Attrs.ID == 0 {
		return append(dst, s.Attrs.Blob...)
	}
	return binary.AppendUvarint(dst, uint64(s.Attrs.ID))
}

// Decode reads an encoded statement into s; its attributes share data.
func (s *Said) Decode(data []byte) error {
	if len(data) == 0 {
		return ErrCorrupt
	}
	flags := data[0]
	c := cursor{data: data[1:]}
	s.Remove = flags&saidRemove != 0
	s.First, s.Last = 0, 0
	if flags&saidFirst != 0 {
		s.First = c.varint()
	}
	if flags&saidLast != 0 {
		s.Last = c.varint()
	}
	return c.ref(&s.Attrs, flags&saidInline != 0)
}

type cursor struct {
	data []byte
	bad  bool
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.data)
	return v + int64(c.skip(n))
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.data)
	return v + uint64(c.skip(n))
}

// skip moves on by n, which is not positive where there was no number; it
// returns 0 so that it can be part of an expression.
func (c *cursor) skip(n int) int {
	if n <= 0 {
		c.bad, n = true, len(c.data)
	}
	c.data = c.data[n:]
	return 0
}

func (c *cursor) ref(r *Ref, inline bool) error {
	*r = Ref{}
	if inline {
		r.Blob = c.data
	} else {
		id := c.uvarint()
		if id == 0 || id > maxDict || len(c.data) > 0 {
			c.bad = true
		}
		r.ID = uint32(id)
	}
	if c.bad {
		return ErrCorrupt
	}
	return nil
}

// Millis returns t in the unit of this package, 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time is the reverse of Millis.
func Time(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Split takes first and last seen out of a, which has them in fields of its own
// wherever the engine keeps it, and appends the rest to dst.
func Split(a *indicator.Attributes, dst []byte) (first, last int64, blob []byte) {
	rest := *a
	rest.FirstSeen, rest.LastSeen = time.Time{}, time.Time{}
	return Millis(a.FirstSeen), Millis(a.LastSeen), rest.AppendBinary(dst)
}
