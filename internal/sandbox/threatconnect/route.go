package threatconnect

import (
	"net/http"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Operations of the API, as the journal names them.
const (
	OpList    = "tc-list"
	OpGet     = "tc-get"
	OpCreate  = "tc-create"
	OpUpdate  = "tc-update"
	OpDelete  = "tc-delete"
	OpDeleted = "tc-deleted"
	OpOptions = "tc-options"
	OpOwners  = "tc-owners"
	OpToken   = "tc-token"
	OpRenew   = "tc-renew"
	OpV2      = "tc-v2"
	// OpOther is a path or a method that the twin does not have.
	OpOther = "tc-other"
)

// Ops lists the operations.
func Ops() []string {
	return []string{
		OpList, OpGet, OpCreate, OpUpdate, OpDelete, OpDeleted,
		OpOptions, OpOwners, OpToken, OpRenew, OpV2, OpOther,
	}
}

// Route is a path of the API.
type Route struct {
	Op      string
	ID      string
	version int
	serve   func(*request) wire.Reply
}

// Hosts are those of the public cloud; the last, of older clients, has no /api.
var Hosts = []string{"app.threatconnect.com", "sandbox.threatconnect.com", "api.threatconnect.com"}

// Match finds the route of a method and an escaped path; ok is false outside the API.
func Match(method, host, escaped string) (Route, bool) {
	path, ok := strings.CutPrefix(escaped, "/api/")
	if host == Hosts[2] {
		path, ok = strings.TrimPrefix(escaped, "/"), true
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case !ok:
		return Route{}, false
	case len(parts) == 1 && parts[0] == "appAuth" && method == http.MethodGet:
		return Route{Op: OpRenew, version: 3}, true
	case parts[0] == "v2":
		return v2Route(method, parts[1:]), true
	case parts[0] == "v3":
		return v3Route(method, parts[1:]), true
	case host == Hosts[0] || host == Hosts[1] || host == Hosts[2]:
		return missing(3), true
	}
	return Route{}, false
}

func missing(version int) Route {
	return Route{Op: OpOther, version: version, serve: (*request).notFound}
}

func v3Route(method string, parts []string) Route {
	r := func(op, id string, serve func(*request) wire.Reply) Route {
		return Route{Op: op, ID: id, version: 3, serve: serve}
	}
	path := strings.Join(parts, "/")
	switch {
	case path == "security/owners" && method == http.MethodGet:
		return r(OpOwners, "", (*request).listOwners)
	case len(parts) == 2 && parts[0] == "token" && method == http.MethodPost:
		return r(OpToken, parts[1], (*request).mint)
	case len(parts) == 0 || parts[0] != "indicators" || len(parts) > 2:
		return missing(3)
	case method == http.MethodOptions:
		return r(OpOptions, strings.TrimPrefix(path, "indicators"), (*request).options)
	case len(parts) == 1 && method == http.MethodGet:
		return r(OpList, "", (*request).list)
	case len(parts) == 1 && method == http.MethodPost:
		return r(OpCreate, "", (*request).create)
	case len(parts) == 1:
		return missing(3)
	case parts[1] == "deleted" && method == http.MethodGet:
		return r(OpDeleted, "", (*request).deleted)
	}
	switch method {
	case http.MethodGet:
		return r(OpGet, parts[1], (*request).get1)
	case http.MethodPut:
		return r(OpUpdate, parts[1], (*request).update)
	case http.MethodDelete:
		return r(OpDelete, parts[1], (*request).delete)
	}
	return missing(3)
}
