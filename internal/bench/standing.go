package main

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/sandbox/vclock"
	"github.com/remeld/remeld/sdk"
)

// standing is the sandbox's clock, moved to where the next sleeper wakes whenever
// everybody waits: for it, or for somebody who waits for it. The time that goes by is
// therefore that of the calls and of the rate limits, on a busy machine too.
type standing struct {
	clock *vclock.Clock

	mu       sync.Mutex
	sleepers map[*time.Time]bool
	changes  uint64
	busy     int // calls that are with the sandbox and do not sleep
}

func (c *standing) Now() time.Time { return c.clock.Now() }

func (c *standing) Sleep(ctx context.Context, d time.Duration) error {
	until := c.clock.Now().Add(d)
	_, calls := ctx.Value(calling{}).(bool)
	c.note(&until, true, calls)
	defer c.note(&until, false, calls)
	return c.clock.Wait(ctx, until.Sub(c.clock.Now())) // it may have moved since
}

func (c *standing) note(until *time.Time, sleeps, calls bool) {
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
	if calls && sleeps {
		c.busy--
	} else if calls {
		c.busy++
	}
}

// calling marks the context of what goes on within a call.
type calling struct{}

// call makes a call during which the clock stands.
func (c *standing) call(ctx context.Context, send func(context.Context)) {
	c.with(1)
	defer c.with(-1)
	send(context.WithValue(ctx, calling{}, true))
}

func (c *standing) with(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy, c.changes = c.busy+n, c.changes+1
}

// glance is how often it is looked whether everybody waits.
const glance = time.Millisecond

// drive moves the clock until stop is called.
func (c *standing) drive() (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var stacks []byte
		before := uint64(0)
		for {
			select {
			case <-end:
				return
			case <-time.After(glance):
			}
			next, changes := c.next()
			if !next.IsZero() && changes == before {
				stacks = goroutines(stacks)
				if parked(stacks) {
					c.clock.Set(later(next, c.clock.Now()))
				}
			}
			before = changes
		}
	}()
	return func() { close(end); <-ended }
}

// later: a sleeper that the clock passed while it lay down wakes by itself.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// next is when the first sleeper wakes, zero while a call is with the sandbox.
func (c *standing) next() (first time.Time, changes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for until := range c.sleepers {
		if c.busy == 0 && (first.IsZero() || until.Before(first)) {
			first = *until
		}
	}
	return first, c.changes
}

// waits are the states in which a goroutine can only be woken by another one, or by
// a call's answer; whatever else it does (it runs, could run, writes to the disk, helps
// the collector) is work that the clock stands still for.
var waits = [][]byte{
	[]byte("chan receive"), []byte("chan send"), []byte("select"), []byte("IO wait"), []byte("sync."), []byte("semacquire"), []byte("finalizer wait"), []byte("cleanup wait"),
}

// goroutines is what every goroutine does, the calling one first. The world stands
// still while it is written, so that no wake-up is between two of them.
func goroutines(buf []byte) []byte {
	buf = buf[:cap(buf)]
	for {
		if n := runtime.Stack(buf, true); n < len(buf) {
			return buf[:n]
		}
		buf = make([]byte, max(1<<20, 2*len(buf)))
	}
}

// parked reports whether every goroutine but the first waits.
func parked(stacks []byte) bool {
	_, stacks, _ = bytes.Cut(stacks, []byte("\n\n"))
	for len(stacks) > 0 {
		var one []byte
		one, stacks, _ = bytes.Cut(stacks, []byte("\n\n"))
		_, state, found := bytes.Cut(one, []byte(" ["))
		if !found || !waiting(state) {
			return false
		}
	}
	return true
}

func waiting(state []byte) bool {
	for _, w := range waits {
		if bytes.HasPrefix(state, w) {
			return true
		}
	}
	return false
}

// distant is a target whose every call takes the latency.
type distant struct {
	sdk.Target
	clock *standing
}

// List implements sdk.Target; every page is a call.
func (d *distant) List(ctx context.Context, gate sdk.Gate, fn func(sdk.Remote) error) (l sdk.Listing, err error) {
	d.clock.call(ctx, func(ctx context.Context) {
		l, err = d.Target.List(ctx, func(ctx context.Context, op sdk.OpName) error {
			if err := gate(ctx, op); err != nil {
				return err
			}
			return d.clock.Sleep(ctx, latency)
		}, fn)
	})
	return l, err
}

// Send implements sdk.Target.
func (d *distant) Send(ctx context.Context, op sdk.OpName, call []byte) (ans sdk.Answer, err error) {
	d.clock.call(ctx, func(ctx context.Context) { ans, err = d.Target.Send(ctx, op, call) })
	if e := d.clock.Sleep(ctx, latency); e != nil && err == nil {
		err = e
	}
	return ans, err
}
