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
// planned (SEMANTICS D11). An upsert that is idempotent and may still be sent is
// repeated with the stored body; anything else is looked up in a listing taken
// after the declared read lag.
func (m *Manager) resolve(ctx context.Context, s *site) error {
	for _, in := range append([]*ledger.Intent(nil), s.book.Open...) {
		done, err := m.repeat(ctx, s, in)
		if err == nil && !done {
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
	a := &applier{m: m, sites: []*site{s}, by: map[string]*site{s.domain: s}, off: map[string]error{},
		res: &Result{ID: in.Apply, Counts: map[Action]int{}}}
	b := &batch{site: s, target: target, op: in.Op, accepted: map[string]bool{}}
	for i := range in.Items {
		b.items = append(b.items, resolvedItem(s, &in.Items[i]))
	}
	err = a.make(ctx, b, in)
	switch {
	case err == nil:
		return true, nil
	case sdk.FailureOf(err) == sdk.Refused:
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
// was declared, or an allow-list took a value in, must not be made again.
func (m *Manager) repeatable(ctx context.Context, s *site, in *ledger.Intent) (bool, error) {
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
	if in.Op == sdk.OpUpsert && len(in.Items) > 0 && len(in.Items[0].After.Contributors) > 0 {
		for _, d := range s.dests {
			if d.Node == in.Items[0].After.Contributors[0].Node {
				return d.Target
			}
		}
	}
	return s.target
}

func resolvedItem(s *site, it *ledger.Item) *batchItem {
	bi := &batchItem{verb: it.Verb, after: it.After}
	if r := s.book.Rows[it.After.Identity]; r != nil {
		before := *r
		bi.before = &before
	}
	action := map[ledger.Verb]Action{ledger.Create: Create, ledger.Update: Update, ledger.Renew: Renew, ledger.Delete: Delete}[it.Verb]
	bi.it = &Item{Domain: s.domain, Action: action, Identity: it.After.Identity, Slot: it.After.Slot, Wants: wantsOf(&it.After), Desired: "resolved"}
	if it.Verb == ledger.Delete {
		bi.it.Desired = ""
	}
	if bi.before != nil {
		bi.it.Base = bi.before.Base
	}
	bi.object = sdk.Object{Identity: it.After.Identity, Slot: it.After.Slot, Indicator: it.After.Indicator, Action: it.After.Action,
		Body: it.Body, Hash: it.After.Hash, Score: it.After.Score}
	return bi
}

// lookUp decides by a listing that began after the read lag: what carries our mark
// and the written content was written, what does not was not.
func (m *Manager) lookUp(ctx context.Context, s *site, in *ledger.Intent) error {
	last := time.Time{}
	if n := len(in.Attempts); n > 0 {
		last = in.Attempts[n-1]
	}
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
	a := &applier{m: m, sites: []*site{s}, res: &Result{ID: in.Apply, Counts: map[Action]int{}}}
	now := m.deps.Clock.Now()
	c := s.book.Begin()
	c.Close(in)
	var did []*Item
	for i := range in.Items {
		bi := resolvedItem(s, &in.Items[i])
		remote, listed := found[bi.it.Identity]
		switch {
		case bi.verb == ledger.Delete && !listed:
			c.Undo(in.Apply, bi.it.Identity, bi.before, nil)
			c.Drop(bi.it.Identity, now)
			did = append(did, bi.it)
		case bi.verb != ledger.Delete && listed && (remote.Hash == "" || remote.Hash == bi.after.Hash):
			row := bi.after
			row.State, row.RemoteID, row.Sent = ledger.Live, remote.ID, last
			if !remote.Expires.IsZero() {
				row.Expires = remote.Expires
			}
			if row.Created.IsZero() {
				row.Created = last
			}
			c.Undo(in.Apply, bi.it.Identity, bi.before, nil)
			c.Put(row, bi.object.Body)
			did = append(did, bi.it)
		}
	}
	if err := a.counted(c, s, did); err != nil {
		return err
	}
	return s.book.Commit(ctx, c)
}
