package sentinel

import (
	"encoding/json"
	"net"
	"slices"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// queryVersion is the one api-version that has query, count and the deletion
// of what they return.
const queryVersion = "2025-07-01-preview"

// managementVersions are the api-versions of the other calls that were seen.
var managementVersions = []string{
	"2021-09-01-preview", "2022-08-01", "2022-09-01-preview", "2022-11-01", "2022-12-01-preview", "2023-02-01", "2023-11-01", "2024-03-01", "2024-09-01",
	"2025-03-01", "2025-06-01", queryVersion, "2025-09-01",
}

// actions name what a role is asked for; writes need the contributor.
var actions = map[string]struct {
	action string
	write  bool
}{
	OpQuery: {"query/action", false}, OpCount: {"count/action", false}, OpList: {"indicators/read", false}, OpGet: {"indicators/read", false},
	OpQueryIndicators: {"queryIndicators/action", false}, OpMetrics: {"metrics/read", false},
	OpCreate: {"indicators/write", true}, OpUpdate: {"indicators/write", true}, OpDelete: {"delete", true}, OpDeleteIndicator: {"indicators/delete", true},
	OpAppendTags: {"indicators/appendTags/action", true}, OpReplaceTags: {"indicators/replaceTags/action", true},
}

// serveManagement answers the management plane: version, token, path, role,
// then the call.
func (s *Service) serveManagement(c Call) (wire.Reply, []journal.Item) {
	o, e := s.managementTarget(&c)
	if e != nil {
		r := e.cloudError()
		if e.status == 405 {
			r = r.With("Allow", strings.Join(c.allow, ", "))
		}
		return r, nil
	}
	w := s.at(o, c, c.Req.Now)
	o.settle(w.now)
	reply, e := w.run()
	if e != nil {
		reply = e.cloudError()
	}
	o.settle(w.now)
	return reply, w.items
}

func (s *Service) managementTarget(c *Call) (*store, *apiError) {
	if !c.Req.Query.Has("api-version") {
		return nil, refuse(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	}
	if c.TokenErr != nil || c.Who == nil {
		return nil, refuse(401, "AuthenticationFailed", "Authentication failed. The access token is missing, invalid or has expired.")
	}
	cloudName := Public
	for name, cl := range clouds {
		if strings.EqualFold(hostname(c.Req.Host), cl.host) {
			cloudName = name
		}
	}
	o := s.find(&c.Route)
	byAddress := !slices.Contains(ManagementHosts(), strings.ToLower(hostname(c.Req.Host)))
	if o != nil && byAddress {
		cloudName = o.Cloud
	}
	switch {
	case !s.audience(c, cloudName):
		return nil, refuse(401, "InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource '%s'. It should exactly match with one of the allowed audiences '%s'.", clip(c.Who.Audience), strings.Join(clouds[cloudName].audiences, "','"))
	case c.Op == OpOther && len(c.allow) > 0:
		return nil, refuse(405, "MethodNotAllowed", "The requested resource does not support http method '%s'.", clip(c.Req.Method))
	case c.Op == OpOther:
		return nil, refuse(404, "InvalidResourceType", "The resource type could not be found in the namespace 'Microsoft.SecurityInsights' for api version '%s'.", clip(c.Req.Query.Get("api-version")))
	case o == nil || o.Cloud != cloudName:
		return nil, refuse(404, "ResourceNotFound", "The Resource 'Microsoft.OperationalInsights/workspaces/%s' under resource group '%s' was not found.", clip(c.Name), clip(c.Group))
	}
	return o, s.permitted(c, o)
}

func (s *Service) permitted(c *Call, o *store) *apiError {
	versions := managementVersions
	if c.Op == OpQuery || c.Op == OpCount || c.Op == OpDelete {
		versions = []string{queryVersion}
	}
	if v := c.Req.Query.Get("api-version"); !slices.Contains(versions, v) {
		return refuse(400, "NoRegisteredProviderFound", "No registered resource provider found for API version '%s' and type 'threatIntelligence'. The supported api-versions are '%s'.", clip(v), strings.Join(versions, ", "))
	}
	roles := []string{RoleContributor}
	if !actions[c.Op].write {
		roles = append(roles, RoleReader)
	}
	if !s.allowed(c, &o.Workspace, roles...) {
		return forbidden(c, &o.Workspace, actions[c.Op].action)
	}
	return nil
}

func (c *call) run() (wire.Reply, *apiError) {
	switch c.Op {
	case OpQuery:
		return c.query()
	case OpCount:
		return c.count()
	case OpDelete:
		return c.deleteObject()
	case OpDeleteIndicator:
		return c.deleteIndicator()
	case OpList:
		return c.listIndicators()
	case OpQueryIndicators:
		return c.queryIndicators()
	case OpMetrics:
		return c.metrics()
	case OpCreate:
		return c.createIndicator()
	case OpUpdate:
		return c.updateIndicator()
	}
	o := c.store.managed(c.ID)
	if o == nil {
		return wire.Reply{}, refuse(404, "NotFound", "Resource '%s' was not found.", clip(c.ID))
	}
	switch c.Op {
	case OpAppendTags:
		return c.appendTags(o)
	case OpReplaceTags:
		return c.replaceTags(o)
	}
	return wire.JSON(200, c.entity(o)), nil
}

// deleteObject deletes what sentinel-query listed, in either store.
func (c *call) deleteObject() (wire.Reply, *apiError) {
	o := c.store.live[c.ID]
	if o == nil {
		return wire.Empty(204), nil
	}
	c.store.remove(o, MethodManagement, c.now, c.visible)
	c.items = append(c.items, o.item(journal.Deleted, ""))
	return wire.Empty(200), nil
}

// deleteIndicator deletes from the management store. For an uploaded object it
// says 200 too, but nothing happens: that is in the other store.
func (c *call) deleteIndicator() (wire.Reply, *apiError) {
	if o := c.store.managed(c.ID); o != nil {
		c.store.remove(o, MethodManagement, c.now, c.visible)
		c.items = append(c.items, o.item(journal.Deleted, ""))
		return wire.Empty(200), nil
	}
	id, ok := c.store.names[c.ID]
	if !ok {
		id = c.ID
	}
	if o := c.store.live[id]; o != nil {
		c.items = append(c.items, o.item(journal.Refused, "the object was uploaded; the management store does not have it"))
		return wire.Empty(200), nil
	}
	return wire.Empty(204), nil
}

// decode reads a JSON body.
func (c *call) decode(v any) *apiError {
	if err := json.Unmarshal(c.Req.Body, v); err != nil {
		return refuse(400, "BadRequest", "The request body is not valid: %s.", clip(err.Error()))
	}
	return nil
}

// hostname is the host of a Host header without its port.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}
