package threatconnect

import (
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// deleted answers GET /v3/indicators/deleted: of one owner, the API user's
// organisation unless it names another. The count is always there.
func (r *request) deleted() wire.Reply {
	graves, refusal := r.graveyard()
	if refusal != nil {
		return *refusal
	}
	start := min(r.q.start, len(graves))
	end := min(start+r.q.limit, len(graves))
	w := &writer{}
	w.open('{')
	if end < len(graves) {
		w.text("next", r.link(end))
	}
	w.key("data")
	w.open('[')
	for _, g := range graves[start:end] {
		w.next()
		g.write(w)
	}
	w.close(']')
	w.number("count", int64(len(graves)))
	return w.reply()
}

func (g *grave) write(w *writer) {
	w.open('{')
	w.text("ownerName", g.owner)
	w.date("dateAdded", g.at)
	w.text("type", g.typ)
	w.text("summary", g.summary)
	w.close('}')
}

// graveyard are the records a call asks for.
func (r *request) graveyard() ([]grave, *wire.Reply) {
	name := r.q.Get("owner")
	if name == "" {
		name = r.home().Name
	}
	if r.owner(name).Permission == None {
		e := r.fail(403, "Access Denied: the owner "+name+" does not exist or is not accessible")
		return nil, &e
	}
	var since time.Time
	if text := r.q.Get("deletedSince"); text != "" {
		var ok bool
		if since, ok = readDate(text); !ok {
			e := r.fail(400, "deletedSince: "+text+" is not a date")
			return nil, &e
		}
	}
	graves := r.deletions(name, since, r.now)
	if typ := r.q.Get("type"); typ != "" {
		graves = slices.DeleteFunc(graves, func(g grave) bool { return !strings.EqualFold(g.typ, typ) })
	}
	return graves, nil
}

func readDate(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// listOwners answers GET /v3/security/owners.
func (r *request) listOwners() wire.Reply {
	var open []Owner
	for _, o := range r.owners {
		if o.Permission != None {
			open = append(open, o)
		}
	}
	start := min(r.q.start, len(open))
	end := min(start+r.q.limit, len(open))
	w := &writer{}
	w.open('{')
	if end < len(open) {
		w.text("next", r.link(end))
	}
	w.key("data")
	w.open('[')
	for _, o := range open[start:end] {
		w.next()
		w.open('{')
		w.number("id", o.ID)
		w.text("name", o.Name)
		w.text("type", o.Type)
		w.text("ownerRole", "Organization Administrator")
		w.text("permIndicator", o.Permission)
		w.text("permGroup", o.Permission)
		w.close('}')
	}
	w.close(']')
	if r.q.yes("count") && r.q.start == 0 {
		w.number("count", int64(len(open)))
	}
	return w.reply()
}

// options answers OPTIONS of /v3/indicators, its fields and its TQL parameters.
func (r *request) options() wire.Reply {
	switch r.Route.ID {
	case "":
		return wire.JSON(200, schema(r.q.Get("show") != ""))
	case "/fields":
		type field struct {
			Name        string `json:"name"`
			Description string `json:"description"`
			Default     bool   `json:"includedByDefault"`
		}
		data := make([]field, len(fieldNames))
		for i, name := range fieldNames {
			data[i] = field{Name: name, Description: "Includes " + name}
		}
		return listing(data, len(data))
	case "/tql":
		data := r.keywords()
		return listing(data, len(data))
	}
	return r.notFound()
}

func listing(data any, n int) wire.Reply {
	return wire.JSON(200, struct {
		Data   any    `json:"data"`
		Count  int    `json:"count"`
		Status string `json:"status"`
	}{data, n, "Success"})
}

// schema describes the fields that can be written, and with readOnly the others.
func schema(readOnly bool) map[string]any {
	type field = map[string]any
	out := map[string]any{
		"type":       field{"type": "String", "description": "The type of indicator", "required": true, "updatable": false, "common": true, "allowableValues": kindNames()},
		"rating":     field{"type": "BigDecimal", "description": "The threat rating", "updatable": true, "minValue": 0, "maxValue": 5},
		"confidence": field{"type": "Integer", "description": "The confidence rating", "updatable": true, "minValue": 0, "maxValue": 100},
		"active":     field{"type": "Boolean", "description": "The status", "updatable": true},
	}
	for _, name := range []string{"tags", "securityLabels", "attributes"} {
		out[name] = field{"type": name, "description": "The " + name, "updatable": true}
	}
	for _, k := range kinds {
		for _, key := range k.keys {
			out[key] = field{"type": "String", "description": "Part of an indicator of type " + k.name, "appliesTo": []string{k.name}}
		}
	}
	if readOnly {
		for _, name := range []string{"id", "dateAdded", "lastModified", "ownerName", "summary", "webLink", "description", "source"} {
			out[name] = field{"type": "String", "description": "Read only", "readOnly": true}
		}
	}
	return out
}

func kindNames() []string {
	out := make([]string, len(kinds))
	for i := range kinds {
		out[i] = kinds[i].name
	}
	return out
}
