package deliver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/rank"
	"github.com/remeld/remeld/internal/deliver/reason"
)

// restrain asks the guards and freezes what they stop; everything else goes on
// (SEMANTICS D6).
func (p *planner) restrain() {
	for _, s := range p.sites {
		planned := guard.Counts{}
		for _, it := range p.plan.Items {
			if it.Domain == s.domain {
				p.tally(planned, it)
			}
		}
		if p.plan.First {
			delete(planned, guard.Key{Class: guard.Create}) // the whole plan waits for a person
		}
		for _, stop := range s.window.Judge(p.now, s.limits, planned, s.live()) {
			p.plan.Stops = append(p.plan.Stops, StopReport{
				ID: stopID(s.domain, stop.Key), Domain: s.domain, Key: stop.Key, Planned: stop.Planned, Text: stop.String()})
			p.stop(s, stop.Key)
		}
		p.stopUnlisted(s)
	}
}

// stopUnlisted makes one stop, to be approved, of what waits for a person's word
// about a tenant that cannot be listed.
func (p *planner) stopUnlisted(s *site) {
	n := 0
	for _, it := range p.plan.Items {
		n += one(it.Domain == s.domain && it.Reason == reason.UnlistedStart)
	}
	if n == 0 {
		return
	}
	key := guard.Key{Class: guard.Unlisted}
	p.plan.Stops = append(p.plan.Stops, StopReport{ID: stopID(s.domain, key), Domain: s.domain, Key: key, Planned: n,
		Text: fmt.Sprintf("the tenant cannot be listed (%s) and the ledger is empty: approving says that it holds nothing of ours, or nothing that %d creations could double", s.info.Blind, n)})
}

// tally counts an item under every key it falls under. What is counted here when
// planned is counted by the same function when done.
func (p *planner) tally(n guard.Counts, it *Item) { tally(n, it) }

func tally(n guard.Counts, it *Item) {
	removes := it.Desired == ""
	switch {
	case it.Action == Create && it.Base == 0 && it.Lifted != "":
		n[guard.Key{Class: guard.Lifted, Of: it.Lifted}]++
	case it.Action == Create && it.Base == 0:
		n[guard.Key{Class: guard.Create}]++
	case it.Action == Replace && removes:
		n[guard.Key{Class: guard.Delete}]++
	case it.Action == Delete && it.Reason.Protective():
		n[guard.Key{Class: guard.Protective}]++
	case it.Action == Delete:
		n[guard.Key{Class: guard.Delete}]++
		if it.Reason == reason.Quota || it.Reason == reason.Retired {
			return
		}
		for _, src := range it.Sources() {
			n[guard.Key{Class: guard.Source, Of: src}]++
		}
	}
}

// stop freezes the items of a key. Both halves of a replacement freeze together, and so
// does the successor of what stays; what must go goes without its successor.
func (p *planner) stop(s *site, key guard.Key) {
	frozen := map[string]reason.Code{}
	for _, it := range p.plan.Items {
		if it.Domain != s.domain || it.Action == Frozen {
			continue
		}
		n := guard.Counts{}
		tally(n, it)
		if n[key] == 0 {
			continue
		}
		code := stopCode(key, it)
		if it.Pair != "" {
			frozen[it.Pair] = code
		}
		it.Action, it.Reason = Frozen, code
	}
	for _, it := range p.plan.Items {
		if code, ok := frozen[it.Identity]; ok && it.Domain == s.domain && (it.Action == Replace || it.Action == Create) {
			it.Action, it.Reason = Frozen, code
		}
	}
}

func stopCode(key guard.Key, it *Item) reason.Code {
	switch key.Class {
	case guard.Create:
		return reason.GuardCreate
	case guard.Protective:
		return reason.GuardProtective
	case guard.Source:
		return reason.GuardSource.With(key.Of)
	case guard.Lifted:
		return it.Reason
	}
	return reason.GuardDelete
}

// stopID is short enough to type and belongs to what is stopped, not to a moment.
func stopID(domain string, key guard.Key) string {
	sum := sha256.Sum256([]byte(domain + "\x00" + key.String()))
	return "stop-" + hex.EncodeToString(sum[:4])
}

// fit drops the lowest creations when freezes keep slots that they were to get.
func (p *planner) fit() {
	if p.limit < 0 {
		return
	}
	over, hand := -p.limit, 0
	for _, s := range p.sites {
		for _, r := range s.book.Rows {
			if r.Present() && !s.lapsed(r) {
				over++
				hand += one(byHand(r))
			}
		}
		for id := range s.doubt {
			if r := s.book.Rows[id]; r == nil || !r.Present() {
				over++
			}
		}
	}
	var creates []*Item
	for _, it := range p.plan.Items {
		switch it.Action {
		case Delete:
			over--
		case Create:
			over++
			hand += one(it.Rank.Hand())
			creates = append(creates, it)
		}
	}
	over -= min(hand, reserveOf(p.sites))
	slices.SortStableFunc(creates, func(a, b *Item) int { return byRank(b, a) })
	dropped := map[*Item]bool{}
	for _, it := range creates {
		if over <= 0 {
			break
		}
		dropped[it] = true
		over--
		p.plan.held(it.held(reason.Quota, "frozen rows keep the slots"))
	}
	p.plan.Items = slices.DeleteFunc(p.plan.Items, func(it *Item) bool { return dropped[it] })
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// byRank orders items from the best to the worst.
func byRank(a, b *Item) int {
	switch {
	case a.Rank > b.Rank:
		return -1
	case a.Rank < b.Rank:
		return 1
	case a.record == nil || b.record == nil:
		return 0
	}
	return rank.Compare(rank.Entry{Rank: a.Rank, Rec: a.record}, rank.Entry{Rank: b.Rank, Rec: b.record})
}

// renewFrozen keeps rows alive that a freeze leaves in place, with the body they
// have, until the stated limit: a guard must not become a withdrawal by expiry.
func (p *planner) renewFrozen() {
	var renewals []*Item
	for _, it := range p.plan.Items {
		if it.Action != Frozen || it.Base == 0 {
			continue
		}
		s := p.byDomain[it.Domain]
		r := s.book.Rows[it.Identity]
		if !renewable(it.Reason, r) || s.lapsed(r) || r.Expires.IsZero() || s.now.Before(renewalAt(r, s.book.Meta.Offset())) {
			continue
		}
		if it.Reason != reason.Pinned && !r.FrozenSince.IsZero() && p.now.Sub(r.FrozenSince) > p.set.FrozenRenewal {
			continue
		}
		if !r.ValidUntil.IsZero() && !r.ValidUntil.After(r.Expires) {
			continue
		}
		renewals = append(renewals, &Item{Domain: it.Domain, Action: Renew, Identity: it.Identity, Slot: it.Slot, Wants: it.Wants,
			Reason: it.Reason, Base: it.Base, Expires: r.Expires, Held: true})
	}
	p.plan.Items = append(p.plan.Items, renewals...)
}

func renewable(code reason.Code, r *ledger.Row) bool {
	switch code.Base() {
	case reason.ChangedByHand, reason.ForeignTouched, reason.InDoubt, reason.UnknownOwn:
		return false
	}
	return r != nil && (r.State == ledger.Live || r.State == ledger.Rejected && r.RemoteID != "")
}
