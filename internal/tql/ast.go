package tql

import "strings"

// node is a parsed query. The compiler resolves names in place, so that the
// printer shows canonical ones.
type node interface{ at() int }

type (
	// logical is AND or OR over two or more nodes, flattened.
	logical struct {
		or  bool
		sub []node
	}
	// negation is NOT.
	negation struct {
		offset int
		sub    node
	}
	// nested is name( … ).
	nested struct {
		name   string
		offset int
		sub    node
	}
	// nullTest is name IS [NOT] NULL.
	nullTest struct {
		name   string
		offset int
		not    bool
	}
	// predicate is a comparison, a membership or a pattern.
	predicate struct {
		name     string
		offset   int
		op       operator
		not      bool // NOT IN, NOT LIKE …; != is its own operator
		opOffset int
		list     bool // written with parentheses
		values   []value
	}
	// value is one literal.
	value struct {
		text   string
		kind   valueKind
		offset int
	}
)

func (n *logical) at() int   { return n.sub[0].at() }
func (n *negation) at() int  { return n.offset }
func (n *nested) at() int    { return n.offset }
func (n *nullTest) at() int  { return n.offset }
func (n *predicate) at() int { return n.offset }

type valueKind uint8

const (
	valueString valueKind = iota
	valueNumber
	valueBool
)

// operator is what a predicate does, without its negation.
type operator uint8

const (
	opEqual operator = iota
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opIn
	opLike
	opContains
	opStartsWith
	opEndsWith
)

var operatorText = [...]string{"=", "!=", "<", "<=", ">", ">=", "IN", "LIKE", "CONTAINS", "STARTSWITH", "ENDSWITH"}

func (o operator) String() string { return operatorText[o] }

// ordering operators compare sizes.
func (o operator) ordering() bool { return o >= opLess && o <= opGreaterEqual }

// pattern operators look into text and, like IN, may be negated with NOT.
func (o operator) pattern() bool { return o >= opLike }

// operators are the spellings; words in lower case.
var operators = map[string]operator{
	"=": opEqual, "==": opEqual, "eq": opEqual, "equals": opEqual,
	"!=": opNotEqual, "ne": opNotEqual,
	"<": opLess, "lt": opLess, "<=": opLessEqual, "leq": opLessEqual,
	">": opGreater, "gt": opGreater, ">=": opGreaterEqual, "geq": opGreaterEqual,
	"in": opIn, "like": opLike, "contains": opContains, "startswith": opStartsWith, "endswith": opEndsWith,
}

// operatorWords are what a misspelt operator may have meant.
var operatorWords = []string{
	"EQ", "EQUALS", "NE", "LT", "LEQ", "GT", "GEQ", "IN", "NOT", "LIKE",
	"CONTAINS", "STARTSWITH", "ENDSWITH", "IS",
}

// otherSpellings are operators of other languages.
var otherSpellings = map[string]string{
	"lte": "LEQ", "le": "LEQ", "gte": "GEQ", "ge": "GEQ", "neq": "NE", "is": "=", "matches": "LIKE",
	"equal": "EQUALS", "between": ">= … AND … <=", "ilike": "LIKE", "starts_with": "STARTSWITH", "ends_with": "ENDSWITH",
}

// printNode writes the canonical form.
func printNode(n node) string {
	var b strings.Builder
	write(&b, n)
	return b.String()
}

func write(b *strings.Builder, n node) {
	switch n := n.(type) {
	case *logical:
		for i, s := range n.sub {
			if i > 0 {
				b.WriteString(map[bool]string{true: " OR ", false: " AND "}[n.or])
			}
			writeSub(b, s)
		}
	case *negation:
		b.WriteString("NOT ")
		writeSub(b, n.sub)
	case *nested:
		b.WriteString(n.name + "(")
		write(b, n.sub)
		b.WriteString(")")
	case *nullTest:
		b.WriteString(n.name + map[bool]string{true: " IS NOT NULL", false: " IS NULL"}[n.not])
	case *predicate:
		writePredicate(b, n)
	}
}

// writeSub puts parentheses around every AND and OR inside something: readers
// disagree on precedence, parentheses do not.
func writeSub(b *strings.Builder, n node) {
	if _, ok := n.(*logical); !ok {
		write(b, n)
		return
	}
	b.WriteString("(")
	write(b, n)
	b.WriteString(")")
}

func writePredicate(b *strings.Builder, n *predicate) {
	b.WriteString(n.name + " ")
	if n.not {
		b.WriteString("NOT ")
	}
	b.WriteString(n.op.String() + " ")
	if !n.list {
		b.WriteString(n.values[0].print())
		return
	}
	b.WriteString("(")
	for i, v := range n.values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(v.print())
	}
	b.WriteString(")")
}

func (v value) print() string {
	if v.kind == valueString {
		return quote(v.text)
	}
	return v.text
}
