package graph

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// values are properties of an indicator by name: string, int64, bool,
// time.Time, []string, or nil for a null; unknown ones as JSON has them.
type values map[string]any

// object decodes a JSON object.
func object(raw []byte) (map[string]any, *apiError) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil || m == nil || d.More() {
		return nil, unreadable()
	}
	return m, nil
}

// collection decodes the body {"value":[…]} of a bulk action.
func collection[T any](c *call) ([]T, *apiError) {
	var body struct {
		Value *[]T `json:"value"`
	}
	if err := json.Unmarshal(c.Req.Body, &body); err != nil || body.Value == nil {
		return nil, unreadable()
	}
	switch n := len(*body.Value); {
	case n == 0:
		return nil, refuse(400, "BadRequest", "The collection 'value' is empty.")
	case n > maxBulk:
		return nil, refuse(400, "BadRequest", "The collection 'value' has %d items; at most %d are allowed in a request.", n, maxBulk)
	case n > c.sw.GraphBatchLimit:
		return nil, unknownError()
	}
	return *body.Value, nil
}

// decode reads one indicator. Wrong types and unknown names are errors of the
// whole body, as a deserialiser reports them. The lenient reading takes what the
// service was seen to take: enumerations by number, numbers and booleans as
// text, a number as text (OpenCTI sends a score so), other spellings of times.
func decode(raw []byte, lenient bool) (values, *apiError) {
	m, e := object(raw)
	if e != nil {
		return nil, e
	}
	out := values{}
	for name, v := range m {
		p, declared := byName[name]
		switch {
		case strings.Contains(name, "@") || stamped[name]:
		case !declared:
			out[name] = v
		case v == nil && name == "targetProduct":
			return nil, refuse(400, "BadRequest", "A null value was found for the property named 'targetProduct', which has the expected type 'Edm.String[Nullable=False]'.")
		case v == nil:
			out[name] = nil
		default:
			got, ok := p.convert(v, lenient)
			if !ok {
				b, _ := json.Marshal(v)
				return nil, refuse(400, "BadRequest", "Cannot convert the literal '%s' of the property '%s' to the expected type '%s'.", clip(string(b)), name, p.edm)
			}
			out[name] = got
		}
	}
	return out, knownProduct(out)
}

func knownProduct(v values) *apiError {
	if p, ok := v["targetProduct"].(string); ok && p != sentinel && p != defender {
		return refuse(400, "BadRequest", "The targetProduct '%s' is not valid; it must be one of '%s', '%s'.", clip(p), sentinel, defender)
	}
	return nil
}

// convert brings a JSON value to the property's type.
func (p property) convert(v any, lenient bool) (any, bool) {
	s, isText := v.(string)
	switch p.kind {
	case integer, long:
		return p.number(v, s, lenient && isText)
	case boolean:
		if b, ok := v.(bool); ok {
			return b, true
		}
		b, err := strconv.ParseBool(strings.ToLower(s))
		return b, lenient && isText && err == nil
	case moment:
		t, ok := parseTime(s, lenient)
		return t, isText && ok
	case texts:
		return textList(v)
	case member:
		return p.member(v, s, lenient)
	}
	if n, ok := v.(json.Number); ok && lenient {
		return n.String(), true
	}
	return s, isText
}

func (p property) number(v any, s string, fromText bool) (any, bool) {
	if n, ok := v.(json.Number); ok {
		s = n.String()
	} else if !fromText {
		return nil, false
	}
	i, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	fits := p.kind == long || i >= math.MinInt32 && i <= math.MaxInt32
	return i, err == nil && fits
}

// member reads a member by name, leniently also by number or in any case.
func (p property) member(v any, s string, lenient bool) (any, bool) {
	if slices.Contains(p.enum, s) || s == unknownFuture {
		return s, true
	}
	if !lenient {
		return nil, false
	}
	if n, ok := v.(json.Number); ok {
		s = n.String()
	}
	if i, err := strconv.Atoi(s); err == nil {
		switch {
		case i == 127:
			return unknownFuture, true
		case i >= 0 && i < len(p.enum):
			return p.enum[i], true
		}
		return nil, false
	}
	for _, name := range p.enum {
		if strings.EqualFold(name, s) {
			return name, true
		}
	}
	return nil, false
}

const unknownFuture = "unknownFutureValue"

func textList(v any) (any, bool) {
	list, ok := v.([]any)
	out := make([]string, 0, len(list))
	for _, x := range list {
		s, isText := x.(string)
		ok = ok && isText
		out = append(out, s)
	}
	return out, ok
}

// spellings are the times that the service was seen to take besides RFC 3339;
// one without a zone is UTC.
var spellings = []string{
	"2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04Z07:00", "2006-01-02",
}

func parseTime(s string, lenient bool) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC(), true
	}
	if !lenient {
		return time.Time{}, false
	}
	s = strings.TrimSpace(s)
	for _, layout := range append([]string{time.RFC3339Nano}, spellings...) {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
