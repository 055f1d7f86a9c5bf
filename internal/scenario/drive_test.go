package scenario

import (
	"context"
	"time"
)

// loops are those of an installation that sleep besides its nodes: delivery, the jobs'
// schedule, the alerts, the watch over the configuration, and what tells sources of
// delivery. One too few, and the clock moves on while somebody works.
const loops = 5

// settleMost bounds, in real time, how long a settle waits for work to end.
const settleMost = 20 * time.Second

// settle waits until everybody sleeps.
func (w *world) settle() { w.settleWith(0) }

func (w *world) settleWith(calls int) {
	want := calls
	for _, s := range w.sites {
		want += s.size + loops
	}
	quiet, last := 0, uint64(0)
	for end := time.Now().Add(settleMost); time.Now().Before(end); {
		n, _, changes := w.clock.asleep()
		if changes != last {
			quiet, last = 0, changes
		}
		quiet++
		if n >= want && quiet > 5 || quiet > 400 { // a loop may wait for another that sleeps
			return
		}
		time.Sleep(500 * time.Microsecond)
	}
}

// grain is how late a sleeper may wake: a busy machine is no better.
const grain = 4 * time.Second

// step moves the clock to where the next sleeper wakes, or a little later, at most
// to the given time.
func (w *world) step(most time.Time, calls int) {
	_, next, _ := w.clock.asleep()
	if least := w.sb.Now().Add(grain); next.Before(least) {
		next = least
	}
	if next.After(most) {
		next = most
	}
	w.sb.Clock().Set(next)
	w.settleWith(calls)
}

// advance lets time pass, waking every sleeper at its time or a little later.
func (w *world) advance(d time.Duration) {
	for end := w.sb.Now().Add(d); w.sb.Now().Before(end); {
		w.step(end, 0)
	}
}

// leap lets a long time pass in steps of a few minutes: sleepers wake late, as on a
// busy machine.
func (w *world) leap(d, step time.Duration) {
	for end := w.sb.Now().Add(d); w.sb.Now().Before(end); {
		w.sb.Clock().Advance(min(step, end.Sub(w.sb.Now())))
		w.settle()
	}
}

// untilMost is how long a scenario waits for something, on its clock.
const untilMost = time.Hour

// until lets time pass until something is so.
func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	end := w.sb.Now().Add(untilMost)
	for !is() {
		if !w.sb.Now().Before(end) {
			w.t.Fatalf("after %s it is still not so: %s", untilMost, what)
		}
		w.step(end, 0)
	}
}

// do makes a call of a person and lets time pass while it runs.
func do[T any](w *world, call func(ctx context.Context) (T, error)) (T, error) {
	var out T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, err = call(w.t.Context())
	}()
	for still, last := 0, uint64(0); ; still++ {
		for range 20 {
			select {
			case <-done:
				return out, err
			case <-time.After(500 * time.Microsecond):
			}
		}
		n, _, changes := w.clock.asleep()
		if changes != last {
			still, last = 0, changes
		}
		// It may be waiting for time to pass, or for a loop that does.
		if n > w.asleepAtRest() || still > stuck {
			w.step(w.sb.Now().Add(time.Minute), 1)
			still = 0
		}
	}
}

// stuck is after how many looks at a call that does not end, while nobody falls asleep
// or wakes, it is taken to wait for somebody who sleeps.
const stuck = 200

func (w *world) asleepAtRest() int {
	n := 0
	for _, s := range w.sites {
		n += s.size + loops
	}
	return n
}
