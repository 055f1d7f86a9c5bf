package mde

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/rate"
	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Config is what a Service is made of.
type Config struct {
	// Resources are the audiences that are accepted, without trailing slash.
	Resources []string
	// Own adds the sandbox's own addresses; it is asked per request.
	Own      func(req *wire.Request) []string
	Limits   map[string]Limit
	Switches func() switches.Set
	// Groups are the names of the device groups; their ids count from 1.
	Groups []string
}

// Service is the indicator API of all tenants. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu     sync.Mutex
	limits map[string]Limit
	tables map[string]*table
	rate   rate.Windows
}

// New returns a service without rows.
func New(cfg Config) *Service {
	return &Service{cfg: cfg, limits: maps.Clone(cfg.Limits), tables: map[string]*table{}, rate: rate.Windows{}}
}

// SetLimits replaces the limits of the operations given.
func (s *Service) SetLimits(l map[string]Limit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.limits, l)
}

// Limits returns the limits in force by operation.
func (s *Service) Limits() map[string]Limit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.limits)
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
	table   *table
	sw      switches.Set
	now     time.Time
	visible time.Time // when its writes can be read
	items   []journal.Item
	// groupNames are the tenant's device groups; none means that they are not known.
	groupNames []string
}

// Serve answers a call and returns what it did to each item.
func (s *Service) Serve(c Call) (wire.Reply, []journal.Item) {
	if c.Op == OpOther {
		if len(c.allow) == 0 {
			return refuse(404, "NotFound", "The requested resource was not found.").reply(), nil
		}
		return wire.Empty(405).With("Allow", strings.Join(c.allow, ", ")), nil
	}
	if e := s.authorise(&c); e != nil {
		r := e.reply()
		if e.status == 401 {
			r = r.With("WWW-Authenticate", `Bearer authorization_uri="https://login.windows.net/common/oauth2/authorize"`)
		}
		return r, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sw := s.cfg.Switches()
	key := rate.Key{Op: c.Op, Tenant: c.Who.Tenant, App: c.Who.App}
	if limit := s.limits[c.Op]; limit != (Limit{}) {
		if x := s.rate.Admit(key, limit, c.Req.Now); x != nil {
			return throttled(x, &sw), nil
		}
	}
	w := &call{Call: c, table: s.table(c.Who.Tenant), sw: sw, groupNames: s.cfg.Groups, now: c.Req.Now, visible: c.Req.Now.Add(sw.ReadLag)}
	w.table.settle(w.now, &w.sw)
	w.items, w.table.gone = w.table.gone, nil
	reply, e := w.run(s)
	if e != nil {
		reply = e.reply()
	}
	w.table.settle(w.now, &w.sw)
	return reply, w.items
}

func (s *Service) table(tenant string) *table {
	t := s.tables[tenant]
	if t == nil {
		t = newTable()
		s.tables[tenant] = t
	}
	return t
}

// authorise checks token, audience and role, in this order.
func (s *Service) authorise(c *Call) *apiError {
	if c.TokenErr != nil || c.Who == nil {
		return refuse(401, "Unauthorized", "Unauthorized (invalid or expired authorization header).")
	}
	audience := strings.TrimSuffix(c.Who.Audience, "/")
	if !slices.ContainsFunc(slices.Concat(s.cfg.Resources, s.cfg.Own(c.Req)), func(r string) bool {
		return strings.EqualFold(strings.TrimSuffix(r, "/"), audience)
	}) {
		return refuse(401, "Unauthorized", "Unauthorized (invalid or expired authorization header).")
	}
	need := []string{"Ti.ReadWrite.All", "Ti.ReadWrite"}
	if c.Op == OpGroups {
		need = []string{"Score.Read.All"}
	}
	if !slices.ContainsFunc(need, func(role string) bool { return slices.Contains(c.Who.Roles, role) }) {
		return refuse(403, "Forbidden", "The application does not have any of the required application permissions (%s) to access the resource.", strings.Join(need, ", "))
	}
	return nil
}

// ownOnly: the app sees and deletes only what it created.
func (c *call) ownOnly() bool { return !slices.Contains(c.Who.Roles, "Ti.ReadWrite.All") }

func (c *call) sees(r *row) bool { return !c.ownOnly() || r.CreatedBy == c.Who.App }

func (c *call) run(s *Service) (wire.Reply, *apiError) {
	switch c.Op {
	case OpList:
		return c.list()
	case OpGet:
		return c.get()
	case OpDelete:
		return c.delete()
	case OpGroups:
		return c.groups(s.cfg.Groups)
	}
	if kind := c.Req.Header.Get("Content-Type"); kind != "" && !strings.Contains(strings.ToLower(kind), "json") {
		return wire.Reply{}, refuse(415, "UnsupportedMediaType", "The request's content type is not supported; send application/json.")
	}
	switch c.Op {
	case OpCreate:
		return c.create()
	case OpImport:
		return c.importRows()
	}
	return c.batchDelete()
}

// context is the @odata.context of an answer.
func (c *call) context(what string) string {
	base := c.Req.Base()
	if c.sw.ContextHost != "echo" {
		base = "https://" + c.sw.ContextHost
	}
	return base + c.prefix + "/$metadata#" + what
}

func (c *call) groups(groups []string) (wire.Reply, *apiError) {
	type score struct {
		Time  Stamp   `json:"time"`
		Score float64 `json:"score"`
		Name  string  `json:"rbacGroupName"`
		ID    int     `json:"rbacGroupId"`
	}
	out := []score{}
	for i, name := range groups {
		out = append(out, score{Stamp(c.now), 33.5, name, i + 1})
	}
	return entity(wire.JSON(200, map[string]any{"@odata.context": c.context("ExposureScore"), "value": out}).Body), nil
}

func queryError(err error) *apiError { return refuse(400, "ODataError", "%s", err.Error()) }
