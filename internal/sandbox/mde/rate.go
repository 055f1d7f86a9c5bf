package mde

import (
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/sandbox/rate"
	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Limit is the calls of one operation that an app may make in a tenant.
type Limit = rate.Limit

// DefaultLimits are the documented limits by operation.
func DefaultLimits() map[string]Limit {
	limit := func(minute, hour int) Limit { return Limit{PerMinute: minute, PerHour: hour} }
	return map[string]Limit{
		OpList: limit(100, 1500), OpCreate: limit(100, 1500), OpImport: limit(30, 0), OpDelete: limit(100, 1500), OpBatchDelete: limit(30, 1500),
	}
}

// throttled words the refusal in the shape that is switched on.
func throttled(x *rate.Exceeded, sw *switches.Set) wire.Reply {
	span := "00:01:00"
	if x.Span == time.Hour {
		span = "01:00:00"
	}
	var e *apiError
	switch sw.ThrottleShape {
	case "documented":
		e = refuse(429, "TooManyRequests", "Response represents reaching quota limit either by number of requests or by CPU.")
	case "2021":
		e = refuse(429, "429", "API calls quota exceeded! maximum allowed %d per %s", x.Max, span)
	default:
		e = refuse(429, "429", "API calls quota exceeded! Maximum allowed %d per %s for the key Destination+TenantID+AppID. You can send requests again in %d seconds.", x.Max, span, x.Seconds())
	}
	return e.reply().With("Retry-After", fmt.Sprint(x.Seconds()))
}
