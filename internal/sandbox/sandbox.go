// Package sandbox is a strict local twin of what Remeld talks to: Entra ID's
// token service, the indicator API of Microsoft Defender for Endpoint, the
// threat intelligence of Microsoft Sentinel, the tiIndicators of Microsoft Graph, and
// a server of scripted feeds. Use it to rehearse a configuration without a
// tenant (`remeld sandbox`), and as the counterpart in tests: its clock can be
// moved, faults can be injected, and every call it got is in a journal.
//
// It listens on loopback addresses only, with TLS from a CA that it makes at
// start and whose key never leaves the process.
package sandbox

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/feedsrc"
	"github.com/remeld/remeld/internal/sandbox/graph"
	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/mde"
	"github.com/remeld/remeld/internal/sandbox/sentinel"
	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/vclock"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// The parts that users of a sandbox name.
type (
	// Tenant is a directory with its apps.
	Tenant = entra.Tenant
	// App is an app registration in a tenant.
	App = entra.App
	// Secret is a client secret with its end.
	Secret = entra.Secret
	// Switches are the choices where pages, wire and clients disagree.
	Switches = switches.Set
	// Limit is the calls an app may make of one operation.
	Limit = mde.Limit
	// Indicator is a row of a tenant.
	Indicator = mde.Indicator
	// TiIndicator is a row of a tenant at Graph.
	TiIndicator = graph.Indicator
	// Author is a writer other than the caller: another app or a person.
	Author = mde.Author
	// Rule is a fault: which calls, and what happens to them.
	Rule = fault.Rule
	// Action is what happens to a call that a Rule hits.
	Action = fault.Action
	// Duration is a time.Duration as an Action has it.
	Duration = wire.Duration
	// Refusal refuses rows by value.
	Refusal = fault.Refusal
	// Entry is a call in the journal.
	Entry = journal.Entry
	// Item is an indicator of a call in the journal.
	Item = journal.Item
	// Query selects calls of the journal.
	Query = journal.Query
	// Counter is an exact total.
	Counter = journal.Counter
	// Feed is a scripted feed.
	Feed = feedsrc.Feed
	// Step is the content of a feed from a moment on.
	Step = feedsrc.Step
)

// Sandbox is a running sandbox. Its methods are safe for concurrent use.
type Sandbox struct {
	opts     Options
	clock    *vclock.Clock
	ca       *authority
	entra    *entra.Service
	mde      *mde.Service
	sentinel *sentinel.Service
	graph    *graph.Service
	feeds    *feedsrc.Server
	faults   fault.Set
	log      *journal.Journal

	mu       sync.Mutex
	switches switches.Set

	servers []*server
	ctx     context.Context // ends when the sandbox closes
	cancel  context.CancelFunc
	closed  chan struct{}
	err     error // of closing; read after closed
}

// Start starts a sandbox; it ends with Close or with ctx.
func Start(ctx context.Context, opts Options) (*Sandbox, error) {
	opts, err := opts.fill()
	if err != nil {
		return nil, fmt.Errorf("sandbox options: %w", err)
	}
	s := &Sandbox{opts: opts, switches: opts.Switches, log: journal.New(opts.JournalEntries, opts.JournalItems)}
	s.clock = vclock.New(opts.Start, opts.rate(), opts.Wall)
	if err := s.services(); err != nil {
		return nil, err
	}
	s.feeds = feedsrc.New()
	if s.ca, err = newAuthority(opts.Wall()); err != nil {
		return nil, err
	}
	if opts.Dir != "" {
		if err := s.ca.write(opts.Dir); err != nil {
			return nil, err
		}
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	if err := s.listen(); err != nil {
		s.cancel()
		return nil, errors.Join(err, s.closeServers())
	}
	s.closed = make(chan struct{})
	context.AfterFunc(s.ctx, func() {
		s.err = s.closeServers()
		close(s.closed)
	})
	return s, nil
}

func (s *Sandbox) services() error {
	var err error
	s.entra, err = entra.New(entra.Config{
		Tenants: s.opts.Tenants, Resources: slices.Concat(sentinel.Audiences(), s.opts.Resources, graph.Resources(graphHosts), nationalResources), Own: own, Hosts: loginHosts,
		Lifetime: s.opts.TokenLifetime, Instance: uuid.NewString(), Switches: s.Switches,
	})
	if err != nil {
		return fmt.Errorf("sandbox token service: %w", err)
	}
	s.mde = mde.New(mde.Config{
		Resources: s.opts.Resources, Own: own, Limits: s.opts.Limits, Switches: s.Switches, Groups: s.opts.Groups,
	})
	s.graph = s.newGraph()
	return s.startSentinel()
}

// own is the sandbox's own address as the client used it: clients that derive
// the resource from their base URL ask for that.
func own(req *wire.Request) []string { return []string{req.Base()} }

// Close ends the sandbox and waits for its connections and goroutines.
func (s *Sandbox) Close() error {
	s.cancel()
	<-s.closed
	return s.err
}

func (s *Sandbox) closeServers() error {
	var errs []error
	for _, srv := range s.servers {
		errs = append(errs, srv.close())
	}
	return errors.Join(errs...)
}

// URL is the base address of everything, with https and without a slash at the end.
func (s *Sandbox) URL() string { return "https://" + s.Addr() }

// Addr is host:port of the TLS listener.
func (s *Sandbox) Addr() string { return s.servers[0].addr() }

// PlainURL is the base address of the plain HTTP listener, "" if there is none.
func (s *Sandbox) PlainURL() string {
	if len(s.servers) < 2 {
		return ""
	}
	return "http://" + s.servers[1].addr()
}

// CertPool returns a pool with the sandbox's CA alone.
func (s *Sandbox) CertPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.ca.cert)
	return pool
}

// CAPEM returns the CA's certificate, PEM.
func (s *Sandbox) CAPEM() []byte { return s.ca.pem() }

// CAFile is where the CA's certificate was written, "" if nowhere.
func (s *Sandbox) CAFile() string { return s.ca.file }

// Dial connects to the TLS listener whatever the address, but for that of the
// plain listener: a transport with it as DialContext reaches the sandbox under
// the services' real host names.
func (s *Sandbox) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if u := s.PlainURL(); u == "" || u != "http://"+addr {
		addr = s.Addr()
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// Clock returns the sandbox's clock.
func (s *Sandbox) Clock() *vclock.Clock { return s.clock }

// Now returns the time of the sandbox's clock.
func (s *Sandbox) Now() time.Time { return s.clock.Now() }

// Switches returns the switches in force.
func (s *Sandbox) Switches() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches
}

// SetSwitches replaces all switches; zero fields take their defaults.
func (s *Sandbox) SetSwitches(sw Switches) error {
	sw, err := sw.Fill()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches = sw
	return nil
}

// SetSwitch sets one switch by name.
func (s *Sandbox) SetSwitch(name, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sw, err := s.switches.With(name, value)
	if err == nil {
		s.switches = sw
	}
	return err
}
