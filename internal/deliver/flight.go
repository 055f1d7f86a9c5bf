package deliver

import (
	"context"
	"maps"
	"slices"

	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/pace"
	"github.com/remeld/remeld/sdk"
)

// inFlight is how many calls of one step are under way at once at least. One call
// after the other would add the time of every answer to the service's window: at 100
// calls a minute and 100 ms an answer a tenth of it. A step of no more calls than this
// gains nothing, and keeps their order to the letter.
const inFlight = 8

// atOnce is how many calls of an operation are under way at once: so many that the
// window is what holds them back, as long as an answer takes no more than a quarter of
// a minute. A bulk call takes Graph seconds, and it lets a thousand a minute through.
func atOnce(op sdk.Op) int { return max(inFlight, op.PerMinute/4) }

// accepted makes the calls for items, in order, and returns the identities the service
// took. Several calls are under way at once, each stored before it is made, as long as
// the service takes them: after a failure one goes alone, and so does the first to a
// service that was not heard in this apply, which a listing is.
func (a *applier) accepted(ctx context.Context, op sdk.OpName, items []*Item) (map[string]bool, error) {
	all := map[string]bool{}
	chunks := a.chunks(op, items)
	f := &fleet{a: a, all: all, proven: !slices.ContainsFunc(a.sites, func(s *site) bool { return s.list == nil })}
	for _, c := range chunks {
		if len(chunks) > inFlight && f.proven {
			if err := f.launch(ctx, c); err != nil {
				f.lose(ctx)
				return all, err
			}
			continue
		}
		if err := f.land(ctx, 0); err != nil { // it goes alone
			f.lose(ctx)
			return all, err
		}
		took, err := a.sendChunk(ctx, c)
		if err != nil {
			return all, err
		}
		maps.Copy(all, took)
		f.proven = len(took) > 0
	}
	err := f.land(ctx, 0)
	if err != nil {
		f.lose(ctx)
	}
	return all, err
}

// flight is one call under way.
type flight struct {
	b    *batch
	in   *ledger.Intent
	done chan answer
}

// fleet is the calls under way of one step. Only their requests run beside each other;
// checking, storing and settling is the applying goroutine's alone.
type fleet struct {
	a      *applier
	all    map[string]bool
	out    []flight // oldest first
	proven bool     // the service answers as it should: the last call that ended was taken
	wary   bool     // a call of this step failed: no more than inFlight at once
}

// launch stores a chunk's call and makes it, once there is room beside the others.
// While it waits for the rate window, nothing that ended stays unsettled.
func (f *fleet) launch(ctx context.Context, c *chunk) error {
	op := c.target.Info().Ops[c.op]
	left := atOnce(op) - 1
	if f.wary {
		left = inFlight - 1
	}
	if f.a.m.pace.Free(op) > 0 {
		left = 0
	}
	if err := f.land(ctx, left); err != nil {
		return err
	}
	b, err := f.a.ready(ctx, c)
	if err != nil || b == nil {
		return err
	}
	var token *pace.Call
	in, err := f.a.intent(b)
	if err == nil {
		token, err = f.a.begin(ctx, b, in, op)
	}
	if err != nil {
		return f.conclude(ctx, b, err)
	}
	done := make(chan answer, 1)
	go func() { done <- f.a.call(ctx, b, in, token) }()
	f.out = append(f.out, flight{b, in, done})
	return nil
}

// land settles the oldest calls until at most left are under way. After one that
// failed all others are waited for, so that what has to be tried again, divided or
// looked up is done with nothing beside it.
func (f *fleet) land(ctx context.Context, left int) error {
	type failure struct {
		flight
		got answer
	}
	var failed []failure
	for len(f.out) > left {
		next := f.out[0]
		f.out = f.out[1:]
		got := <-next.done
		if got.err != nil {
			failed, left = append(failed, failure{next, got}), 0
			continue
		}
		if err := f.conclude(ctx, next.b, f.a.make(ctx, next.b, next.in, &got)); err != nil {
			return err
		}
	}
	for _, x := range failed {
		f.proven, f.wary = false, true
		if err := f.conclude(ctx, x.b, f.a.make(ctx, x.b, x.in, &x.got)); err != nil {
			return err
		}
	}
	return nil
}

// conclude does what follows from how a call ended.
func (f *fleet) conclude(ctx context.Context, b *batch, err error) error {
	if err = f.a.conclude(ctx, b, err); err != nil {
		err = f.a.shut(ctx, b.site, err)
	}
	maps.Copy(f.all, b.accepted)
	f.a.progress()
	return err
}

// lose waits for what is still under way when the step ends with an error. What the
// service took is settled if the store can still do so; the rest stays in doubt.
func (f *fleet) lose(ctx context.Context) {
	for _, x := range f.out {
		if got := <-x.done; got.err == nil {
			_ = f.a.make(ctx, x.b, x.in, &got) // the step has its error already
		}
	}
	f.out = nil
}
