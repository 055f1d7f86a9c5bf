package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

// scoreStep is the move of a score that is a change worth a write (SEMANTICS D10).
const scoreStep = 10

// compare fills the plan with what to do about every object that is wanted or
// known. The order of items is stable: by domain, then identity.
func (p *planner) compare(ctx context.Context) error {
	for _, s := range p.sites {
		for _, id := range slices.Sorted(maps.Keys(p.wanted[s.domain])) {
			p.plan.Items = append(p.plan.Items, p.wantedItems(s, p.wanted[s.domain][id])...)
		}
		for _, id := range slices.Sorted(maps.Keys(s.book.Rows)) {
			if p.wanted[s.domain][id] != nil {
				continue
			}
			it, err := p.unwanted(ctx, s, s.book.Rows[id])
			if err != nil {
				return err
			}
			if it != nil {
				p.plan.Items = append(p.plan.Items, it)
			}
		}
		p.adoptable(s)
		p.pair(s)
	}
	return nil
}

func (p *planner) item(s *site, w *want, action Action) *Item {
	it := &Item{Domain: s.domain, Action: action, Identity: w.object.Identity, Slot: w.object.Slot, Wants: w.wants,
		Desired: desiredHash(w.object), Rank: w.rank, record: w.record}
	if r := s.book.Rows[it.Identity]; r != nil {
		it.Base, it.Expires = r.Base, r.Expires
	}
	return it
}

func (p *planner) freeze(s *site, w *want, code reason.Code) []*Item {
	it := p.item(s, w, Frozen)
	it.Reason = code
	return []*Item{it}
}

// wantedItems says what an object that is wanted needs; nothing means keep.
func (p *planner) wantedItems(s *site, w *want) []*Item {
	r := s.book.Rows[w.object.Identity]
	switch {
	case s.doubt[w.object.Identity]:
		return p.freeze(s, w, reason.InDoubt)
	case r == nil, r.State == ledger.Rejected && r.RemoteID == "":
		return p.create(s, w, r)
	case r.State == ledger.Missing || r.State == ledger.Edited:
		return p.byHand(s, w, r)
	case r.State == ledger.Touched:
		return p.freeze(s, w, reason.ForeignTouched)
	case r.RetryAt.After(p.now):
		return p.freeze(s, w, reason.Later)
	case r.State == ledger.Rejected && r.BodyHash == bodyHash(w.object):
		return p.freeze(s, w, reason.Rejected)
	case s.pinned(r) && forbidden(p.judges, s.domain, r) == "":
		return p.freeze(s, w, reason.Pinned)
	case s.lapsed(r):
		if !p.renews(s, w) && !changed(r, w.object) {
			return nil
		}
		return p.create(s, w, r)
	case changed(r, w.object):
		if it := p.renewAsIs(s, w, r); it != nil {
			return []*Item{it}
		}
		return []*Item{p.item(s, w, Update)}
	case p.renews(s, w) && p.due(s, r, w):
		return []*Item{p.item(s, w, Renew)}
	}
	p.plan.Keep++
	p.kept[s.domain]++
	if !sameWants(r.Contributors, w.wants) {
		it := p.item(s, w, Note)
		it.Score = w.object.Score
		return []*Item{it}
	}
	return nil
}

func (p *planner) create(s *site, w *want, r *ledger.Row) []*Item {
	if id, ok := s.seen.unknown[w.object.Identity]; ok {
		it := p.item(s, w, Adopt)
		it.Reason = reason.UnknownOwn.With(id)
		return []*Item{it}
	}
	if r != nil && r.RetryAt.After(p.now) {
		return p.freeze(s, w, reason.Later)
	}
	if code := s.shut(); code != "" {
		return p.freeze(s, w, code)
	}
	if !p.allowOK {
		return p.freeze(s, w, reason.AllowNotReady)
	}
	it := p.item(s, w, Create)
	it.Lifted, it.Reason = p.lifted[s.domain].by(w.record)
	return []*Item{it}
}

func (p *planner) byHand(s *site, w *want, r *ledger.Row) []*Item {
	if !p.restores(r) {
		return p.freeze(s, w, reason.ChangedByHand)
	}
	if r.State == ledger.Missing {
		return p.create(s, w, r)
	}
	return []*Item{p.item(s, w, Update)}
}

// adoptedCode marks a row taken over that does not carry our mark yet.
const adoptedCode = "adopted"

