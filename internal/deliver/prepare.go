package deliver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/sdk"
)

// learnedLife is how long a capacity answer is believed where foreign rows cannot
// be seen; with a new complete listing it ends at once.
const learnedLife = 24 * time.Hour

// ClockError says that this machine's clock left the service's by more than an hour since
// both were last seen together (SEMANTICS E16). Nothing expires and nothing is
// sent until the clock is right again or a person says it is.
type ClockError struct {
	Domain          string
	Local, Expected time.Time
}

func (e *ClockError) Error() string {
	return fmt.Sprintf("the clock of this machine jumped: it says %s where %s, counted on by %s, would be %s; set it right, or run approve clock if it is right now",
		e.Local.UTC().Format(time.RFC3339), "the last time", e.Domain, e.Expected.UTC().Format(time.RFC3339))
}

// jumpLimit is the difference that is no drift any more.
const jumpLimit = time.Hour

// jumped tells whether our clock, not the service's, moved by itself since the
// two were last seen together.
func jumped(domain string, m *ledger.Meta, served, local time.Time) error {
	if m.ServedAt.IsZero() || served.IsZero() {
		return nil
	}
	ours, theirs := local.Sub(m.ServedLocal), served.Sub(m.ServedAt)
	back := ours < -jumpLimit && theirs > ours+jumpLimit
	ahead := ours > jumpLimit && ours > theirs+jumpLimit
	if back || ahead {
		return &ClockError{Domain: domain, Local: local, Expected: m.ServedLocal.Add(theirs)}
	}
	return nil
}

// relist takes a new complete listing, learns from it and notes what was changed
// by hand.
func (m *Manager) relist(ctx context.Context, s *site) error {
	l, done, err := m.list(ctx, s)
	if err != nil {
		return m.unlisted(ctx, s, m.failed(ctx, s, err))
	}
	m.clearID(ctx, s.dests[0].Node, ListingFailing, s.domain)
	local := m.deps.Clock.Now()
	if err := jumped(s.domain, &s.book.Meta, done.ServerTime, local); err != nil {
		m.raise(ctx, condition.Condition{Node: s.dests[0].Node, Kind: "clock_jump", Message: err.Error(), Help: "remeld approve clock"})
		return err
	}
	m.clear(ctx, s.dests[0].Node, "clock_jump")
	c := s.book.Begin()
	heard(c, done.ServerTime, local)
	if meta := c.Meta(); !meta.LearnedAt.IsZero() && (!l.ownOnly || local.Sub(meta.LearnedAt) > learnedLife) {
		meta.Learned, meta.LearnedAt = 0, time.Time{}
	}
	m.mark(c, s, l)
	if err := s.learn(ctx, c, l); err != nil {
		return err
	}
	if err := s.book.Commit(ctx, c); err != nil {
		return err
	}
	m.mu.Lock()
	m.lists[s.domain] = l
	m.mu.Unlock()
	m.refresh(s)
	m.noteForeign(ctx, s)
	return nil
}

// ListingFailing is the kind of the condition that a tenant gave no complete listing when
// it was last asked; its ID is the destination domain.
const ListingFailing = "listing_failing"

// unlisted tells people of a listing that failed and is tried again: nothing is made
// at the tenant until one is complete. A stop has a condition of its own.
func (m *Manager) unlisted(ctx context.Context, s *site, err error) error {
	switch {
	case ctx.Err() != nil || errors.Is(err, ledger.ErrStore):
	case fatal(err):
		m.clearID(ctx, s.dests[0].Node, ListingFailing, s.domain)
	default:
		m.raise(ctx, condition.Condition{Node: s.dests[0].Node, Kind: ListingFailing, ID: s.domain,
			Message: fmt.Sprintf("%s cannot be listed, so nothing is created there: %v", s.domain, err),
			Help:    "it is tried again by itself; remeld doctor looks at the service and the login"})
	}
	return err
}

// A listing that lost more than lostShare and lostCount of our rows is believed only
// when the next one agrees: a service that answers with too little must not make a
// whole tenant look changed by hand.
const (
	lostShare = 0.5
	lostCount = 20
)

// list takes a complete listing, twice where the first lost most of our rows.
func (m *Manager) list(ctx context.Context, s *site) (*listing, sdk.Listing, error) {
	l, done, err := m.listOnce(ctx, s)
	if err != nil || !s.lostMost(l) {
		return l, done, err
	}
	again, done, err := m.listOnce(ctx, s)
	if err == nil && len(again.rows) != len(l.rows) {
		err = &sdk.Error{Failure: sdk.Unavailable, Message: fmt.Sprintf(
			"two listings in a row do not agree (%d rows, then %d) and the first lost most of ours; it will be listed again", len(l.rows), len(again.rows))}
	}
	return again, done, err
}

