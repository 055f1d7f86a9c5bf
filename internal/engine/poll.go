package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/spool"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// PollReport tells what one poll of a source came to.
type PollReport struct {
	At          time.Time                `json:"at"`
	Took        time.Duration            `json:"took"`
	Verdict     Verdict                  `json:"verdict"`
	NotModified bool                     `json:"notModified,omitempty"`
	Body        string                   `json:"body,omitempty"` // what was read, by the source
	ID          string                   `json:"id,omitempty"`   // of a frozen poll
	Listed      int64                    `json:"listed"`
	Duplicates  int64                    `json:"duplicates,omitempty"`
	New         int64                    `json:"new,omitempty"`
	Changed     int64                    `json:"changed,omitempty"`
	Missing     int64                    `json:"missing,omitempty"` // newly missing
	Revived     int64                    `json:"revived,omitempty"`
	Withdrawn   int64                    `json:"withdrawn,omitempty"`
	Refused     map[indicator.Reason]int `json:"refused,omitempty"`
	Samples     []Refused                `json:"samples,omitempty"`
	Uncomputed  int64                    `json:"uncomputed,omitempty"` // values that could not be computed
	Computing   string                   `json:"computing,omitempty"`  // one of them
	Notes       []string                 `json:"notes,omitempty"`      // of the source, for a person
	Error       string                   `json:"error,omitempty"`
}

// Verdict is what a poll counts as.
type Verdict string

// The verdicts. Only accepted polls withdraw and move last seen.
const (
	VerdictAccepted   Verdict = "accepted"
	VerdictFrozen     Verdict = "frozen"     // adds and updates only, until a person decides (SEMANTICS E7)
	VerdictIncomplete Verdict = "incomplete" // adds and updates only (SEMANTICS E4)
)

// polling is one poll under way.
type polling struct {
	node   *node
	in     *intake
	shape  sdk.Shape // of this poll
	result sdk.Poll
	failed error // why the read is incomplete
	sorted *spool.Sorted
	st     *state // the state before
	now    time.Time
	report PollReport
	digest pollDigest
	tally  tally
	accept bool
	// overruled: the poll is out of bounds and accepted nevertheless.
	overruled bool
}

// PollNow polls a source at once, in the caller's goroutine. An error means that
// the engine could not do its part; a source that fails is told in the report.
func (e *Engine) PollNow(ctx context.Context, name string) (PollReport, error) {
	n, err := e.node(name)
	if err != nil {
		return PollReport{}, err
	}
	if !n.isSource() {
		return PollReport{}, fmt.Errorf("node %q is no source", name)
	}
	return n.poll(ctx)
}

var errClockJump = errors.New("the clock jumped: nothing is applied until it is acknowledged or right again")