// changed: the content differs, or the score moved by a step since it was sent.
func changed(r *ledger.Row, o *sdk.Object) bool {
	if r.Hash != o.Hash || r.Code == adoptedCode {
		return true
	}
	if len(r.Contributors) == 0 {
		return false // adopted: what it told is not known, and no reason to write
	}
	was, knew := r.Score.Get()
	is, knows := o.Score.Get()
	return knew != knows || knew && max(was-is, is-was) >= scoreStep
}

// due: a quarter of life is left, minus a jitter of up to a sixteenth of life that
// belongs to the object, so that what was sent together is not due together. An
// object that may not live longer than it does is never due (SEMANTICS D15).
func (p *planner) due(s *site, r *ledger.Row, w *want) bool {
	if r.Expires.IsZero() {
		return false
	}
	at := renewalAt(r, s.book.Meta.Offset())
	return !s.now.Before(at) && s.expiry(p.judges[w.node].life, w.object, w.record.Attrs.ValidUntil).After(r.Expires)
}

func renewalAt(r *ledger.Row, offset time.Duration) time.Time {
	life := r.Expires.Sub(r.Sent.Add(offset))
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.Identity)) // never fails
	jitter := time.Duration(float64(life) / 16 * float64(h.Sum32()) / (1 << 32))
	return r.Expires.Add(-life/4 - jitter)
}

// expiry is when an object written now would end, in service time, to the second; lives
// are those of the node that writes it.
func (s *site) expiry(lives map[indicator.Kind]time.Duration, o *sdk.Object, validUntil time.Time) time.Time {
	life, ok := lives[o.Indicator.Kind]
	if !ok {
		life = defaultLife
	}
	if o.Life > 0 {
		life = o.Life
	}
	at := s.now.Add(life)
	if !validUntil.IsZero() && validUntil.Before(at) {
		at = validUntil
	}
	return at.Truncate(time.Second)
}

const defaultLife = 30 * 24 * time.Hour

// unwanted says what becomes of a row that gets no object; nil means nothing.
func (p *planner) unwanted(ctx context.Context, s *site, r *ledger.Row) (*Item, error) {
	if p.parkedStill(s, r) {
		return nil, nil
	}
	it := &Item{Domain: s.domain, Action: Delete, Identity: r.Identity, Slot: r.Slot, Base: r.Base, Expires: r.Expires, Wants: wantsOf(r)}
	code, err := p.cause(ctx, s, r)
	if err != nil {
		return nil, err
	}
	it.Reason = code
	freeze := func(code reason.Code) (*Item, error) {
		it.Action, it.Reason = Frozen, code
		return it, nil
	}
	switch {
	case s.doubt[r.Identity]:
		return freeze(reason.InDoubt)
	case !r.Present() || s.lapsed(r):
		it.Action = Gone
	case r.State == ledger.Touched:
		return freeze(reason.ForeignTouched)
	case r.State == ledger.Edited && !code.Protective():
		return freeze(reason.ChangedByHand)
	case s.pinned(r):
		if it.Reason = forbidden(p.judges, s.domain, r); it.Reason == "" && code != reason.AllowListed {
			return freeze(reason.Pinned)
		} else if it.Reason == "" {
			it.Reason = code
		}
		return it, nil
	case code == reason.Rejected: // of the object that should take its place
		return freeze(reason.ReplacementStuck)
	case code.Class() == reason.Frozen:
		return freeze(code)
	case p.unsettled(r) && !code.Protective():
		return freeze(reason.Unsettled)
	}
	return it, nil
}

// cause is why nobody wants the row: of its contributors' reasons a protective one
// first. A contributor that is not read any more is asked about upstream.
func (p *planner) cause(ctx context.Context, s *site, r *ledger.Row) (reason.Code, error) {
	found := reason.Code("")
	for _, c := range r.Contributors {
		code := p.why[nodeKey{p.nodeAt(s, c.Node), c.Indicator}]
		if code == "" {
			var err error
			if code, err = p.left(ctx, c); err != nil {
				return "", err
			}
		}
		if found == "" || code.Protective() && !found.Protective() {
			found = code
		}
	}
	if found == "" {
		found = reason.Withdrawn
	}
	return found, nil
}

func (p *planner) left(ctx context.Context, c ledger.Contributor) (reason.Code, error) {
	if p.byHandBlock(c) {
		return reason.Unblocked, nil
	}
	causer, ok := p.up.(Causer)
	if !ok {
		return reason.Withdrawn, nil
	}
	code, err := causer.Cause(ctx, c.Node, c.Indicator)
	if code == "" {
		code = reason.Withdrawn
	}
	return code, err
}

