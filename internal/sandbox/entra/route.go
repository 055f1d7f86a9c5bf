package entra

import (
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Operations of the token service, as the journal names them.
const (
	OpToken     = "token"
	OpDiscovery = "discovery"
	OpKeys      = "keys"
	OpManaged   = "managed-identity"
)

// Ops lists the operations.
func Ops() []string {
	return []string{OpToken, OpDiscovery, OpKeys, OpManaged}
}

// Route is a path of the token service.
type Route struct {
	Op     string
	Tenant string
	V2     bool
	kind   string // of a discovery: "instance" or "openid"; of a managed identity: whose endpoint
}

// Match finds the route of a path.
func Match(path string) (Route, bool) {
	if kind, ok := managedPaths[path]; ok {
		return Route{Op: OpManaged, kind: kind}, true
	}
	first, rest, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || first == "" {
		return Route{}, false
	}
	r := Route{Tenant: first}
	switch strings.ToLower(rest) {
	case "oauth2/token":
		r.Op = OpToken
	case "oauth2/v2.0/token":
		r.Op, r.V2 = OpToken, true
	case ".well-known/openid-configuration":
		r.Op, r.kind = OpDiscovery, "openid"
	case "v2.0/.well-known/openid-configuration":
		r.Op, r.kind, r.V2 = OpDiscovery, "openid", true
	case "discovery/instance":
		r.Op, r.kind = OpDiscovery, "instance"
	case "discovery/keys":
		r.Op = OpKeys
	case "discovery/v2.0/keys":
		r.Op, r.V2 = OpKeys, true
	default:
		return Route{}, false
	}
	return r, true
}

// Serve answers a request on a route.
func (s *Service) Serve(r Route, req *wire.Request) wire.Reply {
	correlation := correlationID(req)
	var out wire.Reply
	var f *failure
	switch {
	case r.Op == OpToken:
		out, f = s.token(r, req)
	case r.Op == OpManaged:
		return s.managed(r, req)
	case req.Method != "GET" && req.Method != "HEAD":
		return wire.Empty(405).With("Allow", "GET")
	case r.kind == "instance":
		out, f = s.instance(req)
	case r.Op == OpKeys:
		out = s.keys()
	default:
		out, f = s.openid(r, req)
	}
	if f != nil {
		out = f.reply(req.Now, correlation, req.Base())
	}
	out = out.With("x-ms-request-id", uuid.NewString()).With("client-request-id", correlation)
	if r.Op == OpToken {
		out = out.With("Cache-Control", "no-store, no-cache").With("Pragma", "no-cache")
	}
	return out
}

// correlationID is the client's request id where it sent one.
func correlationID(req *wire.Request) string {
	for _, id := range []string{req.Header.Get("client-request-id"), req.Query.Get("client-request-id"), req.Header.Get("x-ms-client-request-id")} {
		if u, err := uuid.Parse(id); err == nil {
			return u.String()
		}
	}
	return uuid.NewString()
}

// shared names are tenants in discovery only.
var shared = []string{"common", "organizations", "consumers"}

func (s *Service) openid(r Route, req *wire.Request) (wire.Reply, *failure) {
	id := "{tenantid}"
	path := strings.ToLower(r.Tenant)
	if !slices.Contains(shared, path) {
		t := s.tenant(r.Tenant)
		if t == nil {
			f := unknownTenant(r.Tenant)
			f.kind = "invalid_tenant"
			return wire.Reply{}, f
		}
		id, path = t.ID, t.ID
	}
	base := req.Base() + "/" + path
	doc := map[string]any{
		"issuer":                                issuer(req, id, r.V2),
		"token_endpoint":                        base + "/oauth2/token",
		"authorization_endpoint":                base + "/oauth2/authorize",
		"jwks_uri":                              base + "/discovery/keys",
		"tenant_region_scope":                   cloudOf(req.Host).region,
		"cloud_instance_name":                   cloudOf(req.Host).instance,
		"msgraph_host":                          cloudOf(req.Host).graph,
		"response_types_supported":              []string{"code", "id_token", "token"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
	}
	if r.V2 {
		doc["token_endpoint"] = base + "/oauth2/v2.0/token"
		doc["authorization_endpoint"] = base + "/oauth2/v2.0/authorize"
		doc["jwks_uri"] = base + "/discovery/v2.0/keys"
	}
	return wire.JSON(200, doc), nil
}

// issuer of v2 is at the authority's host, that of v1 at Microsoft's fixed one.
func issuer(req *wire.Request, tenant string, v2 bool) string {
	if v2 {
		return req.Base() + "/" + tenant + "/v2.0"
	}
	return "https://sts.windows.net/" + tenant + "/"
}

func (s *Service) instance(req *wire.Request) (wire.Reply, *failure) {
	u, err := url.Parse(req.Query.Get("authorization_endpoint"))
	if err != nil || u.Host == "" {
		return wire.Reply{}, fail(400, 900144, "invalid_request", "The request must contain the following parameter: 'authorization_endpoint'.")
	}
	if !slices.Contains(s.cfg.Hosts, strings.ToLower(u.Hostname())) && !strings.EqualFold(u.Host, req.Host) {
		return wire.Reply{}, fail(400, 50049, "invalid_instance", "Unknown or invalid instance.")
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	metadata := make([]map[string]any, 0, len(nationalClouds)+1)
	for _, c := range nationalClouds {
		metadata = append(metadata, map[string]any{"preferred_network": c.aliases[0], "preferred_cache": c.cache, "aliases": c.aliases})
	}
	if !slices.ContainsFunc(nationalClouds, func(c national) bool { return slices.Contains(c.aliases, strings.ToLower(u.Host)) }) {
		metadata = append(metadata, map[string]any{"preferred_network": u.Host, "preferred_cache": u.Host, "aliases": []string{u.Host}})
	}
	return wire.JSON(200, map[string]any{
		"tenant_discovery_endpoint": "https://" + u.Host + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1", "metadata": metadata,
	}), nil
}
