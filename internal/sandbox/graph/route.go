package graph

import (
	"net/http"
	"slices"
	"strings"
)

// Operations of the API, as the journal names them.
const (
	OpList           = "ti-list"
	OpGet            = "ti-get"
	OpCreate         = "ti-create"
	OpUpdate         = "ti-update"
	OpDelete         = "ti-delete"
	OpSubmit         = "ti-submit"
	OpUpdateMany     = "ti-update-many"
	OpDeleteMany     = "ti-delete-many"
	OpDeleteExternal = "ti-delete-external"
	// OpBatch is $batch; the calls in it are journalled as its items.
	OpBatch = "graph-batch"
	// OpOther is a path or a method that the API does not have.
	OpOther = "graph-other"
)

// Ops lists the operations.
func Ops() []string {
	return []string{
		OpList, OpGet, OpCreate, OpUpdate, OpDelete, OpSubmit,
		OpUpdateMany, OpDeleteMany, OpDeleteExternal, OpBatch, OpOther,
	}
}

// Route is a path of Graph.
type Route struct {
	Op      string
	ID      string
	version string   // "beta" or "v1.0"
	ti      string   // the tiIndicators segment as the client wrote it, if there
	unknown string   // the first segment that does not exist
	allow   []string // methods of the path when Op is OpOther
}

// Match finds the route of a method and path; ok is false outside Graph's two
// versions. Paths know no case.
func Match(method, path string) (Route, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	r := Route{Op: OpOther, version: strings.ToLower(parts[0])}
	if r.version != "beta" && r.version != "v1.0" {
		return r, false
	}
	ops := r.methods(parts[1:])
	if op, ok := ops[method]; ok && r.unknown == "" {
		r.Op = op
		return r, true
	}
	for m := range ops {
		r.allow = append(r.allow, m)
	}
	slices.Sort(r.allow)
	return r, true
}

// actions are the bound actions by lower-case name.
var actions = map[string]string{
	"submittiindicators": OpSubmit, "updatetiindicators": OpUpdateMany, "deletetiindicators": OpDeleteMany,
	"deletetiindicatorsbyexternalid": OpDeleteExternal,
}

// methods returns the operations of a path by method and notes the first
// segment that is not known.
func (r *Route) methods(parts []string) map[string]string {
	known := func(i int, name string) bool {
		if i < len(parts) && !strings.EqualFold(parts[i], name) {
			r.unknown = parts[i]
		}
		return i < len(parts) && r.unknown == ""
	}
	if len(parts) == 1 && strings.EqualFold(parts[0], "$batch") {
		return map[string]string{http.MethodPost: OpBatch}
	}
	if !known(0, "security") || !known(1, "tiIndicators") {
		return nil
	}
	r.ti = parts[1]
	if r.version != "beta" {
		r.unknown = r.ti
		return nil
	}
	switch len(parts) {
	case 2:
		return map[string]string{http.MethodGet: OpList, http.MethodPost: OpCreate}
	case 3:
		name := strings.TrimPrefix(strings.ToLower(parts[2]), "microsoft.graph.")
		if op := actions[name]; op != "" {
			return map[string]string{http.MethodPost: op}
		}
		r.ID = parts[2]
		return map[string]string{http.MethodGet: OpGet, http.MethodPatch: OpUpdate, http.MethodDelete: OpDelete}
	}
	r.unknown = parts[3]
	return nil
}

// reachable refuses what the path, the version or the cloud does not have.
func (c *call) reachable() *apiError {
	switch {
	case c.version == "":
		first, _, _ := strings.Cut(strings.Trim(c.Req.Path, "/"), "/")
		return refuse(400, "BadRequest", "Invalid version: %s", clip(first))
	case c.ti != "" && (c.sw.GraphTiIndicators == "removed" || slices.Contains(c.service.cfg.National, c.host())):
		return noSegment(c.ti)
	case c.unknown != "":
		return noSegment(c.unknown)
	case c.Op == OpOther && len(c.allow) == 0:
		return noSegment(c.Req.Path)
	case c.Op == OpOther:
		e := refuse(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
		e.header = http.Header{"Allow": {strings.Join(c.allow, ", ")}}
		return e
	}
	return nil
}

func noSegment(name string) *apiError {
	return refuse(400, "BadRequest", "Resource not found for the segment '%s'.", clip(name))
}
