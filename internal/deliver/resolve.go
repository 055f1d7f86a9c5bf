package deliver

import (
	"context"
	"errors"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/sdk"
)

// resolve finds out what became of the calls in doubt before anything new is
// planned (SEMANTICS D11). What is idempotent and may still be sent is repeated with
// the stored body; anything else is looked up in a listing taken after the declared
// read lag, or, where there is no listing, taken to be there.
func (m *Manager) resolve(ctx context.Context, s *site) error {
	for _, in := range append([]*ledger.Intent(nil), s.book.Open...) {
		done, err := m.repeat(ctx, s, in)
		if err == nil && !done && s.blind() {
			err = m.assume(ctx, s, in)
		} else if err == nil && !done {
			err = m.lookUp(ctx, s, in)
		}
		if err != nil {
			m.refresh(s)
			return err
		}
	}
	m.refresh(s)
	return nil
}

// repeat sends the stored body once more. done is false where it may not be
// repeated or did not help.
func (m *Manager) repeat(ctx context.Context, s *site, in *ledger.Intent) (done bool, err error) {
	target := s.targetOf(in)
	if !target.Info().Ops[in.Op].Idempotent {
		return false, nil
	}
	if may, err := m.repeatable(ctx, s, in); err != nil || !may {
		return false, err
	}
	a := &applier{m: m, sites: []*site{s}, by: map[string]*site{s.domain: s}, off: map[string]error{}, down: map[string]bool{},
		res: &Result{ID: in.Apply, Counts: map[Action]int{}}}
	b := &batch{site: s, target: target, op: in.Op, accepted: map[string]bool{}}
	undoes, err := m.undoneBy(ctx, in.Apply)
	if err != nil {
		return false, err
	}
	for i := range in.Items {
		b.items = append(b.items, resolvedItem(s, &in.Items[i], undoes))
	}
	if err := a.bodies(ctx, b); err != nil {
		return false, err
	}
	err = a.make(ctx, b, in, nil)
	switch failure := sdk.FailureOf(err); {
	case err == nil:
		return true, nil
	case failure == sdk.Refused || failure == sdk.Missing:
		return false, nil // the intent is still open
	case errors.Is(err, errLater):
		return false, &sdk.Error{Failure: sdk.Unavailable, Message: "a call in doubt could not be resolved: " + firstOf(a.res.Why)}
	}
	return false, m.failed(ctx, s, err)
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// repeatable: every object of the call ends late enough, is not protected now, and
// is wanted by somebody or there already. A call that was made before an own asset
// was declared, or an allow-list took a value in, must not be made again. A deletion
// always may.
func (m *Manager) repeatable(ctx context.Context, s *site, in *ledger.Intent) (bool, error) {
	if in.Op == sdk.OpDelete {
		return true, nil
	}
	hand, err := m.blocks(ctx)
	if err != nil {
		return false, err
	}
	a := &applier{m: m, hand: hand, judges: map[string][]*judge{}}
	for i, d := range s.dests {
		a.judges[d.Node] = append(a.judges[d.Node], newJudge(d, i, s.now))
	}
	for i := range in.Items {
		it := &in.Items[i]
		if it.After.Expires.Sub(s.now) < minLife || a.protected(it.After.Indicator) {
			return false, nil
		}
		if it.Verb != ledger.Create {
			continue
		}
		_, rec, err := a.find(ctx, &Item{Domain: s.domain, Identity: it.After.Identity, Wants: wantsOf(&it.After)})
		if err != nil || rec == nil {
			return false, err
		}
	}
	return true, nil
}

// protected: a destination holds the value as protected.
func (a *applier) protected(i indicator.Indicator) bool {
	for _, judges := range a.judges {
		for _, j := range judges {
			if _, _, held := j.rules.Check(i); held {
				return true
			}
		}
	}
	return false
}

// targetOf is the login the call was made with.
func (s *site) targetOf(in *ledger.Intent) sdk.Target {
	if in.Op != sdk.OpDelete && len(in.Items) > 0 && len(in.Items[0].After.Contributors) > 0 {
		for _, d := range s.dests {
			if d.Node == in.Items[0].After.Contributors[0].Node {
				return d.Target
			}
		}
	}
	return s.target
}

func resolvedItem(s *site, it *ledger.Item, undoes string) *batchItem {
	bi := &batchItem{verb: it.Verb, after: it.After}
	if r := s.book.Rows[it.After.Identity]; r != nil {
		before := *r
		bi.before = &before
	}
	action := map[ledger.Verb]Action{ledger.Create: Create, ledger.Update: Update, ledger.Renew: Renew, ledger.Delete: Delete}[it.Verb]
	bi.it = &Item{Domain: s.domain, Action: action, Identity: it.After.Identity, Slot: it.After.Slot, Wants: wantsOf(&it.After), Desired: "resolved", Undoes: undoes}
	if it.Verb == ledger.Delete {
		bi.it.Desired = ""
	}
	if bi.before != nil {
		bi.it.Base = bi.before.Base
	}
	bi.object = sdk.Object{Identity: it.After.Identity, Slot: it.After.Slot, Indicator: it.After.Indicator, Action: it.After.Action,
		Body: it.Body, Hash: it.After.Hash, Score: it.After.Score, Life: it.After.Life}
	return bi
}

// lookUp decides by a listing that began after the read lag: what carries our mark
// and the written content was written, what does not was not.
func (m *Manager) lookUp(ctx context.Context, s *site, in *ledger.Intent) error {
	last := lastAttempt(in)
	if wait := last.Add(s.info.ReadLag).Sub(m.deps.Clock.Now()); wait > 0 {
		if err := m.deps.Clock.Sleep(ctx, min(wait, s.info.ReadLag)); err != nil {
			return err
		}
	}
	if err := m.relist(ctx, s); err != nil {
		return err
	}
	found := map[string]sdk.Remote{}
	for _, r := range s.list.rows {
		if s.owner.ours(&r) {
			found[r.Identity] = r
		}
	}
	return m.decide(ctx, s, in, func(v *verdict, bi *batchItem) {
		remote, listed := found[bi.it.Identity]
		same := remote.Hash == "" || remote.Hash == bi.after.Hash
		switch {
		case bi.verb == ledger.Delete && !listed:
			v.withdrawn(bi)
		case bi.verb == ledger.Create && listed, bi.verb != ledger.Delete && listed && same:
			row := bi.after
			row.RemoteID = remote.ID
			if !remote.Expires.IsZero() {
				row.Expires = remote.Expires
			}
			if !same { // ours all the same: a second one must never be made
				row.Hash = remote.Hash
			}
			v.written(bi, row)
		default:
			v.without(bi)
		}
	})
}

// assume settles a call in doubt that may not be repeated at a tenant that cannot be
// listed: what may be there is taken to be there with a content that is not known, so
// that it is written again or withdrawn.
func (m *Manager) assume(ctx context.Context, s *site, in *ledger.Intent) error {
	return m.decide(ctx, s, in, func(v *verdict, bi *batchItem) {
		if bi.verb != ledger.Create {
			v.without(bi)
			return
		}
		row := bi.after
		row.Hash = ""
		v.written(bi, row)
	})
}

func lastAttempt(in *ledger.Intent) time.Time {
	if n := len(in.Attempts); n > 0 {
		return in.Attempts[n-1]
	}
	return time.Time{}
}

// verdict settles the items of one call in doubt.
type verdict struct {
	c    *ledger.Change
	s    *site
	in   *ledger.Intent
	now  time.Time
	last time.Time
	did  []*Item
}

// decide closes a call in doubt, with what fn says of each item, in one commit.
func (m *Manager) decide(ctx context.Context, s *site, in *ledger.Intent, fn func(*verdict, *batchItem)) error {
	a := &applier{m: m, sites: []*site{s}, res: &Result{ID: in.Apply, Counts: map[Action]int{}}}
	b := &batch{site: s, op: in.Op}
	undoes, err := m.undoneBy(ctx, in.Apply)
	if err != nil {
		return err
	}
	for i := range in.Items {
		b.items = append(b.items, resolvedItem(s, &in.Items[i], undoes))
	}
	if err := a.bodies(ctx, b); err != nil {
		return err
	}
	v := &verdict{c: s.book.Begin(), s: s, in: in, now: m.deps.Clock.Now(), last: lastAttempt(in)}
	v.c.Close(in)
	for _, bi := range b.items {
		fn(v, bi)
	}
	if err := a.counted(v.c, s, v.did); err != nil {
		return err
	}
	return s.book.Commit(ctx, v.c)
}

func (v *verdict) withdrawn(bi *batchItem) {
	v.s.removed(v.c, v.in.Apply, bi, v.now)
	v.did = append(v.did, bi.it)
}

func (v *verdict) written(bi *batchItem, row ledger.Row) {
	row.State, row.Sent = ledger.Live, v.last
	if row.Created.IsZero() {
		row.Created = v.last
	}
	v.s.wrote(v.c, v.in.Apply, bi, row, v.now)
	v.did = append(v.did, bi.it)
}

// without: the write had no effect that can be seen. Where identities retire, no later
// write may be older than it all the same.
func (v *verdict) without(bi *batchItem) {
	if !v.s.info.Retires {
		return
	}
	if bi.before == nil {
		v.c.Remember(bi.it.Identity, ledger.Past{Generation: bi.after.Generation, Modified: bi.after.Modified})
		return
	}
	next := *bi.before
	next.Generation, next.Modified = bi.after.Generation, bi.after.Modified
	if v.s.blind() {
		next.Hash = "" // it may have been written
	}
	v.c.Put(next, nil)
}
