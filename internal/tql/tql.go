// Package tql is the ThreatConnect Query Language: the one query language of
// node filters, rules, searches and ThreatConnect push-down. Compile a query
// once, match it against any number of records.
//
// A query is checked against a schema, which maps parameter names to types and
// accessors; Records is the schema of our own records. Truth is three-valued as
// in SQL: a comparison with an attribute that is not known is Null, and a record
// passes only on True.
package tql

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/remeld/remeld/indicator"
)

// Truth is the outcome of a match. The order is that of three-valued logic: AND
// is the minimum, OR the maximum.
type Truth uint8

// The outcomes. Only True lets a record pass.
const (
	False Truth = iota
	Null
	True
)

func (t Truth) String() string { return [...]string{"false", "unknown", "true"}[t] }

// MarshalText writes the outcome as its word.
func (t Truth) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *Truth) UnmarshalText(text []byte) error {
	for _, one := range []Truth{False, Null, True} {
		if string(text) == one.String() {
			*t = one
			return nil
		}
	}
	return fmt.Errorf("%q is not true, false or unknown", text)
}

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// Options says against what a query is compiled. The zero Options means our own
// records, no free attributes, TODAY() in UTC.
type Options struct {
	// Schema is nil for Records.
	Schema *Schema
	// AllowExtra takes a name that is no parameter as the free attribute of that
	// name; extra.NAME says so explicitly. Names within a typing error of a
	// parameter stay errors.
	AllowExtra bool
	// Zone is where TODAY() and dates without a zone are, nil for UTC.
	Zone *time.Location
	// Server takes names that only this server has as parameters whose value is not
	// known here; Push sends them there. nil for none.
	Server *Server
}

// Env is what a match may know besides the record. A query that UsesClock and is
// matched without Now (nil Env or zero time) finds its clock comparisons Null.
type Env struct{ Now time.Time }

// Filter is a compiled query, safe for concurrent use.
type Filter struct {
	root   evaluator
	tree   node
	parts  map[node]evaluator
	schema *Schema
	opts   Options
	clock  bool
	warn   []string
	fields []string
	// implied is the parameter that must not be false, nil if the query names it.
	implied *Param
}

// limits of a query: a filter is written by a person, or listed by a program.
const (
	maxSource = 1 << 20
	maxDepth  = 64
)

// Compile parses src and checks it against the schema. The error is an *Error.
// An empty query is an error; a caller for whom it means "no filter" does not
// compile it.
func Compile(src string, opts Options) (*Filter, error) {
	tree, err := parse(src)
	if err != nil {
		return nil, err
	}
	return compileTree(src, tree, opts, true)
}

// compileTree checks a parsed query; implied says whether the schema's implied
// condition belongs to it.
func compileTree(src string, tree node, opts Options, implied bool) (*Filter, error) {
	c := compiler{
		src: src, schema: opts.Schema, extra: opts.AllowExtra, zone: opts.Zone, server: opts.Server,
		parts: map[node]evaluator{}, fields: map[string]bool{},
	}
	if c.schema == nil {
		c.schema = Records
	}
	if c.zone == nil {
		c.zone = time.UTC
	}
	if implied {
		c.implied = c.schema.implied
	}
	root, wrong := c.compile(tree)
	if wrong != nil {
		return nil, wrong
	}
	if c.implied != nil {
		root = allOf{notFalse{c.implied}, root}
	}
	return &Filter{
		root: root, tree: tree, parts: c.parts, schema: c.schema, opts: opts, clock: c.clock, warn: c.warn,
		fields: slices.Sorted(maps.Keys(c.fields)), implied: c.implied,
	}, nil
}

// Match evaluates the filter over rec. env may be nil.
func (f *Filter) Match(rec *indicator.Record, env *Env) Truth { return f.root.eval(rec, env) }

// MatchAny evaluates a filter of another schema over subject, which must be what
// that schema's accessors take.
func (f *Filter) MatchAny(subject any, env *Env) Truth { return f.root.eval(subject, env) }

// UsesClock tells whether the outcome can change for an unchanged record: NOW(),
// TODAY() or an attribute that moves by itself (last seen). Such a filter is a
// configuration error in a node (SEMANTICS E12).
func (f *Filter) UsesClock() bool { return f.clock }

// Warnings returns what the query may not mean, in words: != and NOT IN over a
// parameter with several values ask that none of the values matches.
func (f *Filter) Warnings() []string { return f.warn }

// Fields returns the fields= values that a request to ThreatConnect needs so that
// its answers can be matched here, sorted; none for other schemas.
func (f *Filter) Fields() []string { return f.fields }

// String prints the query in canonical form; compiled again, it matches the same
// records.
func (f *Filter) String() string { return printNode(f.tree) }

// Error is what is wrong with a query and where. Offset counts bytes from 0,
// Line and Col are 1-based and Col counts characters.
type Error struct {
	Offset     int
	Line, Col  int
	Msg        string
	Suggestion string // what to do, "" if there is nothing to say
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%d:%d: %s", e.Line, e.Col, e.Msg)
	if e.Suggestion != "" {
		s += " (" + e.Suggestion + ")"
	}
	return s
}

// errorAt makes an Error at a byte offset of src.
func errorAt(src string, offset int, suggestion, format string, args ...any) *Error {
	offset = min(offset, len(src))
	line, col := 1, 1
	for _, r := range src[:offset] {
		col++
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	return &Error{Offset: offset, Line: line, Col: col, Msg: fmt.Sprintf(format, args...), Suggestion: suggestion}
}
