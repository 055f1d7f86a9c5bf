package tql

import (
	"fmt"
	"strings"
)

// Split is a query cut in two: what a server answers, and what is left to do here.
type Split struct {
	// Server is the query to send, "" if the server can be asked for nothing. Every
	// indicator the whole query is true for is among its answers.
	Server string
	// Local must also be true of an answer; nil if the server's answers need no
	// second look.
	Local *Filter
	// Pushed are the conditions that the server answers alone, Kept those that are
	// evaluated here; Helped are those of Kept that the server narrows beforehand.
	Pushed, Kept, Helped []string
}

// Push cuts a query over V3Indicators in what server can do and the rest. It is
// right in three-valued logic: in place of a condition that the server cannot be
// asked for stands true, or false under a NOT, which can only let more through.
//
// Where servers may mean something else than we do (docs/tql.md: != over several
// values, networks under NOT, = of dates under NOT, descriptions), the condition is
// evaluated here. That the letters' case does not count for them is taken on trust.
//
// A query over another schema is kept whole.
//
// The error says which condition only the server could answer, and cannot be asked.
func (f *Filter) Push(server *Server) (Split, error) {
	if f.schema != V3Indicators {
		return Split{Local: f, Kept: []string{f.String()}}, nil
	}
	conditions := []node{f.tree}
	if and, ok := f.tree.(*logical); ok && !and.or {
		conditions = and.sub
	}
	var s Split
	var sent, kept []node
	cut := pusher{filter: f, schema: f.schema, server: server, top: true}
	for _, n := range conditions {
		part, exact := cut.weaken(n, true)
		if part != nil {
			sent = append(sent, part)
		}
		if part != nil && exact {
			s.Pushed = append(s.Pushed, printNode(n))
			continue
		}
		if name := cut.remote(n); name != "" {
			return Split{}, fmt.Errorf("only the server knows %s, and it stands beside a condition that the server cannot be asked for: %s", name, printNode(n))
		}
		kept = append(kept, n)
		s.Kept = append(s.Kept, printNode(n))
		if part != nil {
			s.Helped = append(s.Helped, printNode(n))
		}
	}
	sent, err := cut.bothActive(sent)
	if err != nil {
		return Split{}, err
	}
	s.Server = printAll(sent)
	s.Local, err = f.rest(kept)
	return s, err
}

// printAll joins conditions with AND.
func printAll(n []node) string {
	switch len(n) {
	case 0:
		return ""
	case 1:
		return printNode(n[0])
	default:
		return printNode(&logical{sub: n})
	}
}

// rest compiles what is left; the schema's implied condition goes with the whole.
func (f *Filter) rest(kept []node) (*Filter, error) {
	if len(kept) == 0 {
		return nil, nil
	}
	src := printAll(kept)
	tree, err := parse(src)
	if err != nil {
		return nil, err
	}
	return compileTree(src, tree, f.opts, f.implied != nil)
}

// pusher looks at conditions of one table.
type pusher struct {
	filter *Filter
	schema *Schema
	server *Server // nil inside a nested table: servers list no parameters of those
	top    bool
}

// bothActive keeps the server from implying indicatorActive = true where the query
// speaks of it and what is sent does not.
func (c pusher) bothActive(sent []node) ([]node, error) {
	implied := c.schema.implied
	if implied == nil || c.filter.implied != nil {
		return sent, nil
	}
	for _, n := range sent {
		if mentions(n, implied.Name) {
			return sent, nil
		}
	}
	if !c.server.has(implied.Name) {
		return nil, fmt.Errorf("the server has no %s: it cannot be asked for what is not active", implied.Name)
	}
	is := func(text string) node {
		return &predicate{name: implied.Name, values: []value{{text: text, kind: valueBool}}}
	}
	return append(sent, &logical{or: true, sub: []node{is("true"), is("false")}}), nil
}

// mentions tells whether a condition on the table itself names a parameter.
func mentions(n node, name string) bool {
	switch n := n.(type) {
	case *logical:
		for _, s := range n.sub {
			if mentions(s, name) {
				return true
			}
		}
		return false
	case *negation:
		return mentions(n.sub, name)
	case *nullTest:
		return n.name == name
	case *predicate:
		return n.name == name
	default:
		return false
	}
}

