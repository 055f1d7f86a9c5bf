package ledger

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/remeld/remeld/indicator"
)

// Version 2 added TLP, Generation, Made and Modified at the end, version 3 Life. The
// ones before still read, without what they lack.
const (
	rowVersion       = 3
	rowVersionSecond = 2
	rowVersionFirst  = 1
	pastVersion      = 1
)

var errCorrupt = errors.New("ledger: row is cut off or of an unknown version")

// AppendBinary appends the compact form of the row. The identity is the key and
// is not part of it.
func (r *Row) AppendBinary(dst []byte) []byte {
	dst = append(dst, rowVersion, byte(r.State), byte(r.Score), byte(r.Indicator.Kind))
	for _, s := range [...]string{r.Indicator.Value, r.Slot, r.Action, r.RemoteID, r.Hash, r.BodyHash, r.Code, r.Reason, r.AdoptedFrom} {
		dst = appendString(dst, s)
	}
	dst = binary.AppendUvarint(dst, uint64(r.Attempts))
	dst = binary.AppendUvarint(dst, r.Base)
	for _, t := range [...]time.Time{r.Created, r.Sent, r.Expires, r.ValidUntil, r.FrozenSince, r.RetryAt} {
		dst = appendTime(dst, t)
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Contributors)))
	for _, c := range r.Contributors {
		dst = appendString(dst, c.Node)
		dst = appendString(append(dst, byte(c.Indicator.Kind)), c.Indicator.Value)
		dst = binary.AppendUvarint(dst, uint64(len(c.Sources)))
		for _, s := range c.Sources {
			dst = appendString(dst, s)
		}
	}
	dst = binary.AppendUvarint(append(dst, byte(r.TLP)), uint64(r.Generation))
	dst = appendTime(appendTime(dst, r.Made), r.Modified)
	return binary.AppendUvarint(dst, uint64(r.Life.Milliseconds()))
}

// DecodeRow reads what AppendBinary wrote under the key identity.
func DecodeRow(identity string, data []byte) (*Row, error) {
	d := decoder{data: data}
	version := d.byte()
	if version < rowVersionFirst || version > rowVersion {
		return nil, errCorrupt
	}
	r := &Row{Identity: identity, State: State(d.byte()), Score: indicator.Score(d.byte())}
	r.Indicator.Kind = indicator.Kind(d.byte())
	for _, s := range [...]*string{&r.Indicator.Value, &r.Slot, &r.Action, &r.RemoteID, &r.Hash, &r.BodyHash, &r.Code, &r.Reason, &r.AdoptedFrom} {
		*s = d.string()
	}
	r.Attempts = uint32(d.uvarint())
	r.Base = d.uvarint()
	for _, t := range [...]*time.Time{&r.Created, &r.Sent, &r.Expires, &r.ValidUntil, &r.FrozenSince, &r.RetryAt} {
		*t = d.time()
	}
	for range d.count() {
		c := Contributor{Node: d.string()}
		c.Indicator = indicator.Indicator{Kind: indicator.Kind(d.byte()), Value: d.string()}
		for range d.count() {
			c.Sources = append(c.Sources, d.string())
		}
		r.Contributors = append(r.Contributors, c)
	}
	if version >= rowVersionSecond {
		r.TLP, r.Generation = indicator.TLP(d.byte()), uint32(d.uvarint())
		r.Made, r.Modified = d.time(), d.time()
	}
	if version >= rowVersion {
		r.Life = d.life()
	}
	if d.failed || len(d.data) > 0 {
		return nil, errCorrupt
	}
	return r, nil
}

func (p *Past) appendBinary(dst []byte) []byte {
	withdrawn := byte(0)
	if p.Withdrawn {
		withdrawn = 1
	}
	dst = binary.AppendUvarint(append(dst, pastVersion, withdrawn), uint64(p.Generation))
	return appendTime(dst, p.Modified)
}

func decodePast(data []byte) (Past, error) {
	d := decoder{data: data}
	version := d.byte()
	p := Past{Withdrawn: d.byte() == 1, Generation: uint32(d.uvarint()), Modified: d.time()}
	if version != pastVersion || d.failed || len(d.data) > 0 {
		return Past{}, errCorrupt
	}
	return p, nil
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// appendTime stores milliseconds plus one, so that 0 is the zero time.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, 0)
	}
	ms := t.UnixMilli()
	if ms >= 0 {
		ms++
	}
	return binary.AppendVarint(dst, ms)
}

// decoder reads from the front of data and remembers a failure, after which every
// read yields zero values.
type decoder struct {
	data   []byte
	failed bool
}

func (d *decoder) byte() byte {
	if len(d.data) == 0 {
		d.failed = true
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *decoder) time() time.Time {
	ms, n := binary.Varint(d.data)
	if n <= 0 {
		d.fail()
		return time.Time{}
	}
	d.data = d.data[n:]
	if ms == 0 {
		return time.Time{}
	}
	if ms > 0 {
		ms--
	}
	return time.UnixMilli(ms).UTC()
}

// life reads a number of milliseconds; no more than a Duration holds was ever written.
func (d *decoder) life() time.Duration {
	ms := d.uvarint()
	if ms > uint64(math.MaxInt64/time.Millisecond) {
		d.fail()
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// count reads a number of elements, each of which takes at least one byte.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.data)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) bytes() []byte {
	n := d.count()
	if d.failed {
		return nil
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) fail() { d.failed, d.data = true, nil }
