package deliver

import (
	"context"
	"errors"
	"sync"
	"time"
)

// turn is the right to plan and apply a group. Unlike a mutex it can be waited for
// within bounds, and not at all.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the turn until ctx ends; waits is called first if it is not free.
func (t turn) take(ctx context.Context, waits func()) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
		waits()
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Unlock ends the turn.
func (t turn) Unlock() { <-t }

// planPatience is how long a plan waits for an apply that is running. Most end by
// then, and an answer from before its end would soon be wrong.
const planPatience = 2 * time.Minute

// errBusy says that somebody else plans or applies and did not end in time.
var errBusy = errors.New("an apply is running")

// hold waits until nobody else plans or applies the group of a name, and returns the
// group as it is configured then: what was waited for may have taken minutes, in
// which protection or a login changed.
func (m *Manager) hold(ctx context.Context, name string) (*group, error) {
	return m.holdTelling(ctx, name, nil)
}

// holdTelling is hold; waits is told that there is something to wait for.
func (m *Manager) holdTelling(ctx context.Context, name string, waits func()) (*group, error) {
	if waits == nil {
		waits = func() {}
	}
	g, err := m.groupOf(name)
	if err != nil {
		return nil, err
	}
	for {
		if err := g.busy.take(ctx, waits); err != nil {
			return nil, err
		}
		now, err := m.current(ctx, name)
		if err == nil && now.shared == g.shared {
			return now, nil
		}
		g.busy.Unlock()
		if errors.Is(context.Cause(ctx), errBusy) {
			return nil, errBusy // free only when it was too late
		}
		if err != nil {
			return nil, err
		}
		g = now
	}
}

// holdFor is hold for at most a time, then errBusy.
func (m *Manager) holdFor(ctx context.Context, name string, most time.Duration, waits func()) (*group, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var bound sync.WaitGroup
	defer bound.Wait()
	defer cancel(nil)
	return m.holdTelling(ctx, name, func() {
		if waits != nil {
			waits()
		}
		bound.Go(func() {
			if m.deps.Clock.Sleep(ctx, most) == nil {
				cancel(errBusy)
			}
		})
	})
}

// holdNow is hold without a wait: errBusy where somebody else has the turn.
func (m *Manager) holdNow(ctx context.Context, name string) (*group, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return m.holdTelling(ctx, name, func() { cancel(errBusy) })
}

// withSites calls fn with the turn of a name's group and its sites opened: what is read
// there cannot be from before another apply or a person's word.
func (m *Manager) withSites(ctx context.Context, name string, fn func(g *group, sites []*site) error) error {
	g, err := m.hold(ctx, name)
	if err != nil {
		return err
	}
	defer g.busy.Unlock()
	sites, err := m.sites(ctx, g)
	if err != nil {
		return err
	}
	return fn(g, sites)
}
