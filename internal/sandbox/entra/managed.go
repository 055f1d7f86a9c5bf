package entra

import (
	"crypto/subtle"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// The endpoints that hand out tokens of the machine's managed identity, over plain
// http: a virtual machine's metadata service, App Service and Functions, and Azure
// Arc's agent.
var managedPaths = map[string]string{
	"/metadata/identity/oauth2/token":     managedIMDS,
	"/msi/token":                          managedAppService,
	"/arc/metadata/identity/oauth2/token": managedArc,
}

const (
	managedIMDS       = "imds"
	managedAppService = "app-service"
	managedArc        = "arc"
)

// ManagedHeader is the secret that App Service puts into IDENTITY_HEADER.
const ManagedHeader = "not-a-real-identity-header"

// ManagedArcKey is the secret that the Arc agent writes into the file that its 401
// names, for whoever may read it.
const ManagedArcKey = "not-a-real-arc-key"

// arcKeyFile is where the agent keeps it; clients refuse any other folder.
const arcKeyFile = "/var/opt/azcmagent/tokens/sandbox.key"

// managed answers for the machine: the identities are the apps that are declared as
// one, in any tenant.
func (s *Service) managed(r Route, req *wire.Request) wire.Reply {
	if refused, ok := managedDoor(r.kind, req); !ok {
		return refused
	}
	resource := req.Query.Get("resource")
	if resource == "" || req.Query.Get("api-version") == "" {
		return managedError(400, "invalid_request", "Required query variable 'resource' or 'api-version' is missing")
	}
	if !s.known(resource, req) {
		return managedError(400, "invalid_resource", "AADSTS500011: The resource principal named "+clip(resource)+" was not found in the tenant.")
	}
	t, a := s.identity(req.Query.Get("client_id"))
	if a == nil {
		return managedError(400, "invalid_request", "Identity not found")
	}
	token, c, f := s.mint(r, req, t, a, resource)
	if f != nil {
		return managedError(500, "server_error", f.text)
	}
	answer := v1answer(token, resource, c)
	answer["client_id"] = a.ID
	return wire.JSON(200, answer)
}

// managedDoor keeps out what is no local client: each endpoint has its own proof.
func managedDoor(kind string, req *wire.Request) (wire.Reply, bool) {
	same := func(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	switch {
	case req.Method != "GET":
		return wire.Empty(405).With("Allow", "GET"), false
	case kind == managedAppService && !same(req.Header.Get("X-Identity-Header"), ManagedHeader):
		return managedError(401, "unauthorized", "X-IDENTITY-HEADER is missing or wrong"), false
	case kind == managedAppService:
		return wire.Reply{}, true
	case !strings.EqualFold(req.Header.Get("Metadata"), "true"), req.Header.Get("X-Forwarded-For") != "":
		return managedError(400, "bad_request_102", "Required metadata header not specified"), false
	case kind == managedArc && req.Header.Get("Authorization") == "":
		return wire.Empty(401).With("WWW-Authenticate", "Basic realm="+arcKeyFile), false
	case kind == managedArc && !same(req.Header.Get("Authorization"), "Basic "+ManagedArcKey):
		return managedError(401, "unauthorized", "the key is wrong"), false
	}
	return wire.Reply{}, true
}

func managedError(status int, kind, text string) wire.Reply {
	return wire.JSON(status, map[string]string{"error": kind, "error_description": text})
}

// identity finds the user-assigned identity of the client id, or the system-assigned
// one where none is named.
func (s *Service) identity(clientID string) (*tenant, *app) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.list {
		for _, a := range t.apps {
			if clientID == "" && a.ManagedIdentity == "system" || a.ManagedIdentity != "" && strings.EqualFold(a.ID, clientID) {
				return t, a
			}
		}
	}
	return nil, nil
}
