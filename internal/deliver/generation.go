package deliver

import (
	"context"
	"time"

	"github.com/remeld/remeld/internal/deliver/ledger"
)

// generations gives the writes to a target that retires identities their place in the
// identity's life: the generation of a new object, and a time that is later than that
// of every write before (SEMANTICS D19).
func (a *applier) generations(ctx context.Context, b *batch) error {
	if !b.site.info.Retires {
		return nil
	}
	var fresh []string
	for _, bi := range b.items {
		if bi.verb == ledger.Create {
			fresh = append(fresh, bi.it.Identity)
		}
	}
	pasts, err := b.site.book.Pasts(ctx, fresh)
	if err != nil {
		return err
	}
	now := b.site.now.Truncate(time.Millisecond)
	for _, bi := range b.items {
		r := &bi.after
		past, known := pasts[bi.it.Identity]
		if known && past.Next() > r.Generation {
			r.Generation, r.Made = past.Next(), time.Time{}
		}
		r.Modified = latest(now, after(r.Modified), after(past.Modified))
		if r.Made.IsZero() {
			r.Made = r.Modified
		}
	}
	return nil
}

// after is the first moment that counts as later than t; the zero time has none
// before it.
func after(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(time.Millisecond)
}

func latest(times ...time.Time) time.Time {
	var out time.Time
	for _, t := range times {
		if t.After(out) {
			out = t
		}
	}
	return out
}

// drop takes a row out of the ledger, and remembers its generation where the target
// retires identities. at is the local time we deleted it, zero when it ended by
// itself; withdrawn says that its id is used up.
func (s *site) drop(c *ledger.Change, r *ledger.Row, at time.Time, withdrawn bool) {
	if s.info.Retires {
		c.Remember(r.Identity, ledger.Past{Generation: r.Generation, Modified: r.Modified, Withdrawn: withdrawn})
	}
	c.Unpin(r.Identity)
	c.Drop(r.Identity, at)
}

// removed settles a withdrawal that was done.
func (s *site) removed(c *ledger.Change, apply string, bi *batchItem, now time.Time) {
	c.Undo(apply, bi.it.Identity, bi.before, bi.old, nil)
	s.drop(c, &bi.after, now, true)
	if bi.it.Undoes != "" {
		c.Pin(bi.it.Identity, ledger.Pin{Undone: bi.it.Undoes, By: apply, At: now, Absent: true})
	}
}

// wrote settles a write that was done.
func (s *site) wrote(c *ledger.Change, apply string, bi *batchItem, row ledger.Row, now time.Time) {
	c.Undo(apply, bi.it.Identity, bi.before, bi.old, &row)
	c.Put(row, bi.object.Body)
	if bi.it.Undoes != "" {
		c.Pin(bi.it.Identity, ledger.Pin{Undone: bi.it.Undoes, By: apply, At: now})
	}
}

// learn remembers what a listing shows of our withdrawn objects that the ledger does
// not know: somebody withdrew them by hand, or the ledger was lost.
func (s *site) learn(ctx context.Context, c *ledger.Change, l *listing) error {
	var ids []string
	for id, r := range l.withdrawn {
		if s.info.Retires && s.owner.ours(&r) {
			ids = append(ids, id)
		}
	}
	pasts, err := s.book.Pasts(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		r := l.withdrawn[id]
		past, known := pasts[id]
		if known && past.Next() > r.Generation {
			continue
		}
		c.Remember(id, ledger.Past{Generation: r.Generation, Modified: latest(r.Modified, past.Modified), Withdrawn: true})
	}
	return nil
}
