package deliver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/rank"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

// want is an object that should be at the tenant, with everybody who wants it.
type want struct {
	object *sdk.Object
	record *indicator.Record
	rank   rank.Rank
	node   int
	wants  []Want
}

type nodeKey struct {
	node int
	ind  indicator.Indicator
}

// planner builds one plan. Its parts are: read (stream and rank), place (give out
// slots), compare (difference with the ledger), restrain (guards), fit (slots that
// freezes keep).
type planner struct {
	set      Settings
	now      time.Time // local
	up       Upstream
	sites    []*site
	byDomain map[string]*site
	dests    []*Destination
	judges   []*judge
	hand     map[string][]*indicator.Record // ad hoc blocks by node
	lifted   map[string]*liftedSet          // by domain
	settled  bool
	allowOK  bool
	asleep   []bool // nodes that get nothing new, see awake.go
	between  bool   // nobody runs or asks: what asleep nodes have keeps its slot
	// dormant are asleep nodes whose sources are not settled; own is what asleep nodes
	// have an object of.
	dormant map[string]bool
	own     map[nodeKey]bool
	plan    *Plan

	// holders are the indicators that have an object, with the time they got it.
	holders map[indicator.Indicator]time.Time
	// why remembers the reason of every holder that is held out.
	why      map[nodeKey]reason.Code
	best     *rank.Best
	standing []rank.Entry // holders' records
	limit    int          // slots; -1 = no limit
	wanted   map[string]map[string]*want
	slots    map[string]map[string]string
	// granted and refused are the outcome for the records that were placed.
	granted map[nodeKey]bool
	desired []int          // records read, by node
	kept    map[string]int // objects right as they are, by domain
	refused map[nodeKey]reason.Code
	// parts are the objects that did not find a slot of records that are sent in part.
	parts []Held
}

// collect reads every desired record once, holds out what may not be sent and
// keeps the best of the rest.
func (p *planner) collect(ctx context.Context, keep int) error {
	p.best = rank.NewBest(keep, cloneRecord)
	p.standing, p.why = nil, map[nodeKey]reason.Code{}
	p.desired = make([]int, len(p.dests))
	p.plan.Desired, p.plan.Reasons, p.plan.Samples = 0, map[reason.Code]int{}, map[reason.Code][]Held{}
	for i, d := range p.dests {
		for _, rec := range p.hand[d.Node] {
			p.offer(i, rec, true)
		}
		err := p.up.Desired(ctx, d.Node, func(rec *indicator.Record) error {
			p.offer(i, rec, false)
			return nil
		})
		if err != nil {
			return fmt.Errorf("read what %s wants: %w", d.Node, err)
		}
	}
	return nil
}

func (p *planner) offer(node int, rec *indicator.Record, hand bool) {
	p.plan.Desired++
	p.desired[node]++
	j := p.judges[node]
	since, holds := p.holders[rec.Indicator]
	code, detail := j.allows(rec, hand)
	if code != "" {
		if holds && !code.Protective() {
			if worse, d := j.dangerous(rec); worse != "" {
				code, detail = worse, d
			}
		}
		p.hold(node, rec, code, detail, holds)
		return
	}
	if !hand && p.waits(node, rec.Indicator) {
		p.hold(node, rec, reason.NextRun, "", false)
		return
	}
	e := rank.Entry{Rank: rankOf(rec, hand), Node: node, Rec: rec}
	if !holds {
		p.best.Offer(e)
		return
	}
	e.Rank = e.Rank.Incumbent(p.margin())
	if p.now.Sub(since) < p.set.MinTenure || !p.settled || p.dormant[p.dests[node].Node] || p.between && p.asleep[node] {
		e.Rank = e.Rank.Tenured()
	}
	e.Rec = cloneRecord(rec)
	p.standing = append(p.standing, e)
}

func (p *planner) margin() int {
	switch {
	case p.set.Margin < 0:
		return 0
	case p.set.Margin == 0:
		return rank.Margin
	}
	return p.set.Margin
}

func (p *planner) hold(node int, rec *indicator.Record, code reason.Code, detail string, holds bool) {
	if holds {
		p.why[nodeKey{node, rec.Indicator}] = code
	}
	p.plan.Reasons[code]++
	if len(p.plan.Samples[code]) < samplesEach {
		p.plan.Samples[code] = append(p.plan.Samples[code], p.heldRecord(node, rec, code, detail))
	}
}

func (p *planner) heldRecord(node int, rec *indicator.Record, code reason.Code, detail string) Held {
	return Held{Node: p.dests[node].Node, Domain: p.judges[node].domain, Indicator: rec.Indicator, Reason: code, Detail: detail,
		Sources: append([]string(nil), rec.Attrs.Sources...)}
}

