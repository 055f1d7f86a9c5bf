package scenario

import (
	"context"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/sandbox"
)

// clock is the sandbox's clock as the product sees it. It knows who sleeps and
// until when, so that a test can move the clock to where something happens.
type clock struct {
	sb    *sandbox.Sandbox
	start time.Time

	mu       sync.Mutex
	skew     time.Duration // this machine's clock is ahead of the service's
	sleepers map[*time.Time]bool
	changes  uint64 // of sleepers
}

func newClock(sb *sandbox.Sandbox) *clock {
	return &clock{sb: sb, start: sb.Now(), sleepers: map[*time.Time]bool{}}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sb.Now().Add(c.skew)
}

// Monotonic counts the time that really passes: setting the clock does not move it.
func (c *clock) Monotonic() time.Duration { return c.sb.Now().Sub(c.start) }

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	until := c.sb.Now().Add(d)
	c.note(&until, true)
	defer c.note(&until, false)
	return c.sb.Clock().Wait(ctx, d)
}

func (c *clock) note(until *time.Time, sleeps bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	if sleeps {
		c.sleepers[until] = true
	} else {
		delete(c.sleepers, until)
	}
}

// asleep counts who sleeps on, and says when the first of them wakes.
func (c *clock) asleep() (n int, next time.Time, changes uint64) {
	now := c.sb.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for until := range c.sleepers {
		if !until.After(now) {
			continue
		}
		n++
		if next.IsZero() || until.Before(next) {
			next = *until
		}
	}
	return n, next, c.changes
}

// jump sets this machine's clock; the service's and the true time go on.
func (c *clock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skew += d
}
