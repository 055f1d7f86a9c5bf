package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/graph"
	"github.com/remeld/remeld/internal/sandbox/mde"
	"github.com/remeld/remeld/internal/sandbox/sentinel"
	"github.com/remeld/remeld/internal/sandbox/threatconnect"
)

// AddFault puts a fault rule in force and returns its id. A rule of an operation that
// no service has is an error: it would never strike, and a rehearsal would pass for
// the want of its fault.
func (s *Sandbox) AddFault(r Rule) (string, error) {
	if known := operations(); r.Op != "" && !slices.Contains(known, r.Op) {
		return "", fmt.Errorf("fault rule: no operation is called %q; one of: %s", r.Op, strings.Join(known, ", "))
	}
	return s.faults.Add(r)
}

// operations are the names of every operation, as the journal has them.
func operations() []string {
	all := slices.Concat(entra.Ops(), mde.Ops(), sentinel.Ops(), graph.Ops(), threatconnect.Ops(), []string{opFeed, opOther})
	slices.Sort(all)
	return slices.Compact(all)
}

// RemoveFault takes a rule away and reports whether there was one.
func (s *Sandbox) RemoveFault(id string) bool { return s.faults.Remove(id) }

// ClearFaults takes all rules away.
func (s *Sandbox) ClearFaults() { s.faults.Clear() }

// Faults lists the rules with how often each was met and struck.
func (s *Sandbox) Faults() []fault.Status { return s.faults.List() }

// Journal returns the kept calls that match q, oldest first.
func (s *Sandbox) Journal(q Query) []Entry { return s.log.Select(q) }

// Counters returns the exact totals by tenant, app, operation and status.
func (s *Sandbox) Counters() []Counter { return s.log.Counters() }

// ResetJournal forgets calls and counters.
func (s *Sandbox) ResetJournal() { s.log.Reset() }

// SetTenant adds a tenant or replaces its apps, secrets and roles. Rows stay,
// and tokens already issued stay valid.
func (s *Sandbox) SetTenant(t Tenant) error { return s.entra.SetTenant(t) }

// Tenants returns the tenants with their apps and secrets.
func (s *Sandbox) Tenants() []Tenant { return s.entra.Tenants() }

// SetLimits replaces the rate limits of the operations given.
func (s *Sandbox) SetLimits(l map[string]Limit) error {
	known := defaultLimits()
	for op, v := range l {
		if _, ok := known[op]; !ok {
			return fmt.Errorf("limits: %q is no limited operation", op)
		}
		if v.PerMinute < 0 || v.PerHour < 0 {
			return fmt.Errorf("limits: %s cannot be negative; 0 is unlimited", op)
		}
	}
	s.mde.SetLimits(l)
	s.sentinel.SetLimits(l)
	return nil
}

// Seed stores rows of another writer and returns their ids; the zero author is a
// person in the portal.
func (s *Sandbox) Seed(tenant string, by Author, rows []Indicator) ([]string, error) {
	id, err := s.tenantID(tenant)
	if err != nil {
		return nil, err
	}
	return s.mde.Seed(id, s.clock.Now(), by, rows)
}

// SeedForeign stores n made-up rows of another writer.
func (s *Sandbox) SeedForeign(tenant string, by Author, n int) ([]string, error) {
	if n < 1 || n > mde.MaxSeed {
		return nil, fmt.Errorf("seed: %d rows; from 1 to %d", n, mde.MaxSeed)
	}
	id, err := s.tenantID(tenant)
	if err != nil {
		return nil, err
	}
	return s.mde.Seed(id, s.clock.Now(), by, mde.Foreign(s.mde.Next(id), n))
}

// Rows returns the tenant's live rows by id, whatever the read lag hides.
func (s *Sandbox) Rows(tenant string) ([]Indicator, error) {
	id, err := s.tenantID(tenant)
	if err != nil {
		return nil, err
	}
	return s.mde.Rows(id, s.clock.Now()), nil
}

// EditRow changes a row as a person in the portal does.
func (s *Sandbox) EditRow(tenant, row string, by Author, edit func(*Indicator) error) error {
	id, err := s.tenantID(tenant)
	if err != nil {
		return err
	}
	return s.mde.Edit(id, s.clock.Now(), row, by, edit)
}

// DeleteRow deletes a row as a person in the portal does.
func (s *Sandbox) DeleteRow(tenant, row string) error {
	id, err := s.tenantID(tenant)
	if err != nil {
		return err
	}
	return s.mde.Remove(id, s.clock.Now(), row)
}

func (s *Sandbox) tenantID(name string) (string, error) {
	id, ok := s.entra.Resolve(name)
	if !ok {
		return "", fmt.Errorf("there is no tenant %q", name)
	}
	return id, nil
}

// Reset empties tenants, rate windows, journal, faults and feeds; clock,
// switches, limits and app registrations stay.
func (s *Sandbox) Reset() {
	s.mde.Reset()
	s.sentinel.Reset()
	s.graph.Reset()
	s.tc.Reset()
	s.faults.Clear()
	s.feeds.Reset()
	s.log.Reset()
}

// Lines describes the running sandbox for a person: addresses, credentials of
// the demonstration app, clock, limits and switches.
func (s *Sandbox) Lines() []string {
	out := []string{
		"address     " + s.URL(),
	}
	if u := s.PlainURL(); u != "" {
		out = append(out, "plain http  "+u)
	}
	if s.ca.file != "" {
		out = append(out, "CA          "+s.ca.file)
	}
	state := fmt.Sprintf("runs at rate %g", s.clock.Rate())
	if s.clock.Rate() == 0 {
		state = "stands still"
	}
	out = append(out, "clock       "+s.clock.Now().Format(time.RFC3339)+", "+state, "")
	for _, t := range s.Tenants() {
		out = append(out, "tenant      "+t.ID)
		for _, a := range t.Apps {
			out = append(out, fmt.Sprintf("  app       %s  %s %v", a.ID, a.Name, a.Roles))
			if a.ID == DemoApp && len(a.Secrets) == 1 && a.Secrets[0].Value == DemoSecret {
				out = append(out, "    secret  "+DemoSecret)
			}
		}
	}
	out = append(out, s.workspaceLines()...)
	out = append(out, s.threatConnectLines()...)
	limits, err := json.Marshal(s.limits())
	if err == nil {
		out = append(out, "", "limits      "+string(limits))
	}
	return append(append(out, "", "switches"), s.Switches().Lines()...)
}
