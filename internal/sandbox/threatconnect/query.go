package threatconnect

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/wire"
	"github.com/remeld/remeld/internal/tql"
)

// query are the parameters of a call, wherever they came from.
type query struct {
	url.Values
	start, limit int
}

// Bounds of a page.
const (
	defaultLimit = 100
	maxLimit     = 10_000
)

// parameters reads the query string, or the JSON body {"data":{…}} that a GET with a
// long query has instead. Names that are not known are ignored.
func parameters(req *wire.Request) (query, string) {
	q := query{Values: url.Values{}, limit: defaultLimit}
	if req.QueryErr != nil {
		return q, "The query string cannot be read"
	}
	for k, v := range req.Query {
		q.Values[k] = slices.Clone(v)
	}
	if req.Method == "GET" && len(req.Body) > 0 {
		var body struct{ Data map[string]any }
		if err := json.Unmarshal(req.Body, &body); err != nil {
			return q, "The body is no JSON object"
		}
		for k, v := range body.Data {
			q.Values[k] = texts(v)
		}
	}
	for name, at := range map[string]*int{"resultStart": &q.start, "resultLimit": &q.limit} {
		if v := q.Get(name); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 {
				return q, fmt.Sprintf("%s: %q is not a number from 0", name, v)
			}
			*at = n
		}
	}
	if q.limit > maxLimit || q.limit == 0 {
		return q, fmt.Sprintf("resultLimit must be between 1 and %d", maxLimit)
	}
	return q, ""
}

// texts are the values of a parameter in JSON.
func texts(v any) []string {
	switch v := v.(type) {
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, texts(e)...)
		}
		return out
	case string:
		return []string{v}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case bool:
		return []string{strconv.FormatBool(v)}
	}
	return nil
}

// fieldNames are what fields= may name (reference, section 2.4).
var fieldNames = []string{
	"associatedArtifacts", "associatedCases", "associatedGroups", "associatedIndicators", "associationName", "attributes",
	"customAssociations", "dnsResolution", "enrichment", "externalDates", "falsePositives", "fileActions", "fileOccurrences",
	"genericCustomIndicatorValues", "geoLocation", "investigationLinks", "observations", "securityLabels", "sightings", "tags",
	"threatAssess", "trackedUsers", "whoIs",
}

// fields are the parts asked for: repeated, or separated by commas. Of a path the
// first part counts; what is no field is ignored.
func (q query) fields() map[string]bool {
	out := map[string]bool{}
	for _, v := range q.Values["fields"] {
		for name := range strings.SplitSeq(v, ",") {
			name, _, _ = strings.Cut(strings.TrimSpace(name), ".")
			out[name] = true
		}
	}
	return out
}

func (q query) yes(name string) bool { return strings.EqualFold(q.Get(name), "true") }

// filter is a compiled tql= parameter.
type filter struct {
	match *tql.Filter // nil for everything active
	want  narrow      // what can match at all
	parts shape       // what a row must show to be judged
}

// newFilter compiles a query. The conditions that stand beside all others are also
// looked at by themselves: else every row would be made and judged for every page.
// Where they are all there is to the query, nothing else has to be judged.
func newFilter(text string) (*filter, error) {
	f := &filter{parts: shape{fields: map[string]bool{}, inner: true}}
	if strings.TrimSpace(text) == "" {
		return f, nil
	}
	var err error
	if f.match, err = tql.Compile(text, tql.Options{Schema: tql.V3Indicators}); err != nil {
		return nil, err
	}
	for _, name := range f.match.Fields() {
		f.parts.fields[name] = true
	}
	all, exact := f.match.Must()
	for _, c := range all {
		exact = f.want.take(c) && exact
	}
	if exact {
		f.match = nil
	}
	return f, nil
}

// matches judges a row.
func (r *request) matches(f *filter, row *Indicator, w *writer) bool {
	if f.match == nil {
		return !row.Inactive
	}
	return f.match.MatchAny(r.asObject(row, f.parts, w), &tql.Env{Now: r.now}) == tql.True
}

// asObject is a row as a query sees it: what is written, read back.
func (r *request) asObject(row *Indicator, sh shape, w *writer) *tql.Object {
	w.b = w.b[:0]
	r.object(w, row, sh)
	o, err := tql.DecodeObject(w.b)
	if err != nil {
		panic("sandbox: an indicator of ThreatConnect's twin is no JSON: " + err.Error()) // written by ourselves
	}
	return o
}
