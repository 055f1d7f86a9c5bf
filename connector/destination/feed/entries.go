package feed

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// entry is one indicator of a feed with what its format prepared of its
// attributes. Text and payload lie in the arena of its snapshot.
type entry struct {
	changed int64 // Unix milliseconds
	at      int
	text    uint32 // length
	payload uint32 // length
	kind    indicator.Kind
}

// snapshot is the entries of a table at one moment, in the order of the feed. The arena is in
// blocks, so that growing it copies nothing.
type snapshot struct {
	entries []entry
	blocks  [][]byte
}

const blockSize = 1 << 20

// payloadFunc appends what a format needs of an indicator besides its text.
type payloadFunc func(dst []byte, kind indicator.Kind, a *indicator.Attributes) []byte

// readSnapshot reads a table at one moment and puts it in order: by the time of the
// last emitted change, then by bytes.
func readSnapshot(ctx context.Context, t sdk.Table, payload payloadFunc) (*snapshot, error) {
	l := &snapshot{}
	var text, extra []byte
	err := t.Scan(ctx, func(r sdk.Row) error {
		var err error
		if text, err = appendText(text[:0], r.Key); err != nil {
			return err
		}
		extra = extra[:0]
		kind := indicator.KeyKind(r.Key)
		if payload != nil {
			extra = payload(extra, kind, r.Attrs)
		}
		l.add(text, extra, kind, r.Changed.UnixMilli())
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the feed's table: %w", err)
	}
	l.sort()
	return l, nil
}

func (l *snapshot) add(text, payload []byte, kind indicator.Kind, changed int64) {
	n := len(text) + len(payload)
	last := len(l.blocks) - 1
	if last < 0 || cap(l.blocks[last])-len(l.blocks[last]) < n {
		l.blocks = append(l.blocks, make([]byte, 0, max(n, blockSize)))
		last++
	}
	b := l.blocks[last]
	e := entry{
		changed: changed, at: last<<32 | len(b),
		text: uint32(len(text)), payload: uint32(len(payload)), kind: kind,
	}
	l.blocks[last] = append(append(b, text...), payload...)
	l.entries = append(l.entries, e)
}

func (l *snapshot) bytes(e *entry) (text, payload []byte) {
	b := l.blocks[e.at>>32][e.at&(1<<32-1):]
	return b[:e.text:e.text], b[e.text : e.text+e.payload]
}

// window is the part that s, n and d ask for.
func (l *snapshot) window(q *query) []entry {
	w := l.entries
	if q.desc {
		slices.Reverse(w)
	}
	w = w[min(q.start, len(w)):]
	return w[:min(q.num, len(w))]
}

// The layout of address keys (SEMANTICS E9): kind, 16 bytes, then the prefix
// length or rangeMark and 16 bytes more.
const (
	addrKey   = 1 + 16 + 1
	rangeKey  = addrKey + 16
	rangeMark = 0xFF
)

// appendText appends the indicator of a key as the feed prints it: IPv4 always as
// a range, first-last, as MineMeld's aggregator emits it; all else in canonical
// form.
func appendText(dst, key []byte) ([]byte, error) {
	switch {
	case indicator.KeyKind(key) == indicator.IPv4 && len(key) == addrKey && key[addrKey-1] >= 96 && key[addrKey-1] <= 128:
		from := binary.BigEndian.Uint32(key[13:17])
		to := from | uint32(1<<(128-key[17])-1)
		return append4(append(append4(dst, from), '-'), to), nil
	case indicator.KeyKind(key) == indicator.IPv4 && len(key) == rangeKey && key[addrKey-1] == rangeMark:
		from, to := binary.BigEndian.Uint32(key[13:17]), binary.BigEndian.Uint32(key[30:34])
		return append4(append(append4(dst, from), '-'), to), nil
	case indicator.KeyKind(key) == indicator.Domain && key[len(key)-1] == '.':
		return appendLabels(dst, key[1:]), nil
	}
	i, err := indicator.FromKey(key)
	if err != nil {
		return dst, fmt.Errorf("a row of the table has no valid key: %w", err)
	}
	return append(dst, i.Value...), nil
}

func append4(dst []byte, addr uint32) []byte {
	return netip.AddrFrom4([4]byte{byte(addr >> 24), byte(addr >> 16), byte(addr >> 8), byte(addr)}).AppendTo(dst)
}

// appendLabels turns com.example.www. into www.example.com.
func appendLabels(dst, reversed []byte) []byte {
	for end := len(reversed) - 1; end > 0; {
		begin := bytes.LastIndexByte(reversed[:end], '.') + 1
		dst = append(dst, reversed[begin:end]...)
		if end = begin - 1; end > 0 {
			dst = append(dst, '.')
		}
	}
	return dst
}
