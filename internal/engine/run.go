package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/sdk"
)

// liveStatus is what a node shows while it runs.
type liveStatus struct {
	polling atomic.Bool
	urgent  atomic.Bool  // poll at once
	deaf    atomic.Bool  // a read goes on that was told to end
	nextMs  atomic.Int64 // next poll
}

// runner owns the goroutines of one Run.
type runner struct {
	ctx   context.Context
	wg    sync.WaitGroup
	stops map[*node]func() // ends a node's loop and waits for it
}

// Run polls, steps and ages until ctx ends, and returns when every goroutine it
// started has. Only one Run at a time.
func (e *Engine) Run(ctx context.Context) error {
	r := &runner{ctx: ctx, stops: map[*node]func(){}}
	e.mu.Lock()
	if e.running != nil {
		e.mu.Unlock()
		return errors.New("the engine runs already")
	}
	e.running = r
	e.mu.Unlock()
	e.startNodes(e.set.Load().sorted())
	<-ctx.Done()
	e.apply.Lock()
	defer e.apply.Unlock()
	e.mu.Lock()
	e.running = nil
	e.mu.Unlock()
	r.wg.Wait()
	return nil
}

// startNodes starts the loops of nodes that have none, if the engine runs.
func (e *Engine) startNodes(nodes []*node) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.running
	if r == nil || r.ctx.Err() != nil {
		return
	}
	for _, n := range nodes {
		if r.stops[n] != nil {
			n.nudge()
			continue
		}
		ctx, cancel := context.WithCancel(r.ctx)
		done := make(chan struct{})
		r.stops[n] = func() { cancel(); <-done }
		r.wg.Go(func() {
			defer close(done)
			n.loop(ctx)
		})
	}
}

// stopNodes ends the loops of the nodes that a plan changes or removes and returns
// those nodes.
func (e *Engine) stopNodes(old *nodeSet, steps []graph.Step) []*node {
	var stopped []*node
	for _, s := range steps {
		n := old.nodes[s.Name]
		if n == nil || s.Action == graph.Keep {
			continue
		}
		stopped = append(stopped, n)
		e.mu.Lock()
		var stop func()
		if e.running != nil {
			stop = e.running.stops[n]
			delete(e.running.stops, n)
		}
		e.mu.Unlock()
		if stop != nil {
			stop()
		}
	}
	return stopped
}

// loop is a node's life: work, then sleep until woken or due; failures of the
// engine itself are told and retried with growing waits.
func (n *node) loop(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		wait, err := n.turn(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errClockJump):
			wait = time.Minute
		case err != nil:
			failures++
			wait = backoff(failures, 5*time.Minute)
			n.tellBroken(ctx, err, wait)
		case failures > 0:
			failures = 0
			if err := n.clear(ctx, "node_failing"); err != nil {
				n.log.Error("clear condition", "err", err)
			}
		}
		n.sleep(ctx, wait)
	}
}

func (n *node) tellBroken(ctx context.Context, err error, wait time.Duration) {
	told := n.eng.Conditions.Raise(ctx, condition.Condition{
		Node: n.name(), Kind: "node_failing", Message: err.Error(),
		Help: "the node tries again with growing waits and nothing is lost; if the message is about the disk, free space; if it stays, restart and report it",
	})
	if told != nil {
		n.log.Error("node failed and its condition cannot be kept", "err", err, "condition", told, "again", wait)
	}
}

// backoff is the wait after the given number of failures in a row: doubling from a
// second, at most limit, with a quarter of jitter.
func backoff(failures int, limit time.Duration) time.Duration {
	d := min(limit, time.Second<<min(failures-1, 20))
	return d + time.Duration(rand.Int64N(int64(d)/4+1))
}

// sleep waits for d, for a nudge, or, with no d, for a nudge alone.
func (n *node) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		d = idleWait
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	slept := make(chan struct{})
	wg.Go(func() {
		defer close(slept)
		// An ended context is the only error, and then there is nothing to wait for.
		_ = n.eng.Clock.Sleep(ctx, d)
	})
	select {
	case <-slept:
	case <-n.wake:
	case <-ctx.Done():
	}
}

