package tql

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Type is what a parameter holds and thereby which operators it takes.
type Type uint8

// The types of parameters.
const (
	Text   Type = iota // = != IN LIKE CONTAINS STARTSWITH ENDSWITH, case-insensitive
	Number             // = != < > <= >= IN; text that is a number is accepted as literal
	Bool               // = != IN
	Date               // = != < > <= >= IN over instants
	Enum               // as Text, over a fixed set of names
	Net                // = != IN: the literal is a network, the value lies inside
	Any                // free: what the value at hand is decides
)

func (t Type) String() string {
	return [...]string{"text", "number", "true/false", "date", "name", "network", "free"}[t]
}

// takes tells whether the operator has a meaning for the type.
func (t Type) takes(op operator) bool {
	switch t {
	case Number, Date:
		return !op.pattern()
	case Bool, Net:
		return op <= opNotEqual || op == opIn
	case Any:
		return true
	default:
		return !op.ordering()
	}
}

// Param is one parameter of a schema. Of the accessors only the one for its type
// is set; each takes the schema's subject and says whether the value is known.
// Accessors are pure and safe for concurrent use.
type Param struct {
	Name string // canonical, as the printer writes it
	Type Type
	// Doc says what it holds, as a phrase for the documentation.
	Doc string
	// Aliases are the other names, filled by Add.
	Aliases []string
	// Field is the fields= value of a ThreatConnect request that brings the value,
	// "" where the answer has it unasked.
	Field string
	// Ours marks a parameter that no ThreatConnect server has.
	Ours bool
	// Canonical rewrites a text literal of = and IN as the values are spelt and warns
	// of one that no value can be; nil where any text may be.
	Canonical func(text string) (canonical, warning string)
	// Each makes the parameter many-valued: the accessor takes each of its things
	// instead of the subject. Any of them may match; a negated operator asks that
	// none does.
	Each *Sub
	// Exact makes text comparisons case-sensitive.
	Exact bool
	// Clock marks a value that moves without an emitted change (last seen).
	Clock bool

	Text func(subject any) (string, bool)
	// Texts replaces Text for parameters with several values.
	Texts  func(subject any) []string
	Number func(subject any) (float64, bool)
	// Literal reads named numbers ("amber"), nil where there are none.
	Literal  func(text string) (float64, bool)
	Literals []string
	Bool     func(subject any) (value, known bool)
	Date     func(subject any) time.Time // zero = not known
	// Enum returns the index into Names, at most 63.
	Enum  func(subject any) (int, bool)
	Names *Names
	// Net returns first and last address; false for what is no address.
	Net func(subject any) (from, to netip.Addr, ok bool)
	// Any returns string, bool, int64, float64, []string or nil.
	Any func(subject any) any
}

// Names is the set of names of an Enum parameter.
type Names struct {
	// Values are the names by index, at most 64; "" for an index that has none.
	Values []string
	// Find returns the values that text names, as a bit mask: one, or a family.
	Find func(text string) (uint64, bool)
	// Others are further names that Find knows, for suggestions.
	Others []string
}

// all returns every name, for suggestions.
func (n *Names) all() []string {
	out := slices.DeleteFunc(slices.Clone(n.Values), func(s string) bool { return s == "" })
	out = append(out, n.Others...)
	slices.Sort(out)
	return out
}

// Sub is a nested table, as hasTag( … ): the condition is asked of each of Len
// things and true if it is of any.
type Sub struct {
	Name   string
	Schema *Schema
	// Every asks for each value of a list apart (hasAllTags).
	Every bool
	// Doc and Field are as a parameter's.
	Doc, Field string
	Len        func(subject any) int
	At         func(subject any, i int) any
	// Known tells whether the subject says at all what it has; nil for always.
	Known func(subject any) bool
}

// Schema maps parameter names to types and accessors. Names match without regard
// to case and underscores.
type Schema struct {
	params map[string]*Param
	subs   map[string]*Sub
	names  []string
	listed []*Param
	nested []*Sub
	// implied is a true/false parameter that must not be false unless a query names
	// it (ThreatConnect's indicatorActive), nil for none.
	implied *Param
	// Extra makes a parameter of a name that is none, for free attributes; nil or a
	// nil result where there are none.
	Extra func(name string) *Param
	// Family makes a parameter of a name that belongs to a family of names, as
	// attributeNAME does; nil or a nil result where there is none.
	Family func(name string) *Param
}

// NewSchema returns an empty schema.
func NewSchema() *Schema {
	return &Schema{params: map[string]*Param{}, subs: map[string]*Sub{}}
}

// Add registers a parameter under its name and aliases.
func (s *Schema) Add(p Param, aliases ...string) *Schema {
	p.Aliases = aliases
	for _, name := range append([]string{p.Name}, aliases...) {
		s.params[plain(name)] = &p
		s.names = append(s.names, name)
	}
	s.listed = append(s.listed, &p)
	return s
}

// AddSub registers a nested table.
func (s *Schema) AddSub(sub Sub) *Schema {
	s.subs[plain(sub.Name)] = &sub
	s.names = append(s.names, sub.Name)
	s.nested = append(s.nested, &sub)
	return s
}

// Params returns the parameters by name, for documentation; not to be changed.
func (s *Schema) Params() []*Param {
	return slices.SortedFunc(slices.Values(s.listed), func(a, b *Param) int { return strings.Compare(a.Name, b.Name) })
}

// Subs returns the nested tables by name; not to be changed.
func (s *Schema) Subs() []*Sub {
	return slices.SortedFunc(slices.Values(s.nested), func(a, b *Sub) int { return strings.Compare(a.Name, b.Name) })
}

// Names returns all parameter names and aliases, sorted.
func (s *Schema) Names() []string { return slices.Sorted(slices.Values(s.names)) }

// plain is the form in which names are compared.
func plain(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "") }
