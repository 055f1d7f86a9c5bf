package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/pace"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

type guardLimits = guard.Limits

func defaultLimits() guardLimits { return guard.Defaults() }

// guardSpace holds the guards' windows by domain.
const guardSpace = "guard"

// sites opens the group's domains from the store, with the listings at hand.
func (m *Manager) sites(ctx context.Context, g *group) ([]*site, error) {
	var sites []*site
	for _, d := range g.dests {
		info := d.Target.Info()
		i := slices.IndexFunc(sites, func(s *site) bool { return s.domain == info.Domain })
		if i >= 0 {
			sites[i].dests = append(sites[i].dests, d)
			sites[i].owner.apps[strings.ToLower(info.App)] = true
			sites[i].limits = sites[i].limits.Stricter(d.Guards)
			continue
		}
		s := &site{domain: info.Domain, info: info, target: d.Target, limits: d.Guards, dests: []*Destination{d},
			owner: newOwner(m.deps.Owner, info.App)}
		if err := m.openSite(ctx, s); err != nil {
			return nil, err
		}
		sites = append(sites, s)
	}
	for _, s := range sites {
		if s.owner.apps[""] {
			s.owner.apps = nil
		}
		for _, other := range sites {
			if other != s {
				s.siblings = append(s.siblings, other.book)
			}
		}
		m.refresh(s)
	}
	return sites, m.reserve(ctx, g, sites)
}

func (m *Manager) openSite(ctx context.Context, s *site) error {
	f, err := m.fence(ctx, s.domain)
	if err != nil {
		return err
	}
	s.book, err = ledger.Read(ctx, m.deps.Store, f, s.domain, m.deps.Clock.Now())
	if err != nil {
		return err
	}
	s.window = &guard.Window{}
	val, err := m.get(ctx, guardSpace, s.domain)
	if err != nil || val == nil {
		return err
	}
	if err := json.Unmarshal(val, s.window); err != nil {
		return fmt.Errorf("read the guard window of %s: %w", s.domain, err)
	}
	return nil
}

// refresh recomputes what follows from the clock, the ledger and the listing.
func (m *Manager) refresh(s *site) {
	s.sighted = nil
	m.tick(s)
}

// tick is refresh while an apply goes on: what a listing shows is looked at again only
// when there is another one, since our own writes are not in it.
func (m *Manager) tick(s *site) {
	now := m.deps.Clock.Now()
	s.now = now.Add(s.book.Meta.Offset())
	heard := now.Sub(s.book.Meta.ServedLocal)
	age := m.listingAge(s.domain)
	s.sure = !s.book.Meta.ServedAt.IsZero() && heard >= 0 && heard <= 2*age
	m.mu.Lock()
	s.list = m.lists[s.domain]
	m.mu.Unlock()
	if s.list != nil && (now.Sub(s.list.at) > age || now.Before(s.list.at)) {
		s.list = nil
	}
	if s.sighted == nil || s.sighted != s.list {
		s.seen = s.list.see(s.book, s.siblings, s.owner, s.now)
		s.sighted = s.list
	}
	s.doubt = s.book.InDoubt()
}

func (m *Manager) get(ctx context.Context, space, key string) ([]byte, error) {
	v, err := m.deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", space, key, err)
	}
	defer v.Close()
	val, err := v.Get(ctx, space, []byte(key))
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", space, key, err)
	}
	return val, nil
}

// set writes one JSON document; nil deletes it.
func (m *Manager) put(ctx context.Context, space, key string, doc any) error {
	w := store.Write{Space: space, Key: []byte(key), Delete: doc == nil}
	if doc != nil {
		val, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("write %s %s: %w", space, key, err)
		}
		w.Value = val
	}
	if _, err := m.deps.Store.Commit(ctx, &store.Commit{Writes: []store.Write{w}}); err != nil {
		return fmt.Errorf("write %s %s: %w", space, key, err)
	}
	return nil
}

// gate hands out tokens for a listing's pages and stores that they were taken. A page
// has come when the next one is asked for; end is called after the last.
func (m *Manager) gate(s *site) (gate sdk.Gate, end func()) {
	var page *pace.Call
	end = func() {
		if page != nil {
			page.End()
		}
	}
	return func(ctx context.Context, name sdk.OpName) (err error) {
		end()
		op := s.info.Ops[name]
		if page, err = m.pace.Wait(ctx, op); err != nil {
			return err
		}
		c := s.book.Begin()
		c.Tick(op.RateKey, page.At)
		return s.book.Commit(ctx, c)
	}, end
}

// heard learns the service's clock from an answer (SEMANTICS E16).
func heard(c *ledger.Change, served, local time.Time) {
	if served.IsZero() {
		return
	}
	c.Meta().ServedAt, c.Meta().ServedLocal = served, local
}
