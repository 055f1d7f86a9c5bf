package engine

import (
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/sdk"
)

// act is what a poll does to a row.
type act uint8

const (
	leave  act = iota
	write      // the row is written
	remove     // the row is deleted
)

// judgement is the outcome for one key.
type judgement struct {
	act act
	// emit: readers are told.
	emit bool
	// book: the row's expiry has to be booked anew.
	book bool
	row  row.Row
}

// judge compares what a poll says of keys with the source's rows. It is a pure
// function of the two and of the poll's circumstances (SEMANTICS E3 to E6).
type judge struct {
	node   *node
	now    int64
	number uint64 // of this poll if it is accepted
	// accepted: the poll was read to its end and is not frozen.
	accepted     bool
	membership   bool  // what is not listed is missing
	moved        bool  // what is not listed belongs to what was read before
	mentions     bool  // events: last seen is that of the mention
	lastComplete int64 // of the last accepted poll before
	rec          indicator.Record
	err          error
}

func (n *node) judge(now time.Time, st *state) *judge {
	return &judge{
		node: n, now: now.UnixMilli(), number: st.Poll.Accepted + 1,
		lastComplete: st.Poll.LastComplete, mentions: n.info.Shape == sdk.Events,
	}
}

// of judges one key: old is nil where there is no row, said where the poll does
// not name the key.
func (j *judge) of(key []byte, old *row.Row, said *row.Said) judgement {
	switch {
	case said == nil && old != nil:
		return j.unlisted(old)
	case said.Remove:
		if old == nil || !j.accepted {
			return judgement{} // an explicit removal in an incomplete read waits
		}
		return judgement{act: remove, emit: old.Emitted(), row: *old}
	case old == nil:
		return j.fresh(key, said)
	}
	return j.known(key, old, said)
}

// unlisted judges a row the poll does not list.
func (j *judge) unlisted(old *row.Row) judgement {
	if !j.accepted || !j.membership {
		return judgement{}
	}
	if old.Aged || j.moved {
		return judgement{act: remove, emit: old.Emitted(), row: *old}
	}
	since := old.Missing
	if since == 0 {
		since = j.number
	}
	if j.number-since+1 >= uint64(j.node.set.WithdrawAfter) {
		return judgement{act: remove, emit: old.Emitted(), row: *old}
	}
	if old.Missing != 0 {
		return judgement{}
	}
	r := *old
	r.Missing = since
	if r.Last == 0 {
		r.Last = j.lastComplete
	}
	return judgement{act: write, book: true, row: r}
}

// fresh judges a key without a row.
func (j *judge) fresh(key []byte, said *row.Said) judgement {
	r := row.Row{Changed: j.now, First: j.now, Attrs: said.Attrs}
	if said.First != 0 {
		r.First, r.FirstSaid = said.First, true
	}
	j.mentioned(&r, said)
	r.Aged = j.overdue(&r)
	r.Dropped = j.dropped(key, &r)
	return judgement{act: write, emit: r.Emitted(), book: !r.Aged, row: r}
}

// mentioned sets the last seen a statement gives.
func (j *judge) mentioned(r *row.Row, said *row.Said) {
	switch {
	case said.Last != 0:
		r.Last, r.LastSaid = said.Last, true
	case j.mentions:
		r.Last, r.LastSaid = j.now, false
	default:
		r.Last, r.LastSaid = 0, false
	}
}

// known judges a row that is named again.
func (j *judge) known(key []byte, old *row.Row, said *row.Said) judgement {
	r := *old
	r.Missing = 0
	if said.First != 0 {
		r.First, r.FirstSaid = said.First, true
	} else if old.FirstSaid {
		r.FirstSaid = false
	}
	if j.accepted || old.Missing != 0 {
		j.mentioned(&r, said)
	}
	same := j.node.dict.Same(old.Attrs, said.Attrs)
	if same && r.First == old.First {
		if r.Missing == old.Missing && r.Last == old.Last && r.FirstSaid == old.FirstSaid && r.LastSaid == old.LastSaid {
			return judgement{}
		}
		return judgement{act: write, book: r.Last != old.Last, row: r}
	}
	r.Attrs = said.Attrs
	if r.Aged && !j.overdue(&r) {
		r.Aged = false // the source gave it a longer life
	}
	r.Dropped = j.dropped(key, &r)
	if !j.accepted && old.Emitted() && !r.Emitted() {
		return j.waits(old, said) // what would take the row away waits for a complete poll
	}
	emit := r.Emitted() || old.Emitted()
	if emit {
		r.Changed = j.now
	}
	return judgement{act: write, emit: emit, book: true, row: r}
}

// waits leaves a row's content as it is; that it is listed again still counts.
func (j *judge) waits(old *row.Row, said *row.Said) judgement {
	if old.Missing == 0 {
		return judgement{}
	}
	r := *old
	r.Missing = 0
	j.mentioned(&r, said)
	return judgement{act: write, book: true, row: r}
}

// dropped evaluates the node's conditions.
func (j *judge) dropped(key []byte, r *row.Row) bool {
	if len(j.node.spec.Keep) == 0 {
		return false
	}
	if err := j.node.record(&j.rec, key, r); err != nil {
		j.fail(err)
		return true
	}
	_, drop := j.node.enrich.drops(&j.rec)
	return drop
}

func (j *judge) fail(err error) {
	if j.err == nil {
		j.err = err
	}
}

// overdue tells whether a row has reached an age at which it leaves.
func (j *judge) overdue(r *row.Row) bool {
	source := j.lastComplete
	if j.accepted {
		source = j.now
	}
	clock, bySource := j.deadlines(r)
	return clock != 0 && clock <= j.now || bySource != 0 && bySource <= source
}

// deadlines returns when a row leaves on the clock, and when by the source's own
// time (SEMANTICS E6); 0 means not.
func (j *judge) deadlines(r *row.Row) (clock, source int64) {
	age := &j.node.set.Age
	if age.FirstSeen > 0 {
		clock = r.First + age.FirstSeen.Milliseconds()
	}
	if age.ValidUntil {
		var a indicator.Attributes
		if err := j.node.dict.Attrs(&a, r.Attrs, 0, 0); err != nil {
			j.fail(err)
		} else if t := row.Millis(a.ValidUntil); t != 0 && (clock == 0 || t < clock) {
			clock = t
		}
	}
	if age.LastSeen > 0 && r.Last != 0 {
		source = r.Last + age.LastSeen.Milliseconds()
	}
	return clock, source
}