// choose streams and places until the budget is full or everything was seen: what
// turns out to need no slot makes room for more.
func (p *planner) choose(ctx context.Context) error {
	keep := p.limit
	if keep >= 0 {
		keep += keep/8 + 64
	}
	for {
		if err := p.collect(ctx, keep); err != nil {
			return err
		}
		challengers := p.best.Sorted()
		full := p.place(challengers)
		if full || keep < 0 || p.best.Seen <= len(challengers) {
			p.count(p.best.Seen - len(challengers))
			return nil
		}
		keep *= 2
	}
}

// count adds the losers that were never kept to the quota's total.
func (p *planner) count(losers int) {
	if losers > 0 {
		p.plan.Reasons[reason.Quota] += losers
	}
}

// place gives out slots in order of rank. Evictions beyond the day's swaps put the
// best of the evicted back in.
func (p *planner) place(challengers []rank.Entry) (full bool) {
	saved, samples := copyCounts(p.plan.Reasons), copySamples(p.plan.Samples)
	var pinned []rank.Entry
	for {
		entries := merge(p.standing, challengers, pinned)
		evicted, full := p.give(entries)
		allowed := p.swapsLeft()
		if allowed < 0 || len(evicted) <= allowed {
			return full
		}
		for _, e := range evicted[:len(evicted)-allowed] {
			e.Rank = e.Rank.Tenured()
			pinned = append(pinned, e)
		}
		p.plan.Reasons, p.plan.Samples = copyCounts(saved), copySamples(samples)
	}
}

func (p *planner) swapsLeft() int {
	most := p.set.SwapsADay
	if most < 0 || p.limit < 0 {
		return -1
	}
	if most == 0 {
		most = max(50, p.limit/20)
	}
	for _, s := range p.sites {
		most -= s.window.Swaps(p.now)
	}
	return max(most, 0)
}

// give walks the entries from the best and returns the holders that lost their
// slot to rank.
func (p *planner) give(entries []rank.Entry) (evicted []rank.Entry, full bool) {
	p.wanted, p.slots = map[string]map[string]*want{}, map[string]map[string]string{}
	for _, s := range p.sites {
		p.wanted[s.domain], p.slots[s.domain] = map[string]*want{}, map[string]string{}
	}
	free, spare := p.limit-p.reserved(), reserveOf(p.sites)
	p.plan.Cut.Last, p.plan.Cut.Next = "", ""
	p.granted, p.refused, p.parts = map[nodeKey]bool{}, map[nodeKey]reason.Code{}, nil
	for _, e := range entries {
		room := free
		if e.Rank.Hand() {
			room += spare
		}
		code, used := p.grant(e, room)
		_, holds := p.holders[e.Rec.Indicator]
		switch {
		case code == reason.Quota:
			full = true
			if p.plan.Cut.Next == "" {
				p.plan.Cut.Next, p.plan.Cut.NextRank = e.Rec.Value, e.Rank.String()
			}
			if holds {
				evicted = append(evicted, e)
			}
			fallthrough
		case code != "":
			p.refused[nodeKey{e.Node, e.Rec.Indicator}] = code
			p.hold(e.Node, e.Rec, code, "", holds)
		default:
			p.granted[nodeKey{e.Node, e.Rec.Indicator}] = true
			if e.Rank.Hand() { // ad hoc blocks spend the reserve first
				own := min(used, spare)
				spare, free = spare-own, free-(used-own)
			} else {
				free -= used
			}
			if used > 0 {
				p.plan.Cut.Last, p.plan.Cut.LastRank, p.plan.Cut.Rank = e.Rec.Value, e.Rank.String(), e.Rank
			}
		}
	}
	return evicted, full || p.limit >= 0 && free <= 0
}

// reserved counts the slots that are taken whatever is wanted: calls in doubt,
// rows that are never deleted by a plan, and everything while upstream is not
// settled.
func (p *planner) reserved() int {
	n := 0
	for _, s := range p.sites {
		for _, r := range s.book.Rows {
			if p.keeps(s, r) {
				n++
			}
		}
		for id := range s.doubt {
			if r := s.book.Rows[id]; r == nil || !r.Present() {
				n++
			}
		}
	}
	return n
}

func (p *planner) keeps(s *site, r *ledger.Row) bool {
	if !r.Present() || s.lapsed(r) {
		return false
	}
	return p.unsettled(r) || s.pinned(r) || r.State == ledger.Touched || r.State == ledger.Edited || s.doubt[r.Identity]
}

