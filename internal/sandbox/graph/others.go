package graph

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Indicator is a row for those who look from outside.
type Indicator struct {
	ID string `json:"id"`
	// App is the id of the app that created it.
	App string `json:"app"`
	// Properties are all properties by name, as JSON has them.
	Properties map[string]any `json:"properties"`
}

// Text returns a property that is a text, "" if it is null or none.
func (i Indicator) Text(name string) string { s, _ := i.Properties[name].(string); return s }

// with runs fn on a tenant's table with the clock applied before and after.
func (s *Service) with(tenant string, now time.Time, fn func(t *table) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table(tenant)
	t.settle(now)
	defer t.settle(now)
	return fn(t)
}

// Other is the app that seeds belong to when none is named.
const Other = "another-app"

// Seed stores rows as created by the app now, readable at once, and returns their
// ids. Types are checked, values, identity and capacity are not, so that odd rows
// can be set up. Without a targetProduct a row is for Sentinel.
func (s *Service) Seed(tenant string, now time.Time, app string, rows []map[string]any) ([]string, error) {
	if app == "" {
		app = Other
	}
	observed := s.cfg.Switches().GraphProfile == "observed"
	var ids []string
	err := s.with(tenant, now, func(t *table) error {
		for i, m := range rows {
			v, err := seedValues(m)
			if err != nil {
				return fmt.Errorf("seed row %d: %w", i+1, err)
			}
			r := &row{id: t.newID(v.text("targetProduct"), observed), tenant: tenant, app: app, ingested: now, values: v}
			t.put(r, now)
			ids = append(ids, r.id)
		}
		return nil
	})
	return ids, err
}

// seedValues reads properties leniently, whatever the profile.
func seedValues(m map[string]any) (values, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	v, e := decode(raw, true)
	if e != nil {
		return nil, fmt.Errorf("%s", e.message)
	}
	for name, x := range v {
		if x == nil {
			delete(v, name)
		}
	}
	if v.text("targetProduct") == "" {
		v["targetProduct"] = sentinel
	}
	return v, nil
}

// Foreign returns n made-up rows to seed, for Sentinel.
func Foreign(n int) []map[string]any {
	out := make([]map[string]any, 0, n)
	for i := range n {
		out = append(out, map[string]any{
			"domainName": fmt.Sprintf("row-%06d-%s.other.example", i+1, uuid.NewString()[:8]), "action": "alert", "threatType": "Malware",
			"tlpLevel": "green", "description": "seeded in the sandbox", "externalId": fmt.Sprintf("other-%d", i+1), "targetProduct": sentinel,
		})
	}
	return out
}

// Rows returns all live rows of a tenant, oldest first, whoever created them and
// whatever the read lag hides.
func (s *Service) Rows(tenant string, now time.Time) ([]Indicator, error) {
	out := []Indicator{}
	err := s.with(tenant, now, func(t *table) error {
		for _, r := range sorted(t.live) {
			i := Indicator{ID: r.id, App: r.app}
			if err := json.Unmarshal(r.encode(nil, nil), &i.Properties); err != nil {
				return fmt.Errorf("row %s: %w", r.id, err)
			}
			out = append(out, i)
		}
		return nil
	})
	return out, err
}

// Edit changes properties of a row from outside, as the product itself or an
// analyst may do; any property can be changed, a nil takes it away.
func (s *Service) Edit(tenant string, now time.Time, id string, change map[string]any) error {
	return s.with(tenant, now, func(t *table) error {
		old := t.live[id]
		if old == nil {
			return fmt.Errorf("tenant %s has no tiIndicator %s", tenant, id)
		}
		raw, err := json.Marshal(change)
		if err != nil {
			return fmt.Errorf("encode change: %w", err)
		}
		v, e := decode(raw, true)
		if e != nil {
			return fmt.Errorf("edit tiIndicator %s: %s", id, e.message)
		}
		r := *old
		r.values = values{}
		for _, from := range []values{old.values, v} {
			for name, x := range from {
				if r.values[name] = x; x == nil {
					delete(r.values, name)
				}
			}
		}
		t.put(&r, now.Add(s.cfg.Switches().ReadLag))
		return nil
	})
}

// Remove deletes a row from outside.
func (s *Service) Remove(tenant string, now time.Time, id string) error {
	return s.with(tenant, now, func(t *table) error {
		r := t.live[id]
		if r == nil {
			return fmt.Errorf("tenant %s has no tiIndicator %s", tenant, id)
		}
		t.remove(r, now.Add(s.cfg.Switches().ReadLag))
		return nil
	})
}
