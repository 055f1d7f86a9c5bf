package graph

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/odata"
)

// row is a stored indicator. It is never changed in place.
type row struct {
	num      uint64 // order of creation
	id       string
	tenant   string
	app      string // who created it
	ingested time.Time
	values   values
}

func (r *row) product() string        { return r.values.text("targetProduct") }
func (r *row) externalID() string     { return r.values.text("externalId") }
func (r *row) expires() time.Time     { t, _ := r.values["expirationDateTime"].(time.Time); return t }
func (v values) text(n string) string { s, _ := v[n].(string); return s }

// expired reports whether the clock has passed the expiry.
func (r *row) expired(now time.Time) bool {
	e := r.expires()
	return !e.IsZero() && !now.Before(e)
}

// value is a property as it is answered: with the service's defaults where it
// was not given.
func (r *row) value(p property) any {
	switch p.name {
	case "azureTenantId":
		return r.tenant
	case "ingestedDateTime":
		return r.ingested
	}
	if v, ok := r.values[p.name]; ok {
		return v
	}
	switch {
	case p.kind == texts:
		return []string{}
	case p.name == "isActive":
		return true
	case p.name == "passiveOnly":
		return false
	case p.name == "confidence":
		return int64(0)
	case p.name == "severity":
		return int64(3)
	}
	return nil
}

// encode writes the properties that want names, all if it is nil, after those
// of head.
func (r *row) encode(head map[string]string, want []string) []byte {
	b := make([]byte, 1, 2048)
	b[0] = '{'
	field := func(name string, v any) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(appendValue(b, name), ':')
		b = appendValue(b, v)
	}
	for _, name := range slices.Sorted(maps.Keys(head)) {
		field(name, head[name])
	}
	wanted := func(name string) bool { return want == nil || slices.Contains(want, name) }
	if wanted("id") {
		field("id", r.id)
	}
	for _, p := range properties {
		switch {
		case !wanted(p.name):
		case p.name == "ingestedDateTime":
			field(p.name, r.ingested.UTC().Format("2006-01-02T15:04:05.0000000Z"))
		default:
			field(p.name, r.value(p))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.values)) {
		if _, declared := byName[name]; !declared && wanted(name) {
			field(name, r.values[name])
		}
	}
	return append(b, '}')
}

// appendValue appends the JSON of a value; the common ones without reflection,
// since a page has tens of thousands of them.
func appendValue(b []byte, v any) []byte {
	switch x := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, x)
	case int64:
		return strconv.AppendInt(b, x, 10)
	case string:
		if plain(x) {
			return append(append(append(b, '"'), x...), '"')
		}
	case time.Time:
		return x.UTC().AppendFormat(b, `"2006-01-02T15:04:05.9999999Z"`)
	}
	out, err := json.Marshal(v)
	if err != nil {
		// Only what JSON decoding gave, and our own types, are stored.
		panic("sandbox: encode indicator: " + err.Error())
	}
	return append(b, out...)
}

// plain reports whether a text is its own JSON.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// observable is the property that the indicator is about, "" if there is none.
func (v values) observable(product string) string {
	for _, name := range observables[product] {
		switch x := v[name].(type) {
		case string:
			if x != "" {
				return name
			}
		case time.Time:
			return name
		}
	}
	return ""
}

// about returns what the journal says of an indicator.
func (v values) about(id, effect, reason string) journal.Item {
	name := v.observable(v.text("targetProduct"))
	if name == "" {
		name = v.observable(sentinel)
	}
	return journal.Item{ID: id, Type: name, Value: v.text(name), Action: v.text("action"), Effect: effect, Reason: reason}
}

// schema lists the properties that queries may name.
var schema = func() odata.Schema {
	types := map[kind]odata.Type{
		text: odata.String, member: odata.String, integer: odata.Int, long: odata.Int, boolean: odata.Bool,
		moment: odata.Time, texts: odata.Strings,
	}
	s := odata.Schema{Entity: "microsoft.graph.tiIndicator", Properties: map[string]odata.Type{"id": odata.String}}
	for _, p := range properties {
		s.Properties[p.name] = types[p.kind]
	}
	return s
}()

// Property implements odata.Row.
func (r *row) Property(name string) odata.Value {
	if name == "id" {
		return odata.Value{Text: r.id}
	}
	switch v := r.value(byName[name]).(type) {
	case string:
		return odata.Value{Text: v}
	case bool:
		return odata.Value{Bool: v}
	case int64:
		return odata.Value{Int: v}
	case time.Time:
		return odata.Value{Time: v}
	case []string:
		return odata.Value{List: v}
	}
	return odata.Value{Null: true}
}
