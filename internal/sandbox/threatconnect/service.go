// Package threatconnect is the twin of a ThreatConnect instance's REST API: version 3
// of it for indicators and what surrounds them, and the basics of version 2. Use it
// to rehearse what reads ThreatConnect: it checks signatures over the bytes of the
// request target, evaluates TQL, pages by offset over data that changes, and keeps
// records of deletions for a time only.
//
// Its data set is made from a seed row by row when it is asked for, so that half a
// million rows cost nothing until somebody reads them; rows made or edited by a
// caller stand beside it.
package threatconnect

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Owner is an organisation, a community or a source.
type Owner struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	// Type is Organization, Community or Source.
	Type string `json:"type"`
	// Permission is what the API user may do with its indicators: FULL, READ or NONE.
	Permission string `json:"permission"`
}

// The permissions of an Owner.
const (
	Full = "FULL"
	Read = "READ"
	None = "NONE"
)

// DefaultOwners are those of the made-up data set; the last is closed to the API user.
func DefaultOwners() []Owner {
	return []Owner{
		{ID: 1, Name: "Demo Organization", Type: "Organization", Permission: Full},
		{ID: 2, Name: "Common Community", Type: "Community", Permission: Full},
		{ID: 3, Name: "Technical Blogs and Reports", Type: "Source", Permission: Read},
		{ID: 4, Name: "Sealed Community", Type: "Community", Permission: None},
	}
}

// DefaultSize is how many indicators a twin starts with.
const DefaultSize = 50_000

// Config is what a twin starts with.
type Config struct {
	// Size is the number of indicators made from the seed: 0 is DefaultSize, a
	// negative one means none.
	Size int
	Seed uint64
	// Owners; the first is the API user's organisation. Default DefaultOwners.
	Owners []Owner
	// AccessID and Secret are the API user's.
	AccessID, Secret string
	// Lacks are TQL parameters that the instance does not have, as an old one: OPTIONS
	// does not list them and a query with one is refused.
	Lacks []string
	// TagsModify: lastModified moves with tags, too. The documentation does not say so
	// of any instance, nor that none does.
	TagsModify bool
	// OnlyV2: an instance from before version 3 of the API.
	OnlyV2 bool
	// Retention is how long records of deletions are kept; default 30 days.
	Retention time.Duration
	// WebBase is what links to the web interface begin with.
	WebBase string
	// Start is the sandbox's time at the start: the data set's life begins then.
	Start time.Time
}

// Service is the twin. It is safe for concurrent use.
type Service struct {
	c      Config
	owners []Owner
	gen    generator
	key    []byte // signs tokens
	texts  textIndex

	writes sync.Mutex // held by a call that changes something
	mu     sync.RWMutex
	own    map[int64]*Indicator // made by hand, or edited
	ids    []int64              // of own rows that the seed did not make, ascending
	gone   map[int64]bool       // deleted rows of the seed
	graves []grave
	// flagged are the false positives by user, row and day.
	flagged map[string]bool
}

// grave is the record of a deletion.
type grave struct {
	owner, typ, summary string
	at                  time.Time
}

// New returns a twin.
func New(c Config) (*Service, error) {
	if c.Owners == nil {
		c.Owners = DefaultOwners()
	}
	if c.WebBase == "" {
		c.WebBase = "https://" + Hosts[0]
	}
	switch {
	case c.Size == 0:
		c.Size = DefaultSize
	case c.Size < 0:
		c.Size = 0
	}
	if c.Retention == 0 {
		c.Retention = 30 * 24 * time.Hour
	}
	if len(c.Owners) == 0 || c.Owners[0].Permission == None {
		return nil, errors.New("the API user's organisation, the first owner, must be there and open to it")
	}
	s := &Service{c: c, owners: c.Owners}
	names := make([]string, 0, len(c.Owners))
	for i := range c.Owners {
		if c.Owners[i].Permission != None {
			names = append(names, c.Owners[i].Name)
		}
	}
	s.gen = generator{seed: c.Seed, size: c.Size, start: c.Start.Truncate(time.Second), owners: names}
	s.key = fmt.Appendf(nil, "token %s %d", c.Secret, c.Seed)
	s.Reset()
	return s, nil
}

// Reset puts the data set back to what the seed makes.
func (s *Service) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own, s.ids, s.gone, s.graves, s.flagged = map[int64]*Indicator{}, nil, map[int64]bool{}, nil, map[string]bool{}
}

func (s *Service) home() *Owner { return &s.owners[0] }

// owner returns an owner by name; an unknown one is made up without an id.
func (s *Service) owner(name string) Owner {
	i := slices.IndexFunc(s.owners, func(o Owner) bool { return o.Name == name })
	if i < 0 {
		return Owner{Name: name, Permission: None}
	}
	return s.owners[i]
}

// Call is one request with what is known of it.
type Call struct {
	Route Route
	Req   *wire.Request
}

// Serve answers a call.
func (s *Service) Serve(c Call) (wire.Reply, []journal.Item) {
	if c.Req.Scheme != "https" {
		return refuse(403, "HTTPS is required"), nil
	}
	if c.Route.Op == OpRenew {
		return s.renew(c.Req), nil
	}
	if why := s.login(c.Req); why != "" {
		return c.fail(401, why), nil
	}
	q, why := parameters(c.Req)
	if why != "" {
		return c.fail(400, why), nil
	}
	if s.c.OnlyV2 && c.Route.version == 3 {
		return c.fail(404, "The requested resource was not found"), nil
	}
	if c.Req.Method != http.MethodGet && c.Req.Method != http.MethodOptions {
		s.writes.Lock() // or two could create the same row
		defer s.writes.Unlock()
	}
	r := &request{Service: s, Call: c, q: q, now: c.Req.Now}
	return c.Route.serve(r), r.items
}

// request is a call that is being answered.
type request struct {
	*Service
	Call
	q     query
	now   time.Time
	items []journal.Item
}

// fail is a refusal in the envelope of the path's version.
func (c *Call) fail(status int, message string) wire.Reply {
	if c.Route.version == 2 {
		return wire.JSON(status, map[string]string{"status": "Failure", "message": message})
	}
	return refuse(status, message)
}

func refuse(status int, message string) wire.Reply {
	return wire.JSON(status, struct {
		Message string `json:"message"`
		Status  string `json:"status"`
	}{message, "Error"})
}

// AccessID is the API user's.
func (s *Service) AccessID() string { return s.c.AccessID }

// Secret is the API user's key, which is fake.
func (s *Service) Secret() string { return s.c.Secret }