// waitsForAllow tells whether an allow edge had no complete poll yet. That one
// comes is no change of a row, so nobody nudges.
func (n *node) waitsForAllow() bool {
	ready := n.st.Load().Step.AllowReady
	return slices.ContainsFunc(n.spec.Allow, func(edge string) bool { return !ready[edge] })
}

// allowWait is how often a node looks whether its allow edges are there.
const allowWait = 5 * time.Second

// idleWait bounds how long a node sleeps that has nothing due.
const idleWait = time.Hour

// turn does what is due and returns how long there is nothing to do.
func (n *node) turn(ctx context.Context) (time.Duration, error) {
	if !n.isSource() {
		more, err := n.step(ctx)
		for more && err == nil && ctx.Err() == nil {
			more, err = n.step(ctx)
		}
		if n.waitsForAllow() {
			return allowWait, err
		}
		return idleWait, err
	}
	if now := n.eng.now(); n.live.urgent.Swap(false) || !n.set.OnDemand && !n.nextPoll().After(now) {
		if _, err := n.poll(ctx); err != nil {
			n.live.urgent.Store(true) // what was asked for is still to be done
			return 0, err
		}
		n.schedule()
	}
	next, err := n.age(ctx)
	if err != nil {
		return 0, err
	}
	now := n.eng.now()
	wait := idleWait
	if !n.set.OnDemand {
		wait = max(n.nextPoll().Sub(now), time.Millisecond)
	}
	if !next.IsZero() {
		wait = min(wait, max(next.Sub(now), time.Second))
	}
	return wait, nil
}

// nextPoll returns when the source is due.
func (n *node) nextPoll() time.Time {
	if n.live.nextMs.Load() == 0 {
		n.schedule()
	}
	return row.Time(n.live.nextMs.Load())
}

// schedule decides when the source is polled next.
func (n *node) schedule() {
	n.live.nextMs.Store(max(1, n.dueAt(rand.Float64()).UnixMilli()))
}

// dueAt is the next time for a poll; at is where in the jitter, from 0 to 1.
func (n *node) dueAt(at float64) time.Time {
	ps := &n.st.Load().Poll
	if ps.LastEnd == 0 || ps.Rejudge {
		return n.eng.now()
	}
	last := row.Time(ps.LastEnd)
	if now := n.eng.now(); last.After(now) {
		last = now // the clock was ahead then
	}
	if ps.Failures > 0 {
		retry := last.Add(n.failWait(ps.Failures, at))
		if t := row.Time(ps.RetryAt); t.After(retry) {
			retry = t
		}
		if most := last.Add(max(mostRetry, n.set.Interval)); retry.After(most) {
			retry = most
		}
		return retry
	}
	spread := (2*at - 1) * n.set.Jitter
	return last.Add(n.set.Interval + time.Duration(spread*float64(n.set.Interval)))
}

// mostRetry is the longest wait a source can ask for.
const mostRetry = 24 * time.Hour

// failWait grows from a minute, or the interval if that is shorter, to six hours.
// Credentials that were refused are not tried more often than the interval says.
func (n *node) failWait(failures int, at float64) time.Duration {
	const most = 6 * time.Hour
	first := min(time.Minute, n.set.Interval)
	switch n.st.Load().Poll.Failure {
	case sdk.Unauthorized, sdk.Forbidden, sdk.Permanent:
		first = n.set.Interval
	}
	d := min(max(most, n.set.Interval), first<<min(failures-1, 16))
	return d + time.Duration(at*n.set.Jitter*float64(d))
}

// Settle steps every reader until nothing moves, in the caller's goroutine. With
// PollNow it makes an engine that does not Run do its work: one pass of a command.
func (e *Engine) Settle(ctx context.Context) error {
	for _, n := range e.set.Load().sorted() {
		if n.isSource() {
			continue
		}
		for more := true; more; {
			var err error
			if more, err = n.step(ctx); err != nil {
				return fmt.Errorf("step of node %s: %w", n.name(), err)
			}
		}
	}
	return nil
}

// Age looks at what is due to leave by age in every source.
func (e *Engine) Age(ctx context.Context) error {
	for _, n := range e.set.Load().sorted() {
		if !n.isSource() {
			continue
		}
		if _, err := n.age(ctx); err != nil {
			return fmt.Errorf("ageing of node %s: %w", n.name(), err)
		}
	}
	return nil
}
