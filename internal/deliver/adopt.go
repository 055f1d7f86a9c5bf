package deliver

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/sdk"
)

// adoptIn is Adopt for one group.
func (m *Manager) adoptIn(ctx context.Context, sites []*site, createdBy string) (int, error) {
	if err := m.prepare(ctx, sites, PlanOptions{Relist: true, Person: true}); err != nil {
		return 0, err
	}
	n := 0
	for _, s := range sites {
		if s.blind() {
			return n, fmt.Errorf("adopt needs a listing, and %s cannot be listed: %s", s.domain, s.info.Blind)
		}
		c := s.book.Begin()
		takes := s.predecessors(createdBy)
		maps.Copy(takes, s.seen.unknown)
		for _, id := range takes {
			r := s.list.rows[id]
			c.Put(adopted(&r, createdBy, m.deps.Clock.Now()), r.Raw)
		}
		if err := s.book.Commit(ctx, c); err != nil {
			return n, err
		}
		n += len(takes)
		m.refresh(s)
		m.noteUnknown(ctx, s)
	}
	m.poke()
	return n, nil
}

// predecessors are the rows of an app without a mark that can be taken over, by
// identity: of several the one that lasts longest, for the ledger has a place for one.
func (s *site) predecessors(createdBy string) map[string]string {
	takes := map[string]string{}
	for id, r := range s.list.rows {
		if createdBy == "" || !strings.EqualFold(r.App, createdBy) || r.Mark != "" || s.book.Rows[r.Identity] != nil {
			continue
		}
		takes[r.Identity] = s.list.last(id, takes[r.Identity])
	}
	return takes
}

// adopted is the ledger's row for a listed one.
func adopted(r *sdk.Remote, createdBy string, now time.Time) ledger.Row {
	row := ledger.Row{Identity: r.Identity, Slot: r.Slot, Action: r.Action, RemoteID: r.ID, Hash: r.Hash, State: ledger.Live,
		Created: now, Sent: now, Expires: r.Expires, Generation: r.Generation, Made: r.Created, Modified: r.Modified}
	if i, err := indicator.Parse(indicator.Unknown, r.Value); err == nil {
		row.Indicator = i
	}
	if r.Mark == "" {
		row.AdoptedFrom, row.Code, row.Reason = createdBy, adoptedCode, "taken over; the next update writes our mark"
	}
	return row
}
