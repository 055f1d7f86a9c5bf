package deliver

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/reason"
)

// Why is what delivery knows of one indicator at one destination.
type Why struct {
	Node   string `json:"node"`
	Domain string `json:"domain"`
	// Wanted: the node has the record. Reason is why it is not sent, "" if it is or
	// will be; Text is the sentence for it.
	Wanted bool              `json:"wanted"`
	Record *indicator.Record `json:"record,omitempty"`
	Reason reason.Code       `json:"reason,omitempty"`
	Text   string            `json:"text,omitempty"`
	Detail string            `json:"detail,omitempty"`
	Rank   string            `json:"rank,omitempty"`
	// Objects are the ledger's rows for the value itself; Covering those of values
	// that cover it (a parent domain, a network, the host of a URL), Inside those of
	// values it covers.
	Objects  []Object `json:"objects,omitempty"`
	Covering []Object `json:"covering,omitempty"`
	Inside   []Object `json:"inside,omitempty"`
}

// Object is a ledger row as a person sees it.
type Object struct {
	Identity  string              `json:"identity"`
	Indicator indicator.Indicator `json:"indicator"`
	Action    string              `json:"action"`
	State     string              `json:"state"`
	RemoteID  string              `json:"remote_id,omitempty"`
	Sources   []string            `json:"sources,omitempty"`
	Created   time.Time           `json:"created,omitzero"`
	Sent      time.Time           `json:"sent,omitzero"`
	Expires   time.Time           `json:"expires,omitzero"`
	RenewsAt  time.Time           `json:"renews_at,omitzero"`
	Answer    string              `json:"answer,omitempty"` // the service's last refusal
	InDoubt   bool                `json:"in_doubt,omitempty"`
	Pinned    string              `json:"pinned,omitempty"` // the apply whose rollback holds it as it is
}

// insideMost bounds the rows of what a value covers.
const insideMost = 100

// Why tells for every destination why the value is, or is not, at its tenant. It
// reads tables and ledger only and makes no calls.
func (m *Manager) Why(ctx context.Context, i indicator.Indicator) ([]Why, error) {
	if err := m.refreshed(ctx); err != nil {
		return nil, err
	}
	var out []Why
	for _, g := range m.groupsSorted() {
		sites, err := m.sites(ctx, g)
		if err != nil {
			return nil, err
		}
		p, err := m.newPlanner(ctx, g, sites, PlanOptions{Person: true})
		if err != nil {
			return nil, err
		}
		if err := p.choose(ctx); err != nil {
			return nil, err
		}
		for k, d := range p.dests {
			w, err := p.explain(ctx, k, d, i)
			if err != nil {
				return nil, err
			}
			out = append(out, *w)
		}
	}
	return out, nil
}

func (p *planner) explain(ctx context.Context, k int, d *Destination, i indicator.Indicator) (*Why, error) {
	s := p.byDomain[p.judges[k].domain]
	w := &Why{Node: d.Node, Domain: s.domain}
	rec, err := p.up.Lookup(ctx, d.Node, i)
	if err != nil {
		return nil, err
	}
	if rec != nil {
		w.Wanted, w.Record, w.Rank = true, rec, rankOf(rec, false).String()
		w.Reason, w.Detail = p.verdict(k, rec)
		if w.Reason == reason.Quota && p.plan.Cut.Last != "" {
			w.Detail = "the last slot of " + p.cutText()
		}
		w.Text = w.Reason.Text()
	}
	for _, r := range s.book.Rows {
		s.relate(w, r, i)
	}
	if w.Wanted && w.Reason == "" {
		w.Reason = frozenAs(w.Objects)
		w.Text = w.Reason.Text()
	}
	for _, list := range []*[]Object{&w.Objects, &w.Covering, &w.Inside} {
		slices.SortFunc(*list, func(a, b Object) int { return strings.Compare(a.Identity, b.Identity) })
	}
	if len(w.Inside) > insideMost {
		w.Inside = w.Inside[:insideMost]
	}
	return w, nil
}

// frozenAs is why a wanted object is left as it is, "" if it is as it should be.
func frozenAs(objects []Object) reason.Code {
	for _, o := range objects {
		switch {
		case o.InDoubt:
			return reason.InDoubt
		case o.State == ledger.Missing.String() || o.State == ledger.Edited.String():
			return reason.ChangedByHand
		case o.State == ledger.Rejected.String():
			return reason.Rejected
		case o.Pinned != "":
			return reason.Pinned
		}
	}
	return ""
}

func (p *planner) cutText() string {
	return p.plan.Cut.Last + " went to: " + p.plan.Cut.LastRank
}

// relate files a row under what it is to i.
func (s *site) relate(w *Why, r *ledger.Row, i indicator.Indicator) {
	own := r.Indicator == i
	for _, c := range r.Contributors {
		own = own || c.Indicator == i
	}
	switch {
	case own:
		w.Objects = append(w.Objects, s.show(r))
	case indicator.Covers(r.Indicator, i):
		w.Covering = append(w.Covering, s.show(r))
	case indicator.Covers(i, r.Indicator):
		w.Inside = append(w.Inside, s.show(r))
	}
}

func (s *site) show(r *ledger.Row) Object {
	o := Object{Identity: r.Identity, Indicator: r.Indicator, Action: r.Action, State: r.State.String(), RemoteID: r.RemoteID, Sources: r.Sources(),
		Created: r.Created, Sent: r.Sent, Expires: r.Expires, Answer: join(r.Code, r.Reason), InDoubt: s.doubt[r.Identity],
		Pinned: s.book.Pins[r.Identity].Undone}
	if r.State == ledger.Live && !r.Expires.IsZero() {
		o.RenewsAt = renewalAt(r, s.book.Meta.Offset())
	}
	return o
}
