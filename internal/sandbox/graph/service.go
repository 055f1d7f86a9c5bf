// Package graph is the sandbox's twin of Microsoft Graph's beta
// security/tiIndicators: the resource with its two target products, a store per
// tenant in which an app sees only its own rows, single and bulk calls with their
// per-item verdicts, OData queries, JSON batching, throttling and errors. Use
// Service to answer calls, and its Seed, Edit and Remove to play the other
// writers of a tenant.
package graph

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/rate"
	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// AppID is Graph's own application id, an audience in every cloud.
const AppID = "00000003-0000-0000-c000-000000000000"

// App roles: the first writes and sees what the app itself created, the second
// reads what anybody created.
const (
	RoleOwned = "ThreatIndicators.ReadWrite.OwnedBy"
	RoleRead  = "ThreatIndicators.Read.All"
)

// Config is what a Service is made of.
type Config struct {
	// Hosts are Graph's real host names. Under one of them only tokens of that
	// cloud are taken.
	Hosts []string
	// National are those of Hosts whose cloud has no tiIndicators.
	National []string
	// Own are the sandbox's own addresses as audiences; it is asked per request.
	Own func(req *wire.Request) []string
	// PerMinute is how many calls an app may make in a tenant; 0 is unlimited.
	PerMinute func() int
	Switches  func() switches.Set
}

// Service is the API of all tenants. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu     sync.Mutex
	tables map[string]*table
	rate   rate.Windows
}

// New returns a service without rows.
func New(cfg Config) *Service {
	return &Service{cfg: cfg, tables: map[string]*table{}, rate: rate.Windows{}}
}

// Reset forgets all rows and rate windows.
func (s *Service) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables, s.rate = map[string]*table{}, rate.Windows{}
}

// Call is one call of the API after its token was read.
type Call struct {
	Route
	Req *wire.Request
	// Who is nil where TokenErr says why the token was refused.
	Who      *entra.Principal
	TokenErr error
	Refuse   []fault.Refusal
}

// call is a Call at work on a tenant's table, under the lock.
type call struct {
	Call
	service *Service
	table   *table
	sw      switches.Set
	now     time.Time
	visible time.Time // when its writes can be read
	request string    // request-id
	client  string    // client-request-id
	items   []journal.Item
}

// Serve answers a call and returns what it did to each item.
func (s *Service) Serve(c Call) (wire.Reply, []journal.Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serve(c)
}

func (s *Service) serve(c Call) (wire.Reply, []journal.Item) {
	sw := s.cfg.Switches()
	w := &call{Call: c, service: s, sw: sw, now: c.Req.Now, visible: c.Req.Now.Add(sw.ReadLag), request: uuid.NewString()}
	if w.client = c.Req.Header.Get("client-request-id"); w.client == "" {
		w.client = w.request
	}
	reply, e := w.admit()
	if e == nil {
		w.table = s.table(c.Who.Tenant)
		w.table.settle(w.now)
		w.items, w.table.gone = w.table.gone, nil
		reply, e = w.run()
		w.table.settle(w.now)
	}
	if e != nil {
		reply = w.refusal(e)
	}
	return w.stamp(reply), w.items
}

// admit checks token, path, rate and role, in this order.
func (c *call) admit() (wire.Reply, *apiError) {
	if e := c.authenticate(); e != nil {
		return wire.Reply{}, e
	}
	if e := c.reachable(); e != nil {
		return wire.Reply{}, e
	}
	if c.Op == OpBatch {
		return wire.Reply{}, nil // its requests are admitted one by one
	}
	if e := c.service.throttle(c); e != nil {
		return wire.Reply{}, e
	}
	return wire.Reply{}, c.permit()
}

// authenticate judges the token and its audience.
func (c *call) authenticate() *apiError {
	switch {
	case c.TokenErr != nil || c.Who == nil:
		return unauthenticated(c.TokenErr)
	case !slices.ContainsFunc(c.audiences(), func(a string) bool {
		return strings.EqualFold(a, strings.TrimSuffix(c.Who.Audience, "/"))
	}):
		return refuse(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
	}
	return nil
}

func (c *call) audiences() []string {
	if host := c.host(); slices.Contains(c.service.cfg.Hosts, host) {
		return []string{AppID, "https://" + host}
	}
	return append(Resources(c.service.cfg.Hosts), c.service.cfg.Own(c.Req)...)
}

// Resources are the audiences that a token for Graph may have.
func Resources(hosts []string) []string {
	out := []string{AppID}
	for _, h := range hosts {
		out = append(out, "https://"+h)
	}
	return out
}

func (c *call) host() string {
	host, _, _ := strings.Cut(strings.ToLower(c.Req.Host), ":")
	return host
}

// permit checks the app roles: writing needs the owner's role.
func (c *call) permit() *apiError {
	has := func(role string) bool { return slices.Contains(c.Who.Roles, role) }
	if has(RoleOwned) || has(RoleRead) && (c.Op == OpList || c.Op == OpGet) {
		return nil
	}
	return refuse(403, "Forbidden", "Auth token does not contain valid permissions or user does not have valid roles. API required roles: %s, application roles: %s.",
		RoleOwned, strings.Join(c.Who.Roles, ","))
}

// sees reports whether the row exists for the app.
func (c *call) sees(r *row) bool {
	return r.app == c.Who.App || slices.Contains(c.Who.Roles, RoleRead) && (c.Op == OpList || c.Op == OpGet)
}

func (c *call) observed() bool { return c.sw.GraphProfile == "observed" }

func (c *call) run() (wire.Reply, *apiError) {
	if c.Req.QueryErr != nil {
		return wire.Reply{}, refuse(400, "BadRequest", "The query cannot be decoded: %v", c.Req.QueryErr)
	}
	switch c.Op {
	case OpList:
		return c.list()
	case OpGet:
		return c.get()
	case OpDelete:
		return c.delete()
	}
	if e := c.contentType(); e != nil {
		return wire.Reply{}, e
	}
	switch c.Op {
	case OpCreate:
		return c.create()
	case OpUpdate:
		return c.update()
	case OpSubmit:
		return c.submit()
	case OpUpdateMany:
		return c.updateMany()
	case OpDeleteMany, OpDeleteExternal:
		return c.deleteMany()
	}
	return c.batch()
}

func (c *call) contentType() *apiError {
	kind := strings.ToLower(c.Req.Header.Get("Content-Type"))
	switch {
	case kind == "":
		return unreadable()
	case !strings.Contains(kind, "json"):
		return refuse(415, "RequestBodyRead", "A supported MIME type could not be found that matches the content type of the request; send application/json.")
	}
	return nil
}

// context is the @odata.context of an answer.
func (c *call) context(what string) string {
	base := c.Req.Base()
	if c.sw.ContextHost != "echo" {
		base = "https://" + c.sw.ContextHost
	}
	return base + "/beta/$metadata#" + what
}

func (s *Service) table(tenant string) *table {
	t := s.tables[tenant]
	if t == nil {
		t = newTable(tenant)
		s.tables[tenant] = t
	}
	return t
}
