package mde

import (
	"encoding/json"
	"fmt"
	"time"
)

// Author is who writes a row besides the API: another app or a person.
type Author struct {
	// App is the app id of another application; empty for a person.
	App string `json:"app,omitempty"`
	// Name is the app's display name, or the person's user principal name.
	Name string `json:"name,omitempty"`
}

// Portal is a person in the portal, for seeds and edits without an author. It is
// not to be changed.
var Portal = Author{Name: "analyst@sandbox.example"}

func (a Author) sign(i *Indicator) {
	if a == (Author{}) {
		a = Portal
	}
	i.CreatedBy, i.CreatedByDisplayName, i.CreatedBySource = a.App, a.Name, "PublicApi"
	if a.App == "" {
		i.CreatedBy, i.CreatedBySource = a.Name, "Portal"
	}
}

// with runs fn on a tenant's table with the clock applied before and after.
func (s *Service) with(tenant string, now time.Time, fn func(c *call) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sw := s.cfg.Switches()
	c := &call{table: s.table(tenant), sw: sw, now: now, visible: now}
	c.table.settle(now, &sw)
	defer c.table.settle(now, &sw)
	return fn(c)
}

// Seed stores rows as written by the author now, readable at once, and returns
// their ids. It respects identity and capacity, but does not check values, so
// that odd rows can be set up. Given ids, creators and times are ignored.
func (s *Service) Seed(tenant string, now time.Time, by Author, rows []Indicator) ([]string, error) {
	var ids []string
	err := s.with(tenant, now, func(c *call) error {
		for _, i := range rows {
			if i.Action == "" {
				i.Action = "Block"
			}
			if old := c.table.find(&i, &c.sw); old != nil {
				return fmt.Errorf("seed %s %s %s: row %s has the same identity", i.Type, i.Value, i.Action, old.ID)
			}
			if e := c.table.full(&c.sw); e != nil {
				return fmt.Errorf("seed %s: %s", i.Value, e.message)
			}
			by.sign(&i)
			i.ID, i.CreationTime, i.LastUpdateTime = c.table.newID(), Stamp(now), Stamp(now)
			if _, err := c.table.put(i, &c.sw, now); err != nil {
				return fmt.Errorf("seed %s: %w", i.Value, err)
			}
			ids = append(ids, i.ID)
		}
		return nil
	})
	return ids, err
}

// Foreign returns n made-up rows to seed, numbered from first.
func Foreign(first, n int) []Indicator {
	out := make([]Indicator, 0, n)
	for i := first; i < first+n; i++ {
		out = append(out, Indicator{
			Type: "DomainName", Value: fmt.Sprintf("row-%06d.other.example", i), Action: "Block",
			Title: fmt.Sprintf("other row %d", i), Description: "seeded in the sandbox", Severity: "Medium",
		})
	}
	return out
}

// Rows returns all live rows of a tenant by id, whatever the read lag hides.
func (s *Service) Rows(tenant string, now time.Time) []Indicator {
	out := []Indicator{} // an empty list is a list for the control API too
	_ = s.with(tenant, now, func(c *call) error {
		for _, r := range sorted(c.table.live) {
			out = append(out, r.Indicator)
		}
		return nil
	})
	return out
}

// Edit changes a row as a person in the portal does. Id, creator and creation
// time stay.
func (s *Service) Edit(tenant string, now time.Time, id string, by Author, edit func(*Indicator) error) error {
	return s.with(tenant, now, func(c *call) error {
		old := c.table.live[id]
		if old == nil {
			return fmt.Errorf("tenant %s has no row %s", tenant, id)
		}
		// A copy to the bottom: edit may write through pointers and slices.
		var i Indicator
		if err := json.Unmarshal(old.json, &i); err != nil {
			return fmt.Errorf("copy row %s: %w", id, err)
		}
		if err := edit(&i); err != nil {
			return err
		}
		if by == (Author{}) {
			by = Portal
		}
		i.ID, i.CreatedBy, i.CreatedByDisplayName = old.ID, old.CreatedBy, old.CreatedByDisplayName
		i.CreatedBySource, i.CreationTime = old.CreatedBySource, old.CreationTime
		i.LastUpdateTime, i.LastUpdatedBy = Stamp(now), &by.Name
		if _, err := c.table.put(i, &c.sw, now.Add(c.sw.ReadLag)); err != nil {
			return fmt.Errorf("edit row %s: %w", id, err)
		}
		return nil
	})
}

// Remove deletes a row as a person in the portal does.
func (s *Service) Remove(tenant string, now time.Time, id string) error {
	return s.with(tenant, now, func(c *call) error {
		r := c.table.live[id]
		if r == nil {
			return fmt.Errorf("tenant %s has no row %s", tenant, id)
		}
		c.table.remove(r, &c.sw, now.Add(c.sw.ReadLag))
		return nil
	})
}

// MaxSeed bounds the rows made up at once.
const MaxSeed = 1_000_000

// Next is the number that the tenant's next row gets.
func (s *Service) Next(tenant string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.table(tenant).next) //nolint:gosec // ids count from 1
}
