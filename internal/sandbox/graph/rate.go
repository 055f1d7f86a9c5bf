package graph

import (
	"fmt"
	"net/http"
	"time"
)

// LimitName is the one limit of all tiIndicator calls together, and PerMinute
// what is documented for it: so many calls per app and tenant.
const (
	LimitName = "ti"
	PerMinute = 1000
)

// windows are the times of admitted calls by tenant and app: a call that was
// refused spends nothing.
type windows map[[2]string][]time.Time

// throttle books a call in its app's window.
func (s *Service) throttle(c *call) *apiError {
	limit := s.cfg.PerMinute()
	if limit == 0 {
		return nil
	}
	key := [2]string{c.Who.Tenant, c.Who.App}
	var inside []time.Time
	for _, t := range s.rate[key] {
		// A clock that was set back leaves calls in the future: forget them.
		if !t.After(c.now) && t.After(c.now.Add(-time.Minute)) {
			inside = append(inside, t)
		}
	}
	if n := len(inside); n >= limit {
		wait := inside[n-limit].Add(time.Minute).Sub(c.now)
		e := refuse(429, "TooManyRequests", "Please retry again later.")
		e.header = http.Header{"Retry-After": {fmt.Sprint(int((wait + time.Second - 1) / time.Second))}}
		s.rate[key] = inside
		return e
	}
	s.rate[key] = append(inside, c.now)
	return nil
}