// weaken returns a condition without what the server cannot be asked for: one that
// is at least as true if upper, at most as true if not. It is nil where nothing is
// left but true or false itself; exact tells that nothing was left out.
func (c pusher) weaken(n node, upper bool) (part node, exact bool) {
	switch n := n.(type) {
	case *logical:
		return c.weakenLogical(n, upper)
	case *negation:
		sub, exact := c.weaken(n.sub, !upper)
		if sub == nil {
			return nil, false
		}
		return &negation{sub: sub}, exact
	case *nested:
		return c.weakenNested(n, upper)
	case *nullTest:
		p := c.param(n.name)
		return c.leaf(n, p != nil && p.Texts == nil && p.Each == nil && p.Type != Net, true)
	default:
		pred := n.(*predicate)
		can, exact := c.canAsk(pred, upper)
		return c.leaf(n, can, exact)
	}
}

func (c pusher) leaf(n node, can, exact bool) (node, bool) {
	if !can {
		return nil, false
	}
	return n, exact
}

func (c pusher) weakenLogical(n *logical, upper bool) (node, bool) {
	neutral := n.or != upper // true in an AND, false in an OR
	var sub []node
	exact := true
	for _, s := range n.sub {
		part, whole := c.weaken(s, upper)
		exact = exact && whole
		switch {
		case part != nil:
			sub = append(sub, part)
		case !neutral:
			return nil, false
		}
	}
	switch len(sub) {
	case 0:
		return nil, false
	case 1:
		return sub[0], exact
	default:
		return &logical{or: n.or, sub: sub}, exact
	}
}

// weakenNested weakens the condition inside: there is one of what is more.
func (c pusher) weakenNested(n *nested, upper bool) (node, bool) {
	sub := c.schema.subs[plain(n.name)]
	if !c.server.has(n.name) {
		return nil, false
	}
	inner := pusher{filter: c.filter, schema: sub.Schema}
	part, exact := inner.weaken(n.sub, upper)
	if part == nil || sub.Every && !exact {
		return nil, false
	}
	return &nested{name: n.name, sub: part}, exact
}

// param returns the parameter if the server has it.
func (c pusher) param(name string) *Param {
	p := c.schema.params[plain(name)]
	switch {
	case p == nil && c.top && c.schema.Family != nil:
		p = c.schema.Family(name)
	case p != nil && p.Ours:
		return nil
	}
	if p == nil && c.server != nil {
		p = c.server.remote(name)
	}
	if p == nil || !c.server.has(name) {
		return nil
	}
	return p
}

// canAsk tells whether the server means the same with the condition, or, not exact,
// something that lets more through.
func (c pusher) canAsk(n *predicate, upper bool) (can, exact bool) {
	not := n.not || n.op == opNotEqual
	if sub := c.schema.subs[plain(n.name)]; sub != nil {
		return c.server.has(n.name) && upper && !not, true
	}
	p := c.param(n.name)
	if p == nil {
		return false, false
	}
	if many := p.Texts != nil || p.Each != nil; many && (not || !upper) {
		return false, false // any other, or none? servers are said to differ
	}
	switch {
	case p.Type == Net:
		return upper, true // under NOT, what is no address is ours to say
	case p.Type == Date && !n.op.ordering():
		return upper && !not, true // a date without a time may be the whole day
	case p.Exact && !strings.EqualFold(p.Name, "name"):
		return upper && !not, false // the case may not count there
	default:
		return true, true
	}
}

// remote returns the name of a parameter in the condition that only the server
// knows, "" if there is none.
func (c pusher) remote(n node) string {
	switch n := n.(type) {
	case *logical:
		for _, s := range n.sub {
			if name := c.remote(s); name != "" {
				return name
			}
		}
	case *negation:
		return c.remote(n.sub)
	case *nullTest:
		return c.remoteName(n.name)
	case *predicate:
		return c.remoteName(n.name)
	}
	return ""
}

func (c pusher) remoteName(name string) string {
	if c.schema.params[plain(name)] == nil && c.schema.subs[plain(name)] == nil &&
		c.filter.opts.Server != nil && c.filter.opts.Server.has(name) && (c.schema.Family == nil || c.schema.Family(name) == nil) {
		return name
	}
	return ""
}
