package ledger

import (
	"encoding/binary"
	"time"

	"github.com/remeld/remeld/sdk"
)

// Verb is what a write does to one object.
type Verb string

// The verbs of items.
const (
	Create Verb = "create"
	Update Verb = "update"
	Renew  Verb = "renew"
	Delete Verb = "delete"
)

// Item is one object of a write.
type Item struct {
	Verb Verb
	// After is the row as it will be once the service accepted; for a delete the
	// row as it is. After.Base holds the base the write was decided on.
	After Row
	// Body is the object's mapped body, kept so that the object can be renewed or
	// restored without its record.
	Body []byte
}

// Intent is one call: stored before it is made, closed with its outcome. An
// intent that is stored and not closed is in doubt (SEMANTICS D11).
type Intent struct {
	ID    uint64 // per domain, ascending
	Apply string // the apply it belongs to
	Op    sdk.OpName
	// Rate is the window the attempts count in.
	Rate string
	// Attempts are the local times each attempt ended, or began while that is not
	// known; each took a token.
	Attempts []time.Time
	Closed   bool
	Call     []byte // the exact body; nil once closed
	Items    []Item // nil once closed
}

const intentVersion = 1

func (in *Intent) appendBinary(dst []byte) []byte {
	closed := byte(0)
	if in.Closed {
		closed = 1
	}
	dst = append(dst, intentVersion, closed)
	dst = appendString(dst, in.Apply)
	dst = appendString(dst, string(in.Op))
	dst = appendString(dst, in.Rate)
	dst = binary.AppendUvarint(dst, uint64(len(in.Attempts)))
	for _, t := range in.Attempts {
		dst = appendTime(dst, t)
	}
	dst = appendString(dst, string(in.Call))
	dst = binary.AppendUvarint(dst, uint64(len(in.Items)))
	for i := range in.Items {
		it := &in.Items[i]
		dst = appendString(dst, string(it.Verb))
		dst = appendString(dst, it.After.Identity)
		dst = appendString(dst, string(it.After.AppendBinary(nil)))
		dst = appendString(dst, string(it.Body))
	}
	return dst
}

func decodeIntent(id uint64, data []byte) (*Intent, error) {
	d := decoder{data: data}
	if d.byte() != intentVersion {
		return nil, errCorrupt
	}
	in := &Intent{ID: id, Closed: d.byte() == 1, Apply: d.string(), Op: sdk.OpName(d.string()), Rate: d.string()}
	for range d.count() {
		in.Attempts = append(in.Attempts, d.time())
	}
	in.Call = append([]byte(nil), d.bytes()...)
	for range d.count() {
		it := Item{Verb: Verb(d.string())}
		identity, row := d.string(), d.bytes()
		if d.failed {
			return nil, errCorrupt
		}
		r, err := DecodeRow(identity, row)
		if err != nil {
			return nil, err
		}
		it.After, it.Body = *r, append([]byte(nil), d.bytes()...)
		in.Items = append(in.Items, it)
	}
	if d.failed || len(d.data) > 0 {
		return nil, errCorrupt
	}
	return in, nil
}
