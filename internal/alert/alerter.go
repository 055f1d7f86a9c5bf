package alert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/schedule"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// Conditions is where conditions stand; *condition.Set is one.
type Conditions interface {
	List() []condition.Condition
	Raise(ctx context.Context, c condition.Condition) error
	ClearID(ctx context.Context, node, kind, id string) error
}

// Deps are what an Alerter works with.
type Deps struct {
	Store      store.Store
	Clock      sdk.Clock
	Log        *slog.Logger
	Conditions Conditions
	Instance   string
}

// Alerter watches conditions and runs and sends what is due. Safe for concurrent
// use.
type Alerter struct {
	deps Deps

	looking sync.Mutex // one look at a time, which may wait for a server

	mu     sync.Mutex // never held during a call: a dead route delays no run's end
	routes []Route
	posted int // letters of this process, for the order of their keys
}

// New returns an Alerter without routes.
func New(deps Deps) *Alerter {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	return &Alerter{deps: deps}
}

// Configure sets the routes. What is on its way to a route that is no more is
// dropped.
func (a *Alerter) Configure(routes []Route) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.routes = slices.Clone(routes)
}

// lookEvery is how often conditions are looked at.
const lookEvery = 30 * time.Second

// Run looks and sends until ctx ends.
func (a *Alerter) Run(ctx context.Context) error {
	for {
		if err := a.Look(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		if a.deps.Clock.Sleep(ctx, lookEvery) != nil {
			return nil //nolint:nilerr // ctx ended
		}
	}
}

// failingKind is the condition of a route that does not get through. It is told of
// on the other routes.
const failingKind = "route_failing"

// Look posts what is due now and sends what is on its way.
func (a *Alerter) Look(ctx context.Context) error {
	a.looking.Lock()
	defer a.looking.Unlock()
	routes, err := a.followAll(ctx)
	if err != nil {
		return err
	}
	return a.send(ctx, routes)
}

// followAll posts what is due and returns the routes as they are then.
func (a *Alerter) followAll(ctx context.Context) ([]Route, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	standing := a.deps.Conditions.List()
	for i := range a.routes {
		if err := a.follow(ctx, &a.routes[i], standing); err != nil {
			return nil, err
		}
	}
	return a.routes, nil // Configure replaces the slice, and nobody writes into it
}

// Ended posts the end of a run to the routes that want it.
func (a *Alerter) Ended(ctx context.Context, rec schedule.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	rec.Log = nil
	var c store.Commit
	for i := range a.routes {
		r := &a.routes[i]
		if !r.wantsRun(&rec) {
			continue
		}
		m := Message{Title: fmt.Sprintf("[%s] job %s: %s", a.deps.Instance, rec.Job, rec.Status), Run: &rec}
		if err := a.post(&c, r.Name, m); err != nil {
			return err
		}
	}
	return a.commit(ctx, &c)
}

func (a *Alerter) commit(ctx context.Context, c *store.Commit) error {
	if len(c.Writes) == 0 {
		return nil
	}
	if _, err := a.deps.Store.Commit(ctx, c); err != nil {
		return fmt.Errorf("keep what is to be told: %w", err)
	}
	return nil
}

// follow posts to a route what began long enough ago, what stands for another day
// and what is over, all in one message.
func (a *Alerter) follow(ctx context.Context, r *Route, standing []condition.Condition) error {
	was, err := a.state(ctx, r.Name)
	if err != nil {
		return err
	}
	now := a.deps.Clock.Now()
	var m Message
	var c store.Commit
	note := func(key string, cond condition.Condition) error {
		value, err := json.Marshal(told{Condition: cond, At: now.UTC()})
		c.Writes = append(c.Writes, store.Write{Space: toldSpace, Key: []byte(key), Value: value})
		return err
	}
	for _, cond := range standing {
		if !r.wantsNode(cond.Node) || cond.Kind == failingKind && cond.ID == r.Name {
			continue
		}
		key := string(toldKey(r.Name, &cond))
		before, known := was[key]
		delete(was, key)
		// One that ended and began again in between is new.
		known = known && before.Condition.Since.Equal(cond.Since)
		switch {
		case !known && now.Sub(cond.Since) >= Wait:
			m.Begun, err = append(m.Begun, cond), note(key, cond)
		case known && now.Sub(before.At) >= Repeat:
			m.Standing, err = append(m.Standing, cond), note(key, cond)
		}
		if err != nil {
			return fmt.Errorf("keep what route %s was told: %w", r.Name, err)
		}
	}
	for key, t := range was {
		m.Over = append(m.Over, t.Condition)
		c.Writes = append(c.Writes, store.Write{Space: toldSpace, Key: []byte(key), Delete: true})
	}
	if len(c.Writes) == 0 {
		return nil
	}
	slices.SortFunc(m.Over, func(x, y condition.Condition) int {
		return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.ID, y.ID))
	})
	m.Title = title(a.deps.Instance, m.Begun, m.Standing, m.Over)
	if err := a.post(&c, r.Name, m); err != nil {
		return err
	}
	return a.commit(ctx, &c)
}

// send tries the letters that are due. Those of one route go in order: one that does
// not get through holds back the next.
func (a *Alerter) send(ctx context.Context, routes []Route) error {
	letters, err := a.letters(ctx)
	if err != nil {
		return err
	}
	now := a.deps.Clock.Now()
	held := map[string]bool{}
	for i := range letters {
		l := &letters[i]
		n := slices.IndexFunc(routes, func(r Route) bool { return r.Name == l.Route })
		switch {
		case n < 0:
			err = a.drop(ctx, l)
		case held[l.Route]:
		case l.NextTry.After(now):
			held[l.Route] = true
		default:
			var sent bool
			sent, err = a.try(ctx, &routes[n], l)
			held[l.Route] = !sent
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// try sends one letter.
func (a *Alerter) try(ctx context.Context, r *Route, l *letter) (sent bool, err error) {
	failed := r.Sender.Send(ctx, &l.Message)
	if failed == nil {
		return true, errors.Join(a.drop(ctx, l), a.deps.Conditions.ClearID(ctx, "", failingKind, r.Name))
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	now := a.deps.Clock.Now()
	l.Tries++
	if now.Sub(l.Message.At) > giveUp {
		a.deps.Log.Error("a message could not be sent for a day and is dropped", "route", r.Name, "title", l.Message.Title, "err", failed)
		return true, a.drop(ctx, l)
	}
	l.NextTry = now.Add(min(firstWait<<min(l.Tries-1, 10), mostWait)).UTC()
	raise := a.deps.Conditions.Raise(ctx, condition.Condition{
		Kind: failingKind, ID: r.Name, Message: fmt.Sprintf("messages by route %s do not get through: %v", r.Name, failed),
		Help: "mend the route under notify, or look with remeld doctor",
	})
	return false, errors.Join(a.put(ctx, l), raise)
}
