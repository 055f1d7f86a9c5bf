package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func postFault(s *Sandbox, r *http.Request, _ []string) (any, error) {
	var rule Rule
	if err := decode(r, &rule); err != nil {
		return nil, err
	}
	id, err := s.AddFault(rule)
	return map[string]string{"id": id}, err
}

func deleteFault(s *Sandbox, _ *http.Request, args []string) (any, error) {
	if !s.RemoveFault(args[0]) {
		return nil, fmt.Errorf("there is no fault rule %q", args[0])
	}
	return nil, nil
}

// patchSwitches sets all the switches given, or none.
func patchSwitches(s *Sandbox, r *http.Request, _ []string) (any, error) {
	var in map[string]json.RawMessage
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sw := s.switches
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(in)) {
		next, err := sw.With(name, strings.Trim(string(in[name]), `"`))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		sw = next
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.switches = sw
	return sw, nil
}

func patchLimits(s *Sandbox, r *http.Request, _ []string) (any, error) {
	var in map[string]Limit
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if err := s.SetLimits(in); err != nil {
		return nil, err
	}
	return s.limits(), nil
}

// redacted lists the tenants with the secrets and certificates counted only.
func (s *Sandbox) redacted() any {
	type app struct {
		ID           string       `json:"id"`
		Name         string       `json:"name"`
		Roles        []string     `json:"roles"`
		Assignments  []Assignment `json:"assignments,omitempty"`
		Secrets      int          `json:"secrets"`
		Certificates int          `json:"certificates"`
		Disabled     bool         `json:"disabled"`
	}
	type tenant struct {
		ID      string   `json:"id"`
		Domains []string `json:"domains"`
		Apps    []app    `json:"apps"`
	}
	out := []tenant{}
	for _, t := range s.Tenants() {
		o := tenant{ID: t.ID, Domains: t.Domains, Apps: []app{}}
		for _, a := range t.Apps {
			o.Apps = append(o.Apps, app{a.ID, a.Name, a.Roles, a.Assignments, len(a.Secrets), len(a.Certificates), a.Disabled})
		}
		out = append(out, o)
	}
	return out
}

func putTenant(s *Sandbox, r *http.Request, args []string) (any, error) {
	var t Tenant
	if err := decode(r, &t); err != nil {
		return nil, err
	}
	if t.ID != "" && t.ID != args[0] {
		return nil, fmt.Errorf("the body's id %q is not the path's %q", t.ID, args[0])
	}
	t.ID = args[0]
	return nil, s.SetTenant(t)
}

func postSeed(s *Sandbox, r *http.Request, args []string) (any, error) {
	var in struct {
		By         Author      `json:"by"`
		Indicators []Indicator `json:"indicators"`
		Generate   int         `json:"generate"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	var ids []string
	var err error
	switch {
	case in.Generate != 0 && in.Indicators != nil || in.Generate == 0 && len(in.Indicators) == 0:
		return nil, errors.New("give either indicators or generate")
	case in.Generate != 0:
		ids, err = s.SeedForeign(args[0], in.By, in.Generate)
	default:
		ids, err = s.Seed(args[0], in.By, in.Indicators)
	}
	return map[string]any{"ids": ids}, err
}

func patchRow(s *Sandbox, r *http.Request, args []string) (any, error) {
	var patch json.RawMessage
	if err := decode(r, &patch); err != nil {
		return nil, err
	}
	return nil, s.EditRow(args[0], args[1], Author{}, func(i *Indicator) error {
		if err := json.Unmarshal(patch, i); err != nil {
			return fmt.Errorf("read body: %w", err)
		}
		return nil
	})
}

func putWorkspace(s *Sandbox, r *http.Request, args []string) (any, error) {
	var w Workspace
	if err := decode(r, &w); err != nil {
		return nil, err
	}
	if w.ID != "" && w.ID != args[0] {
		return nil, fmt.Errorf("the body's id %q is not the path's %q", w.ID, args[0])
	}
	w.ID = args[0]
	return nil, s.SetWorkspace(w)
}

func postObjects(s *Sandbox, r *http.Request, args []string) (any, error) {
	var in struct {
		By       string            `json:"by"`
		Source   string            `json:"source"`
		Objects  []json.RawMessage `json:"objects"`
		Generate int               `json:"generate"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	var ids []string
	var err error
	switch {
	case in.Generate != 0 && in.Objects != nil || in.Generate == 0 && len(in.Objects) == 0:
		return nil, errors.New("give either objects or generate")
	case in.Generate != 0:
		ids, err = s.SeedForeignObjects(args[0], in.By, in.Source, in.Generate)
	default:
		ids, err = s.SeedObjects(args[0], in.By, in.Source, in.Objects...)
	}
	return map[string]any{"ids": ids}, err
}

func patchObject(s *Sandbox, r *http.Request, args []string) (any, error) {
	var patch map[string]any
	if err := decode(r, &patch); err != nil {
		return nil, err
	}
	return nil, s.EditObject(args[0], args[1], patch)
}

func putFeed(s *Sandbox, r *http.Request, args []string) (any, error) {
	var f Feed
	if err := decode(r, &f); err != nil {
		return nil, err
	}
	f.Name = args[0]
	return nil, s.SetFeed(f)
}

func deleteFeed(s *Sandbox, _ *http.Request, args []string) (any, error) {
	if !s.feeds.Remove(args[0]) {
		return nil, fmt.Errorf("there is no feed %q", args[0])
	}
	return nil, nil
}
