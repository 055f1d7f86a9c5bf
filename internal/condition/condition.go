// Package condition keeps what is wrong right now and needs a person: a failing
// source, a frozen set, a guard's stop, a refused secret. A condition is a state
// with a beginning and an end, not a log line: raising it again keeps its start,
// clearing it makes it go. Use it for what an operator must see or decide; use
// the log for what merely happened.
package condition

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/store"
)

// space is where conditions are kept, so that they survive a restart.
const space = "condition"

// Condition is one thing that needs a person. Node is the node, connection or
// destination it is about; Kind is a code; ID tells apart several of one kind.
type Condition struct {
	Node    string            `json:"node"`
	Kind    string            `json:"kind"`
	ID      string            `json:"id,omitempty"`
	Message string            `json:"message"`
	Help    string            `json:"help,omitempty"` // what to do, a command where there is one
	Since   time.Time         `json:"since"`
	Updated time.Time         `json:"updated"`
	Detail  map[string]string `json:"detail,omitempty"`
}

func (c Condition) key() string { return c.Node + "\x00" + c.Kind + "\x00" + c.ID }

// Clock tells the time conditions begin.
type Clock interface{ Now() time.Time }

// Set is the durable set of conditions. Safe for concurrent use.
type Set struct {
	store store.Store
	clock Clock

	mu  sync.Mutex
	all map[string]Condition
}

// Open reads the set from the store.
func Open(ctx context.Context, s store.Store, clock Clock) (*Set, error) {
	v, err := s.View()
	if err != nil {
		return nil, fmt.Errorf("read conditions: %w", err)
	}
	defer v.Close()
	set := &Set{store: s, clock: clock, all: map[string]Condition{}}
	err = v.Scan(ctx, space, store.Range{}, func(_, value []byte) error {
		var c Condition
		if err := json.Unmarshal(value, &c); err != nil {
			return err
		}
		set.all[c.key()] = c
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read conditions: %w", err)
	}
	return set, nil
}

// Raise begins a condition or updates its message; Since stays that of the first
// time. Raising what already stands unchanged writes nothing.
func (s *Set) Raise(ctx context.Context, c Condition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now().UTC()
	c.Since, c.Updated = now, now
	if old, ok := s.all[c.key()]; ok {
		c.Since = old.Since
		if old.Message == c.Message && old.Help == c.Help && maps.Equal(old.Detail, c.Detail) {
			return nil
		}
	}
	value, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write condition %s of %s: %w", c.Kind, c.Node, err)
	}
	return s.commit(ctx, c, store.Write{Space: space, Key: []byte(c.key()), Value: value})
}

// Clear ends every condition of kind at node. Clearing what does not stand is
// nothing.
func (s *Set) Clear(ctx context.Context, node, kind string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clear(ctx, func(c Condition) bool { return c.Node == node && c.Kind == kind })
}

// ClearID ends one condition of several of a kind.
func (s *Set) ClearID(ctx context.Context, node, kind, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clear(ctx, func(c Condition) bool { return c.Node == node && c.Kind == kind && c.ID == id })
}

// Retain ends every condition about a node that keep does not know any more.
func (s *Set) Retain(ctx context.Context, keep func(node string) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clear(ctx, func(c Condition) bool { return !keep(c.Node) })
}

func (s *Set) clear(ctx context.Context, gone func(Condition) bool) error {
	for key, c := range s.all {
		if !gone(c) {
			continue
		}
		w := store.Write{Space: space, Key: []byte(key), Delete: true}
		if _, err := s.store.Commit(ctx, &store.Commit{Writes: []store.Write{w}}); err != nil {
			return fmt.Errorf("clear condition %s of %s: %w", c.Kind, c.Node, err)
		}
		delete(s.all, key)
	}
	return nil
}

func (s *Set) commit(ctx context.Context, c Condition, w store.Write) error {
	if _, err := s.store.Commit(ctx, &store.Commit{Writes: []store.Write{w}}); err != nil {
		return fmt.Errorf("write condition %s of %s: %w", c.Kind, c.Node, err)
	}
	s.all[c.key()] = c
	return nil
}

// List returns what stands, oldest first.
func (s *Set) List() []Condition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.all), func(a, b Condition) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.key(), b.key()))
	})
}
