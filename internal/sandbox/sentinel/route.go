package sentinel

import (
	"net/http"
	"slices"
	"strings"
)

// Operations, as the journal names them.
const (
	OpUpload           = "upload"            // STIX objects
	OpUploadIndicators = "upload-indicators" // both legacy endpoints
	OpQuery            = "sentinel-query"
	OpCount            = "sentinel-count"
	OpDelete           = "sentinel-delete" // by the resource id that sentinel-query returns
	OpCreate           = "sentinel-create"
	OpList             = "sentinel-list"
	OpGet              = "sentinel-get"
	OpUpdate           = "sentinel-update"
	OpDeleteIndicator  = "sentinel-delete-indicator" // by name in the management store
	OpAppendTags       = "sentinel-append-tags"
	OpReplaceTags      = "sentinel-replace-tags"
	OpQueryIndicators  = "sentinel-query-indicators"
	OpMetrics          = "sentinel-metrics"
	// OpOther is a path or a method that the services do not have.
	OpOther = "other"
)

// Ops lists the operations.
func Ops() []string {
	return []string{
		OpUpload, OpUploadIndicators, OpQuery, OpCount, OpDelete, OpCreate,
		OpList, OpGet, OpUpdate, OpDeleteIndicator, OpAppendTags, OpReplaceTags,
		OpQueryIndicators, OpMetrics, OpOther,
	}
}

// Route is a path of the upload API or of the management plane.
type Route struct {
	Op string
	// Key is the array of an upload's body.
	Key string
	// Workspace is the workspace's id in the path of an upload.
	Workspace string
	// Subscription, Group and Name are the workspace in a management path.
	Subscription, Group, Name string
	// ID is an indicator's name, or an object's name as sentinel-query returns it.
	ID string

	management bool
	allow      []string // methods of the path when Op is OpOther; nil: no such path
}

// Management reports whether the path belongs to the management plane.
func (r *Route) Management() bool { return r.management }

// Match finds the route of a method and path; ok is false outside the services.
func Match(method, path string) (Route, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if strings.EqualFold(parts[0], "subscriptions") {
		return matchManagement(method, parts), true
	}
	r := Route{}
	switch {
	case len(parts) == 3 && strings.EqualFold(parts[0], "workspaces") && parts[2] == "threat-intelligence-stix-objects:upload":
		r = Route{Op: OpUpload, Key: "stixobjects", Workspace: parts[1]}
	case len(parts) == 3 && strings.EqualFold(parts[0], "workspaces") && parts[2] == "threatintelligenceindicators:upload":
		r = Route{Op: OpUploadIndicators, Key: "indicators", Workspace: parts[1]}
	case len(parts) == 2 && parts[1] == "threatintelligence:upload-indicators":
		r = Route{Op: OpUploadIndicators, Key: "value", Workspace: parts[0]}
	default:
		return r, false
	}
	if method != http.MethodPost {
		r.Op = OpOther
	}
	return r, true
}

// matchManagement reads a path below a workspace's resource.
func matchManagement(method string, parts []string) Route {
	r := Route{Op: OpOther, management: true}
	is := func(i int, word string) bool { return strings.EqualFold(parts[i], word) }
	if len(parts) < 12 || !is(2, "resourceGroups") || !is(4, "providers") || !is(5, "Microsoft.OperationalInsights") || !is(6, "workspaces") ||
		!is(8, "providers") || !is(9, "Microsoft.SecurityInsights") || !is(10, "threatIntelligence") {
		return r
	}
	r.Subscription, r.Group, r.Name = parts[1], parts[3], parts[7]
	ops, id := methods(parts[11:])
	r.ID = id
	if op, ok := ops[method]; ok {
		r.Op = op
		return r
	}
	for m := range ops {
		r.allow = append(r.allow, m)
	}
	slices.Sort(r.allow)
	return r
}

// methods returns the operations below threatIntelligence by method. An
// object's name is base64, which may have slashes.
func methods(parts []string) (map[string]string, string) {
	name := func(i int) string { return strings.ToLower(parts[i]) }
	post := func(op string) map[string]string { return map[string]string{http.MethodPost: op} }
	if rest := strings.Join(parts, "/"); strings.Contains(rest, separator) && name(0) != "main" {
		return map[string]string{http.MethodDelete: OpDelete}, rest
	}
	if name(0) != "main" || len(parts) < 2 {
		return nil, ""
	}
	switch {
	case len(parts) == 2 && name(1) == "query":
		// A link to the next page may be followed by GET; it carries the query.
		return map[string]string{http.MethodPost: OpQuery, http.MethodGet: OpQuery}, ""
	case len(parts) == 2 && name(1) == "count":
		return post(OpCount), ""
	case len(parts) == 2 && name(1) == "createindicator":
		return post(OpCreate), ""
	case len(parts) == 2 && name(1) == "queryindicators":
		return map[string]string{http.MethodPost: OpQueryIndicators, http.MethodGet: OpQueryIndicators}, ""
	case len(parts) == 2 && name(1) == "metrics":
		return map[string]string{http.MethodGet: OpMetrics}, ""
	case len(parts) == 2 && name(1) == "indicators":
		return map[string]string{http.MethodGet: OpList}, ""
	case len(parts) == 3 && name(1) == "indicators":
		return map[string]string{http.MethodGet: OpGet, http.MethodPut: OpUpdate, http.MethodDelete: OpDeleteIndicator}, parts[2]
	case len(parts) == 4 && name(1) == "indicators" && name(3) == "appendtags":
		return post(OpAppendTags), parts[2]
	case len(parts) == 4 && name(1) == "indicators" && name(3) == "replacetags":
		return post(OpReplaceTags), parts[2]
	}
	return nil, ""
}
