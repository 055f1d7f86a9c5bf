// Package pace keeps the published rate limits of a service: a sliding window for
// each API path, tenant and application, over a minute and over an hour, shared by
// everything that calls it, plus what the service says with Retry-After.
//
// Ask Wait for a token before every call, and End it when the call was answered or
// given up: when it reached the service is not known, but it was between the two. So a
// call holds its place for the length of the window from its end, and no latency,
// however it varies, brings two calls closer together at the service than they may be.
// The windows are rebuilt after a restart by Record from the calls that were stored
// (SEMANTICS D12).
package pace

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/remeld/remeld/sdk"
)

// margin widens the windows, for a service that does not count to the moment.
const margin = 200 * time.Millisecond

// drift is the part of a window by which the service's clock may be slower than ours.
const drift = 1000

// hold is how long a call keeps its place in a window of span after it ended.
func hold(span time.Duration) time.Duration { return span + span/drift + margin }

// unseen is how long a stored call is taken to have gone on after the time that was
// stored, which may be that of its beginning.
const unseen = time.Second

// longest is the longest a service can hold calls back.
const longest = 24 * time.Hour

// Log is the rate log. Safe for concurrent use.
type Log struct {
	clock sdk.Clock
	mu    sync.Mutex
	keys  map[string]*window
}

type window struct {
	under int         // calls under way
	ended []time.Time // of the calls, ascending, at most an hour old
	until time.Time   // the service said not to come before
}

// Call is a call that was let through.
type Call struct {
	At   time.Time // it was counted
	log  *Log
	key  string
	once sync.Once
}

// End says that the call was answered or given up, whichever goroutine knows. Only the
// first time counts.
func (c *Call) End() {
	c.once.Do(func() {
		c.log.mu.Lock()
		defer c.log.mu.Unlock()
		w := c.log.window(c.key)
		w.under--
		w.add(c.log.clock.Now())
	})
}

func (w *window) add(ended time.Time) {
	i, _ := slices.BinarySearchFunc(w.ended, ended, time.Time.Compare)
	w.ended = slices.Insert(w.ended, i, ended)
}

// New returns an empty log.
func New(clock sdk.Clock) *Log { return &Log{clock: clock, keys: map[string]*window{}} }

// Record counts calls that ended earlier.
func (l *Log) Record(key string, at ...time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.window(key)
	for _, t := range at {
		w.add(t.Add(unseen))
	}
}

// Block keeps calls of the key back until a local time.
func (l *Log) Block(key string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.window(key); until.After(w.until) {
		w.until = until
	}
}

// Blocked is how long the service asked not to be called under the key, 0 if it did
// not.
func (l *Log) Blocked(key string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.window(key).until.Sub(l.clock.Now()), 0)
}

// Free is how long until a call under op's limits may be made, 0 for now; it counts
// nothing.
func (l *Log) Free(op sdk.Op) time.Duration {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.free(op, now).Sub(now), 0)
}

// Wait waits until a call under op's limits may be made and counts it; the caller ends
// it. The error is ctx's.
func (l *Log) Wait(ctx context.Context, op sdk.Op) (*Call, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		now := l.clock.Now()
		at := l.take(op, now)
		if !at.After(now) {
			return &Call{At: now, log: l, key: op.RateKey}, nil
		}
		if err := l.clock.Sleep(ctx, at.Sub(now)); err != nil {
			return nil, err
		}
	}
}

// take counts a call now if one is allowed; otherwise it returns the moment before
// which none will be.
func (l *Log) take(op sdk.Op, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.free(op, now)
	if !at.After(now) {
		l.window(op.RateKey).under++
	}
	return at
}

// free is the moment before which no call is allowed; the lock is held. Calls under way
// end now or later.
func (l *Log) free(op sdk.Op, now time.Time) time.Time {
	w := l.window(op.RateKey)
	w.trim(now)
	at := w.until
	for _, limit := range [...]struct {
		n    int
		span time.Duration
	}{{op.PerMinute, time.Minute}, {op.PerHour, time.Hour}} {
		if limit.n == 0 || w.under+len(w.ended) < limit.n {
			continue
		}
		last := now // of the calls, the one that must have left the window
		if w.under < limit.n {
			last = w.ended[len(w.ended)-(limit.n-w.under)]
		}
		if free := last.Add(hold(limit.span)); free.After(at) {
			at = free
		}
	}
	return at
}

func (l *Log) window(key string) *window {
	w := l.keys[key]
	if w == nil {
		w = &window{}
		l.keys[key] = w
	}
	return w
}

// trim forgets calls that no window reaches back to. Calls of a time to come are from
// before the clock was set back, and would hold everything up until then.
func (w *window) trim(now time.Time) {
	w.ended = slices.DeleteFunc(w.ended, func(at time.Time) bool { return at.After(now.Add(unseen)) })
	if w.until.Sub(now) > longest {
		w.until = time.Time{}
	}
	old := 0
	for old < len(w.ended) && now.Sub(w.ended[old]) > hold(time.Hour) {
		old++
	}
	w.ended = w.ended[old:]
}
