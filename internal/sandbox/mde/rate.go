package mde

import (
	"fmt"
	"slices"
	"time"

	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Limit is the calls of one operation that an app may make in a tenant. 0 is
// unlimited.
type Limit struct {
	PerMinute int `json:"per_minute"`
	PerHour   int `json:"per_hour"`
}

// DefaultLimits are the documented limits by operation.
func DefaultLimits() map[string]Limit {
	return map[string]Limit{
		OpList: {100, 1500}, OpCreate: {100, 1500}, OpImport: {30, 0}, OpDelete: {100, 1500}, OpBatchDelete: {30, 1500},
	}
}

type rateKey struct{ op, tenant, app string }

// windows are the sliding windows. Times are those of admitted calls only:
// calls that were refused spend nothing.
type windows map[rateKey][]time.Time

// exceeded is a window without room.
type exceeded struct {
	max  int
	span time.Duration
	wait time.Duration
}

// admit books a call, or says which window is full.
func (w windows) admit(k rateKey, limit Limit, now time.Time) *exceeded {
	times := w[k]
	// A clock that was set back leaves calls in the future: forget them.
	times = slices.DeleteFunc(times, func(t time.Time) bool { return t.After(now) || !t.After(now.Add(-time.Hour)) })
	w[k] = times
	for _, x := range []exceeded{{max: limit.PerMinute, span: time.Minute}, {max: limit.PerHour, span: time.Hour}} {
		if x.max == 0 {
			continue
		}
		inside := times
		for len(inside) > 0 && !inside[0].After(now.Add(-x.span)) {
			inside = inside[1:]
		}
		if n := len(inside); n >= x.max {
			x.wait = inside[n-x.max].Add(x.span).Sub(now)
			return &x
		}
	}
	w[k] = append(times, now)
	return nil
}

// reply words the refusal in the shape that is switched on.
func (x *exceeded) reply(sw *switches.Set) wire.Reply {
	seconds := int((x.wait + time.Second - 1) / time.Second)
	span := "00:01:00"
	if x.span == time.Hour {
		span = "01:00:00"
	}
	var e *apiError
	switch sw.ThrottleShape {
	case "documented":
		e = refuse(429, "TooManyRequests", "Response represents reaching quota limit either by number of requests or by CPU.")
	case "2021":
		e = refuse(429, "429", "API calls quota exceeded! maximum allowed %d per %s", x.max, span)
	default:
		e = refuse(429, "429", "API calls quota exceeded! Maximum allowed %d per %s for the key Destination+TenantID+AppID. You can send requests again in %d seconds.", x.max, span, seconds)
	}
	return e.reply().With("Retry-After", fmt.Sprint(seconds))
}
