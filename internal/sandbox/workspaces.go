package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/graph"
	"github.com/remeld/remeld/internal/sandbox/mde"
	"github.com/remeld/remeld/internal/sandbox/sentinel"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// What users of Sentinel's twin name.
type (
	// Workspace is a Log Analytics workspace with Sentinel.
	Workspace = sentinel.Workspace
	// Object is a STIX object of a workspace.
	Object = sentinel.Object
	// TableRow is a row of a workspace's tables.
	TableRow = sentinel.Row
	// Bill is how many rows were written to a workspace's tables.
	Bill = sentinel.Bill
	// Assignment is an Azure role of an app.
	Assignment = entra.Assignment
)

// Azure roles of an Assignment.
const (
	RoleSentinelContributor = sentinel.RoleContributor
	RoleSentinelReader      = sentinel.RoleReader
)

// The demonstration workspaces; the demonstration app may write to both.
const (
	DemoSubscription    = "5a4db0c5-0000-4000-8000-00000000005b"
	DemoGroup           = "sandbox"
	DemoWorkspace       = "5a4db0c5-0000-4000-8000-0000000005e1"
	DemoWorkspaceName   = "soc-prod"
	SecondWorkspace     = "5a4db0c5-0000-4000-8000-0000000005e2"
	SecondWorkspaceName = "soc-test"
)

// DefaultWorkspaces returns the two workspaces of the demonstration tenant.
func DefaultWorkspaces() []Workspace {
	return []Workspace{
		{Tenant: DemoTenant, ID: DemoWorkspace, Subscription: DemoSubscription, Group: DemoGroup, Name: DemoWorkspaceName},
		{Tenant: DemoTenant, ID: SecondWorkspace, Subscription: DemoSubscription, Group: DemoGroup, Name: SecondWorkspaceName},
	}
}

func demoAssignments() []Assignment {
	return []Assignment{{Role: RoleSentinelContributor, Scope: DemoWorkspace}, {Role: RoleSentinelContributor, Scope: SecondWorkspace}}
}

// defaultLimits are the documented limits of all services.
func defaultLimits() map[string]Limit {
	out := mde.DefaultLimits()
	maps.Copy(out, sentinel.DefaultLimits())
	out[graph.LimitName] = Limit{PerMinute: graph.PerMinute}
	return out
}

// limits are those in force. Every service is given all of them.
func (s *Sandbox) limits() map[string]Limit { return s.mde.Limits() }

func (s *Sandbox) startSentinel() error {
	var err error
	s.sentinel, err = sentinel.New(sentinel.Config{
		Workspaces: s.opts.Workspaces, Own: own, Limits: s.opts.Limits, Switches: s.Switches, Assignments: s.entra.Assignments,
	})
	if err != nil {
		return fmt.Errorf("sandbox workspaces: %w", err)
	}
	return nil
}

// sentinelAt reports whether the host has the route: a real host has its own
// plane only, any other has all.
func sentinelAt(r *sentinel.Route, host string) bool {
	switch {
	case slices.Contains(sentinel.ManagementHosts(), host):
		return r.Management()
	case slices.Contains(sentinel.UploadHosts, host):
		return !r.Management() && r.Key == "stixobjects"
	case slices.Contains(sentinel.LegacyHosts, host):
		return !r.Management() && r.Key != "stixobjects"
	}
	return !slices.Contains(loginHosts, host) && !slices.Contains(defenderHosts, host) && !slices.Contains(graphHosts, host)
}

// routeSentinel takes the calls of Sentinel: every path under its host names,
// and its own paths by address.
func (s *Sandbox) routeSentinel(x *exchange, host string) bool {
	r, ok := sentinel.Match(x.req.Method, x.req.Path)
	if !ok || !sentinelAt(&r, host) {
		if !slices.Contains(sentinelHosts, host) {
			return false
		}
		x.serve = func([]fault.Refusal) { x.reply = wire.Empty(http.StatusNotFound) }
		return true
	}
	x.entry.Op = r.Op
	c := sentinel.Call{Route: r, Req: x.req}
	c.Who, c.TokenErr = s.bearer(x)
	x.serve = func(refuse []fault.Refusal) {
		c.Refuse = refuse
		x.reply, x.entry.Items = s.sentinel.Serve(c)
	}
	return true
}

// SetWorkspace adds a workspace, or moves the one with its id; objects stay.
func (s *Sandbox) SetWorkspace(w Workspace) error { return s.sentinel.SetWorkspace(w) }

// Workspaces returns the workspaces by tenant and name.
func (s *Sandbox) Workspaces() []Workspace { return s.sentinel.Workspaces() }

// Objects returns the objects of a workspace (id or name) by table Id, of both
// stores, whatever the read lag hides.
func (s *Sandbox) Objects(workspace string) ([]Object, error) {
	return s.sentinel.Objects(workspace, s.clock.Now())
}

// SeedObjects stores STIX objects under a source as somebody else uploaded them
// (an app's id or a person's address, "" is a person in the portal) and returns
// their table Ids.
func (s *Sandbox) SeedObjects(workspace, by, source string, objects ...json.RawMessage) ([]string, error) {
	return s.sentinel.Seed(workspace, s.clock.Now(), by, source, objects)
}

// SeedForeignObjects stores n made-up indicators under a source.
func (s *Sandbox) SeedForeignObjects(workspace, by, source string, n int) ([]string, error) {
	if n < 1 || n > mde.MaxSeed {
		return nil, fmt.Errorf("seed: %d objects; from 1 to %d", n, mde.MaxSeed)
	}
	now := s.clock.Now()
	return s.sentinel.Seed(workspace, now, by, source, sentinel.Foreign(n, now))
}

// EditObject changes properties of an object (table Id or STIX id) as a person
// in the portal does; nil takes one away.
func (s *Sandbox) EditObject(workspace, id string, patch map[string]any) error {
	return s.sentinel.Edit(workspace, s.clock.Now(), id, patch)
}

// DeleteObject deletes an object as a person in the portal does.
func (s *Sandbox) DeleteObject(workspace, id string) error {
	return s.sentinel.Remove(workspace, s.clock.Now(), id)
}

// TableRows returns the rows written to a workspace's tables, oldest first;
// table is ThreatIntelIndicators, ThreatIntelObjects, or "" for both.
func (s *Sandbox) TableRows(workspace, table string) ([]TableRow, error) {
	return s.sentinel.Table(workspace, table, s.clock.Now())
}

// Bill returns the exact number of rows written to a workspace's tables.
func (s *Sandbox) Bill(workspace string) (Bill, error) {
	return s.sentinel.Bill(workspace, s.clock.Now())
}

// workspaceLines describe the workspaces for a person.
func (s *Sandbox) workspaceLines() []string {
	var out []string
	for _, w := range s.Workspaces() {
		out = append(out, fmt.Sprintf("workspace   %s  %s (%s) in tenant %s", w.ID, w.Path(), w.Cloud, w.Tenant))
	}
	return out
}
