// Package feedback tells sources which of their indicators stand at a destination. What
// was told is kept in the store and compared with the ledgers, so that a call that was
// made twice changes nothing and one that failed is made later. Use it for what a
// source's service shall know of delivery; it holds up neither polls nor delivery.
package feedback

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// space holds what was told, by source node and then by key.
const space = "feedback/"

// The paces of it.
const (
	every     = time.Minute
	batch     = 100
	firstWait = time.Minute
	maxWait   = 6 * time.Hour
	// barredFor is how long a missing right is taken for missing.
	barredFor = 24 * time.Hour
)

// kind is the code of the condition.
const kind = "feedback_failing"

// Deps is what a Feedback works with. All are required.
type Deps struct {
	Store      store.Store
	Clock      sdk.Clock
	Log        *slog.Logger
	Conditions *condition.Set
	// Markers are the sources that can be told, by node.
	Markers func() map[string]sdk.Marker
	// Delivered calls fn for every indicator of which an object stands at a destination,
	// once for each source that says so.
	Delivered func(ctx context.Context, fn func(source string, i indicator.Indicator)) error
	// Lookup returns what a source says of an indicator, nil for nothing.
	Lookup func(ctx context.Context, source string, i indicator.Indicator) (*indicator.Record, error)
}

// Feedback tells sources. Safe for concurrent use.
type Feedback struct {
	deps Deps

	mu    sync.Mutex // one pass at a time
	waits map[string]wait
}

// wait is how long a source that failed is left alone.
type wait struct {
	until time.Time
	last  time.Duration
}

// entry is what was told of one value.
type entry struct {
	Mark   string `json:"mark"`
	Told   []byte `json:"told,omitempty"`
	Barred string `json:"barred,omitempty"`
	// Open: the call that put the mark on failed in the middle; it is made again, and what
	// Told says can be taken off meanwhile.
	Open bool `json:"open,omitempty"`
	// Stuck: what is Barred is taking the mark off.
	Stuck bool      `json:"stuck,omitempty"`
	At    time.Time `json:"at"`
}

// New returns a Feedback; it makes no call.
func New(d Deps) *Feedback { return &Feedback{deps: d, waits: map[string]wait{}} }

// Run passes again and again until ctx ends.
func (f *Feedback) Run(ctx context.Context) error {
	for {
		if err := f.Pass(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			f.deps.Log.Error("sources could not be told what was delivered", "err", err)
		}
		if err := f.deps.Clock.Sleep(ctx, every); err != nil {
			return err
		}
	}
}

// Pass tells every source what it does not know yet. That a service fails is a
// condition and no error.
func (f *Feedback) Pass(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	markers := f.deps.Markers()
	maps.DeleteFunc(markers, func(name string, m sdk.Marker) bool { return m.Mark() == "" })
	if len(markers) == 0 {
		return nil
	}
	delivered := map[string]map[string]bool{}
	for name := range markers {
		delivered[name] = map[string]bool{}
	}
	err := f.deps.Delivered(ctx, func(source string, i indicator.Indicator) {
		if of := delivered[source]; of != nil {
			of[string(i.AppendKey(nil))] = true
		}
	})
	if err != nil {
		return fmt.Errorf("read what was delivered: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(markers)) {
		if err := f.tell(ctx, name, markers[name], delivered[name]); err != nil {
			return err
		}
	}
	return nil
}

// tell brings one source up to date.
func (f *Feedback) tell(ctx context.Context, name string, m sdk.Marker, delivered map[string]bool) error {
	now := f.deps.Clock.Now()
	if now.Before(f.waits[name].until) {
		return nil
	}
	known, err := f.known(ctx, name)
	if err != nil {
		return err
	}
	t := &telling{Feedback: f, node: name, marker: m, now: now}
	off, on := differ(known, delivered, m.Mark(), now)
	err = t.takeOff(ctx, off, known)
	if err == nil {
		err = t.putOn(ctx, on)
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return f.tellOf(ctx, t, err)
}

// tellOf raises or ends the condition of a source, and sets how long it is left alone.
func (f *Feedback) tellOf(ctx context.Context, t *telling, failed error) error {
	if failed != nil {
		w := wait{last: min(max(2*f.waits[t.node].last, firstWait), maxWait)}
		w.until = t.now.Add(w.last)
		f.waits[t.node] = w
		return f.deps.Conditions.Raise(ctx, condition.Condition{
			Node: t.node, Kind: kind, Message: "the source could not be told what was delivered: " + failed.Error(),
			Help: "it is tried again with growing waits; delivery does not depend on it",
		})
	}
	delete(f.waits, t.node)
	known, err := f.known(ctx, t.node)
	if err != nil {
		return err
	}
	barred, why := 0, ""
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if e := known[key]; e.Barred != "" {
			barred, why = barred+1, e.Barred
		}
	}
	if barred == 0 {
		return f.deps.Conditions.Clear(ctx, t.node, kind)
	}
	return f.deps.Conditions.Raise(ctx, condition.Condition{
		Node: t.node, Kind: kind, Message: fmt.Sprintf("of %d delivered indicators the source cannot be told: %s", barred, why),
		Help: "give the login the right, or take the feedback out of the node; it is tried again once a day",
	})
}

// known is what was told to a source.
func (f *Feedback) known(ctx context.Context, name string) (map[string]entry, error) {
	v, err := f.deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("read what %s was told: %w", name, err)
	}
	defer v.Close()
	out := map[string]entry{}
	err = v.Scan(ctx, space+name, store.Range{}, func(key, value []byte) error {
		var e entry
		if err := json.Unmarshal(value, &e); err != nil {
			return fmt.Errorf("read what %s was told: %w", name, err)
		}
		out[string(key)] = e
		return nil
	})
	return out, err
}

// differ says which marks are to be taken off and which put on, in the order of keys.
func differ(known map[string]entry, delivered map[string]bool, mark string, now time.Time) (off, on []string) {
	for key, e := range known {
		if e.Stuck && now.Sub(e.At) < barredFor {
			continue
		}
		if !delivered[key] || e.Mark != mark {
			off = append(off, key)
		}
	}
	for key := range delivered {
		e, told := known[key]
		if !told || e.Open || e.Stuck || e.Mark != mark || e.Barred != "" && now.Sub(e.At) >= barredFor {
			on = append(on, key)
		}
	}
	slices.Sort(off)
	slices.Sort(on)
	return off, on
}
