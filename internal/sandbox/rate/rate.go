// Package rate counts the calls of a twin's clients in sliding windows of a
// minute and an hour. Use it in a twin whose service throttles; the words of
// the refusal are the twin's own.
package rate

import (
	"slices"
	"time"
)

// Limit is the calls that one client may make. 0 is unlimited.
type Limit struct {
	PerMinute int `json:"per_minute"`
	PerHour   int `json:"per_hour"`
}

// longest is the longest window that the limit looks back over, 0 if it has none.
func (l Limit) longest() time.Duration {
	switch {
	case l.PerHour > 0:
		return time.Hour
	case l.PerMinute > 0:
		return time.Minute
	}
	return 0
}

// Key is what a window belongs to.
type Key struct{ Op, Tenant, App string }

// Windows are the sliding windows. Times are those of admitted calls only:
// calls that were refused spend nothing, and no more are kept than the limits of their key
// look back over. Not safe for concurrent use.
type Windows map[Key][]time.Time

// Exceeded is a window without room.
type Exceeded struct {
	Max  int
	Span time.Duration
	Wait time.Duration // until there is room
}

// Admit books a call, or says which window is full.
func (w Windows) Admit(k Key, limit Limit, now time.Time) *Exceeded {
	keep := limit.longest()
	if keep == 0 {
		return nil
	}
	// A clock that was set back leaves calls in the future: forget them.
	times := slices.DeleteFunc(w[k], func(t time.Time) bool { return t.After(now) || !t.After(now.Add(-keep)) })
	w[k] = times
	for _, x := range []Exceeded{{Max: limit.PerMinute, Span: time.Minute}, {Max: limit.PerHour, Span: time.Hour}} {
		if x.Max == 0 {
			continue
		}
		inside := times
		for len(inside) > 0 && !inside[0].After(now.Add(-x.Span)) {
			inside = inside[1:]
		}
		if n := len(inside); n >= x.Max {
			x.Wait = inside[n-x.Max].Add(x.Span).Sub(now)
			return &x
		}
	}
	w[k] = append(times, now)
	return nil
}

// Seconds is the wait in whole seconds, rounded up.
func (x *Exceeded) Seconds() int { return int((x.Wait + time.Second - 1) / time.Second) }