// enter takes a token.
func enter(ctx context.Context, tokens chan struct{}) (leave func(), err error) {
	select {
	case tokens <- struct{}{}:
		return func() { <-tokens }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *node) poll(ctx context.Context) (PollReport, error) {
	leave, err := enter(ctx, n.eng.reads)
	if err != nil {
		return PollReport{}, err
	}
	defer leave()
	n.reading.Lock()
	defer n.reading.Unlock()
	if n.live.deaf.Load() {
		return PollReport{}, errDeaf
	}
	if err := n.ready(ctx); err != nil {
		return PollReport{}, err
	}
	n.live.polling.Store(true)
	defer n.live.polling.Store(false)
	p := &polling{node: n, st: n.st.Load(), now: n.eng.now()}
	defer p.close()
	if err := p.read(ctx); err != nil {
		return PollReport{}, err
	}
	if leave, err = enter(ctx, n.eng.polls); err != nil {
		return PollReport{}, err
	}
	defer leave()
	n.work.Lock()
	defer n.work.Unlock()
	p.st = n.st.Load() // ageing may have moved it while the source was read
	if err := p.settle(ctx); err != nil {
		return PollReport{}, fmt.Errorf("poll of node %s: %w", n.name(), err)
	}
	return p.report, n.tellPoll(ctx, &p.report)
}

// ready does what has to be done before a poll.
func (n *node) ready(ctx context.Context) error {
	n.work.Lock()
	defer n.work.Unlock()
	if err := n.eng.clock.check(ctx); err != nil {
		return err
	}
	return n.rejudge(ctx)
}

// parse is the fingerprint under which the source's own state is kept: with
// another one, "not modified" would hide what the new configuration makes of the
// same body (SEMANTICS E3).
func (n *node) parse() string {
	return n.spec.Fingerprint + "|" + n.info.Fingerprint + "|" + n.info.Origin
}

// read lets the source read once.
func (p *polling) read(ctx context.Context) error {
	n := p.node
	p.in = n.newIntake(ctx)
	var state []byte
	if p.st.Poll.NextFor == n.parse() {
		state = p.st.Poll.Next
	}
	p.result, p.failed = p.ask(ctx, state)
	if p.failed == nil && p.result.NotModified && state != nil && p.st.Poll.Torn && ctx.Err() == nil {
		// It is the accepted body again, but the table is not.
		state = nil
		p.result, p.failed = p.ask(ctx, nil)
	}
	if ctx.Err() != nil {
		return ctx.Err() // the engine ends, which says nothing of the source
	}
	p.shape = n.info.Shape
	if p.result.Shape != "" {
		p.shape = p.result.Shape
	}
	if p.result.NotModified && state == nil && p.failed == nil {
		p.failed = errors.New("the source says that nothing changed, but there was nothing to compare with")
	}
	refused, digest := p.in.close()
	p.digest = digest
	p.digest.shape = p.shape
	p.report = PollReport{
		At: p.now, NotModified: p.result.NotModified, Body: p.result.Body, Refused: refused, Samples: p.in.samples, Notes: p.result.Notes,
		Uncomputed: n.enrich.failed.Swap(0),
	}
	if why := n.enrich.failure.Swap(nil); why != nil {
		p.report.Computing = *why
	}
	for _, note := range p.report.Notes {
		n.log.Warn("of this poll", "note", note)
	}
	if p.failed != nil {
		p.report.Error = p.failed.Error()
	}
	return nil
}

// settle decides what the poll counts as and applies it.
func (p *polling) settle(ctx context.Context) error {
	switch {
	case p.failed == nil && p.result.NotModified:
		return p.unmodified(ctx)
	case p.failed == nil && p.node.digest.equal(&p.digest) && p.node.info.Shape != sdk.Events && p.st.Poll.Frozen == nil && p.st.Missing == 0:
		// The very items of the last accepted poll, in any order.
		p.listedAsBefore()
		p.accept = true
		return p.finish(ctx, p.st.clone(), nil)
	}
	p.node.digest = pollDigest{}
	var err error
	if p.sorted, err = p.in.spool.Seal(ctx); err != nil {
		return err
	}
	p.node.bounds = p.sorted.Bounds()
	v, err := p.node.eng.Store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	p.accept = p.failed == nil // provisional: what is dirty then is dirty in any case
	if err := p.diff(ctx, v); err != nil {
		return err
	}
	if err := p.decide(); err != nil {
		return err
	}
	if err := p.apply(ctx, v); err != nil {
		return err
	}
	if p.accept {
		p.node.digest = p.digest
	}
	return nil
}

// listedAsBefore reports what the last accepted body listed; a frozen or incomplete
// poll in between listed something else.
func (p *polling) listedAsBefore() {
	if last := &p.st.Poll.Last; last.Verdict == VerdictAccepted {
		p.report.Listed, p.report.Duplicates = last.Listed, last.Duplicates
		return
	}
	p.report.Listed = p.st.present()
}

// unmodified handles a poll without a body: complete, and what was missing is
// missing once more.
func (p *polling) unmodified(ctx context.Context) error {
	p.accept = true
	p.listedAsBefore()
	a := p.applier()
	if p.st.Missing > 0 {
		v, err := p.node.eng.Store.View()
		if err != nil {
			return err
		}
		defer v.Close()
		if err := p.sweepMissing(ctx, v, a); err != nil {
			return err
		}
	}
	return p.finish(ctx, a.st, a)
}

func (p *polling) judge() *judge {
	j := p.node.judge(p.now, p.st)
	j.accepted = p.accept
	j.moved = p.st.Poll.Moved
	j.membership = p.shape == sdk.Snapshot || j.moved
	return j
}

func (p *polling) close() {
	var err error
	if p.sorted != nil {
		err = p.sorted.Close()
	} else if p.in != nil {
		err = p.in.spool.Close()
	}
	if err != nil {
		p.node.log.Warn("clean up after the poll", "err", err)
	}
}

// finish commits what is left with the state after the poll; a may be nil.
func (p *polling) finish(ctx context.Context, st *state, a *applier) error {
	p.conclude(st)
	c := &store.Commit{}
	if a != nil {
		c = a.take()
	}
	if err := p.node.trim(ctx, st, c); err != nil {
		return err
	}
	return p.node.commit(ctx, c, st)
}

// conclude makes st the state after the poll.
func (p *polling) conclude(st *state) {
	n := p.node
	ps := &st.Poll
	ps.Applying = nil
	ps.LastAttempt, ps.LastEnd = p.now.UnixMilli(), n.eng.now().UnixMilli()
	p.report.Took = n.eng.now().Sub(p.now)
	switch {
	case p.accept:
		p.accepted(st)
	case p.failed != nil:
		p.report.Verdict = VerdictIncomplete
		ps.Failures++
		ps.Error, ps.Failure = p.failed.Error(), sdk.FailureOf(p.failed)
		ps.RetryAt = retryAt(p.failed)
	default:
		p.report.Verdict = VerdictFrozen
		ps.Failures, ps.Error, ps.Judged = 0, "", true
	}
	ps.Last = p.report
}

func (p *polling) accepted(st *state) {
	ps := &st.Poll
	p.report.Verdict = VerdictAccepted
	ps.Accepted++
	ps.LastComplete = p.now.UnixMilli()
	ps.Failures, ps.Error, ps.RetryAt, ps.Judged, ps.StaleDone = 0, "", 0, true, false
	ps.Torn, ps.Moved = false, false
	if p.overruled {
		ps.Baseline = nil // a smaller set was accepted on purpose
	}
	ps.Frozen, ps.AcceptID = nil, ""
	ps.note(p.now, p.size(st))
	if p.result.Next != nil || !p.result.NotModified {
		ps.Next, ps.NextFor = p.result.Next, p.node.parse()
	}
}

// size is what the baseline of the freeze counts.
func (p *polling) size(after *state) int64 {
	if p.shape == sdk.Snapshot {
		return p.report.Listed
	}
	return after.Rows
}

func retryAt(err error) int64 {
	var e *sdk.Error
	if errors.As(err, &e) && !e.RetryAt.IsZero() {
		return e.RetryAt.UnixMilli()
	}
	return 0
}
