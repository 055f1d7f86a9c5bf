// Package vclock is the movable clock of the sandbox. Use it wherever the
// sandbox needs the time: token expiry, indicator expiry, rate windows, feed
// scripts and the Date header all read the one clock, so that a month of
// renewals can be rehearsed in seconds.
package vclock

import (
	"context"
	"errors"
	"sync"
	"time"
)

// MaxRate bounds how much faster than the wall a clock may run.
const MaxRate = 1e6

// Clock is a movable clock. It is safe for concurrent use. Times are UTC and
// carry no monotonic reading.
type Clock struct {
	wall func() time.Time

	mu     sync.Mutex
	base   time.Time // clock time at anchor
	anchor time.Time // wall time at which base was true
	rate   float64   // clock seconds per wall second; 0 stands still
	moved  chan struct{}
}

// New returns a clock that reads start now and runs rate times as fast as wall
// (0 stands still, 1 is real time). A zero start is the wall's time.
func New(start time.Time, rate float64, wall func() time.Time) *Clock {
	now := wall()
	if start.IsZero() {
		start = now
	}
	return &Clock{wall: wall, base: start.Round(0).UTC(), anchor: now, rate: rate, moved: make(chan struct{})}
}

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	if c.rate == 0 {
		return c.base
	}
	return c.base.Add(time.Duration(float64(c.wall().Sub(c.anchor)) * c.rate))
}

// Rate returns how fast the clock runs; 0 is standing still.
func (c *Clock) Rate() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rate
}

// Advance moves the clock by d (backwards if negative) and returns its time.
func (c *Clock) Advance(d time.Duration) time.Time {
	return c.move(func(now time.Time) time.Time { return now.Add(d) })
}

// Set moves the clock to t, forwards or backwards.
func (c *Clock) Set(t time.Time) time.Time {
	return c.move(func(time.Time) time.Time { return t.Round(0).UTC() })
}

// SetRate lets the clock run rate times as fast as the wall from now on.
func (c *Clock) SetRate(rate float64) error {
	if !(rate >= 0 && rate <= MaxRate) {
		return errors.New("clock rate must be between 0 (stands still) and 1000000")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.anchor, c.rate = c.now(), c.wall(), rate
	c.wake()
	return nil
}

func (c *Clock) move(to func(time.Time) time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.anchor = to(c.now()), c.wall()
	c.wake()
	return c.base
}

func (c *Clock) wake() {
	close(c.moved)
	c.moved = make(chan struct{})
}

// Wait returns when the clock has passed d from now, or with ctx's error. On a
// clock that stands still only Advance, Set or SetRate end it.
func (c *Clock) Wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	target := c.now().Add(d)
	c.mu.Unlock()
	for {
		left, rate, moved := c.remaining(target)
		if left <= 0 {
			return nil
		}
		if err := waitMove(ctx, left, rate, moved); err != nil {
			return err
		}
	}
}

func (c *Clock) remaining(target time.Time) (time.Duration, float64, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return target.Sub(c.now()), c.rate, c.moved
}

func waitMove(ctx context.Context, left time.Duration, rate float64, moved <-chan struct{}) error {
	var tick <-chan time.Time
	if rate > 0 {
		t := time.NewTimer(time.Duration(float64(left)/rate) + time.Microsecond)
		defer t.Stop()
		tick = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-moved:
	case <-tick:
	}
	return nil
}
