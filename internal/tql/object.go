package tql

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Object is one object of ThreatConnect's v3 API, an indicator or what is nested
// in one, as the schema V3Indicators takes it. It is not changed after it was made
// and is safe for concurrent use.
type Object struct {
	fields map[string]any
	// lists are the nested collections: {"data":[…]}, or a plain list of objects.
	lists  map[string][]*Object
	parent *Object
}

// lenient accepts what real servers send: a name twice, broken UTF-8.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// DecodeObject reads one JSON object.
func DecodeObject(raw []byte) (*Object, error) {
	var v any // decoded without reflection, unlike a map
	if err := json.Unmarshal(raw, &v, lenient); err != nil {
		return nil, err
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("an object is expected, not %.20s", raw)
	}
	return NewObject(fields), nil
}

// NewObject makes an Object of a decoded JSON object, as encoding/json leaves it in
// a map[string]any. The map must not be changed afterwards.
func NewObject(fields map[string]any) *Object { return newObject(fields, nil) }

func newObject(fields map[string]any, parent *Object) *Object {
	o := &Object{fields: fields, parent: parent}
	for name, v := range fields {
		items, ok := v.([]any)
		if !ok {
			m, _ := v.(map[string]any)
			items, ok = m["data"].([]any)
		}
		if !ok {
			continue
		}
		if o.lists == nil {
			o.lists = map[string][]*Object{}
		}
		o.lists[name] = objects(items, o)
	}
	return o
}

// objects makes the items of a collection; a bare name stands for an object that
// has only one.
func objects(items []any, parent *Object) []*Object {
	out := make([]*Object, 0, len(items))
	for _, item := range items {
		switch item := item.(type) {
		case map[string]any:
			out = append(out, newObject(item, parent))
		case string:
			out = append(out, newObject(map[string]any{"name": item}, parent))
		}
	}
	return out
}

func object(s any) *Object { return s.(*Object) }

// value returns the first of the keys that has one; a key may be a path with dots.
func (o *Object) value(keys []string) any {
	for _, key := range keys {
		var v any = o.fields
		for part := range strings.SplitSeq(key, ".") {
			m, _ := v.(map[string]any)
			v = m[part]
		}
		if v != nil {
			return v
		}
	}
	return nil
}

// Text returns a field as text, false where it has none.
func (o *Object) Text(keys ...string) (string, bool) {
	switch v := o.value(keys).(type) {
	case string:
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	default:
		return "", false
	}
}

// Number returns a field as a number; text that is one counts.
func (o *Object) Number(keys ...string) (float64, bool) {
	switch v := o.value(keys).(type) {
	case float64:
		return v, !math.IsNaN(v)
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case string:
		return parseNumber(v)
	default:
		return 0, false
	}
}

func (o *Object) boolean(keys []string) (value, known bool) {
	switch v := o.value(keys).(type) {
	case bool:
		return v, true
	case string:
		value, err := strconv.ParseBool(strings.ToLower(v))
		return value, err == nil
	default:
		return false, false
	}
}

// date returns a field as an instant, zero where it has none.
func (o *Object) date(keys []string) time.Time {
	text, ok := o.value(keys).(string)
	if !ok {
		return time.Time{}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t
	}
	m, ok := parseMoment(text, time.UTC)
	if !ok || m.base != baseFixed {
		return time.Time{}
	}
	return m.at
}

// summaryKeys hold an indicator's text where there is no summary.
var summaryKeys = []string{
	"summary", "ip", "hostName", "address", "text", "AS Number", "Block", "Subject", "Hashtag", "Mutex", "User Agent String",
}

// Summary returns the indicator as ThreatConnect writes it in one text: of a file all
// its hashes, of a registry key its parts, joined by " : ".
func (o *Object) Summary() (string, bool) {
	if s, ok := o.Text(summaryKeys...); ok {
		return s, true
	}
	for _, keys := range [][]string{{"md5", "sha1", "sha256"}, {"Key Name", "Value Name", "Value Type"}} {
		var parts []string
		for _, key := range keys {
			if s, ok := o.Text(key); ok {
				parts = append(parts, s)
			}
		}
		if len(parts) > 0 {
			return strings.Join(parts, " : "), true
		}
	}
	return "", false
}

// enrichment returns what a service says about the indicator, nil where nothing.
func (o *Object) enrichment(service string) *Object {
	i := slices.IndexFunc(o.lists["enrichment"], func(e *Object) bool {
		name, _ := e.Text("type")
		return strings.EqualFold(name, service)
	})
	if i < 0 {
		return nil
	}
	return o.lists["enrichment"][i]
}
