package graph

import (
	"fmt"
	"net/http"

	"github.com/remeld/remeld/internal/sandbox/rate"
)

// LimitName is the one limit of all tiIndicator calls together, and PerMinute
// what is documented for it: so many calls per app and tenant.
const (
	LimitName = "ti"
	PerMinute = 1000
)

// throttle books a call in its app's window, or words the refusal.
func (s *Service) throttle(c *call) *apiError {
	x := s.rate.Admit(rate.Key{Op: LimitName, Tenant: c.Who.Tenant, App: c.Who.App}, rate.Limit{PerMinute: s.cfg.PerMinute()}, c.now)
	if x == nil {
		return nil
	}
	e := refuse(http.StatusTooManyRequests, "TooManyRequests", "Please retry again later.")
	e.header = http.Header{"Retry-After": {fmt.Sprint(x.Seconds())}}
	return e
}
