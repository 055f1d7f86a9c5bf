// Package pace keeps the published rate limits of a service: a sliding window for
// each API path, tenant and application, over a minute and over an hour, shared by
// everything that calls it, plus what the service says with Retry-After.
//
// Ask Wait for a token before every call. The windows are rebuilt after a restart
// by Record from the calls that were stored (SEMANTICS D12).
package pace

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/remeld/remeld/sdk"
)

// margin widens the windows, because a call reaches the service a little later
// than it left here, and the next one perhaps a little sooner.
const margin = time.Second

// longest is the longest a service can hold calls back.
const longest = 24 * time.Hour

// Log is the rate log. Safe for concurrent use.
type Log struct {
	clock sdk.Clock
	mu    sync.Mutex
	keys  map[string]*window
}

type window struct {
	calls []time.Time // ascending, at most an hour old
	until time.Time   // the service said not to come before
}

// New returns an empty log.
func New(clock sdk.Clock) *Log { return &Log{clock: clock, keys: map[string]*window{}} }

// Record counts calls made earlier.
func (l *Log) Record(key string, at ...time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.window(key)
	w.calls = append(w.calls, at...)
	slices.SortFunc(w.calls, time.Time.Compare)
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

// Wait waits until a call under op's limits may be made and counts it. It returns
// the moment it was counted at. The error is ctx's.
func (l *Log) Wait(ctx context.Context, op sdk.Op) (time.Time, error) {
	for {
		if err := ctx.Err(); err != nil {
			return time.Time{}, err
		}
		now := l.clock.Now()
		at := l.take(op, now)
		if !at.After(now) {
			return now, nil
		}
		if err := l.clock.Sleep(ctx, at.Sub(now)); err != nil {
			return time.Time{}, err
		}
	}
}

// take counts a call now if one is allowed; otherwise it returns when one may be.
func (l *Log) take(op sdk.Op, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.free(op, now)
	if !at.After(now) {
		w := l.window(op.RateKey)
		w.calls = append(w.calls, now)
	}
	return at
}

// free is the moment from which a call is allowed; the lock is held.
func (l *Log) free(op sdk.Op, now time.Time) time.Time {
	w := l.window(op.RateKey)
	w.trim(now)
	at := w.until
	for _, limit := range [...]struct {
		n    int
		span time.Duration
	}{{op.PerMinute, time.Minute}, {op.PerHour, time.Hour}} {
		if limit.n > 0 && len(w.calls) >= limit.n {
			if free := w.calls[len(w.calls)-limit.n].Add(limit.span + margin); free.After(at) {
				at = free
			}
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
	w.calls = slices.DeleteFunc(w.calls, func(at time.Time) bool { return at.After(now.Add(margin)) })
	if w.until.Sub(now) > longest {
		w.until = time.Time{}
	}
	old := 0
	for old < len(w.calls) && now.Sub(w.calls[old]) > time.Hour+margin {
		old++
	}
	w.calls = w.calls[old:]
}
