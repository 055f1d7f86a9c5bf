package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/pace"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// batch is one call being made.
type batch struct {
	site     *site
	target   sdk.Target
	op       sdk.OpName
	items    []*batchItem
	accepted map[string]bool
}

func (b *batch) of(items []*batchItem) *batch {
	return &batch{site: b.site, target: b.target, op: b.op, items: items, accepted: b.accepted}
}

func (b *batch) sendItems(mark string) []sdk.SendItem {
	out := make([]sdk.SendItem, len(b.items))
	for i, bi := range b.items {
		r := &bi.after
		out[i] = sdk.SendItem{Object: bi.object, RemoteID: r.RemoteID, Expires: r.Expires, Mark: mark,
			Created: r.Made, Modified: r.Modified, Generation: r.Generation}
	}
	return out
}

// errLater: the call could not be finished now; its items go on with a later
// apply. The reason is in the result already.
var errLater = errors.New("goes on later")

// deliver makes the call of a batch and settles it, dividing it where the service
// refuses it as a whole. Only what ends the domain's part of the apply is an
// error.
func (a *applier) deliver(ctx context.Context, b *batch) error {
	return a.conclude(ctx, b, a.attempt(ctx, b))
}

// conclude does what follows from how a batch's call ended.
func (a *applier) conclude(ctx context.Context, b *batch, err error) error {
	switch {
	case err == nil:
		a.strike.success()
		return nil
	case errors.Is(err, errLater), ctx.Err() != nil, errors.Is(err, ledger.ErrStore):
		return err
	}
	switch sdk.FailureOf(err) {
	case sdk.Refused:
		return a.refused(ctx, b, err)
	case sdk.Missing:
		if b.op != sdk.OpUpsert {
			return a.missing(ctx, b, err)
		}
		return a.refused(ctx, b, err)
	}
	return a.m.failed(ctx, b.site, err)
}

// attempt stores the intent, makes the call and, where trying again is safe and may
// help, does so with growing waits: the one retry layer (SEMANTICS D12). What is
// returned as an error had no effect and its intent is closed, but for errLater.
func (a *applier) attempt(ctx context.Context, b *batch) error {
	in, err := a.intent(b)
	if err != nil {
		return err
	}
	return a.make(ctx, b, in, nil)
}

// intent is the call of a batch, not stored yet.
func (a *applier) intent(b *batch) (*ledger.Intent, error) {
	body, err := b.target.Encode(b.op, b.sendItems(a.m.deps.Owner))
	if err != nil {
		return nil, &sdk.Error{Failure: sdk.Refused, Code: "encode", Message: "the objects could not be written as a call", Err: err}
	}
	in := &ledger.Intent{Apply: a.res.ID, Op: b.op, Rate: b.target.Info().Ops[b.op].RateKey, Call: body}
	for _, bi := range b.items {
		in.Items = append(in.Items, ledger.Item{Verb: bi.verb, After: bi.after, Body: bi.object.Body})
	}
	return in, nil
}

// answer is how one attempt ended, and when.
type answer struct {
	sdk.Answer
	err error
	at  time.Time
}

// call makes one attempt of a stored intent, and ends its token.
func (a *applier) call(ctx context.Context, b *batch, in *ledger.Intent, token *pace.Call) answer {
	defer token.End()
	ans, err := b.target.Send(ctx, b.op, in.Call)
	if err == nil && len(ans.Outcomes) != len(in.Items) {
		err = &sdk.Error{Failure: sdk.InDoubt, Message: fmt.Sprintf("the service answered for %d of %d items", len(ans.Outcomes), len(in.Items))}
	}
	return answer{ans, err, a.m.deps.Clock.Now()}
}

