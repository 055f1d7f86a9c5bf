package sentinel

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// condition is what query and count look for; nil is everything.
type condition struct {
	StixObjectType      *string  `json:"stixObjectType"`
	Clauses             []clause `json:"clauses"`
	ConditionConnective *string  `json:"conditionConnective"`
}

type clause struct {
	Field            string   `json:"field"`
	Operator         string   `json:"operator"`
	Values           []string `json:"values"`
	ClauseConnective *string  `json:"clauseConnective"`
}

// getter is a field of an object: nil, string, float64, bool, time.Time or []string.
type getter func(o *Object) any

// topFields are the fields beside the STIX object. Names are compared without
// case and underscores.
var topFields = map[string]getter{
	"id":                     func(o *Object) any { return o.StixID },
	"type":                   func(o *Object) any { return o.Type },
	"source":                 func(o *Object) any { return o.Source },
	"lastupdatedtimeutc":     func(o *Object) any { return o.LastIngested },
	"lastupdateddatetimeutc": func(o *Object) any { return o.LastIngested },
	"firstingestedtimeutc":   func(o *Object) any { return o.FirstIngested },
	"lastingestedtimeutc":    func(o *Object) any { return o.LastIngested },
	"lastupdatemethod":       func(o *Object) any { return o.Method },
	"created":                func(o *Object) any { return o.Created },
	"modified":               func(o *Object) any { return o.Modified },
	"validfrom":              func(o *Object) any { return when(o.ValidFrom) },
	"validuntil":             func(o *Object) any { return when(o.ValidUntil) },
	"revoked":                func(o *Object) any { return o.Revoked },
	"pattern":                func(o *Object) any { return o.Pattern },
}

// dataFields are the other fields of STIX objects that can be asked for.
var dataFields = strings.Fields("name description pattern_type pattern_version confidence labels lang created_by_ref object_marking_refs " +
	"indicator_types spec_version aliases roles goals identity_class sectors relationship_type source_ref target_ref threat_actor_types " +
	"sophistication resource_level primary_motivation contact_information")

func when(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

func plainName(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }

func lookup(field string) (getter, *apiError) {
	if g := topFields[plainName(field)]; g != nil {
		return g, nil
	}
	i := slices.IndexFunc(dataFields, func(n string) bool { return plainName(n) == plainName(field) })
	if i < 0 {
		return nil, refuse(400, "BadRequest", "The field '%s' cannot be queried.", clip(field))
	}
	name := dataFields[i]
	return func(o *Object) any { return fromData(o.Data, name) }, nil
}

func fromData(data json.RawMessage, name string) any {
	var m fields
	if json.Unmarshal(data, &m) != nil {
		return nil
	}
	var list []string
	if json.Unmarshal(m[name], &list) == nil && list != nil {
		return list
	}
	var v any
	_ = json.Unmarshal(m[name], &v) // absent is nil
	return v
}

// sortText is a value as text that sorts like it.
func sortText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return fmt.Sprintf("%024.6f", v)
	case time.Time:
		return v.UTC().Format(ticks)
	case []string:
		return strings.Join(v, "\x00")
	}
	return fmt.Sprint(v)
}

// compile returns the test a condition makes at a time.
func (q *condition) compile(now time.Time) (func(*Object) bool, *apiError) {
	if q == nil {
		return func(*Object) bool { return true }, nil
	}
	kind := ""
	if q.StixObjectType != nil {
		if kind = strings.ToLower(*q.StixObjectType); kinds[kind] == "" {
			return nil, refuse(400, "BadRequest", "The stixObjectType '%s' does not exist.", clip(*q.StixObjectType))
		}
	}
	if q.Clauses == nil {
		return nil, refuse(400, "BadRequest", "The condition has no clauses.")
	}
	every, e := connective(q.ConditionConnective, true)
	if e != nil {
		return nil, e
	}
	tests := make([]func(*Object) bool, 0, len(q.Clauses))
	for _, cl := range q.Clauses {
		t, e := cl.compile(now)
		if e != nil {
			return nil, e
		}
		tests = append(tests, t)
	}
	return func(o *Object) bool {
		if kind != "" && o.Type != kind {
			return false
		}
		return combine(tests, every, func(t func(*Object) bool) bool { return t(o) })
	}, nil
}

