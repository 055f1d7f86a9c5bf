package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

// standing is the sandbox's clock, moved to where the next sleeper wakes whenever
// nothing else goes on. Where it moves too soon, because the machine is slow, we look
// slower than we are, never faster.
type standing struct {
	sb   *sandbox.Sandbox
	busy atomic.Int64 // calls that are with the sandbox

	mu       sync.Mutex
	sleepers map[*time.Time]bool
	changes  uint64
}

func (c *standing) Now() time.Time { return c.sb.Now() }

func (c *standing) Sleep(ctx context.Context, d time.Duration) error {
	until := c.sb.Now().Add(d)
	c.note(&until, true)
	defer c.note(&until, false)
	return c.sb.Clock().Wait(ctx, until.Sub(c.sb.Now())) // it may have moved since
}

func (c *standing) note(until *time.Time, sleeps bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	if c.sleepers == nil {
		c.sleepers = map[*time.Time]bool{}
	}
	if sleeps {
		c.sleepers[until] = true
	} else {
		delete(c.sleepers, until)
	}
}

// still is for how long nobody must fall asleep or wake, and the process must rest,
// before the clock moves.
const (
	still = 20 * time.Millisecond
	rest  = 0.004 // seconds of CPU
)

// drive moves the clock until stop is called.
func (c *standing) drive() (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		last, before := uint64(0), 0.0
		for {
			select {
			case <-end:
				return
			case <-time.After(still):
			}
			user, system := cpuTime()
			worked := user + system - before
			next, changes := c.next()
			if changes == last && worked < rest && c.busy.Load() == 0 && !next.IsZero() {
				c.sb.Clock().Set(later(next, c.sb.Now().Add(time.Millisecond)))
			}
			last, before = changes, user+system
		}
	}()
	return func() { close(end); <-ended }
}

// later: a sleeper that the clock passed while it lay down wakes a moment on.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (c *standing) next() (first time.Time, changes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for until := range c.sleepers {
		if first.IsZero() || until.Before(first) {
			first = *until
		}
	}
	return first, c.changes
}

// distant is a target whose every call takes the latency.
type distant struct {
	sdk.Target
	clock *standing
}

// List implements sdk.Target; every page is a call.
func (d *distant) List(ctx context.Context, gate sdk.Gate, fn func(sdk.Remote) error) (sdk.Listing, error) {
	return d.Target.List(ctx, func(ctx context.Context, op sdk.OpName) error {
		if err := gate(ctx, op); err != nil {
			return err
		}
		return d.clock.Sleep(ctx, latency)
	}, fn)
}

// Send implements sdk.Target.
func (d *distant) Send(ctx context.Context, op sdk.OpName, call []byte) (sdk.Answer, error) {
	d.clock.busy.Add(1)
	ans, err := d.Target.Send(ctx, op, call)
	d.clock.busy.Add(-1)
	if e := d.clock.Sleep(ctx, latency); e != nil && err == nil {
		err = e
	}
	return ans, err
}
