package tql

// Condition is a comparison that must be true for a whole query to be: what an index
// needs to find candidates.
type Condition struct {
	// Param is the parameter's name in the schema.
	Param string
	// Op is "=", "IN", "CONTAINS", "<" … as String writes them; never a negated one.
	Op string
	// Values are the literals as they are compared; one of them must match.
	Values []string
}

// Must returns the comparisons that stand beside everything else in the query, joined
// by AND. They are whole if the query says nothing more, apart from what the schema
// implies.
func (f *Filter) Must() (all []Condition, whole bool) {
	whole = true
	var walk func(n node)
	walk = func(n node) {
		switch n := n.(type) {
		case *logical:
			if n.or {
				whole = false
				return
			}
			for _, s := range n.sub {
				walk(s)
			}
		case *predicate:
			if n.not || n.op == opNotEqual {
				whole = false
				return
			}
			c := Condition{Param: n.name, Op: n.op.String()}
			for _, v := range n.values {
				c.Values = append(c.Values, v.text)
			}
			all = append(all, c)
		default:
			whole = false
		}
	}
	walk(f.tree)
	return all, whole
}