// grant maps an entry and takes the slots its objects need, or says why not.
func (p *planner) grant(e rank.Entry, free int) (code reason.Code, used int) {
	d := p.dests[e.Node]
	s := p.byDomain[p.judges[e.Node].domain]
	objects, unfit := d.Target.Map(e.Rec)
	if unfit != nil {
		return reason.Unfit.With(unfit.Code), 0
	}
	var fresh []newcomer
	for i := range objects {
		o := &objects[i]
		if w := p.wanted[s.domain][o.Identity]; w != nil {
			continue
		}
		if other, taken := p.slots[s.domain][o.Slot]; taken && other != o.Identity {
			code = reason.Conflict
			continue
		}
		if pin, held := s.book.Pins[o.Identity]; held && pin.Absent && !e.Rank.Hand() {
			code = reason.RolledBack
			continue
		}
		c, n := p.cost(s, o, d)
		if c != "" {
			code = c
			continue
		}
		used += n
		fresh = append(fresh, newcomer{o, n})
	}
	if p.limit >= 0 && used > free {
		if fresh, used = p.part(e, fresh, free); len(fresh) == 0 {
			return reason.Quota, 0
		}
	}
	for _, f := range fresh {
		o := f.object
		p.wanted[s.domain][o.Identity] = &want{object: o, record: e.Rec, rank: e.Rank, node: e.Node}
		p.slots[s.domain][o.Slot] = o.Identity
	}
	joined := false
	for i := range objects {
		if w := p.wanted[s.domain][objects[i].Identity]; w != nil {
			joined = true
			w.wants = append(w.wants, Want{Node: d.Node, Indicator: e.Rec.Indicator, Sources: e.Rec.Attrs.Sources})
		}
	}
	if joined {
		code = "" // part of the record is sent; the rest is held with its own row
	}
	return code, used
}

// newcomer is an object that takes slots.
type newcomer struct {
	object *sdk.Object
	slots  int
}

// part keeps the first of a record's objects that find a slot, where they say the same
// in several ways; the others are held. Of other records all are sent or none.
func (p *planner) part(e rank.Entry, all []newcomer, free int) (kept []newcomer, used int) {
	n := 0
	for n < len(all) && all[n].object.Part && used+all[n].slots <= free {
		used += all[n].slots
		n++
	}
	if n == 0 {
		return nil, 0
	}
	for _, f := range all[n:] {
		rec := *e.Rec
		rec.Indicator = f.object.Indicator
		const why = "another hash of the same file has the slot"
		p.hold(e.Node, &rec, reason.Quota, why, false)
		p.parts = append(p.parts, p.heldRecord(e.Node, &rec, reason.Quota, why))
	}
	return all[:n], used
}

// cost is the number of new slots an object needs, or why it may not have one.
func (p *planner) cost(s *site, o *sdk.Object, d *Destination) (reason.Code, int) {
	r := s.book.Rows[o.Identity]
	if r != nil && s.lapsed(r) && d.RenewOnChange && !changed(r, o) {
		return "", 0 // it ended and is not sent again
	}
	if r != nil && r.Present() && !s.lapsed(r) {
		if p.keeps(s, r) {
			return "", 0 // counted among the reserved
		}
		return "", 1
	}
	if s.doubt[o.Identity] {
		return "", 0
	}
	if refusedCreate(r, o) {
		return reason.Rejected, 0
	}
	if r != nil && r.State == ledger.Missing && !p.restores(r) {
		return "", 0
	}
	if code, _ := s.foreignAt(o); code != "" {
		return code, 0
	}
	return "", 1
}

// restores: a node that wants the row re-asserts what was changed by hand.
func (p *planner) restores(r *ledger.Row) bool {
	if r.Code == restoreCode {
		return true
	}
	for _, c := range r.Contributors {
		for _, d := range p.dests {
			if d.Node == c.Node && d.Restore {
				return true
			}
		}
	}
	return false
}

// restoreCode marks a row that a person asked to be put back.
const restoreCode = "restore"

func copyCounts(m map[reason.Code]int) map[reason.Code]int {
	out := make(map[reason.Code]int, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

func copySamples(m map[reason.Code][]Held) map[reason.Code][]Held {
	out := make(map[reason.Code][]Held, len(m))
	for k, v := range m {
		out[k] = v[:len(v):len(v)]
	}
	return out
}

// merge puts standing and challenging entries in one order; pinned ones take the
// place of their equals.
func merge(standing, challengers, pinned []rank.Entry) []rank.Entry {
	raised := make(map[nodeKey]bool, len(pinned))
	for _, e := range pinned {
		raised[nodeKey{e.Node, e.Rec.Indicator}] = true
	}
	out := make([]rank.Entry, 0, len(standing)+len(challengers))
	for _, list := range [][]rank.Entry{standing, challengers} {
		for _, e := range list {
			if !raised[nodeKey{e.Node, e.Rec.Indicator}] {
				out = append(out, e)
			}
		}
	}
	out = append(out, pinned...)
	slices.SortFunc(out, rank.Compare)
	return out
}
