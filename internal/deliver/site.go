package deliver

import (
	"maps"
	"slices"
	"time"

	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

// site is one destination domain of a group while it is planned or applied.
type site struct {
	domain string
	info   sdk.TargetInfo
	target sdk.Target // of the first node aimed at it
	book   *ledger.Book
	list   *listing // nil: none young enough
	seen   view
	// sighted is the listing that seen is of.
	sighted *listing
	doubt   map[string]bool
	window  *guard.Window
	limits  guard.Limits
	owner   owner
	// now is service time; sure says that it was heard from the service lately.
	now  time.Time
	sure bool
	// nodes aimed at this domain, in order.
	dests []*Destination
	// siblings are the ledgers of the other domains of the quota.
	siblings []*ledger.Book
}

// blind: the tenant cannot be listed with this configuration.
func (s *site) blind() bool { return s.info.Blind != "" }

// unadopted: the ledger is empty and the tenant is not, where an identity that was
// withdrawn never returns under its id: creating anything would be guessing at
// generations (SEMANTICS D19).
func (s *site) unadopted() bool {
	return s.info.Retires && len(s.book.Rows) == 0 && len(s.seen.unknown) > 0
}

// unvouched: the tenant cannot be listed, the ledger is empty, and nobody has said
// that this is right.
func (s *site) unvouched() bool {
	return s.blind() && len(s.book.Rows) == 0 && s.book.Meta.Vouched.IsZero()
}

// shut says why nothing at all may be created at the tenant now, "" if it may.
func (s *site) shut() reason.Code {
	switch {
	case s.unvouched():
		return reason.UnlistedStart
	case !s.blind() && s.list == nil:
		return reason.NoListing
	case s.unadopted():
		return reason.AdoptFirst
	}
	return ""
}

// budget is the number of objects the group may have at the tenant (SEMANTICS D8):
// min(capacity − reserve, capacity − foreign), less what a full answer taught.
// Foreign growth stops creations and does not evict: rows that are present stay
// within it. 0 capacity is no limit (-1).
func budget(sites []*site, present int) (limit, foreign int) {
	capacity, reserve, learned := 0, 0, -1
	ids := map[string]bool{} // scopes of one tenant list the same foreign rows
	for _, s := range sites {
		if s.info.Capacity > 0 && (capacity == 0 || s.info.Capacity < capacity) {
			capacity = s.info.Capacity
		}
		reserve = max(reserve, s.info.Reserve)
		maps.Copy(ids, s.seen.foreign)
		if !s.book.Meta.LearnedAt.IsZero() {
			learned = max(learned, 0) + s.book.Meta.Learned
		}
	}
	foreign = len(ids)
	if capacity == 0 {
		return -1, foreign
	}
	own := capacity - reserve
	room := max(capacity-foreign, 0)
	if learned >= 0 {
		room = min(room, learned)
	}
	return max(min(own, max(room, present)), 0), foreign
}

// reserveOf is what is kept free for ad hoc blocks.
func reserveOf(sites []*site) int {
	reserve := 0
	for _, s := range sites {
		reserve = max(reserve, s.info.Reserve)
	}
	return reserve
}

// byHand: an ad hoc block wants the row, which then sits in the reserve while there
// is room in it.
func byHand(r *ledger.Row) bool {
	return slices.ContainsFunc(r.Contributors, func(c ledger.Contributor) bool { return slices.Contains(c.Sources, blockSource) })
}

// live counts present rows, by source for the guards.
func (s *site) live() guard.Live {
	l := guard.Live{}
	for _, r := range s.book.Rows {
		if !r.Present() {
			continue
		}
		l[""]++
		for _, src := range r.Sources() {
			l[src]++
		}
	}
	return l
}

// lapsed: the object ended at the tenant by itself; only a fresh service time may
// say so (SEMANTICS E16).
func (s *site) lapsed(r *ledger.Row) bool {
	return s.sure && r.Present() && !r.Expires.IsZero() && !r.Expires.After(s.now)
}

// refusedCreate: the object is parked because the service refused this very body, or one
// that differs in what is worth no write alone (SEMANTICS D10): a last seen that moves
// with every poll must not have it sent with every plan.
func refusedCreate(r *ledger.Row, o *sdk.Object) bool {
	return r != nil && r.State == ledger.Rejected && (r.BodyHash == bodyHash(o) || r.RemoteID == "" && !changed(r, o))
}

// foreignAt says why an object that is not ours yet may not be created.
func (s *site) foreignAt(o *sdk.Object) (reason.Code, string) {
	if id, ok := s.seen.duplicate[o.Identity]; ok {
		return reason.ForeignDuplicate, "row " + id
	}
	if id, ok := s.seen.allow[o.Slot]; ok {
		return reason.ForeignAllow, "row " + id
	}
	return "", ""
}
