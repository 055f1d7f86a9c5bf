// Package guard stops mass changes before they are sent: it counts deletions,
// replacements and creations of a destination over a rolling day against the
// number of live rows at its start, for the destination as a whole and for each
// source that causes withdrawals (SEMANTICS D6).
//
// A Window is the durable memory of one destination domain; Judge says which
// classes of a plan must wait, Allow lets a person's word pass some of them.
package guard

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Class is a kind of change that is counted.
type Class string

// The classes. Replacements count with deletions at the destination. Protective
// withdrawals are counted apart and have a limit of their own (SEMANTICS D4).
// Lifted creations are what a shrunken allow or protection list uncovers; each of
// them needs approval (SEMANTICS E10).
const (
	Delete     Class = "delete"
	Create     Class = "create"
	Protective Class = "protective"
	Source     Class = "source"
	Lifted     Class = "lifted"
	// Unlisted creations are the first ones at a tenant that cannot be listed, with an
	// empty ledger: they need a person's word whatever their number.
	Unlisted Class = "unlisted"
	// Swap is an incumbent that fell to a challenger; it is a deletion as well, and
	// is counted here for the budget of swaps a day, not judged.
	Swap Class = "swap"
)

// Limit is exceeded by more than Share of the live rows and more than Count.
type Limit struct {
	Share float64
	Count int
}

// Limits are the limits of one destination.
type Limits struct {
	Delete, Create, Protective, Source Limit
}

// Stricter takes the smaller of each bound: nodes that share a tenant share its
// guards, and the most careful of them counts.
func (l Limits) Stricter(o Limits) Limits {
	least := func(a, b Limit) Limit { return Limit{Share: min(a.Share, b.Share), Count: min(a.Count, b.Count)} }
	return Limits{
		Delete: least(l.Delete, o.Delete), Create: least(l.Create, o.Create),
		Protective: least(l.Protective, o.Protective), Source: least(l.Source, o.Source),
	}
}

// Defaults are the limits where the configuration says nothing.
func Defaults() Limits {
	return Limits{
		Delete:     Limit{0.10, 100},
		Create:     Limit{0.50, 1000},
		Protective: Limit{0.30, 300},
		Source:     Limit{0.20, 50},
	}
}

func (l Limits) of(c Class) Limit {
	switch c {
	case Delete:
		return l.Delete
	case Create:
		return l.Create
	case Protective:
		return l.Protective
	case Source:
		return l.Source
	}
	return Limit{}
}

// span is what a window looks back; step is the width of its buckets.
const (
	span = 24 * time.Hour
	step = time.Hour
)

// Key names a count: a class, and the causing source for class Source and the
// list for class Lifted.
type Key struct {
	Class Class
	Of    string
}

func (k Key) String() string {
	if k.Of == "" {
		return string(k.Class)
	}
	return string(k.Class) + "/" + k.Of
}

// MarshalText makes a Key usable as a JSON object's name.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Key) UnmarshalText(text []byte) error {
	for i, c := range text {
		if c == '/' {
			k.Class, k.Of = Class(text[:i]), string(text[i+1:])
			return nil
		}
	}
	k.Class = Class(text)
	return nil
}

// Counts are numbers of changes by key.
type Counts map[Key]int

// Live is how many rows were live at a moment, by source; "" is all of them.
type Live map[string]int

type bucket struct {
	Start time.Time `json:"start"`
	Live  Live      `json:"live"`
	Done  Counts    `json:"done"`
}