// make makes the call of an intent until it has an outcome or the attempts are
// used up. first is the answer of an attempt that was made already.
func (a *applier) make(ctx context.Context, b *batch, in *ledger.Intent, first *answer) error {
	op := b.target.Info().Ops[b.op]
	doubt := len(in.Attempts) > 0 && first == nil // an earlier attempt may have had an effect
	for n := 1; ; n++ {
		if first == nil {
			token, err := a.begin(ctx, b, in, op)
			if err != nil {
				return err
			}
			got := a.call(ctx, b, in, token)
			first = &got
		}
		ans, err := first.Answer, first.err
		in.Attempts[len(in.Attempts)-1] = first.at
		first = nil
		a.res.Calls++
		if err == nil {
			return a.settle(ctx, b, in, ans)
		}
		wait, again := a.again(b, op, err, n)
		failure := sdk.FailureOf(err)
		if failure == sdk.InDoubt || failure == sdk.Unavailable {
			doubt = true
		}
		switch {
		case ctx.Err() != nil && doubt:
			return ctx.Err() // the intent stays open
		case again:
			if err := a.m.deps.Clock.Sleep(ctx, wait); err != nil {
				return a.closeUnless(ctx, b, in, doubt, err)
			}
			continue
		case failure == sdk.NotSent || failure == sdk.Throttled || failure == sdk.InDoubt || failure == sdk.Unavailable:
			a.why(fmt.Sprintf("%s: %v (tried %d times, goes on with the next apply)", b.site.domain, err, n))
			return a.closeUnless(ctx, b, in, doubt, errLater)
		}
		if doubt {
			// This answer says nothing of the earlier attempt: the call stays in doubt
			// and is looked up before the next plan.
			a.why(fmt.Sprintf("%s: a call without an answer was repeated and refused (%v); it is looked up first", b.site.domain, err))
			return errors.Join(errLater, err)
		}
		return a.closeUnless(ctx, b, in, false, err)
	}
}

// closeUnless closes an intent that had no effect and returns cause; one in doubt
// stays open.
func (a *applier) closeUnless(ctx context.Context, b *batch, in *ledger.Intent, doubt bool, cause error) error {
	if doubt {
		return cause
	}
	c := b.site.book.Begin()
	c.Close(in)
	if err := b.site.book.Commit(context.WithoutCancel(ctx), c); err != nil {
		return err
	}
	return cause
}

// begin takes a token and stores the intent with this attempt.
func (a *applier) begin(ctx context.Context, b *batch, in *ledger.Intent, op sdk.Op) (*pace.Call, error) {
	if left := a.m.pace.Blocked(op.RateKey); left > patience {
		a.why(fmt.Sprintf("%s asked not to be called for another %s; the rest goes on then", b.site.domain, left.Round(time.Second)))
		return nil, a.closeUnless(ctx, b, in, in.ID == 0 || len(in.Attempts) > 0, errLater)
	}
	token, err := a.m.pace.Wait(ctx, op)
	if err != nil {
		return nil, a.closeUnless(ctx, b, in, in.ID == 0 || len(in.Attempts) > 0, err)
	}
	in.Attempts = append(in.Attempts, token.At)
	c := b.site.book.Begin()
	c.Open(in)
	if err := b.site.book.Commit(ctx, c); err != nil {
		token.End()
		return nil, err
	}
	return token, nil
}

// The waits between attempts grow from firstWait, doubling, to mostWait.
const (
	firstWait = time.Second
	mostWait  = time.Minute

	// patience is how long an apply waits because the service asked for it; beyond it
	// the rest goes on with a later one, so that a person's command is not held up.
	patience = 3 * time.Minute
	// mostAsked is how far a Retry-After is believed.
	mostAsked = 6 * time.Hour
)

// again says whether a failed attempt may be made again and after which wait.
// Repeating a call that may have had an effect is for idempotent operations only
// (SEMANTICS D11).
func (a *applier) again(b *batch, op sdk.Op, err error, n int) (wait time.Duration, again bool) {
	if a.down[b.site.domain] = a.down[b.site.domain] || n >= a.m.set.Attempts; a.down[b.site.domain] {
		return 0, false
	}
	wait = min(firstWait<<(n-1), mostWait)
	failure := sdk.FailureOf(err)
	var e *sdk.Error
	if (failure == sdk.Throttled || failure == sdk.Unavailable) && errors.As(err, &e) && !e.RetryAt.IsZero() {
		now := a.m.deps.Clock.Now()
		asked := min(e.RetryAt.Add(-b.site.book.Meta.Offset()).Sub(now), mostAsked)
		a.m.pace.Block(op.RateKey, now.Add(asked)) // the rate log makes everybody wait
		if asked > patience {
			return 0, false
		}
		if failure == sdk.Throttled {
			wait = 0
		}
	}
	switch failure {
	case sdk.NotSent, sdk.Throttled:
		return wait, true
	case sdk.InDoubt, sdk.Unavailable:
		return wait, op.Idempotent
	}
	return 0, false
}