func (p *planner) byHandBlock(c ledger.Contributor) bool {
	return slices.Contains(c.Sources, blockSource)
}

// nodeAt is the index of a node as it is aimed at a site, -1 if it is not: what it may
// send differs from tenant to tenant, and from scope to scope of one.
func (p *planner) nodeAt(s *site, node string) int {
	return slices.IndexFunc(p.judges, func(j *judge) bool { return j.dest.Node == node && j.domain == s.domain })
}

// adoptable lists rows with our mark that the ledger does not know and nobody
// wants.
func (p *planner) adoptable(s *site) {
	for _, identity := range slices.Sorted(maps.Keys(s.seen.unknown)) {
		if p.wanted[s.domain][identity] == nil && s.book.Rows[identity] == nil {
			p.plan.Items = append(p.plan.Items, &Item{Domain: s.domain, Action: Adopt, Identity: identity,
				Reason: reason.UnknownOwn.With(s.seen.unknown[identity])})
		}
	}
}

// pair ties the deletion and the creation of one slot together: a replacement
// (SEMANTICS D14). A refused replacement keeps the old object; a protective deletion
// goes first and by itself, whatever becomes of its successor (SEMANTICS D4).
func (p *planner) pair(s *site) {
	incoming, refused := map[string]*Item{}, p.refusedSlots(s)
	for _, it := range p.plan.Items {
		if it.Domain == s.domain && it.Desired != "" && (it.Action == Create || it.Action == Frozen) {
			incoming[it.Slot] = it
		}
	}
	for _, it := range p.plan.Items {
		if it.Domain != s.domain || it.Action != Delete {
			continue
		}
		in := incoming[it.Slot]
		switch {
		case in == nil:
			if refused[it.Slot] && !it.Reason.Protective() {
				it.Action, it.Reason = Frozen, reason.ReplacementStuck
			}
		case it.Reason.Protective():
			it.Pair, in.Pair = in.Identity, it.Identity
		case in.Action == Frozen:
			it.Action, it.Reason = Frozen, in.Reason
		default:
			it.Action, it.Pair = Replace, in.Identity
			in.Action, in.Pair = Replace, it.Identity
		}
	}
}

// refusedSlots are the slots of which the service refused for good the object that
// should take the place of what is there, though the record still passes every rule.
func (p *planner) refusedSlots(s *site) map[string]bool {
	slots := map[string]bool{}
	for _, r := range s.book.Rows {
		if p.parkedStill(s, r) {
			slots[r.Slot] = true
		}
	}
	return slots
}

// parkedStill: the service refused to create the object, and the very same object
// is still wanted.
func (p *planner) parkedStill(s *site, r *ledger.Row) bool {
	if r.State != ledger.Rejected || r.RemoteID != "" {
		return false
	}
	return slices.ContainsFunc(r.Contributors, func(c ledger.Contributor) bool {
		return p.refused[nodeKey{p.nodeAt(s, c.Node), c.Indicator}] == reason.Rejected
	})
}

func wantsOf(r *ledger.Row) []Want {
	out := make([]Want, len(r.Contributors))
	for i, c := range r.Contributors {
		out[i] = Want{Node: c.Node, Indicator: c.Indicator, Sources: c.Sources}
	}
	return out
}

func sameWants(a []ledger.Contributor, b []Want) bool {
	return slices.EqualFunc(a, b, func(c ledger.Contributor, w Want) bool {
		return c.Node == w.Node && c.Indicator == w.Indicator && slices.Equal(c.Sources, w.Sources)
	})
}

// desiredHash names the wanted content, score included.
func desiredHash(o *sdk.Object) string {
	n, _ := o.Score.Get()
	return o.Hash + "/" + strconv.Itoa(n)
}

// bodyHash names the exact body: what was refused for good is refused until it
// changes (SEMANTICS D13).
func bodyHash(o *sdk.Object) string {
	sum := sha256.Sum256(o.Body)
	return hex.EncodeToString(sum[:12])
}

// holdersOf are the indicators with an object at a site.
func holdersOf(sites []*site) map[indicator.Indicator]time.Time {
	m := map[indicator.Indicator]time.Time{}
	for _, s := range sites {
		for _, r := range s.book.Rows {
			if !r.Present() && r.State != ledger.Missing {
				continue
			}
			for _, c := range r.Contributors {
				if at, ok := m[c.Indicator]; !ok || r.Created.Before(at) {
					m[c.Indicator] = r.Created
				}
			}
		}
	}
	return m
}
