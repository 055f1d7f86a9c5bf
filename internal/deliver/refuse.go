package deliver

import (
	"context"
	"errors"
	"fmt"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/sdk"
)

// strikes counts splits of which both halves were refused for the same reason with
// nothing accepted in between (SEMANTICS D13).
type strikes struct {
	code string
	n    int
}

func (s *strikes) success() { *s = strikes{} }

func (s *strikes) both(code string) (stop bool) {
	if s.code != code {
		s.n = 0
	}
	s.code, s.n = code, s.n+1
	return s.n >= 2
}

// refused divides a batch whose call was refused as a whole, until the rows at
// fault are alone; those are parked. Both halves are tried before either is
// divided, so that a refusal that is about the caller and not about a row is
// noticed after five calls.
func (a *applier) refused(ctx context.Context, b *batch, cause error) error {
	if len(b.items) == 1 {
		return a.park(ctx, b, cause)
	}
	mid := len(b.items) / 2
	halves := []*batch{b.of(b.items[:mid]), b.of(b.items[mid:])}
	var again []*batch
	var causes []error
	for _, h := range halves {
		err := a.attempt(ctx, h)
		switch {
		case err == nil:
			a.strike.success()
		case errors.Is(err, errLater), ctx.Err() != nil, errors.Is(err, ledger.ErrStore):
			return err
		case sdk.FailureOf(err) == sdk.Refused:
			again, causes = append(again, h), append(causes, err)
		default:
			if err := a.deliverError(ctx, h, err); err != nil {
				return err
			}
		}
	}
	// A half of one row says nothing about the other rows: a few poison rows that
	// come alone are parked and do not stop the destination.
	if len(again) == 2 && mid > 1 && codeOf(causes[0]) == codeOf(causes[1]) && a.strike.both(codeOf(causes[0])) {
		return a.m.halt(ctx, b.site, "destination_stopped",
			fmt.Sprintf("every part of a batch is refused for the same reason, so it is not about single rows: %v", causes[0]),
			"read the service's message; after a change of the configuration, or with apply, it is tried again")
	}
	for i, h := range again {
		if err := a.refused(ctx, h, causes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) deliverError(ctx context.Context, b *batch, err error) error {
	if sdk.FailureOf(err) == sdk.Missing && b.op != sdk.OpUpsert {
		return a.missing(ctx, b, err)
	}
	return a.m.failed(ctx, b.site, err)
}

func codeOf(err error) string {
	var e *sdk.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// park keeps one refused row with the service's reason.
func (a *applier) park(ctx context.Context, b *batch, cause error) error {
	bi := b.items[0]
	why := cause.Error()
	var e *sdk.Error
	if errors.As(cause, &e) {
		why = e.Message
	}
	a.done++
	a.res.Rejected = append(a.res.Rejected, Skip{Domain: bi.it.Domain, Identity: bi.it.Identity, Why: join(codeOf(cause), why)})
	c := b.site.book.Begin()
	c.Put(parked(bi, b.op, codeOf(cause), why, a.m.deps.Clock.Now()), nil)
	return b.site.book.Commit(context.WithoutCancel(ctx), c)
}

// missing handles a deletion or an update refused because an id does not exist: list
// again, take what is gone as gone, send the rest; divide only if the listing still
// shows every id, or cannot be had.
func (a *applier) missing(ctx context.Context, b *batch, cause error) error {
	if b.site.blind() {
		return a.unlistedMissing(ctx, b, cause)
	}
	if err := a.m.relist(ctx, b.site); err != nil {
		a.why("a call named an unknown id and the tenant could not be listed: " + err.Error())
		return a.later(err)
	}
	var rest, gone []*batchItem
	for _, bi := range b.items {
		if _, listed := b.site.list.rows[bi.after.RemoteID]; listed {
			rest = append(rest, bi)
		} else {
			gone = append(gone, bi)
		}
	}
	if err := a.gone(ctx, b, gone); err != nil {
		return err
	}
	switch {
	case len(rest) == 0:
		return nil
	case len(rest) < len(b.items):
		return a.deliver(ctx, b.of(rest))
	case len(rest) > 1:
		return a.divided(ctx, b)
	}
	return a.park(ctx, b.of(rest), cause)
}

// unlistedMissing finds the unknown ids by dividing, where no listing can tell them.
func (a *applier) unlistedMissing(ctx context.Context, b *batch, _ error) error {
	if len(b.items) == 1 {
		return a.gone(ctx, b, b.items)
	}
	return a.divided(ctx, b)
}

func (a *applier) divided(ctx context.Context, b *batch) error {
	mid := len(b.items) / 2
	if err := a.deliver(ctx, b.of(b.items[:mid])); err != nil {
		return err
	}
	return a.deliver(ctx, b.of(b.items[mid:]))
}

// gone settles items whose object is not at the tenant any more: a deletion is done,
// an update found a row that somebody deleted by hand.
func (a *applier) gone(ctx context.Context, b *batch, items []*batchItem) error {
	if len(items) == 0 {
		return nil
	}
	now := a.m.deps.Clock.Now()
	c := b.site.book.Begin()
	var did []*Item
	for _, bi := range items {
		a.done++
		if b.op != sdk.OpDelete {
			a.skip(bi.it, "the row was deleted at the tenant")
			next := bi.after
			if bi.before != nil {
				next = *bi.before
			}
			next.State, next.Code, next.Reason = ledger.Missing, "missing", "deleted at the tenant"
			c.Put(next, nil)
			continue
		}
		a.res.Counts[bi.it.Action]++
		b.accepted[bi.it.Identity] = true
		b.site.removed(c, a.res.ID, bi, now)
		did = append(did, bi.it)
	}
	if err := a.counted(c, b.site, did); err != nil {
		return err
	}
	return b.site.book.Commit(ctx, c)
}

func (a *applier) later(err error) error {
	if fatal(err) || errors.Is(err, ledger.ErrStore) {
		return err
	}
	return errLater
}

func (m *Manager) noteTouched(ctx context.Context, s *site, r *ledger.Row) {
	m.raise(ctx, condition.Condition{Node: s.dests[0].Node, Kind: "foreign_touched", ID: r.Identity,
		Message: fmt.Sprintf("the service answered our write of %s with row %s, which is not ours; it is never deleted", r.Identity, r.RemoteID),
		Help:    "look at the row at the tenant; adopt it or delete it by hand"})
}
