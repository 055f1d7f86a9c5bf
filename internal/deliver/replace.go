package deliver

import (
	"context"

	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

// room is the number of free slots right now, -1 for no limit. hand asks for an ad
// hoc block, which may use what is left of the reserve.
func (a *applier) room(hand bool) int {
	if limit, _ := budget(a.sites, 0); limit < 0 {
		return -1 // without looking at a million rows
	}
	taken, byhand := 0, 0
	for _, s := range a.sites {
		for _, r := range s.book.Rows {
			if r.Present() && !s.lapsed(r) {
				taken++
				byhand += one(byHand(r))
			}
		}
		for id := range s.book.InDoubt() {
			if r := s.book.Rows[id]; r == nil || !r.Present() {
				taken++
			}
		}
	}
	limit, _ := budget(a.sites, taken)
	spare := reserveOf(a.sites)
	room := limit - taken + min(byhand, spare)
	if hand {
		room += spare - min(byhand, spare)
	}
	return max(room, 0)
}

// slots hands out the free slots of one call.
type slots struct{ room, hand int }

// take reserves a slot for a creation.
func (s *slots) take(it *Item) bool {
	left := &s.room
	if it.Rank.Hand() {
		left = &s.hand
	}
	if *left == 0 {
		return false
	}
	if *left > 0 {
		s.room, s.hand = max(s.room-1, min(s.room, 0)), max(s.hand-1, 0)
	}
	return true
}

// pairsAtFull is how many replacements go at once when no slot is free: few, so
// that each is gone from the tenant for two calls only (SEMANTICS D14).
const pairsAtFull = 20

// replace makes the new object first where a slot is free, and deletes the old one
// once the new one is there. At a full budget it deletes a few and creates them at
// once: one alone at first, and no further ones after a creation that failed, so
// that a service that takes deletions and no creations costs one object and not all.
func (a *applier) replace(ctx context.Context, items []*Item) error {
	remove := map[string]*Item{}
	var creates []*Item
	for _, it := range items {
		if it.Desired == "" {
			remove[it.Domain+"\x00"+it.Identity] = it
		} else {
			creates = append(creates, it)
		}
	}
	proven := false // a replacement that deleted first was followed by its creation
	for len(creates) > 0 {
		s := a.by[creates[0].Domain]
		room := a.room(false)
		n := 1
		if proven {
			n = pairsAtFull
		}
		first, then := sdk.OpDelete, sdk.OpUpsert
		switch {
		case room != 0:
			first, then = sdk.OpUpsert, sdk.OpDelete
			if n = len(creates); room > 0 {
				n = min(room, n)
			}
			n = min(n, max(s.info.Ops[sdk.OpUpsert].Batch, 1))
		case a.unanswered():
			a.why("replacements at a full budget wait until the calls in doubt are resolved: nothing is deleted whose successor may not come")
			return nil
		}
		n = min(n, len(creates))
		batch := creates[:n]
		creates = creates[n:]
		made, err := a.halves(ctx, batch, remove, first, then)
		if err != nil {
			return err
		}
		if first == sdk.OpDelete {
			if proven = made == n; !proven {
				a.why("a replacement at a full budget was not made whole, so no further old object is deleted for one; the next plan goes on")
				return nil
			}
		}
	}
	return nil
}

// unanswered: a call of the group is in doubt. Its slots are taken, so a tenant
// looks full, and the service may be in trouble.
func (a *applier) unanswered() bool {
	for _, s := range a.sites {
		if len(s.book.Open) > 0 {
			return true
		}
	}
	return false
}

// halves makes the first halves of replacements and, of those that were accepted, the
// second ones; made is how many of these were.
func (a *applier) halves(ctx context.Context, creates []*Item, remove map[string]*Item, first, then sdk.OpName) (made int, err error) {
	side := func(op sdk.OpName, only map[string]bool) []*Item {
		var out []*Item
		for _, it := range creates {
			half := it
			if op == sdk.OpDelete {
				half = remove[it.Domain+"\x00"+it.Pair]
			}
			if half != nil && (only == nil || only[half.Pair]) {
				out = append(out, half)
			}
		}
		return out
	}
	accepted, err := a.accepted(ctx, first, side(first, nil))
	if err != nil {
		return 0, err
	}
	done, err := a.accepted(ctx, then, side(then, accepted))
	return len(done), err
}

// counted adds what was done to the guards' window, in the same commit.
func (a *applier) counted(c *ledger.Change, s *site, items []*Item) error {
	done := guard.Counts{}
	for _, it := range items {
		tally(done, it)
		if it.Action == Delete && it.Reason == reason.Quota {
			done[guard.Key{Class: guard.Swap}]++
		}
	}
	if len(done) == 0 {
		return nil
	}
	now := a.m.deps.Clock.Now()
	var live guard.Live
	if s.window.Opens(now) {
		live = s.live()
	}
	s.window.Done(now, done, live)
	return writeDoc(c, guardSpace, s.domain, s.window)
}