// combine joins the tests; no test at all is true.
func combine[T any](list []T, every bool, test func(T) bool) bool {
	if every || len(list) == 0 {
		return !slices.ContainsFunc(list, func(x T) bool { return !test(x) })
	}
	return slices.ContainsFunc(list, test)
}

// connective reads And or Or; nil takes the default.
func connective(s *string, every bool) (bool, *apiError) {
	switch {
	case s == nil:
		return every, nil
	case strings.EqualFold(*s, "And"):
		return true, nil
	case strings.EqualFold(*s, "Or"):
		return false, nil
	}
	return false, refuse(400, "BadRequest", "The connective '%s' is neither And nor Or.", clip(*s))
}

// operator compares a field's value with one of the clause's.
type operator struct {
	unary    bool // has no values
	negative bool // several values are joined by And where nothing is said
	test     func(field any, value string, now time.Time) bool
	// parse says whether a value can be used at all; nil takes every text.
	parse func(value string, now time.Time) (time.Time, bool)
}

func (cl *clause) compile(now time.Time) (func(*Object) bool, *apiError) {
	get, e := lookup(cl.Field)
	if e != nil {
		return nil, e
	}
	op, ok := operators[cl.Operator]
	if !ok {
		return nil, refuse(400, "BadRequest", "The operator '%s' does not exist.", clip(cl.Operator))
	}
	if cl.Values == nil || !op.unary && len(cl.Values) == 0 {
		return nil, refuse(400, "BadRequest", "The clause on '%s' has no values.", clip(cl.Field))
	}
	every, e := connective(cl.ClauseConnective, op.negative)
	if e != nil {
		return nil, e
	}
	if op.unary {
		return func(o *Object) bool { return op.test(get(o), "", now) }, nil
	}
	for _, v := range cl.Values {
		if op.parse == nil {
			break
		}
		if _, ok := op.parse(v, now); !ok {
			return nil, refuse(400, "BadRequest", "The value '%s' cannot be used with %s.", clip(v), cl.Operator)
		}
	}
	return func(o *Object) bool {
		field := get(o)
		return combine(cl.Values, every, func(v string) bool { return op.test(field, v, now) })
	}, nil
}

// order compares a field with a value of its kind; ok is false if they cannot be.
func order(field any, value string) (int, bool) {
	switch f := field.(type) {
	case string:
		return cmp.Compare(f, value), true
	case float64:
		n, err := strconv.ParseFloat(value, 64)
		return cmp.Compare(f, n), err == nil
	case bool:
		b, err := strconv.ParseBool(value)
		if f == b {
			return 0, err == nil
		}
		return 1, err == nil
	case time.Time:
		t, err := time.Parse(time.RFC3339Nano, value)
		return f.Compare(t), err == nil
	}
	return 0, false
}

func moment(field any) (time.Time, bool) {
	switch f := field.(type) {
	case time.Time:
		return f, true
	case string:
		t, err := time.Parse(time.RFC3339Nano, f)
		return t, err == nil
	}
	return time.Time{}, false
}

func absolute(value string, _ time.Time) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, value)
	return t, err == nil
}

var isoDuration = regexp.MustCompile(`^(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

// relative reads an ISO 8601 duration back from now, such as P7D or PT12H.
func relative(value string, now time.Time) (time.Time, bool) {
	m := isoDuration.FindStringSubmatch(strings.ToUpper(value))
	if m == nil || strings.HasSuffix(value, "P") || strings.HasSuffix(strings.ToUpper(value), "T") {
		return time.Time{}, false
	}
	var d time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi(m[i+2]) // "" is 0
		d += time.Duration(n) * unit
	}
	if m[1] == "-" {
		d = -d
	}
	return now.Add(-d), true
}
