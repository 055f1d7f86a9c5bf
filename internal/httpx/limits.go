package httpx

import (
	"context"
	"sync"

	"golang.org/x/time/rate"

	"github.com/remeld/remeld/sdk"
)

// hosts paces requests by host. It belongs to the process, not to a client: ten
// nodes that read one server must together keep to its pace.
var hosts = &limits{byHost: map[string]*rate.Limiter{}}

type limits struct {
	mu     sync.Mutex
	byHost map[string]*rate.Limiter
}

// wait takes a token for host, waiting on clock; without a pace it takes none.
func (l *limits) wait(ctx context.Context, clock sdk.Clock, host string, perSecond float64) error {
	if perSecond < 0 {
		return ctx.Err()
	}
	l.mu.Lock()
	lim := l.byHost[host]
	if lim == nil {
		lim = rate.NewLimiter(rate.Limit(perSecond), 10)
		l.byHost[host] = lim
	}
	l.mu.Unlock()
	now := clock.Now()
	if d := lim.ReserveN(now, 1).DelayFrom(now); d > 0 {
		return clock.Sleep(ctx, d)
	}
	return ctx.Err()
}
