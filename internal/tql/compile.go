package tql

import (
	"fmt"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/diag"
)

// compiler checks a tree against a schema and builds what evaluates it.
type compiler struct {
	src    string
	schema *Schema
	extra  bool
	zone   *time.Location
	server *Server
	clock  bool
	warn   []string
	// parts are what evaluates each condition, for Explain.
	parts map[node]evaluator
	// path and fields gather what a ThreatConnect request must ask for.
	path   string
	fields map[string]bool
	// implied is set until the query names the schema's implied parameter.
	implied *Param
}

func (c *compiler) fail(offset int, help, format string, args ...any) *Error {
	return errorAt(c.src, offset, help, format, args...)
}

func (c *compiler) compile(n node) (evaluator, *Error) {
	e, err := c.build(n)
	if err == nil {
		c.parts[n] = e
	}
	return e, err
}

func (c *compiler) build(n node) (evaluator, *Error) {
	switch n := n.(type) {
	case *logical:
		return c.logical(n)
	case *negation:
		sub, err := c.compile(n.sub)
		return negate{sub}, err
	case *nested:
		return c.nested(n)
	case *nullTest:
		return c.nullTest(n)
	default:
		return c.predicate(n.(*predicate))
	}
}

func (c *compiler) logical(n *logical) (evaluator, *Error) {
	sub := make([]evaluator, 0, len(n.sub))
	for _, s := range n.sub {
		e, err := c.compile(s)
		if err != nil {
			return nil, err
		}
		sub = append(sub, e)
	}
	if n.or {
		return anyOf(sub), nil
	}
	return allOf(sub), nil
}

// param resolves a name and writes its canonical form back.
func (c *compiler) param(name *string, offset int) (*Param, *Error) {
	if free, ok := cutExtra(*name); ok {
		if p := c.free(free); p != nil {
			return p, nil
		}
	}
	if p := c.schema.params[plain(*name)]; p != nil {
		*name = p.Name
		c.use(p)
		return p, nil
	}
	if c.schema.Family != nil {
		if p := c.schema.Family(*name); p != nil {
			c.use(p)
			return p, nil
		}
	}
	if sub := c.schema.subs[plain(*name)]; sub != nil {
		return nil, c.fail(offset, "write "+sub.Name+`(name = "x")`, "%s takes a condition in parentheses", sub.Name)
	}
	if c.server != nil {
		if p := c.server.remote(*name); p != nil {
			return p, nil
		}
	}
	near := diag.Suggest(*name, c.schema.Names())
	if near == "" && c.server != nil && c.server.open {
		return &Param{Name: *name, Type: Any, Any: func(any) any { return nil }}, nil
	}
	if c.extra && near == "" {
		if p := c.free(*name); p != nil {
			return p, nil
		}
	}
	return nil, c.unknown(*name, near, offset)
}

func (c *compiler) free(name string) *Param {
	if c.schema.Extra == nil || name == "" {
		return nil
	}
	return c.schema.Extra(name)
}

func cutExtra(name string) (string, bool) {
	if len(name) > 6 && strings.EqualFold(name[:6], "extra.") {
		return name[6:], true
	}
	return "", false
}

// manyNames is how many names a message lists at most.
const manyNames = 40

func (c *compiler) unknown(name, near string, offset int) *Error {
	help := "parameters are " + strings.Join(c.schema.Names(), ", ")
	if len(c.schema.names) > manyNames {
		help = fmt.Sprintf("docs/tql.md lists the %d there are", len(c.schema.names))
	}
	if sub := c.schema.nestedWith(name); sub != nil {
		help = "it is asked of what belongs to the indicator: write " + sub.Name + "(" + name + " … )"
	} else if near != "" {
		help = `did you mean "` + near + `"?`
		if c.extra {
			help += " A free attribute of that name is extra." + name
		}
	}
	return c.fail(offset, help, "unknown parameter %q", name)
}

// nestedWith returns the first nested table that has a parameter, nil if none has.
func (s *Schema) nestedWith(name string) *Sub {
	for _, sub := range s.nested {
		if sub.Schema != s && sub.Schema.params[plain(name)] != nil {
			return sub
		}
	}
	return nil
}

func (c *compiler) nullTest(n *nullTest) (evaluator, *Error) {
	p, err := c.param(&n.name, n.offset)
	if err != nil {
		return nil, err
	}
	return isNull{p: p, not: n.not}, nil
}

func (c *compiler) nested(n *nested) (evaluator, *Error) {
	sub := c.schema.subs[plain(n.name)]
	if sub == nil {
		if c.schema.params[plain(n.name)] != nil {
			return nil, c.fail(n.offset, "compare it, as "+n.name+` = "x"`, "%s takes no condition in parentheses", n.name)
		}
		return nil, c.unknown(n.name, diag.Suggest(n.name, c.schema.Names()), n.offset)
	}
	n.name = sub.Name
	inner := c.inside(sub)
	defer func() { c.clock, c.warn = inner.clock, inner.warn }()
	if sub.Every {
		return inner.every(n, sub)
	}
	e, err := inner.compile(n.sub)
	return exists{sub: sub, cond: e}, err
}

// every makes hasAllTags(name IN (a, b)) one existence test per value.
func (c *compiler) every(n *nested, sub *Sub) (evaluator, *Error) {
	p, ok := n.sub.(*predicate)
	if !ok || p.not || p.op == opNotEqual {
		return nil, c.fail(n.sub.at(), `as `+sub.Name+`(name IN ("a", "b"))`, "%s takes one list of values", sub.Name)
	}
	var all allOf
	for _, v := range p.values {
		one := *p
		one.values = []value{v}
		e, err := c.predicate(&one)
		if err != nil {
			return nil, err
		}
		p.name = one.name
		all = append(all, exists{sub: sub, cond: e})
	}
	return all, nil
}

func (c *compiler) predicate(n *predicate) (evaluator, *Error) {
	if sub := c.schema.subs[plain(n.name)]; sub != nil && !sub.Every && sub.Schema.params["id"] != nil {
		return c.byID(n, sub)
	}
	p, err := c.param(&n.name, n.offset)
	if err != nil {
		return nil, err
	}
	if !p.Type.takes(n.op) {
		return nil, c.fail(n.opOffset, "it takes "+p.Type.Operators(), "operator %s is not valid for %s, a %s parameter", n.op, n.name, p.Type)
	}
	not := n.not || n.op == opNotEqual
	if not && (p.Texts != nil || p.Each != nil) {
		c.warn = append(c.warn, n.name+" has several values: the condition asks that none of them matches")
	}
	if p.Each == nil {
		return c.test(p, n, not)
	}
	e, err := c.test(p, n, false)
	if err != nil {
		return nil, err
	}
	return denied(some{exists{sub: p.Each, cond: e}}, not), nil
}

// test builds the comparison with one value.
func (c *compiler) test(p *Param, n *predicate, not bool) (evaluator, *Error) {
	switch p.Type {
	case Number:
		return c.number(p, n, not)
	case Bool:
		return c.boolean(p, n, not)
	case Date:
		return c.date(p, n, not)
	case Enum:
		return c.enum(p, n, not)
	case Net:
		return c.net(p, n, not)
	case Any:
		return c.any(p, n, not)
	default:
		c.canonical(p, n)
		return textTest{p: p, m: newMatcher(n, p.Exact), not: not}, nil
	}
}

// Operators lists the operators that the type takes, separated by blanks.
func (t Type) Operators() string {
	var out []string
	for op := range operator(len(operatorText)) {
		if t.takes(op) {
			out = append(out, op.String())
		}
	}
	return strings.Join(append(out, "IS NULL"), " ")
}
