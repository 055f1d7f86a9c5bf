// Package odata parses and evaluates the part of OData's $filter language that
// clients of the Defender indicator API and of Graph use: comparisons, and/or/not, in with
// round or square brackets, contains/startswith/endswith, any on collections.
// Use Parse once a request and Match for each row. Parsing is bounded in length
// and depth and never panics.
package odata

import (
	"fmt"
	"time"
)

// Bounds of a filter.
const (
	MaxLength = 16 << 10
	maxDepth  = 64
)

// Type is the type of a property.
type Type int

// The types.
const (
	String Type = iota
	Bool
	Time
	Strings // a collection of strings
	Int
)

func (t Type) String() string {
	return [...]string{"Edm.String", "Edm.Boolean", "Edm.DateTimeOffset", "Collection(Edm.String)", "Edm.Int64"}[t]
}

// Schema names the properties that may be filtered on, case-sensitively.
type Schema struct {
	Entity     string
	Properties map[string]Type
}

// Value is a property's value of one row; Null has no value.
type Value struct {
	Null bool
	Text string
	Bool bool
	Time time.Time
	List []string
	Int  int64
}

// Row gives the value of a property of the schema.
type Row interface {
	Property(name string) Value
}

// Error is a filter that cannot be used. Position is a byte offset from 0.
type Error struct {
	Position int
	Message  string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s at position %d in the filter.", e.Message, e.Position)
}

func errorf(pos int, format string, args ...any) *Error {
	return &Error{Position: pos, Message: fmt.Sprintf(format, args...)}
}

// Filter is a parsed filter. It is safe for concurrent use.
type Filter struct{ root node }

// Match reports whether the row satisfies the filter.
func (f *Filter) Match(r Row) bool { return f.root.eval(r, "") }

// node is a boolean expression; item is the element of an enclosing any.
type node interface{ eval(r Row, item string) bool }

type (
	and     struct{ a, b node }
	or      struct{ a, b node }
	not     struct{ a node }
	compare struct {
		left operand
		op   string
		lit  literal
	}
	in struct {
		left operand
		lits []literal
	}
	call struct {
		name string
		left operand
		arg  string
	}
	flag  struct{ left operand }
	anyOf struct {
		name string
		cond node // nil: any element at all
	}
)

// operand is a property, a lower- or upper-cased one, or the element of an any.
type operand struct {
	name string
	typ  Type
	item bool
	fold func(string) string
}

type literal struct {
	null bool
	text string
	bool bool
	time time.Time
	int  int64
}

func (o operand) value(r Row, item string) Value {
	v := Value{Text: item}
	if !o.item {
		v = r.Property(o.name)
	}
	if o.fold != nil {
		v.Text = o.fold(v.Text)
	}
	return v
}

func (n and) eval(r Row, item string) bool { return n.a.eval(r, item) && n.b.eval(r, item) }
func (n or) eval(r Row, item string) bool  { return n.a.eval(r, item) || n.b.eval(r, item) }
func (n not) eval(r Row, item string) bool { return !n.a.eval(r, item) }

func (n flag) eval(r Row, item string) bool {
	v := n.left.value(r, item)
	return !v.Null && v.Bool
}

func (n in) eval(r Row, item string) bool {
	v := n.left.value(r, item)
	for _, l := range n.lits {
		if v.Null == l.null && (v.Null || order(n.left.typ, v, l) == 0) {
			return true
		}
	}
	return false
}

func (n anyOf) eval(r Row, _ string) bool {
	list := r.Property(n.name).List
	if n.cond == nil {
		return len(list) > 0
	}
	for _, item := range list {
		if n.cond.eval(r, item) {
			return true
		}
	}
	return false
}
