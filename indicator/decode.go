package indicator

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
)

// UnmarshalBinary reads what AppendBinary wrote into a, replacing all of it. The
// strings share one copy of data. Other bytes give an error that wraps ErrCodec.
func (a *Attributes) UnmarshalBinary(data []byte) error {
	*a = Attributes{}
	if len(data) == 0 {
		return nil
	}
	if data[0] != codecVersion {
		return fmt.Errorf("attributes of version %d: %w", data[0], ErrCodec)
	}
	r := reader{rest: string(data[1:])}
	bits := r.uvarint()
	if bits >= 1<<fieldCount || bits == 0 {
		return fmt.Errorf("attributes with unknown fields: %w", ErrCodec)
	}
	for f := range fieldCount {
		if bits&(1<<f) != 0 {
			a.readField(&r, f)
		}
	}
	if r.bad || r.rest != "" {
		*a = Attributes{}
		return fmt.Errorf("attributes cut short or too long: %w", ErrCodec)
	}
	return nil
}

func (a *Attributes) readField(r *reader, f int) {
	switch f {
	case fieldConfidence:
		a.Confidence = Score(r.byte())
	case fieldSeverity:
		a.Severity = Score(r.byte())
	case fieldTLP:
		a.TLP = TLP(r.byte())
		r.require(a.TLP <= Red)
	case fieldPort:
		a.Port = uint16(r.upTo(math.MaxUint16))
	case fieldFalsePositives:
		a.FalsePositives = uint32(r.upTo(math.MaxUint32))
	case fieldExtra:
		a.Extra = r.extra()
	case fieldBacking:
		a.Backing = r.backing()
	default:
		a.readTyped(r, f)
	}
}

func (a *Attributes) readTyped(r *reader, f int) {
	if s := a.textField(f); s != nil {
		*s = r.text()
		return
	}
	if set := a.setField(f); set != nil {
		*set = r.list()
		return
	}
	*a.timeField(f) = r.time()
}

// reader takes values off the front of rest; the first that does not fit sets bad
// and every later one is zero.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) require(ok bool) {
	if !ok {
		r.bad, r.rest = true, ""
	}
}

func (r *reader) byte() byte {
	if r.rest == "" {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// uvarint reads the shortest form only, so that equal values are equal bytes.
func (r *reader) uvarint() uint64 {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		b := r.byte()
		if r.bad || shift == 63 && b > 1 || shift > 0 && b == 0 {
			break
		}
		v |= uint64(b&0x7F) << shift
		if b < 0x80 {
			return v
		}
	}
	r.require(false)
	return 0
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) upTo(limit uint64) uint64 {
	v := r.uvarint()
	r.require(v <= limit)
	return v
}

// count reads the number of things that take a byte or more each.
func (r *reader) count() int {
	n := r.uvarint()
	r.require(n <= uint64(len(r.rest)))
	if r.bad {
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.count()
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) list() []string {
	n := r.count()
	out := make([]string, 0, n)
	for range n {
		out = append(out, r.text())
	}
	return out
}

// The times that RFC 3339 can write, in Unix milliseconds.
var (
	minTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC).UnixMilli()
)

func (r *reader) time() time.Time {
	ms := r.varint()
	r.require(ms >= minTime && ms <= maxTime)
	return time.UnixMilli(ms).UTC()
}

func (r *reader) extra() map[string]any {
	n := r.count()
	out := make(map[string]any, n)
	for range n {
		name := r.text()
		_, twice := out[name]
		r.require(!twice)
		out[name] = r.extraValue()
	}
	return out
}

func (r *reader) extraValue() any {
	switch r.byte() {
	case extraText:
		return r.text()
	case extraTrue:
		return true
	case extraFalse:
		return false
	case extraInt:
		return r.varint()
	case extraFloat:
		return r.float()
	case extraList:
		return r.list()
	}
	r.require(false)
	return nil
}

func (r *reader) float() float64 {
	r.require(len(r.rest) >= 8)
	if r.bad {
		return 0
	}
	f := math.Float64frombits(binary.BigEndian.Uint64([]byte(r.rest[:8])))
	r.rest = r.rest[8:]
	r.require(!math.IsNaN(f) && !math.IsInf(f, 0))
	return f
}

func (r *reader) backing() map[string]Score {
	n := r.count()
	out := make(map[string]Score, n)
	for range n {
		name := strings.Clone(r.text())
		out[name] = Score(r.byte())
	}
	return out
}
