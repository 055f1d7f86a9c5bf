package sentinel

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
)

// fields is a STIX object by property.
type fields map[string]json.RawMessage

// check says what is wrong with a value, "" if nothing.
type check func(raw json.RawMessage) string

// property is a known property of an object type; others are accepted and not
// looked at.
type property struct {
	name     string
	required bool
	check    check
}

const uuidForm = `[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}`

var stixID = regexp.MustCompile(`^([a-z][a-z0-9-]+)--` + uuidForm + `$`)

// everyType are the properties of all types, in the order they are reported.
var everyType = []property{
	{"id", true, id("")}, {"type", true, text}, {"spec_version", false, oneOf("2.0", "2.1")}, {"created", true, timestamp}, {"modified", true, timestamp},
	{"created_by_ref", false, id("identity")}, {"revoked", false, boolean}, {"labels", false, list(text)}, {"confidence", false, confidence},
	{"lang", false, text}, {"external_references", false, list(having("source_name"))}, {"object_marking_refs", false, list(id("marking-definition"))},
	{"granular_markings", false, list(having("selectors"))}, {"extensions", false, object},
}

var named = []property{{"name", true, text}, {"description", false, anyText}}

// ownProperties are the properties beyond everyType of the types taken.
var ownProperties = map[string][]property{
	"indicator": {
		{"name", false, text}, {"description", false, anyText}, {"pattern", true, text}, {"pattern_type", false, text}, {"pattern_version", false, text},
		{"valid_from", true, timestamp}, {"valid_until", false, timestamp}, {"indicator_types", false, list(text)},
		{"kill_chain_phases", false, list(having("kill_chain_name", "phase_name"))},
	},
	"attack-pattern": named,
	"identity":       named,
	"threat-actor":   named,
	"relationship":   {{"relationship_type", true, text}, {"source_ref", true, id("")}, {"target_ref", true, id("")}},
}

// complain words a message as the service does.
func complain(name, what string, raw json.RawMessage) string {
	actual := "NULL"
	if raw != nil {
		actual = clip(string(raw))
	}
	return fmt.Sprintf("Error for Property=%s: %s. Actual value: %s.", name, what, actual)
}

// validate returns every complaint about an object.
func (f fields) validate(defaultSpec string) []string {
	var out []string
	kind := f.text("type")
	own, known := ownProperties[kind]
	for _, p := range append(everyType[:len(everyType):len(everyType)], own...) {
		raw, ok := f[p.name]
		switch {
		case (!ok || string(raw) == "null") && p.required:
			out = append(out, complain(p.name, "Required property is missing", nil))
		case !ok || string(raw) == "null":
		default:
			if what := p.check(raw); what != "" {
				out = append(out, complain(p.name, what, raw))
			}
		}
	}
	if kind != "" && !known {
		out = append(out, complain("type", "Type is not one of indicator, attack-pattern, identity, threat-actor, relationship", f["type"]))
	}
	return append(out, f.relations(kind, defaultSpec)...)
}

// relations checks what two properties say together.
func (f fields) relations(kind, spec string) []string {
	var out []string
	if m := stixID.FindStringSubmatch(f.text("id")); m != nil && kind != "" && m[1] != kind {
		out = append(out, complain("id", "Id is not of the object's type "+kind, f["id"]))
	}
	if v := f.text("spec_version"); v != "" {
		spec = v
	}
	if kind == "indicator" && spec != "2.0" && f.text("pattern_type") == "" && (f["pattern_type"] == nil || string(f["pattern_type"]) == "null") {
		out = append(out, complain("pattern_type", "Required property is missing", nil))
	}
	for _, pair := range []struct {
		from, to, what string
		strict         bool
	}{
		{"created", "modified", "Modified is before created", false},
		{"valid_from", "valid_until", "Valid_until is not after valid_from", true},
	} {
		from, ok1 := f.time(pair.from)
		to, ok2 := f.time(pair.to)
		if ok1 && ok2 && (to.Before(from) || pair.strict && to.Equal(from)) {
			out = append(out, complain(pair.to, pair.what, f[pair.to]))
		}
	}
	return out
}

// text is a property's string, "" if it is none.
func (f fields) text(name string) string {
	var s string
	_ = json.Unmarshal(f[name], &s)
	return s
}

func (f fields) time(name string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, f.text(name))
	return t, err == nil
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil || s == "" {
		return "Value is not a non-empty string"
	}
	return ""
}

func anyText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "Value is not a string"
	}
	return ""
}

func boolean(raw json.RawMessage) string {
	var b bool
	if json.Unmarshal(raw, &b) != nil {
		return "Value is not a boolean"
	}
	return ""
}

func object(raw json.RawMessage) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return "Value is not an object"
	}
	return ""
}

func confidence(raw json.RawMessage) string {
	var n float64
	if json.Unmarshal(raw, &n) != nil || n != math.Trunc(n) || n < 0 || n > 100 {
		return "Value is not an integer from 0 to 100"
	}
	return ""
}

// timestamp takes RFC 3339 in UTC with Z, as STIX has it.
func timestamp(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil || !strings.HasSuffix(s, "Z") {
		return "Value is not a timestamp in UTC"
	}
	if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
		return "Value is not a timestamp in UTC"
	}
	return ""
}

func oneOf(values ...string) check {
	return func(raw json.RawMessage) string {
		for _, v := range values {
			if string(raw) == `"`+v+`"` {
				return ""
			}
		}
		return "Value is none of " + strings.Join(values, ", ")
	}
}

// id takes an identifier, of the type if one is given. The variant of the UUID
// is not looked at: OASIS's own examples have invalid ones.
func id(kind string) check {
	return func(raw json.RawMessage) string {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return "Value is not a STIX identifier"
		}
		if m := stixID.FindStringSubmatch(s); m == nil || kind != "" && m[1] != kind {
			return "Value is not a STIX identifier"
		}
		return ""
	}
}

func list(each check) check {
	return func(raw json.RawMessage) string {
		var l []json.RawMessage
		if json.Unmarshal(raw, &l) != nil || len(l) == 0 {
			return "Value is not a non-empty list"
		}
		for i, v := range l {
			if what := each(v); what != "" {
				return fmt.Sprintf("Item %d: %s", i, what)
			}
		}
		return ""
	}
}

// having takes objects with the properties.
func having(names ...string) check {
	return func(raw json.RawMessage) string {
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil {
			return "Value is not an object"
		}
		for _, n := range names {
			if m[n] == nil {
				return "Property " + n + " is missing"
			}
		}
		return ""
	}
}
