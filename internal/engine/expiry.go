package engine

import (
	"encoding/binary"

	"github.com/remeld/remeld/internal/engine/row"
)

// The expiry index holds bookings: one byte for the clock they run on, the
// deadline in order-preserving form, the row's key. A booking says "look at the
// row then"; where the row moved on, looking books it anew. So a booking is
// never searched for and never has to be taken back.
const (
	byClock  = 'c'
	bySource = 's'
)

func booking(dst []byte, clock byte, deadline int64, key []byte) []byte {
	dst = append(dst, clock)
	dst = binary.BigEndian.AppendUint64(dst, uint64(deadline)^1<<63)
	return append(dst, key...)
}

// booked reads a booking.
func booked(b []byte) (clock byte, deadline int64, key []byte, ok bool) {
	if len(b) < 9 {
		return 0, 0, nil, false
	}
	return b[0], int64(binary.BigEndian.Uint64(b[1:9]) ^ 1<<63), b[9:], true
}

// bookings calls fn for each booking a row needs.
func (j *judge) bookings(key []byte, r *row.Row, buf []byte, fn func(booking []byte) error) error {
	clock, source := j.deadlines(r)
	if clock != 0 {
		if err := fn(booking(buf[:0], byClock, clock, key)); err != nil {
			return err
		}
	}
	if source != 0 {
		return fn(booking(buf[:0], bySource, source, key))
	}
	return nil
}

// ages tells whether rows of the node can age at all.
func (n *node) ages() bool {
	a := n.set.Age
	return a.FirstSeen > 0 || a.LastSeen > 0 || a.ValidUntil
}
