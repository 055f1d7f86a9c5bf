package graph

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/journal"
)

// table is the indicators of one tenant. It is not safe for concurrent use.
//
// Writes go to live; reads see seen, which follows live after the read lag.
type table struct {
	tenant   string
	live     map[string]*row      // by id
	external map[[2]string][]*row // of live, by app and externalId
	defended map[string]*row      // of live, those for Defender by identity
	seen     map[string]*row      // by id
	order    []*row               // of seen, by num; nil when it must be rebuilt
	queue    []change
	rows     uint64    // given so far
	numbers  uint64    // ids given at Defender so far
	soon     time.Time // no live row expires before this; zero = unknown
	// gone are rows the clock expired, for the journal of the next call.
	gone []journal.Item
}

// change is a write on its way to being visible.
type change struct {
	at  time.Time
	id  string
	row *row // nil: deleted
}

func newTable(tenant string) *table {
	return &table{
		tenant: tenant, live: map[string]*row{}, external: map[[2]string][]*row{}, defended: map[string]*row{}, seen: map[string]*row{},
	}
}

// newID gives an id in the product's form: Defender counts, Sentinel has GUIDs
// in the pages and 64 hexadecimal digits on the wire since 2022.
func (t *table) newID(product string, observed bool) string {
	if product == defender {
		t.numbers++
		return strconv.FormatUint(t.numbers, 10)
	}
	if observed {
		return strings.ToUpper(strings.ReplaceAll(uuid.NewString()+uuid.NewString(), "-", ""))
	}
	return uuid.NewString()
}

// identity is what makes a second indicator for Defender the same one.
func (v values) identity() string {
	name := v.observable(defender)
	return name + "\x00" + strings.ToLower(v.text(name)) + "\x00" + v.text("action")
}

// put stores a row in the place of the one with its id.
func (t *table) put(r *row, visible time.Time) {
	if old := t.live[r.id]; old != nil {
		t.drop(old)
	}
	if r.num == 0 {
		t.rows++
		r.num = t.rows
	}
	t.live[r.id] = r
	if id := r.externalID(); id != "" {
		k := [2]string{r.app, id}
		t.external[k] = append(t.external[k], r)
	}
	if r.product() == defender {
		t.defended[r.values.identity()] = r
	}
	if e := r.expires(); !e.IsZero() && (t.soon.IsZero() || e.Before(t.soon)) {
		t.soon = e
	}
	t.queue = append(t.queue, change{visible, r.id, r})
}

func (t *table) remove(r *row, visible time.Time) {
	t.drop(r)
	t.queue = append(t.queue, change{visible, r.id, nil})
}

func (t *table) drop(r *row) {
	delete(t.live, r.id)
	if id := r.externalID(); id != "" {
		k := [2]string{r.app, id}
		rest := slices.DeleteFunc(slices.Clone(t.external[k]), func(o *row) bool { return o.id == r.id })
		if t.external[k] = rest; len(rest) == 0 {
			delete(t.external, k)
		}
	}
	if k := r.values.identity(); r.product() == defender && t.defended[k] != nil && t.defended[k].id == r.id {
		delete(t.defended, k)
	}
}

// settle removes what the clock has expired and makes visible what is due.
func (t *table) settle(now time.Time) {
	if !t.soon.IsZero() && !now.Before(t.soon) {
		t.expire(now)
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

func (t *table) expire(now time.Time) {
	t.soon = time.Time{}
	for _, r := range sorted(t.live) {
		e := r.expires()
		switch {
		case r.expired(now):
			t.drop(r)
			t.gone = append(t.gone, r.values.about(r.id, journal.Expired, ""))
		case !e.IsZero() && (t.soon.IsZero() || e.Before(t.soon)):
			t.soon = e
		}
	}
	for id, r := range t.seen {
		if r.expired(now) {
			delete(t.seen, id)
			t.order = nil
		}
	}
}

// visible returns the rows that reads see, oldest first.
func (t *table) visible() []*row {
	if t.order == nil {
		t.order = sorted(t.seen)
	}
	return t.order
}

func sorted(m map[string]*row) []*row {
	out := make([]*row, 0, len(m))
	for _, r := range m {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *row) int { return cmp.Compare(a.num, b.num) })
	return out
}
