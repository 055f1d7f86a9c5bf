package odata

import (
	"cmp"
	"strings"
)

// eval follows OData's rule for null: equal only to null, unordered otherwise.
func (n compare) eval(r Row, item string) bool {
	v := n.left.value(r, item)
	if v.Null || n.lit.null {
		same := v.Null && n.lit.null
		return n.op == "eq" && same || n.op == "ne" && !same
	}
	c := order(n.left.typ, v, n.lit)
	switch n.op {
	case "eq":
		return c == 0
	case "ne":
		return c != 0
	case "lt":
		return c < 0
	case "le":
		return c <= 0
	case "gt":
		return c > 0
	}
	return c >= 0
}

func order(t Type, v Value, l literal) int {
	switch t {
	case Bool:
		return cmp.Compare(bit(v.Bool), bit(l.bool))
	case Time:
		return v.Time.Compare(l.time)
	case Int:
		return cmp.Compare(v.Int, l.int)
	}
	return strings.Compare(v.Text, l.text)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (n call) eval(r Row, item string) bool {
	v := n.left.value(r, item)
	if v.Null {
		return false
	}
	switch n.name {
	case "contains":
		return strings.Contains(v.Text, n.arg)
	case "startswith":
		return strings.HasPrefix(v.Text, n.arg)
	}
	return strings.HasSuffix(v.Text, n.arg)
}
