package sentinel

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Portal is the person who seeds and edits where nobody is named.
const Portal = "analyst@sandbox.example"

// with runs fn on a workspace, given by id or name, with the clock applied
// before and after.
func (s *Service) with(workspace string, now time.Time, fn func(c *call) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.spaces[strings.ToLower(workspace)]
	for _, other := range s.spaces {
		if o == nil && strings.EqualFold(other.Name, workspace) {
			o = other
		}
	}
	if o == nil {
		return fmt.Errorf("there is no workspace %q", workspace)
	}
	c := s.at(o, Call{}, now)
	c.visible = now
	o.settle(now)
	defer o.settle(now)
	return fn(c)
}

// Seed stores STIX objects as uploaded by somebody else (an app's id or a
// person's address, "" is Portal) under a source, readable at once, and returns
// their table Ids. They must have id and type; nothing else is checked, so that
// odd objects can be set up. An object with the same identity is replaced.
func (s *Service) Seed(workspace string, now time.Time, by, source string, objects []json.RawMessage) ([]string, error) {
	if by == "" {
		by = Portal
	}
	var ids []string
	err := s.with(workspace, now, func(c *call) error {
		for i, raw := range objects {
			var m fields
			if err := json.Unmarshal(raw, &m); err != nil {
				return fmt.Errorf("seed object %d: %w", i, err)
			}
			if m.text("id") == "" || m.text("type") == "" || source == "" {
				return fmt.Errorf("seed object %d: give a source, and id and type of the object", i)
			}
			o := newObject(source, m, raw, &c.sw)
			c.write(o, MethodUpload, by)
			ids = append(ids, o.ID)
		}
		return nil
	})
	return ids, err
}

// Foreign returns n made-up indicators to seed, numbered from 1.
func Foreign(n int, now time.Time) []json.RawMessage {
	out := make([]json.RawMessage, 0, n)
	at, until := now.UTC().Format("2006-01-02T15:04:05.000Z"), now.UTC().AddDate(1, 0, 0).Format("2006-01-02T15:04:05.000Z")
	for i := 1; i <= n; i++ {
		out = append(out, json.RawMessage(fmt.Sprintf(
			`{"type":"indicator","spec_version":"2.1","id":"indicator--%08x-0000-4000-8000-00000000f0e1","created":%q,"modified":%q,"name":"other %d","pattern":"[domain-name:value = 'row-%06d.other.example']","pattern_type":"stix","valid_from":%q,"valid_until":%q}`,
			i, at, at, i, i, at, until)))
	}
	return out
}

// Objects returns the workspace's objects by table Id, whatever the read lag hides.
func (s *Service) Objects(workspace string, now time.Time) ([]Object, error) {
	var out []Object
	err := s.with(workspace, now, func(c *call) error {
		for _, o := range sorted(c.store.live) {
			out = append(out, *o)
		}
		return nil
	})
	return out, err
}

// object returns an object by table Id, or by STIX id where only one source has it.
func (o *store) object(id string) (*Object, error) {
	if obj := o.live[id]; obj != nil {
		return obj, nil
	}
	var found *Object
	for _, obj := range o.live {
		switch {
		case obj.StixID != id:
		case found != nil:
			return nil, fmt.Errorf("two sources have %s; give the table Id", id)
		default:
			found = obj
		}
	}
	if found == nil {
		return nil, fmt.Errorf("workspace %s has no object %s", o.Name, id)
	}
	return found, nil
}

// Edit changes properties of a STIX object, given by table Id or STIX id, as a
// person does in the portal; nil takes a property away. Modified becomes now
// unless the patch says otherwise.
func (s *Service) Edit(workspace string, now time.Time, id string, patch map[string]any) error {
	return s.with(workspace, now, func(c *call) error {
		old, err := c.store.object(id)
		if err != nil {
			return err
		}
		if old.Managed {
			return errors.New("the object belongs to the management plane; change it there")
		}
		var m map[string]any
		if err := json.Unmarshal(old.Data, &m); err != nil {
			return fmt.Errorf("read object %s: %w", old.StixID, err)
		}
		m["modified"] = now.UTC().Format("2006-01-02T15:04:05.000Z")
		for name, v := range patch {
			m[name] = v
			if v == nil {
				delete(m, name)
			}
		}
		data, err := json.Marshal(m)
		var f fields
		if err == nil {
			err = json.Unmarshal(data, &f)
		}
		if err != nil {
			return fmt.Errorf("edit object %s: %w", old.StixID, err)
		}
		o := newObject(old.Source, f, data, &c.sw)
		if o.ID != old.ID {
			return fmt.Errorf("edit object %s: its id cannot be changed", old.StixID)
		}
		c.write(o, MethodPortal, Portal)
		return nil
	})
}

// Remove deletes an object, given by table Id or STIX id, as a person does in
// the portal.
func (s *Service) Remove(workspace string, now time.Time, id string) error {
	return s.with(workspace, now, func(c *call) error {
		o, err := c.store.object(id)
		if err == nil {
			c.store.remove(o, MethodPortal, now, now)
		}
		return err
	})
}

// Table returns the rows of a workspace's tables, oldest first, up to the
// newest 500,000; name keeps those of one table, "" both.
func (s *Service) Table(workspace, name string, now time.Time) ([]Row, error) {
	var out []Row
	err := s.with(workspace, now, func(c *call) error {
		for i := range c.store.table.entries {
			e := &c.store.table.entries[i]
			if name == "" || name == tableOf(e.object) {
				out = append(out, e.row(&c.store.Workspace, now))
			}
		}
		return nil
	})
	return out, err
}

// Bill returns how many rows were written to a workspace's tables.
func (s *Service) Bill(workspace string, now time.Time) (Bill, error) {
	var out Bill
	err := s.with(workspace, now, func(c *call) error {
		out = c.store.table.bill.clone()
		return nil
	})
	return out, err
}
