package deliver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/pace"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// Deps is what a Manager works with.
type Deps struct {
	Store      store.Store
	Clock      sdk.Clock
	Log        *slog.Logger
	Conditions Conditions
	Upstream   Upstream
	Owner      string // this store's owner mark
	Settings   Settings
	// Lifted is told that a person approved what list uncovered for a node, so that
	// the mark on the records can go; nil is nobody.
	Lifted func(ctx context.Context, node, list string) error
	// Refresh is called before anything is planned, applied or answered; it calls
	// Configure where what protects the destinations has changed. nil is nothing.
	Refresh func(ctx context.Context) error
}

// Manager plans and applies for all destinations. Safe for concurrent use: each
// quota domain is applied by one caller at a time.
type Manager struct {
	deps Deps
	set  Settings
	pace *pace.Log

	mu     sync.Mutex
	dests  []*Destination
	groups map[string]*group
	shared map[string]*shared // by group, for good
	fences map[string]store.Fence
	lists  map[string]*listing // last complete listing by domain
	plans  map[string]*Plan    // planned here and not saved; the last few
}

// group is everything aimed at one quota domain.
type group struct {
	name  string
	dests []*Destination
	// shared outlives every change of configuration: an apply of old destinations and
	// one of new ones exclude each other, even if the group was gone in between.
	*shared
}

type shared struct {
	busy turn // of whoever plans, applies or resolves
	// applying is for those who watch.
	applying atomic.Bool
	run      runState // of the group's loop alone
	// driven: the group has its loop.
	driven atomic.Bool
	// lent is how much of the reserve the holder of the turn may use; 0 is what the
	// store says.
	lent atomic.Int64
	poke atomic.Bool
}

// Open makes a Manager and rebuilds the rate windows from the stored calls.
func Open(ctx context.Context, deps Deps) (*Manager, error) {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	m := &Manager{deps: deps, set: deps.Settings.withDefaults(), pace: pace.New(deps.Clock), groups: map[string]*group{}, shared: map[string]*shared{},
		fences: map[string]store.Fence{}, lists: map[string]*listing{}, plans: map[string]*Plan{}}
	v, err := deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("rebuild the rate windows: %w", err)
	}
	defer v.Close()
	err = ledger.Calls(ctx, v, func(rate string, attempts []time.Time) { m.pace.Record(rate, attempts...) })
	if err != nil {
		return nil, fmt.Errorf("rebuild the rate windows: %w", err)
	}
	return m, nil
}

// Configure sets the destinations. A running apply ends with those it began with.
// A node may be aimed at several tenants; one Domain may have several nodes.
func (m *Manager) Configure(_ context.Context, dests []Destination) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups, m.dests = map[string]*group{}, nil
	for i := range dests {
		d := dests[i]
		if d.Guards == (guardLimits{}) {
			d.Guards = defaultLimits()
		}
		m.dests = append(m.dests, &d)
		name := quotaOf(d.Target.Info())
		g := m.groups[name]
		if g == nil {
			if m.shared[name] == nil {
				m.shared[name] = &shared{busy: newTurn()}
			}
			g = &group{name: name, shared: m.shared[name]}
			g.poke.Store(true)
			m.groups[name] = g
		}
		g.dests = append(g.dests, &d)
	}
	return nil
}

func quotaOf(info sdk.TargetInfo) string {
	if info.Quota != "" {
		return info.Quota
	}
	return info.Domain
}

// poke makes the loop look at every group at once.
func (m *Manager) poke() {
	for _, g := range m.groupsSorted() {
		g.poke.Store(true)
	}
}

// refreshed lets the owner of the protected lists hand over what they hold now, so
// that nothing is decided on an older state of them (SEMANTICS D7).
func (m *Manager) refreshed(ctx context.Context) error {
	if m.deps.Refresh == nil {
		return nil
	}
	if err := m.deps.Refresh(ctx); err != nil {
		return fmt.Errorf("bring the protected lists up to date: %w", err)
	}
	return nil
}

// current is groupOf with the protected lists up to date.
func (m *Manager) current(ctx context.Context, name string) (*group, error) {
	if err := m.refreshed(ctx); err != nil {
		return nil, err
	}
	return m.groupOf(name)
}

// groupOf finds the group of a node or of a destination or quota domain.
func (m *Manager) groupOf(name string) (*group, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g := m.groups[name]; g != nil {
		return g, nil
	}
	var names []string
	for _, d := range m.dests {
		if d.Node == name || d.Target.Info().Domain == name {
			return m.groups[quotaOf(d.Target.Info())], nil
		}
		names = append(names, d.Node)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("no destination %q: the destinations are %s", name, strings.Join(slices.Compact(names), ", "))
}

// groupsNamed lists the groups that a name means, by name: every one that a node is
// aimed at, the one of a destination or quota domain, or all of them for "".
func (m *Manager) groupsNamed(name string) ([]string, error) {
	if name == "" {
		var out []string
		for _, g := range m.groupsSorted() {
			out = append(out, g.name)
		}
		if len(out) == 0 {
			return nil, errors.New("the configuration has no destination that is planned")
		}
		return out, nil
	}
	m.mu.Lock()
	var out []string
	for _, d := range m.dests {
		if d.Node == name {
			out = append(out, quotaOf(d.Target.Info()))
		}
	}
	m.mu.Unlock()
	if len(out) == 0 {
		g, err := m.groupOf(name)
		if err != nil {
			return nil, err
		}
		return []string{g.name}, nil
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// groupsSorted lists the groups by name.
func (m *Manager) groupsSorted() []*group {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*group, 0, len(m.groups))
	for _, g := range m.groups {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *group) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return out
}

// fence is the right to write a domain, acquired once for this Manager.
func (m *Manager) fence(ctx context.Context, domain string) (store.Fence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.fences[domain]; ok {
		return f, nil
	}
	f, err := m.deps.Store.Acquire(ctx, "deliver/"+domain)
	if err != nil {
		return f, fmt.Errorf("become the writer of %s: %w", domain, err)
	}
	m.fences[domain] = f
	return f, nil
}

// idTime is how the time stands in ids: their order is that of their making.
const idTime = "20060102-150405"

func newID(prefix string, now time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + "-" + now.UTC().Format(idTime) + "-" + hex.EncodeToString(b[:])
}