// listOnce takes one listing at the tenant's pace.
func (m *Manager) listOnce(ctx context.Context, s *site) (*listing, sdk.Listing, error) {
	gate, end := m.gate(s)
	defer end()
	return take(ctx, s.target, gate, m.deps.Clock.Now())
}

// lostMost tells whether a listing lacks most of the rows we believe to be there.
func (s *site) lostMost(l *listing) bool {
	serviceNow := l.at.Add(s.book.Meta.Offset())
	live, lost := 0, 0
	for _, r := range s.book.Rows {
		if r.State != ledger.Live || !r.Expires.IsZero() && !r.Expires.After(serviceNow) || l.at.Sub(r.Sent) < s.info.ReadLag {
			continue
		}
		live++
		if _, listed := l.rows[r.RemoteID]; !listed {
			lost++
		}
	}
	return lost > lostCount && float64(lost) > lostShare*float64(live)
}

// mark compares every row with the listing: what is missing or edited was changed
// by hand, unless the write is younger than the read lag (SEMANTICS D18).
func (m *Manager) mark(c *ledger.Change, s *site, l *listing) {
	serviceNow := l.at.Add(c.Meta().Offset())
	for _, r := range s.book.Rows {
		if r.RemoteID == "" || l.at.Sub(r.Sent) < s.info.ReadLag || s.doubt[r.Identity] {
			continue
		}
		remote, listed := l.rows[r.RemoteID]
		next := *r
		switch {
		case !listed && (r.State == ledger.Live || r.State == ledger.Edited || r.State == ledger.Rejected):
			if !r.Expires.IsZero() && !r.Expires.After(serviceNow) {
				continue // it ended by itself
			}
			next.State, next.Code, next.Reason = ledger.Missing, "missing", "deleted at the tenant"
		case listed && (r.State == ledger.Live || r.State == ledger.Rejected) && !s.same(r, &remote):
			next.State, next.Code, next.Reason = ledger.Edited, "edited", "edited at the tenant"
		case listed && (r.State == ledger.Missing || r.State == ledger.Edited) && s.same(r, &remote):
			next.State, next.Code, next.Reason = ledger.Live, "", ""
		default:
			continue
		}
		c.Put(next, nil)
	}
	for id, at := range s.book.Gone {
		if l.at.Sub(at) > s.info.ReadLag {
			c.Forget(id)
		}
	}
}

// same: the listed object is the one we wrote, and still ours.
func (s *site) same(r *ledger.Row, remote *sdk.Remote) bool {
	return remote.Identity == r.Identity && s.holds(r, remote) && (remote.Hash == "" || r.Hash == "" || remote.Hash == r.Hash)
}

// holds: the listed object that a row names may be written: it carries our mark and
// our app made it, or it was taken over from the app that did.
func (s *site) holds(r *ledger.Row, remote *sdk.Remote) bool {
	if r.AdoptedFrom != "" {
		return strings.EqualFold(remote.App, r.AdoptedFrom) && (remote.Mark == "" || remote.Mark == s.owner.mark)
	}
	return s.owner.ours(remote)
}

// noteForeign raises what a listing shows of other stores and of rows of ours that
// the ledger does not know (SEMANTICS D2).
func (m *Manager) noteForeign(ctx context.Context, s *site) {
	node := s.dests[0].Node
	m.noteUnknown(ctx, s)
	if len(s.seen.otherMarks) == 0 {
		m.clear(ctx, node, "foreign_mark")
	}
	for mark, n := range s.seen.otherMarks {
		m.raise(ctx, condition.Condition{Node: node, Kind: "foreign_mark", ID: mark,
			Message: fmt.Sprintf("%d rows at %s were made by this app for another store (mark %q); they are left alone", n, s.domain, mark),
			Help:    "give each store an app registration of its own; if the other store was lost: remeld mark --restore " + mark + ", then remeld adopt " + node})
	}
}

