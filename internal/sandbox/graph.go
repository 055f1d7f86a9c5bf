package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/graph"
	"github.com/remeld/remeld/internal/sandbox/mde"
)

func (s *Sandbox) newGraph() *graph.Service {
	return graph.New(graph.Config{
		Hosts: graphHosts, National: graphHosts[1:], Own: own, Switches: s.Switches,
		PerMinute: func() int { return s.mde.Limits()[graph.LimitName].PerMinute },
	})
}

// routeGraph takes the calls of Microsoft Graph: every path under its host names,
// and those of its versions by address.
func (s *Sandbox) routeGraph(x *exchange, host string) bool {
	r, ok := graph.Match(x.req.Method, x.req.Path)
	switch {
	case slices.Contains(loginHosts, host) || slices.Contains(defenderHosts, host):
		return false
	case !ok && !slices.Contains(graphHosts, host):
		return false
	case !ok:
		r = graph.Route{Op: graph.OpOther}
	}
	x.entry.Op = r.Op
	c := graph.Call{Route: r, Req: x.req}
	c.Who, c.TokenErr = s.graphCaller(x)
	x.serve = func(refuse []fault.Refusal) {
		c.Refuse = refuse
		x.reply, x.entry.Items = s.graph.Serve(c)
	}
	return true
}

// graphCaller reads the token and notes the caller in the journal. The service
// was seen to take a token without the word Bearer before it.
func (s *Sandbox) graphCaller(x *exchange) (*entra.Principal, error) {
	header := strings.TrimSpace(x.req.Header.Get("Authorization"))
	scheme, token, found := strings.Cut(header, " ")
	switch {
	case header == "":
		return nil, graph.ErrNoToken
	case !found && s.Switches().GraphProfile == "observed":
		token = scheme
	case !strings.EqualFold(scheme, "Bearer"):
		return nil, graph.ErrNoToken
	}
	if token = strings.TrimSpace(token); !strings.Contains(token, ".") {
		return nil, graph.ErrMalformedToken
	}
	who, err := s.entra.Verify(token, x.req.Now)
	x.entry.Tenant, x.entry.App = who.Tenant, who.App
	if err != nil {
		return nil, err
	}
	return &who, nil
}

// SeedTi stores tiIndicators as created by another app ("" is one that has no
// name here) and returns their ids. A row is its properties by name, as JSON has
// them; types are checked, nothing else is.
func (s *Sandbox) SeedTi(tenant, app string, rows []map[string]any) ([]string, error) {
	id, err := s.tenantID(tenant)
	if err != nil {
		return nil, err
	}
	return s.graph.Seed(id, s.clock.Now(), app, rows)
}

// TiRows returns the tenant's live tiIndicators, oldest first, whoever created
// them and whatever the read lag hides.
func (s *Sandbox) TiRows(tenant string) ([]TiIndicator, error) {
	id, err := s.tenantID(tenant)
	if err != nil {
		return nil, err
	}
	return s.graph.Rows(id, s.clock.Now())
}

// EditTi changes properties of a tiIndicator from outside; nil takes one away.
func (s *Sandbox) EditTi(tenant, row string, change map[string]any) error {
	id, err := s.tenantID(tenant)
	if err != nil {
		return err
	}
	return s.graph.Edit(id, s.clock.Now(), row, change)
}

// DeleteTi deletes a tiIndicator from outside.
func (s *Sandbox) DeleteTi(tenant, row string) error {
	id, err := s.tenantID(tenant)
	if err != nil {
		return err
	}
	return s.graph.Remove(id, s.clock.Now(), row)
}

func postSeedTi(s *Sandbox, r *http.Request, args []string) (any, error) {
	var in struct {
		App        string           `json:"app"`
		Indicators []map[string]any `json:"indicators"`
		Generate   int              `json:"generate"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	switch {
	case (in.Generate != 0) == (len(in.Indicators) > 0):
		return nil, errors.New("give either indicators or generate")
	case in.Generate < 0 || in.Generate > mde.MaxSeed:
		return nil, fmt.Errorf("seed: %d rows; from 1 to %d", in.Generate, mde.MaxSeed)
	case in.Generate != 0:
		in.Indicators = graph.Foreign(in.Generate)
	}
	ids, err := s.SeedTi(args[0], in.App, in.Indicators)
	return map[string]any{"ids": ids}, err
}

func patchTi(s *Sandbox, r *http.Request, args []string) (any, error) {
	var change map[string]any
	if err := decode(r, &change); err != nil {
		return nil, err
	}
	if change == nil {
		return nil, errors.New("give an object of properties")
	}
	return nil, s.EditTi(args[0], args[1], change)
}
