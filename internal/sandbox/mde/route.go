package mde

import (
	"net/http"
	"slices"
	"strings"
)

// Operations of the API, as the journal names them.
const (
	OpList        = "list"
	OpGet         = "get"
	OpCreate      = "create"
	OpImport      = "import"
	OpDelete      = "delete"
	OpBatchDelete = "batch_delete"
	OpGroups      = "groups"
	// OpOther is a path or a method that the API does not have.
	OpOther = "other"
)

// Ops lists the operations.
func Ops() []string {
	return []string{
		OpList, OpGet, OpCreate, OpImport, OpDelete, OpBatchDelete,
		OpGroups, OpOther,
	}
}

// Route is a path of the API.
type Route struct {
	Op     string
	ID     string
	prefix string   // "/api" or "/api/v1.0"
	allow  []string // methods of the path when Op is OpOther; nil: no such path
}

// Match finds the route of a method and path; ok is false outside the API.
func Match(method, path string) (Route, bool) {
	r := Route{Op: OpOther, prefix: "/api"}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if !strings.EqualFold(parts[0], "api") {
		return r, false
	}
	parts = parts[1:]
	if len(parts) > 0 && strings.EqualFold(parts[0], "v1.0") {
		r.prefix = "/api/v1.0"
		parts = parts[1:]
	}
	ops, id := methods(parts)
	r.ID = id
	if op, ok := ops[method]; ok {
		r.Op = op
		return r, true
	}
	for m := range ops {
		r.allow = append(r.allow, m)
	}
	slices.Sort(r.allow)
	return r, true
}

// methods returns the operations of a path by method.
func methods(parts []string) (map[string]string, string) {
	name := func(i int) string { return strings.ToLower(parts[i]) }
	switch {
	case len(parts) == 2 && name(0) == "exposurescore" && name(1) == "bymachinegroups":
		return map[string]string{http.MethodGet: OpGroups}, ""
	case len(parts) == 0 || len(parts) > 2 || name(0) != "indicators":
		return nil, ""
	case len(parts) == 1:
		return map[string]string{http.MethodGet: OpList, http.MethodPost: OpCreate}, ""
	case name(1) == "import":
		return map[string]string{http.MethodPost: OpImport}, ""
	case name(1) == "batchdelete":
		return map[string]string{http.MethodPost: OpBatchDelete}, ""
	}
	return map[string]string{http.MethodGet: OpGet, http.MethodDelete: OpDelete}, parts[1]
}
