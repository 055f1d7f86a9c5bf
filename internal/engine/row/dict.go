package row

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/remeld/remeld/indicator"
)

const (
	// maxDict bounds a node's dictionary; further sets of attributes are written
	// in place.
	maxDict = 1 << 12
	// admitAt is how often a set of attributes must be met to be worth a number.
	admitAt = 4
	// maxCandidates bounds the memory of what was met before.
	maxCandidates = 1 << 15
	// maxEntry is the largest blob with a number.
	maxEntry = 1 << 12
)

// Dict is the dictionary of a node's attribute sets. Reading is free of locks.
// Safe for concurrent use.
type Dict struct {
	seen atomic.Pointer[entries]

	mu        sync.Mutex
	seed      maphash.Seed
	met       map[uint64]uint8
	persisted int
	held      bool
}

// entries is one immutable state; attrs[i] belongs to number i+1.
type entries struct {
	ids   map[string]uint32
	blobs []string
	attrs []*indicator.Attributes
}

// NewDict returns an empty dictionary.
func NewDict() *Dict {
	d := &Dict{seed: maphash.MakeSeed(), met: map[uint64]uint8{}}
	d.seen.Store(&entries{ids: map[string]uint32{}})
	return d
}

// Load adds a persisted entry; they come in the order of their keys.
func (d *Dict) Load(key, blob []byte) error {
	e := d.seen.Load()
	if len(key) != 4 || int(binary.BigEndian.Uint32(key)) != len(e.blobs)+1 {
		return fmt.Errorf("dictionary entry %x: %w", key, ErrCorrupt)
	}
	if err := d.add(string(blob)); err != nil {
		return err
	}
	d.persisted = len(e.blobs) + 1
	return nil
}

// Intern returns blob's Ref: its number if it has one or is met often enough to
// get one, else blob itself, which is not copied.
func (d *Dict) Intern(blob []byte) Ref {
	if len(blob) == 0 {
		return Ref{}
	}
	if id := d.seen.Load().ids[string(blob)]; id != 0 {
		return Ref{ID: id}
	}
	if len(blob) > maxEntry {
		return Ref{Blob: blob}
	}
	return d.admit(blob, admitAt)
}

// Number is Intern for what is known to repeat.
func (d *Dict) Number(blob []byte) Ref {
	if id := d.seen.Load().ids[string(blob)]; id != 0 || len(blob) == 0 {
		return Ref{ID: id}
	}
	return d.admit(blob, 1)
}

func (d *Dict) admit(blob []byte, at uint8) Ref {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.seen.Load()
	if id := e.ids[string(blob)]; id != 0 {
		return Ref{ID: id}
	}
	if d.held || len(e.blobs) >= maxDict {
		return Ref{Blob: blob}
	}
	h := maphash.Bytes(d.seed, blob)
	d.met[h]++
	if d.met[h] < at {
		if len(d.met) > maxCandidates {
			clear(d.met)
		}
		return Ref{Blob: blob}
	}
	delete(d.met, h)
	if err := d.add(string(blob)); err != nil {
		return Ref{Blob: blob}
	}
	return Ref{ID: uint32(len(e.blobs) + 1)}
}

// add publishes a new state with blob at its end.
func (d *Dict) add(blob string) error {
	a := new(indicator.Attributes)
	if err := a.UnmarshalBinary([]byte(blob)); err != nil {
		return fmt.Errorf("dictionary entry: %w", err)
	}
	old := d.seen.Load()
	next := &entries{
		ids:   make(map[string]uint32, len(old.ids)+1),
		blobs: append(old.blobs[:len(old.blobs):len(old.blobs)], blob),
		attrs: append(old.attrs[:len(old.attrs):len(old.attrs)], a),
	}
	for k, v := range old.ids {
		next.ids[k] = v
	}
	next.ids[blob] = uint32(len(next.blobs))
	d.seen.Store(next)
	return nil
}

// Pending calls fn for every entry that is not persisted yet and returns the mark
// to hand to Persisted once they are.
func (d *Dict) Pending(fn func(key, blob []byte)) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.seen.Load()
	for i := d.persisted; i < len(e.blobs); i++ {
		fn(binary.BigEndian.AppendUint32(nil, uint32(i+1)), []byte(e.blobs[i]))
	}
	return len(e.blobs)
}

// Hold keeps new entries out until the returned function is called: between Pending
// and the end of a write whose rows are made while it goes on, a new number would be
// in the rows and not in the store.
func (d *Dict) Hold() (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = true
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.held = false
	}
}

// Persisted says that the entries up to mark are in the store.
func (d *Dict) Persisted(mark int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.persisted = max(d.persisted, mark)
}

// Blob returns the encoded attributes of r.
func (d *Dict) Blob(r Ref) (string, error) {
	if r.ID == 0 {
		return string(r.Blob), nil
	}
	e := d.seen.Load()
	if int(r.ID) > len(e.blobs) {
		return "", fmt.Errorf("attributes number %d: %w", r.ID, ErrCorrupt)
	}
	return e.blobs[r.ID-1], nil
}

// Same tells whether a and b say the same.
func (d *Dict) Same(a, b Ref) bool {
	if a.ID != 0 && b.ID != 0 {
		return a.ID == b.ID
	}
	if a.ID == 0 && b.ID == 0 {
		return string(a.Blob) == string(b.Blob)
	}
	if a.ID == 0 {
		a, b = b, a
	}
	e := d.seen.Load()
	return int(a.ID) <= len(e.blobs) && e.blobs[a.ID-1] == string(b.Blob)
}

// Attrs fills a with the attributes of r and the two times. Its sets and maps may
// be shared with other rows: they must not be changed.
func (d *Dict) Attrs(a *indicator.Attributes, r Ref, first, last int64) error {
	switch e := d.seen.Load(); {
	case r.ID == 0:
		if err := a.UnmarshalBinary(r.Blob); err != nil {
			return err
		}
	case int(r.ID) > len(e.attrs):
		return fmt.Errorf("attributes number %d: %w", r.ID, ErrCorrupt)
	default:
		*a = *e.attrs[r.ID-1]
	}
	a.FirstSeen, a.LastSeen = Time(first), Time(last)
	return nil
}
