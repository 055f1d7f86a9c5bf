// Package journal records the calls that reached the sandbox and what they
// did. Use it to judge a client: which calls it made, with which items, and
// what changed at the tenant. Entries are kept in a bounded ring; the counters
// stay exact when entries fall out of it.
package journal

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Effects of a call on one item.
const (
	Created = "created"
	Updated = "updated"
	Deleted = "deleted"
	Refused = "refused" // the service answered and changed nothing
	Expired = "expired" // the clock passed the row's expiry
)

// Item is one indicator of a call.
type Item struct {
	ID     string `json:"id,omitempty"`
	Type   string `json:"type,omitempty"`
	Value  string `json:"value,omitempty"`
	Action string `json:"action,omitempty"`
	Effect string `json:"effect"`
	Reason string `json:"reason,omitempty"`
}

// Entry is one call. Status is 0 when the connection was reset before an answer.
type Entry struct {
	Seq    uint64    `json:"seq"`
	Time   time.Time `json:"time"` // sandbox clock
	Tenant string    `json:"tenant,omitempty"`
	App    string    `json:"app,omitempty"`
	Op     string    `json:"op"`
	Method string    `json:"method"`
	Host   string    `json:"host,omitempty"`
	Path   string    `json:"path"`
	Status int       `json:"status"`
	// Fault names the injected faults, "" if none.
	Fault string `json:"fault,omitempty"`
	Items []Item `json:"items,omitempty"`
}

// Effects counts the entry's items by effect.
func (e *Entry) Effects() map[string]int {
	out := map[string]int{}
	for i := range e.Items {
		out[e.Items[i].Effect]++
	}
	return out
}

// Query selects entries; zero fields match everything.
type Query struct {
	Op, Tenant, App string
	// After keeps entries with a greater sequence number.
	After uint64
	// Status keeps one status; 1..5 keep a class (4 = every 4xx).
	Status int
	// Effect keeps entries with at least one item of that effect.
	Effect string
	// Limit keeps the newest so many; 0 is all.
	Limit int
}

// Counter is the exact number of calls and item effects of one combination.
type Counter struct {
	Tenant  string           `json:"tenant,omitempty"`
	App     string           `json:"app,omitempty"`
	Op      string           `json:"op"`
	Status  int              `json:"status"`
	Calls   int64            `json:"calls"`
	Effects map[string]int64 `json:"effects,omitempty"`
}

// Journal is a bounded ring of entries. It is safe for concurrent use.
type Journal struct {
	maxEntries, maxItems int

	mu       sync.Mutex
	entries  []Entry
	items    int
	seq      uint64
	dropped  uint64
	counters map[string]*Counter
}

// New returns a journal that keeps at most so many entries and items.
func New(maxEntries, maxItems int) *Journal {
	return &Journal{maxEntries: maxEntries, maxItems: maxItems, counters: map[string]*Counter{}}
}

// Add records e and returns its sequence number.
func (j *Journal) Add(e Entry) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	e.Seq = j.seq
	j.count(&e)
	j.entries = append(j.entries, e)
	j.items += len(e.Items)
	j.trim()
	return e.Seq
}

func (j *Journal) count(e *Entry) {
	key := strings.Join([]string{e.Tenant, e.App, e.Op, strconv.Itoa(e.Status)}, "\x00")
	c := j.counters[key]
	if c == nil {
		c = &Counter{Tenant: e.Tenant, App: e.App, Op: e.Op, Status: e.Status, Effects: map[string]int64{}}
		j.counters[key] = c
	}
	c.Calls++
	for i := range e.Items {
		c.Effects[e.Items[i].Effect]++
	}
}

// trim drops the oldest entries beyond the bounds, always keeping the newest.
func (j *Journal) trim() {
	n := 0
	for n < len(j.entries)-1 && (len(j.entries)-n > j.maxEntries || j.items > j.maxItems) {
		j.items -= len(j.entries[n].Items)
		j.entries[n] = Entry{}
		n++
	}
	j.entries = j.entries[n:]
	j.dropped += uint64(n)
}

// Select returns the kept entries that match q, oldest first.
func (j *Journal) Select(q Query) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := []Entry{}
	for i := len(j.entries) - 1; i >= 0; i-- {
		if q.Limit > 0 && len(out) == q.Limit {
			break
		}
		if q.match(&j.entries[i]) {
			out = append(out, j.entries[i])
		}
	}
	slices.Reverse(out)
	return out
}

func (q *Query) match(e *Entry) bool {
	switch {
	case q.Op != "" && q.Op != e.Op, q.Tenant != "" && q.Tenant != e.Tenant, q.App != "" && q.App != e.App:
		return false
	case e.Seq <= q.After:
		return false
	case q.Status >= 1 && q.Status <= 5:
		if e.Status/100 != q.Status {
			return false
		}
	case q.Status != 0 && q.Status != e.Status:
		return false
	}
	return q.Effect == "" || slices.ContainsFunc(e.Items, func(it Item) bool { return it.Effect == q.Effect })
}

// Counters returns the exact totals since the start or the last Reset, in a
// fixed order.
func (j *Journal) Counters() []Counter {
	j.mu.Lock()
	defer j.mu.Unlock()
	keys := make([]string, 0, len(j.counters))
	for k := range j.counters {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([]Counter, 0, len(keys))
	for _, k := range keys {
		c := *j.counters[k]
		c.Effects = cloneCounts(c.Effects)
		out = append(out, c)
	}
	return out
}

func cloneCounts(m map[string]int64) map[string]int64 {
	out := make(map[string]int64, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// Dropped returns how many entries fell out of the ring, and Seq the last
// sequence number given.
func (j *Journal) Dropped() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped
}

// Seq returns the last sequence number given.
func (j *Journal) Seq() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seq
}

// Reset forgets entries and counters; sequence numbers go on.
func (j *Journal) Reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries, j.items, j.dropped = nil, 0, 0
	j.counters = map[string]*Counter{}
}
