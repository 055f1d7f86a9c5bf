package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/store"
)

// maxJump is how far the wall clock may leave the monotonic or persisted time.
const maxJump = time.Hour

// maxDowntime is how long a store may lie still before the clock is doubted at
// the start: longer than any default expiry.
const maxDowntime = 45 * day

// clockNode is the subject of the clock's condition.
const clockNode = "engine"

var clockKey = []byte("engine/clock")

// clockGuard watches the wall clock (SEMANTICS E16): a jump must not age out or
// expire everything.
type clockGuard struct {
	eng *Engine

	mu     sync.Mutex
	wall   time.Time     // last time that was believed
	mono   time.Duration // and the monotonic time then
	saved  time.Time     // what the store has
	most   time.Duration // how far ahead of it this process may begin
	jumped bool
}

// clockDoc is the last time that was believed, and whether one is not.
type clockDoc struct {
	Wall   time.Time `json:"wall"`
	Jumped bool      `json:"jumped,omitempty"`
}

// open reads the persisted time and compares.
func (g *clockGuard) open(ctx context.Context, e *Engine) error {
	g.eng = e
	v, err := e.Store.View()
	if err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	defer v.Close()
	data, err := v.Get(ctx, docSpace, clockKey)
	if err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	now := e.now()
	g.wall, g.mono = now, g.monotonic()
	if data == nil {
		return nil
	}
	var doc clockDoc
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	g.saved = doc.Wall
	if g.most = maxDowntime; doc.Jumped {
		g.most = maxJump // ending the process does not make the time right
	}
	if gap := now.Sub(doc.Wall); gap < -maxJump || gap > g.most {
		g.jumped, g.wall = true, doc.Wall
		return g.raise(ctx, now, "since this store was last used")
	}
	return e.Conditions.Clear(ctx, clockNode, "clock_jump")
}

func (g *clockGuard) monotonic() time.Duration {
	if g.eng.Monotonic == nil {
		return 0
	}
	return g.eng.Monotonic()
}

// check returns errClockJump while the clock is not to be believed. It saves the
// time now and then.
func (g *clockGuard) check(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, mono := g.eng.now(), g.monotonic()
	var wrong bool
	if g.eng.Monotonic != nil {
		drift := now.Sub(g.wall) - (mono - g.mono)
		wrong = drift > maxJump || drift < -maxJump
	} else {
		wrong = now.Sub(g.wall) < -maxJump || g.jumped && now.Sub(g.wall) > g.most
	}
	switch {
	case wrong && !g.jumped:
		g.jumped = true
		if err := g.write(ctx, g.wall.Add(mono-g.mono)); err != nil {
			return err
		}
		if err := g.raise(ctx, now, "against the time this process counted"); err != nil {
			return err
		}
	case !wrong && g.jumped:
		g.jumped = false
		if err := g.write(ctx, now); err != nil {
			return err
		}
		if err := g.eng.Conditions.Clear(ctx, clockNode, "clock_jump"); err != nil {
			return err
		}
	}
	if g.jumped {
		return errClockJump
	}
	g.wall, g.mono = now, mono
	return g.save(ctx, now)
}

const saveEvery = 10 * time.Minute

func (g *clockGuard) save(ctx context.Context, now time.Time) error {
	if d := now.Sub(g.saved); d < saveEvery && d >= 0 {
		return nil
	}
	return g.write(ctx, now)
}

func (g *clockGuard) write(ctx context.Context, believed time.Time) error {
	data, err := json.Marshal(clockDoc{believed, g.jumped})
	if err != nil {
		return err
	}
	w := store.Write{Space: docSpace, Key: clockKey, Value: data}
	if _, err := g.eng.Store.Commit(ctx, &store.Commit{Writes: []store.Write{w}}); err != nil {
		return fmt.Errorf("save the clock: %w", err)
	}
	g.saved = believed
	return nil
}

func (g *clockGuard) raise(ctx context.Context, now time.Time, against string) error {
	return g.eng.Conditions.Raise(ctx, condition.Condition{
		Node: clockNode, Kind: "clock_jump",
		Message: fmt.Sprintf("the clock shows %s, which is %s off %s: polls, ageing and applying stand still",
			now.Format(time.RFC3339), now.Sub(g.wall).Round(time.Minute), against),
		Help: "set the clock right, or, if it is right now, run: remeld approve clock",
	})
}

// ClockOK tells whether the wall clock is believed.
func (e *Engine) ClockOK(ctx context.Context) bool { return e.clock.check(ctx) == nil }

// AcceptClock takes the wall clock as it is for right.
func (e *Engine) AcceptClock(ctx context.Context) error {
	g := &e.clock
	g.mu.Lock()
	g.wall, g.mono, g.jumped = e.now(), g.monotonic(), false
	err := g.write(ctx, g.wall)
	g.mu.Unlock()
	if err != nil {
		return err
	}
	if err := e.Conditions.Clear(ctx, clockNode, "clock_jump"); err != nil {
		return err
	}
	for _, n := range e.set.Load().nodes {
		n.live.nextMs.Store(0) // what was planned by the other time
		n.nudge()
	}
	return nil
}
