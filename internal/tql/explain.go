package tql

// Clause is one line of a query's tree: a condition, or AND, OR, NOT above the
// deeper ones that it joins.
type Clause struct {
	Depth int
	Text  string // canonical
	Truth Truth  // what it is for the subject explained
	part  evaluator
}

// Outline returns the query's tree, its implied condition included, without looking
// at a subject. What is inside a nested table stays one line: it is asked of other
// things.
func (f *Filter) Outline() []Clause {
	if f.implied == nil {
		return f.walk(nil, f.tree, 0)
	}
	out := []Clause{
		{Text: "AND", part: f.root},
		{Depth: 1, Text: f.implied.Name + " = true (implied)", part: notFalse{f.implied}},
	}
	if and, ok := f.tree.(*logical); ok && !and.or {
		for _, s := range and.sub {
			out = f.walk(out, s, 1)
		}
		return out
	}
	return f.walk(out, f.tree, 1)
}

// Explain is Outline with what each part is for subject. Nothing is cut short, so
// that every condition has its answer.
func (f *Filter) Explain(subject any, env *Env) []Clause {
	out := f.Outline()
	for i := range out {
		out[i].Truth = out[i].part.eval(subject, env)
	}
	return out
}

func (f *Filter) walk(out []Clause, n node, depth int) []Clause {
	c := Clause{Depth: depth, part: f.parts[n]}
	var sub []node
	switch n := n.(type) {
	case *logical:
		c.Text, sub = "AND", n.sub
		if n.or {
			c.Text = "OR"
		}
	case *negation:
		c.Text, sub = "NOT", []node{n.sub}
	default:
		c.Text = printNode(n)
	}
	out = append(out, c)
	for _, s := range sub {
		out = f.walk(out, s, depth+1)
	}
	return out
}
