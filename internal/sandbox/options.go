package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/remeld/remeld/internal/sandbox/graph"
)

// The demonstration tenant. The secret is fake on purpose and in plain sight.
const (
	DemoTenant = "5a4db0c5-0000-4000-8000-00000000d340"
	DemoDomain = "sandbox.onmicrosoft.example"
	DemoApp    = "5a4db0c5-0000-4000-8000-0000000000a1"
	DemoSecret = "not-a-real-secret-sandbox-only"
)

// Options say what to start. The zero value is a demonstration tenant on a free
// port, with a clock that follows real time.
type Options struct {
	// Addr is the TLS listener's loopback address; default 127.0.0.1:0.
	Addr string
	// PlainAddr, if set, serves the same over plain HTTP, for feeds and for
	// clients that cannot be told about a CA.
	PlainAddr string
	// Dir is where ca.pem is written; "" keeps it in memory.
	Dir string

	// Start is what the clock shows at first; zero is now.
	Start time.Time
	// Frozen lets the clock stand still unless it is moved.
	Frozen bool
	// Rate is how fast a clock that is not frozen runs; 0 is 1, real time.
	Rate float64
	// Wall is the real clock; default time.Now.
	Wall func() time.Time

	// Tenants; default DefaultTenants.
	Tenants []Tenant
	// Workspaces of Sentinel; default DefaultWorkspaces with the default tenants, else none.
	Workspaces []Workspace
	// Resources are audiences beyond the service's own ones.
	Resources []string
	// Groups are the names of the device groups.
	Groups []string
	// TokenLifetime; default 3599 s.
	TokenLifetime time.Duration

	// ThreatConnect is the instance of ThreatConnect; its Start is the sandbox's own.
	ThreatConnect ThreatConnect

	Switches Switches
	// Limits replace the documented limits of the operations given.
	Limits map[string]Limit

	// JournalEntries and JournalItems bound the journal; defaults 20,000 and 500,000.
	JournalEntries, JournalItems int
	// MaxBody bounds request bodies, decompressed, in bytes; default 16 MiB.
	MaxBody int64
}

// DefaultTenants returns the demonstration tenant with its one app.
func DefaultTenants() []Tenant {
	return []Tenant{{ID: DemoTenant, Domains: []string{DemoDomain}, Apps: []App{{
		ID: DemoApp, Name: "Remeld sandbox", Secrets: []Secret{{Value: DemoSecret}}, Roles: []string{"Ti.ReadWrite.All", graph.RoleOwned}, Assignments: demoAssignments(),
	}}}}
}

func (o Options) fill() (Options, error) {
	var errs []error
	setDefault(&o.Addr, "127.0.0.1:0")
	for _, a := range []string{o.Addr, o.PlainAddr} {
		errs = append(errs, loopback(a))
	}
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.Tenants == nil {
		o.Tenants = DefaultTenants()
		if o.Workspaces == nil {
			o.Workspaces = DefaultWorkspaces()
		}
	}
	o.Resources = append(append([]string(nil), resources...), o.Resources...)
	setDefault(&o.TokenLifetime, 3599*time.Second)
	setDefault(&o.JournalEntries, 20_000)
	setDefault(&o.JournalItems, 500_000)
	setDefault(&o.MaxBody, 16<<20)
	if o.TokenLifetime < time.Second || o.JournalEntries < 1 || o.JournalItems < 1 || o.MaxBody < 1 || o.Rate < 0 {
		errs = append(errs, errors.New("token lifetime, journal bounds, body limit and rate cannot be negative"))
	}
	limits := defaultLimits()
	for op := range o.Limits {
		if _, ok := limits[op]; !ok {
			errs = append(errs, fmt.Errorf("limits: %q is no limited operation", op))
		}
	}
	maps.Copy(limits, o.Limits)
	o.Limits = limits
	var err error
	o.Switches, err = o.Switches.Fill()
	return o, errors.Join(append(errs, err)...)
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

func (o Options) rate() float64 {
	switch {
	case o.Frozen:
		return 0
	case o.Rate == 0:
		return 1
	}
	return o.Rate
}

// loopback refuses addresses that other machines could reach: the sandbox
// hands out tokens for secrets that everybody knows.
func loopback(addr string) error {
	if addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("address %q: the sandbox listens on loopback only, such as 127.0.0.1:8443", addr)
	}
	return nil
}