// settle stores the outcome of a call in one commit with the rows, the bodies, the
// inverses and the guards' counts.
func (a *applier) settle(ctx context.Context, b *batch, in *ledger.Intent, ans sdk.Answer) error {
	now := a.m.deps.Clock.Now()
	c := b.site.book.Begin()
	c.Close(in)
	heard(c, ans.ServerTime, now)
	var did []*Item
	for i, bi := range b.items {
		if a.outcome(ctx, c, b, bi, ans.Outcomes[i], now) {
			did = append(did, bi.it)
		}
	}
	if err := a.counted(c, b.site, did); err != nil {
		return err
	}
	if err := jumped(b.site.domain, &b.site.book.Meta, ans.ServerTime, now); err != nil {
		heard(c, b.site.book.Meta.ServedAt, b.site.book.Meta.ServedLocal)
	}
	return b.site.book.Commit(context.WithoutCancel(ctx), c)
}

// outcome writes what became of one item and reports whether it was done.
func (a *applier) outcome(ctx context.Context, c *ledger.Change, b *batch, bi *batchItem, out sdk.Outcome, now time.Time) bool {
	it := bi.it
	switch out.Status {
	case sdk.Accepted:
		a.done++
		a.res.Counts[it.Action]++
		if b.op == sdk.OpDelete {
			b.site.removed(c, a.res.ID, bi, now)
		} else {
			b.site.wrote(c, a.res.ID, bi, a.acceptedRow(ctx, b, bi, out, now), now)
		}
		b.accepted[it.Identity] = true
		return true
	case sdk.Rejected:
		a.done++
		a.res.Rejected = append(a.res.Rejected, Skip{Domain: it.Domain, Identity: it.Identity, Why: join(out.Code, out.Reason)})
		c.Put(parked(bi, b.op, out.Code, out.Reason, now), nil)
	case sdk.Full:
		a.full = true
		own := b.site.book.Present()
		for id := range b.accepted {
			if r := b.site.book.Rows[id]; r == nil || !r.Present() {
				own++
			}
		}
		c.Meta().Learned, c.Meta().LearnedAt = own, now
		a.why("the tenant is full: " + join(out.Code, out.Reason))
	default:
		a.why("the service asked to come back later for some objects: " + join(out.Code, out.Reason))
		if bi.before != nil {
			next := *bi.before
			next.RetryAt, next.Attempts = out.RetryAt.Add(-c.Meta().Offset()), next.Attempts+1
			next.Code, next.Reason = out.Code, out.Reason
			c.Put(next, nil)
		}
	}
	return false
}

// acceptedRow is the row of an object the service took. An id that is known as
// somebody else's makes it foreign-touched (SEMANTICS D3).
func (a *applier) acceptedRow(ctx context.Context, b *batch, bi *batchItem, out sdk.Outcome, now time.Time) ledger.Row {
	r := bi.after
	r.State, r.Sent, r.Code, r.Reason, r.Attempts, r.RetryAt = ledger.Live, now, "", "", 0, time.Time{}
	if bi.before != nil && bi.before.State == ledger.Rejected && bi.it.Held {
		r.State, r.Code, r.Reason = ledger.Rejected, bi.before.Code, bi.before.Reason
	}
	if out.RemoteID != "" {
		r.RemoteID = out.RemoteID
	}
	if r.Created.IsZero() {
		r.Created = now
	}
	if known := bi.before != nil && bi.before.RemoteID == r.RemoteID; !known && b.site.foreignID(r.RemoteID) {
		r.State, r.Code, r.Reason = ledger.Touched, "foreign_touched", "the service answered with the id of a foreign row"
		a.m.noteTouched(ctx, b.site, &r)
	}
	return r
}

// parked is the row of an object the service refused for good. What was there
// before stays as it was.
func parked(bi *batchItem, op sdk.OpName, code, why string, now time.Time) ledger.Row {
	r := bi.after
	r.RemoteID = ""
	if bi.before != nil {
		r = *bi.before
		r.Modified = bi.after.Modified
	}
	r.Code, r.Reason, r.Attempts = code, why, r.Attempts+1
	if op == sdk.OpDelete {
		r.RetryAt = now.Add(time.Hour)
		return r
	}
	r.State, r.BodyHash = ledger.Rejected, bodyHash(&bi.object)
	return r
}

func (s *site) foreignID(id string) bool {
	if s.list == nil {
		return false
	}
	r, listed := s.list.rows[id]
	return listed && !s.owner.ours(&r)
}

func join(code, text string) string {
	if code == "" {
		return text
	}
	return code + ": " + text
}

func writeDoc(c *ledger.Change, space, key string, doc any) error {
	val, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("write %s %s: %w", space, key, err)
	}
	c.Write(store.Write{Space: space, Key: []byte(key), Value: val})
	return nil
}