// noteUnknown raises the one condition about rows with our mark that the ledger does
// not know, if there are any.
func (m *Manager) noteUnknown(ctx context.Context, s *site) {
	node, n := s.dests[0].Node, len(s.seen.unknown)
	kind := ""
	switch {
	case s.unadopted():
		kind = "adopt_first"
		m.raise(ctx, condition.Condition{Node: node, Kind: kind, ID: s.domain,
			Message: fmt.Sprintf("the ledger of %s is empty, but %d rows there carry this store's mark: nothing is created until they are adopted, because an identity that was withdrawn there never returns under its id", s.domain, n),
			Help:    "remeld adopt " + node})
	case n > 0:
		kind = "unknown_own"
		m.raise(ctx, condition.Condition{Node: node, Kind: kind, ID: s.domain,
			Message: fmt.Sprintf("%d rows at %s carry this store's mark but are not in its ledger", n, s.domain),
			Help:    "remeld adopt " + node})
	}
	for _, k := range []string{"adopt_first", "unknown_own"} {
		if k != kind {
			m.clearID(ctx, node, k, s.domain)
		}
	}
}

// StoppedError says that the destination takes no calls until its configuration changes or
// a person tries again.
type StoppedError struct {
	Domain, Kind, Why string
}

func (e *StoppedError) Error() string { return e.Domain + " is stopped (" + e.Kind + "): " + e.Why }

// failed turns a failure that will not get better by itself into a stop.
func (m *Manager) failed(ctx context.Context, s *site, err error) error {
	var kind, help string
	switch sdk.FailureOf(err) {
	case sdk.Unauthorized:
		kind, help = "secret_refused", "renew the secret or certificate of connection "+s.info.Connection
	case sdk.Forbidden:
		kind, help = "role_missing", "grant the role to the app of connection "+s.info.Connection
	case sdk.Permanent:
		kind, help = "destination_stopped", "read the message, change the configuration, or run apply to try again"
	default:
		return err
	}
	return m.halt(ctx, s, kind, err.Error(), help)
}

func (m *Manager) halt(ctx context.Context, s *site, kind, why, help string) error {
	c := s.book.Begin()
	meta := c.Meta()
	meta.Stopped, meta.StoppedKind, meta.StoppedConfig = why, kind, s.config()
	if err := s.book.Commit(context.WithoutCancel(ctx), c); err != nil {
		return err
	}
	m.raise(ctx, condition.Condition{Node: s.dests[0].Node, Kind: kind, ID: s.domain, Message: why, Help: help})
	return &StoppedError{Domain: s.domain, Kind: kind, Why: why}
}

// config is the version of everything aimed at the domain, logins included.
func (s *site) config() string {
	v := ""
	for _, d := range s.dests {
		v += d.Node + "=" + d.ConfigVersion + " " + d.Login + ";"
	}
	return v
}

// stopped returns the standing stop, lifting it when the config changed or a
// person asks again.
func (m *Manager) stopped(ctx context.Context, s *site, again bool) error {
	meta := &s.book.Meta
	if meta.Stopped == "" {
		return nil
	}
	if !again && meta.StoppedConfig == s.config() {
		return &StoppedError{Domain: s.domain, Kind: meta.StoppedKind, Why: meta.Stopped}
	}
	c := s.book.Begin()
	kind := meta.StoppedKind
	c.Meta().Stopped, c.Meta().StoppedKind, c.Meta().StoppedConfig = "", "", ""
	if err := s.book.Commit(ctx, c); err != nil {
		return err
	}
	m.clearID(ctx, s.dests[0].Node, kind, s.domain)
	return nil
}

func (m *Manager) raise(ctx context.Context, c condition.Condition) {
	if m.deps.Conditions == nil {
		return
	}
	if err := m.deps.Conditions.Raise(context.WithoutCancel(ctx), c); err != nil {
		m.deps.Log.Error("a condition could not be stored", "kind", c.Kind, "node", c.Node, "err", err)
	}
}

func (m *Manager) clear(ctx context.Context, node, kind string) {
	if m.deps.Conditions == nil {
		return
	}
	if err := m.deps.Conditions.Clear(context.WithoutCancel(ctx), node, kind); err != nil {
		m.deps.Log.Error("a condition could not be cleared", "kind", kind, "node", node, "err", err)
	}
}

func (m *Manager) clearID(ctx context.Context, node, kind, id string) {
	if m.deps.Conditions == nil {
		return
	}
	if err := m.deps.Conditions.ClearID(context.WithoutCancel(ctx), node, kind, id); err != nil {
		m.deps.Log.Error("a condition could not be cleared", "kind", kind, "node", node, "err", err)
	}
}

// fatal: an error after which nothing more may be tried in this run.
func fatal(err error) bool {
	var stop *StoppedError
	var clock *ClockError
	return errors.As(err, &stop) || errors.As(err, &clock)
}
