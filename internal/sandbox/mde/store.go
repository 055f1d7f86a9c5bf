package mde

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/switches"
)

// table is the indicators of one tenant. It is not safe for concurrent use.
//
// Writes go to live; reads see seen, which follows live after the read lag.
type table struct {
	live  map[string]*row // by id
	keys  map[string]string
	seen  map[string]*row
	order []*row // of seen by id; nil when it must be rebuilt
	queue []change
	next  uint64
	soon  time.Time // no live row expires before this; zero = unknown
	// gone are rows the clock expired, for the journal of the next call.
	gone []journal.Item
	// policy the keys were made under.
	policy string
}

// change is a write on its way to being visible.
type change struct {
	at  time.Time
	id  string
	row *row // nil: deleted
}

func newTable() *table {
	return &table{live: map[string]*row{}, keys: map[string]string{}, seen: map[string]*row{}, next: 1}
}

// put stores a row under its id.
func (t *table) put(i Indicator, sw *switches.Set, visible time.Time) (*row, error) {
	r, err := newRow(i)
	if err != nil {
		return nil, err
	}
	t.rekey(sw)
	if old := t.live[i.ID]; old != nil {
		delete(t.keys, old.key(sw))
	}
	t.live[i.ID] = r
	t.keys[r.key(sw)] = i.ID
	if e := r.Expires(); !e.IsZero() && (t.soon.IsZero() || e.Before(t.soon)) {
		t.soon = e
	}
	t.queue = append(t.queue, change{visible, i.ID, r})
	return r, nil
}

// newID gives the next id.
func (t *table) newID() string {
	id := strconv.FormatUint(t.next, 10)
	t.next++
	return id
}

// find returns the live row with the identity.
func (t *table) find(i *Indicator, sw *switches.Set) *row {
	t.rekey(sw)
	return t.live[t.keys[i.key(sw)]]
}

// rekey rebuilds the identities when the policy was switched; of rows that
// became equal the newest counts.
func (t *table) rekey(sw *switches.Set) {
	if t.policy == sw.DuplicatePolicy {
		return
	}
	t.policy = sw.DuplicatePolicy
	t.keys = map[string]string{}
	for _, r := range sorted(t.live) {
		t.keys[r.key(sw)] = r.ID
	}
}

func (t *table) remove(r *row, sw *switches.Set, visible time.Time) {
	t.rekey(sw)
	t.drop(r, sw)
	t.queue = append(t.queue, change{visible, r.ID, nil})
}

func (t *table) drop(r *row, sw *switches.Set) {
	delete(t.live, r.ID)
	if k := r.key(sw); t.keys[k] == r.ID {
		delete(t.keys, k)
	}
}

// settle removes what the clock has expired and makes visible what is due.
func (t *table) settle(now time.Time, sw *switches.Set) {
	if !t.soon.IsZero() && !now.Before(t.soon) {
		t.rekey(sw)
		t.expire(now, sw)
	}
	var later []change
	for _, c := range t.queue {
		switch {
		case c.at.After(now):
			later = append(later, c)
		case c.row == nil || c.row.expired(now):
			delete(t.seen, c.id)
			t.order = nil
		default:
			t.seen[c.id] = c.row
			t.order = nil
		}
	}
	t.queue = later
}

func (t *table) expire(now time.Time, sw *switches.Set) {
	var gone []*row
	t.soon = time.Time{}
	for _, r := range t.live {
		e := r.Expires()
		switch {
		case r.expired(now):
			gone = append(gone, r)
		case !e.IsZero() && (t.soon.IsZero() || e.Before(t.soon)):
			t.soon = e
		}
	}
	slices.SortFunc(gone, byID)
	for _, r := range gone {
		t.drop(r, sw)
		t.gone = append(t.gone, item(&r.Indicator, journal.Expired, ""))
	}
	for id, r := range t.seen {
		if r.expired(now) {
			delete(t.seen, id)
			t.order = nil
		}
	}
}

// visible returns the rows that reads see, by id.
func (t *table) visible() []*row {
	if t.order == nil {
		t.order = sorted(t.seen)
	}
	return t.order
}

func byID(a, b *row) int { return cmp.Compare(a.num, b.num) }

func sorted(m map[string]*row) []*row {
	out := make([]*row, 0, len(m))
	for _, r := range m {
		out = append(out, r)
	}
	slices.SortFunc(out, byID)
	return out
}

// full is the service's words for a tenant without a free slot.
func (t *table) full(sw *switches.Set) *apiError {
	n, limit := len(t.live), sw.Capacity
	if n < limit {
		return nil
	}
	return refuse(400, "BadRequest", "%s", fmt.Sprintf("Max capacity exceeded. Current Total: %d, Limit: %d (Parameter 'Capacity: %d/%d')", n, limit, n, limit))
}

func item(i *Indicator, effect, reason string) journal.Item {
	return journal.Item{ID: i.ID, Type: i.Type, Value: i.Value, Action: i.Action, Effect: effect, Reason: reason}
}
