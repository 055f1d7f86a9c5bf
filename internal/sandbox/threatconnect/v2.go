package threatconnect

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// v2Route are the basics of version 2.
func v2Route(method string, parts []string) Route {
	r := func(serve func(*request) wire.Reply, id string) Route {
		return Route{Op: OpV2, ID: id, version: 2, serve: serve}
	}
	if method != http.MethodGet {
		return missing(2)
	}
	switch path := strings.Join(parts, "/"); path {
	case "owners":
		return r((*request).v2Owners, "")
	case "owners/mine":
		return r((*request).v2Mine, "")
	case "whoami":
		return r((*request).whoami, "")
	case "types/indicatorTypes":
		return r((*request).v2Types, "")
	case "indicators/deleted":
		return r((*request).v2Deleted, "")
	}
	if len(parts) == 2 && parts[0] == "indicators" {
		if i := slices.IndexFunc(kinds, func(k kind) bool { return k.branch == parts[1] }); i >= 0 {
			return r((*request).v2List, strconv.Itoa(i))
		}
	}
	return missing(2)
}

// v2Reply is the envelope of version 2; resultCount stands on the first page only.
func (r *request) v2Reply(entity string, data any, count int) wire.Reply {
	inner := map[string]any{entity: data}
	if r.q.start == 0 && count >= 0 {
		inner["resultCount"] = count
	}
	return wire.JSON(200, map[string]any{"status": "Success", "data": inner})
}

type v2Owner struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

func (r *request) v2Owners() wire.Reply {
	var out []v2Owner
	for _, o := range r.owners {
		if o.Permission != None {
			out = append(out, v2Owner{o.ID, o.Name, o.Type})
		}
	}
	return r.v2Reply("owner", out, len(out))
}

func (r *request) v2Mine() wire.Reply {
	o := r.home()
	return r.v2Reply("owner", v2Owner{o.ID, o.Name, o.Type}, -1)
}

func (r *request) whoami() wire.Reply {
	return r.v2Reply("user", map[string]string{
		"userName": r.c.AccessID, "firstName": "John", "lastName": "Smith", "pseudonym": "jsmithAPI", "role": "Api User",
	}, -1)
}

func (r *request) v2Types() wire.Reply {
	type typ struct {
		Name       string `json:"name"`
		Custom     string `json:"custom"`
		Parsable   string `json:"parsable"`
		Branch     string `json:"apiBranch"`
		Entity     string `json:"apiEntity"`
		Preference string `json:"casePreference"`
		Label      string `json:"value1Label,omitempty"`
		Kind       string `json:"value1Type,omitempty"`
	}
	out := make([]typ, len(kinds))
	for i, k := range kinds {
		out[i] = typ{Name: k.name, Custom: strconv.FormatBool(k.number > 5), Parsable: "true", Branch: k.branch, Entity: k.entity, Preference: "sensitive"}
		if k.number > 5 {
			out[i].Label, out[i].Kind = k.keys[0], "text"
		}
	}
	return r.v2Reply("indicatorType", out, len(out))
}

func (r *request) v2Deleted() wire.Reply {
	graves, refusal := r.graveyard()
	if refusal != nil {
		return *refusal
	}
	type record struct {
		Owner   string `json:"ownerName"`
		Type    string `json:"type"`
		Added   string `json:"dateAdded"`
		Summary string `json:"summary"`
	}
	out := []record{}
	for _, g := range graves[min(r.q.start, len(graves)):min(r.q.start+r.q.limit, len(graves))] {
		out = append(out, record{g.owner, g.typ, g.at.UTC().Format(stamp), g.summary})
	}
	return r.v2Reply("indicator", out, len(graves))
}

// v2List answers a branch of one type: the active rows of one owner, the API user's
// organisation unless it names another, modified since a time, that instant included.
func (r *request) v2List() wire.Reply {
	at, _ := strconv.Atoi(r.Route.ID) // made by v2Route
	k := &kinds[at]
	owner := r.q.Get("owner")
	if owner == "" {
		owner = r.home().Name
	}
	if r.owner(owner).Permission == None {
		return r.fail(403, "Access Denied: the owner "+owner+" does not exist or is not accessible")
	}
	since, ok := readDate(r.q.Get("modifiedSince"))
	if !ok && r.q.Get("modifiedSince") != "" {
		return r.fail(400, "modifiedSince: "+r.q.Get("modifiedSince")+" is not a date")
	}
	inactive := strings.ReplaceAll(r.q.Get("filters"), " ", "") == "active=false"
	w := &writer{}
	w.open('[')
	n := 0
	want := narrow{owners: []string{owner}, types: []string{k.name}, since: since}
	for row := range r.rows(r.now, &want) {
		if row.Inactive != inactive {
			continue
		}
		if n++; n > r.q.start && n <= r.q.start+r.q.limit {
			w.next()
			r.v2Object(w, row, k)
		}
	}
	w.close(']')
	out := &writer{}
	out.open('{')
	out.text("status", "Success")
	out.key("data")
	out.open('{')
	if r.q.start == 0 {
		out.number("resultCount", int64(n))
	}
	out.key(k.entity)
	out.b = append(out.b, w.b...)
	out.close('}')
	out.close('}')
	return wire.Reply{Status: 200, Header: http.Header{"Content-Type": {"application/json;charset=utf-8"}}, Body: out.b}
}

// v2Object: a rating without decimals is sent without, which old clients need.
func (r *request) v2Object(w *writer, i *Indicator, k *kind) {
	w.open('{')
	w.number("id", i.ID)
	w.text("ownerName", i.Owner)
	w.text("type", i.Type)
	w.date("dateAdded", i.Added)
	w.date("lastModified", i.Modified)
	if i.Rating != nil {
		w.key("rating")
		w.b = strconv.AppendFloat(w.b, *i.Rating, 'f', -1, 64)
	}
	if i.Confidence != nil {
		w.number("confidence", int64(*i.Confidence))
	}
	if i.Score != nil {
		w.key("threatAssessConfidence")
		w.b = strconv.AppendFloat(w.b, float64(*i.Score)/10, 'f', 2, 64)
	}
	w.text("webLink", r.c.WebBase+"/auth/indicators/details/"+k.entity+".xhtml?id="+strconv.FormatInt(i.ID, 10))
	w.text("summary", i.Summary)
	for n, v := range k.parts(i.Summary) {
		if v != "" {
			w.text(k.keys[n], v)
		}
	}
	r.v2Parts(w, i)
	w.close('}')
}
