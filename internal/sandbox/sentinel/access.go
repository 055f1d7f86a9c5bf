package sentinel

import (
	"slices"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/rate"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// audience reports whether the token is for the management plane of a cloud.
func (s *Service) audience(c *Call, cloudName string) bool {
	have := strings.TrimSuffix(c.Who.Audience, "/")
	return slices.ContainsFunc(slices.Concat(clouds[cloudName].audiences, s.cfg.Own(c.Req)), func(a string) bool {
		return strings.EqualFold(strings.TrimSuffix(a, "/"), have)
	})
}

// allowed reports whether the app has one of the roles on the workspace.
func (s *Service) allowed(c *Call, w *Workspace, roles ...string) bool {
	if !strings.EqualFold(w.Tenant, c.Who.Tenant) {
		return false
	}
	return slices.ContainsFunc(s.cfg.Assignments(c.Who.Tenant, c.Who.App), func(a entra.Assignment) bool {
		return slices.Contains(roles, a.Role) && w.covers(a.Scope)
	})
}

func forbidden(c *Call, w *Workspace, action string) *apiError {
	return refuse(403, "AuthorizationFailed", "The client '%s' with object id '%s' does not have authorization to perform action 'Microsoft.SecurityInsights/threatIntelligence/%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.", c.Who.App, c.Who.App, action, w.Path())
}

// serveUpload answers the data plane: token, rate, version, workspace, role,
// then the body.
func (s *Service) serveUpload(c Call) (wire.Reply, []journal.Item) {
	if c.Op == OpOther {
		return gateway(404, "Resource not found"), nil
	}
	if c.TokenErr != nil || c.Who == nil || !s.audience(&c, Public) {
		return refuse(401, "Unauthorized", "").upload(), nil
	}
	sw := s.cfg.Switches()
	if limit := s.limits[OpUpload]; limit != (rate.Limit{}) {
		if x := s.rate.Admit(rate.Key{Op: OpUpload, Tenant: c.Who.Tenant, App: c.Who.App}, limit, c.Req.Now); x != nil {
			return throttled(x, &sw), nil
		}
	}
	o, e := s.uploadTarget(&c)
	if e != nil {
		return e.upload(), nil
	}
	w := s.at(o, c, c.Req.Now)
	o.settle(w.now)
	reply, e := w.upload()
	if e != nil {
		reply = e.upload()
	}
	o.settle(w.now)
	return reply, w.items
}

// uploadVersions are the api-versions of the three endpoints.
var uploadVersions = map[string][]string{
	OpUpload:           {"2024-02-01-preview"},
	OpUploadIndicators: {"2022-07-01", "2022-12-01-preview"},
}

func (s *Service) uploadTarget(c *Call) (*store, *apiError) {
	if v := c.Req.Query.Get("api-version"); !slices.Contains(uploadVersions[c.Op], v) {
		return nil, refuse(400, "UnsupportedApiVersion", "The requested API version '%s' is not supported; use %s.", clip(v), strings.Join(uploadVersions[c.Op], " or "))
	}
	if !guid.MatchString(c.Workspace) {
		return nil, refuse(400, "InvalidWorkspaceId", "The workspace id '%s' is not a GUID.", clip(c.Workspace))
	}
	o := s.find(&c.Route)
	switch {
	case o == nil || o.Cloud != Public:
		return nil, refuse(404, "WorkspaceNotFound", "The workspace '%s' was not found.", clip(c.Workspace))
	case !s.allowed(c, &o.Workspace, RoleContributor):
		return nil, forbidden(c, &o.Workspace, "write")
	}
	return o, nil
}

// clip bounds what of a request is repeated in an answer.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
