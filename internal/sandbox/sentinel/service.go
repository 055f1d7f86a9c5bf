// Package sentinel is the sandbox's twin of threat intelligence in Microsoft
// Sentinel: the upload API and its two predecessors, the management plane, the
// two stores behind them, the tables they write and the republishing that fills
// those. Use Service to answer calls, and its Seed, Edit and Remove to play the
// other writers of a workspace: other sources and people in the portal.
package sentinel

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/rate"
	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Config is what a Service is made of.
type Config struct {
	Workspaces []Workspace
	// Own are the sandbox's own addresses, which count as audiences; it is
	// asked per request.
	Own      func(req *wire.Request) []string
	Limits   map[string]rate.Limit
	Switches func() switches.Set
	// Assignments are the Azure roles of an app.
	Assignments func(tenant, app string) []entra.Assignment
}

// DefaultLimits are the documented limits by operation: a user's uploads, over
// all three endpoints.
func DefaultLimits() map[string]rate.Limit { return map[string]rate.Limit{OpUpload: {PerMinute: 100}} }

// Service is the threat intelligence of all workspaces. It is safe for
// concurrent use.
type Service struct {
	cfg Config

	mu     sync.Mutex
	limits map[string]rate.Limit
	rate   rate.Windows
	spaces map[string]*store // by lower-case workspace id
}

// New returns a service with empty workspaces.
func New(cfg Config) (*Service, error) {
	s := &Service{cfg: cfg, limits: maps.Clone(cfg.Limits), rate: rate.Windows{}, spaces: map[string]*store{}}
	for _, w := range cfg.Workspaces {
		if err := s.SetWorkspace(w); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// SetWorkspace adds a workspace, or moves the one with its id; objects stay.
func (s *Service) SetWorkspace(w Workspace) error {
	if err := w.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strings.ToLower(w.ID)
	for other, o := range s.spaces {
		if other != id && strings.EqualFold(o.Path(), w.Path()) {
			return fmt.Errorf("workspace %s: %s is already workspace %s", w.ID, w.Path(), o.ID)
		}
	}
	if old := s.spaces[id]; old != nil {
		old.Workspace = w
		return nil
	}
	s.spaces[id] = newStore(w)
	return nil
}

// Workspaces returns the workspaces by tenant and name.
func (s *Service) Workspaces() []Workspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Workspace{}
	for _, o := range s.spaces {
		out = append(out, o.Workspace)
	}
	slices.SortFunc(out, func(a, b Workspace) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// SetLimits replaces the limits of the operations given.
func (s *Service) SetLimits(l map[string]rate.Limit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.limits, l)
}

// Reset forgets all objects, table rows and rate windows; workspaces stay.
func (s *Service) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate = rate.Windows{}
	for id, o := range s.spaces {
		s.spaces[id] = newStore(o.Workspace)
	}
}

// Call is one call after its token was read.
type Call struct {
	Route
	Req *wire.Request
	// Who is nil where TokenErr says why the token was refused.
	Who      *entra.Principal
	TokenErr error
	Refuse   []fault.Refusal
}

// call is a Call at work on a workspace's store, under the lock.
type call struct {
	Call
	store   *store
	sw      switches.Set
	now     time.Time
	visible time.Time // when its writes can be read
	items   []journal.Item
}

// Serve answers a call and returns what it did to each object.
func (s *Service) Serve(c Call) (wire.Reply, []journal.Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.management {
		r, items := s.serveManagement(c)
		return traced(r), items
	}
	r, items := s.serveUpload(c)
	return traced(r), items
}

// at is a call at work on a store.
func (s *Service) at(o *store, c Call, now time.Time) *call {
	sw := s.cfg.Switches()
	return &call{Call: c, store: o, sw: sw, now: now, visible: now.Add(sw.SentinelReadLag)}
}

// find returns the workspace of a call, nil if there is none.
func (s *Service) find(r *Route) *store {
	if !r.management {
		return s.spaces[strings.ToLower(strings.Trim(r.Workspace, "{}"))]
	}
	want := Workspace{Subscription: r.Subscription, Group: r.Group, Name: r.Name}
	for _, o := range s.spaces {
		if strings.EqualFold(o.Path(), want.Path()) {
			return o
		}
	}
	return nil
}