// Allowance lets changes of a key pass until it is used up or over.
type Allowance struct {
	Key Key `json:"key"`
	// ID names what was approved, so that the same word given twice counts once, and can
	// be taken back; "" is a word that stands beside every other.
	ID     string    `json:"id,omitempty"`
	Left   int       `json:"left"`
	Until  time.Time `json:"until"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

// Window is the rolling count of one destination domain. Not safe for concurrent
// use. It marshals to JSON.
type Window struct {
	Buckets []bucket    `json:"buckets,omitempty"`
	Allowed []Allowance `json:"allowed,omitempty"`
}

// Stop says that the changes of a key must wait.
type Stop struct {
	Key     Key
	Planned int // changes the plan wants
	Counted int // done in the last day without approval
	Base    int // live rows at its start
	Limit   Limit
}

func (s Stop) String() string {
	if s.Key.Class == Lifted {
		return fmt.Sprintf("%d creations appeared because list %s shrank; each needs approval", s.Planned, s.Key.Of)
	}
	return fmt.Sprintf("%d planned and %d done in 24 h, of %d live: more than %.0f %% and more than %d",
		s.Planned, s.Counted, s.Base, s.Limit.Share*100, s.Limit.Count)
}

// Judge returns the stops of a plan that wants these changes, in order of key.
func (w *Window) Judge(now time.Time, limits Limits, planned Counts, live Live) []Stop {
	w.trim(now)
	var stops []Stop
	for key, n := range planned {
		n -= w.allowed(now, key)
		if n <= 0 {
			continue
		}
		s := Stop{Key: key, Planned: planned[key], Counted: w.counted(key), Base: w.base(key, live), Limit: limits.of(key.Class)}
		sum := n + s.Counted
		if sum > s.Limit.Count && float64(sum) > s.Limit.Share*float64(s.Base) {
			stops = append(stops, s)
		}
	}
	slices.SortFunc(stops, func(a, b Stop) int {
		if a.Key.String() < b.Key.String() {
			return -1
		}
		return 1
	})
	return stops
}

// Done counts changes that were made. Those that an allowance covers use it up
// and move the base instead of the count. live is read where Opens reports true.
func (w *Window) Done(now time.Time, done Counts, live Live) {
	if w.Opens(now) {
		w.Buckets = append(w.Buckets, bucket{Start: now.Truncate(step), Live: maps.Clone(live), Done: Counts{}})
	}
	last := &w.Buckets[len(w.Buckets)-1]
	for key, n := range done {
		covered := w.use(now, key, n)
		last.Done[key] += n - covered
		if covered > 0 && (key.Class == Create || key.Class == Lifted) {
			w.Buckets[0].Live[""] += covered
		}
	}
}

// Opens reports whether Done at this time begins a new part of the window, for which
// it needs the live rows.
func (w *Window) Opens(now time.Time) bool {
	w.trim(now)
	n := len(w.Buckets)
	return n == 0 || w.Buckets[n-1].Start.Before(now.Truncate(step))
}

// Swaps is the number of incumbents that fell in the last day.
func (w *Window) Swaps(now time.Time) int {
	w.trim(now)
	return w.counted(Key{Class: Swap})
}

// Allow records a person's word.
func (w *Window) Allow(a Allowance) { w.Allowed = append(w.Allowed, a) }

// Forbid takes back what is left of a word, and tells whether anything was.
func (w *Window) Forbid(id string) bool {
	before := len(w.Allowed)
	w.Allowed = slices.DeleteFunc(w.Allowed, func(a Allowance) bool { return a.ID == id })
	return len(w.Allowed) < before
}

func (w *Window) trim(now time.Time) {
	// A bucket of a time to come is from before the clock was set back; counting on in
	// it would never end.
	w.Buckets = slices.DeleteFunc(w.Buckets, func(b bucket) bool { return now.Sub(b.Start) >= span || b.Start.After(now.Add(step)) })
	w.Allowed = slices.DeleteFunc(w.Allowed, func(a Allowance) bool { return a.Left <= 0 || !now.Before(a.Until) })
}

func (w *Window) counted(key Key) int {
	n := 0
	for _, b := range w.Buckets {
		n += b.Done[key]
	}
	return n
}

func (w *Window) base(key Key, live Live) int {
	of := ""
	if key.Class == Source {
		of = key.Of
	}
	if len(w.Buckets) > 0 {
		return w.Buckets[0].Live[of]
	}
	return live[of]
}

func (w *Window) allowed(now time.Time, key Key) int {
	n := 0
	for _, a := range w.Allowed {
		if a.Key == key && now.Before(a.Until) {
			n += a.Left
		}
	}
	return n
}

func (w *Window) use(now time.Time, key Key, n int) (covered int) {
	for i := range w.Allowed {
		a := &w.Allowed[i]
		if a.Key != key || !now.Before(a.Until) {
			continue
		}
		take := min(a.Left, n-covered)
		a.Left -= take
		covered += take
	}
	return covered
}
