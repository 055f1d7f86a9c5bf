package tql

import (
	"strconv"
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
	clock  bool
	warn   []string
}

func (c *compiler) fail(offset int, help, format string, args ...any) *Error {
	return errorAt(c.src, offset, help, format, args...)
}

func (c *compiler) compile(n node) (evaluator, *Error) {
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
		c.clock = c.clock || p.Clock
		return p, nil
	}
	if sub := c.schema.subs[plain(*name)]; sub != nil {
		return nil, c.fail(offset, "write "+sub.Name+`(name = "x")`, "%s takes a condition in parentheses", sub.Name)
	}
	near := diag.Suggest(*name, c.schema.Names())
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

func (c *compiler) unknown(name, near string, offset int) *Error {
	help := "parameters are " + strings.Join(c.schema.Names(), ", ")
	if near != "" {
		help = `did you mean "` + near + `"?`
		if c.extra {
			help += " A free attribute of that name is extra." + name
		}
	}
	return c.fail(offset, help, "unknown parameter %q", name)
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
	inner := *c
	inner.schema, inner.extra = sub.Schema, false
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
	p, err := c.param(&n.name, n.offset)
	if err != nil {
		return nil, err
	}
	if !p.Type.takes(n.op) {
		return nil, c.fail(n.opOffset, "it takes "+operatorsOf(p.Type), "operator %s is not valid for %s, a %s parameter", n.op, n.name, p.Type)
	}
	not := n.not || n.op == opNotEqual
	if not && p.Texts != nil {
		c.warn = append(c.warn, n.name+" has several values: the condition asks that none of them matches")
	}
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
		return textTest{p: p, m: newMatcher(n, p.Exact), not: not}, nil
	}
}

func operatorsOf(t Type) string {
	var out []string
	for op := range operator(len(operatorText)) {
		if t.takes(op) {
			out = append(out, op.String())
		}
	}
	return strings.Join(append(out, "IS NULL"), " ")
}

func (c *compiler) number(p *Param, n *predicate, not bool) (evaluator, *Error) {
	t := numberTest{p: p, op: n.op, not: not}
	for i := range n.values {
		v := &n.values[i]
		if p.Literal != nil {
			f, ok := p.Literal(v.text)
			if !ok {
				return nil, c.fail(v.offset, suggestName(v.text, p.Literals), "%s has no value %s", n.name, quote(v.text))
			}
			t.values = append(t.values, f)
			continue
		}
		f, ok := parseNumber(v.text)
		if !ok || v.kind == valueBool {
			return nil, c.fail(v.offset, "as "+n.name+" >= 70", "%s is a number, %s is none", n.name, quote(v.text))
		}
		v.kind = valueNumber // a quoted number prints as the number it is
		v.text = strings.TrimPrefix(strings.TrimSpace(v.text), "+")
		t.values = append(t.values, f)
	}
	return t, nil
}

// parseNumber reads a decimal number, with blanks around it if it was quoted.
func parseNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s, "xXpP_nN") { // no hex, no NaN, no Inf
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func (c *compiler) boolean(p *Param, n *predicate, not bool) (evaluator, *Error) {
	v := &n.values[0]
	lower := strings.ToLower(strings.TrimSpace(v.text))
	if lower != "true" && lower != "false" {
		return nil, c.fail(v.offset, "write true or false", "%s is true or false, not %s", n.name, quote(v.text))
	}
	v.text, v.kind = lower, valueBool
	return boolTest{p: p, want: (lower == "true") != not}, nil
}

func (c *compiler) date(p *Param, n *predicate, not bool) (evaluator, *Error) {
	t := dateTest{p: p, op: n.op, not: not}
	for _, v := range n.values {
		m, ok := parseMoment(v.text, c.zone)
		if !ok {
			return nil, c.fail(v.offset, `as "2026-01-31", "2026-01-31T12:00:00Z", "NOW() - 24 HOURS" or "TODAY()"`,
				"%s is a date, %s is none", n.name, quote(v.text))
		}
		c.clock = c.clock || m.base != baseFixed
		t.values = append(t.values, m)
	}
	return t, nil
}

func (c *compiler) enum(p *Param, n *predicate, not bool) (evaluator, *Error) {
	t := enumTest{p: p, not: not}
	for _, v := range n.values {
		if n.op.pattern() {
			t.mask |= patternMask(p.Names, n.op, v)
			continue
		}
		m, ok := p.Names.Find(v.text)
		if !ok {
			return nil, c.fail(v.offset, suggestName(v.text, p.Names.all()), "%s has no value %s", n.name, quote(v.text))
		}
		t.mask |= m
	}
	return t, nil
}

func patternMask(names *Names, op operator, v value) (mask uint64) {
	m := newMatcher(&predicate{op: op, values: []value{v}}, false)
	for i, name := range names.Values {
		if name != "" && m.match(name) {
			mask |= 1 << i
		}
	}
	return mask
}

func suggestName(word string, names []string) string {
	if s := diag.DidYouMean(word, names); s != "" {
		return s
	}
	return "values are " + strings.Join(names, ", ")
}

func (c *compiler) net(p *Param, n *predicate, not bool) (evaluator, *Error) {
	t := netTest{p: p, not: not}
	for _, v := range n.values {
		prefix, ok := parsePrefix(v.text)
		if !ok {
			return nil, c.fail(v.offset, `as "192.0.2.0/24" or "2001:db8::/32"`, "%s takes a network, %s is none", n.name, quote(v.text))
		}
		t.nets = append(t.nets, prefix)
	}
	return t, nil
}

func (c *compiler) any(p *Param, n *predicate, not bool) (evaluator, *Error) {
	t := anyTest{p: p, op: n.op, not: not, m: newMatcher(n, false)}
	for _, v := range n.values {
		f, isNumber := parseNumber(v.text)
		t.numbers = append(t.numbers, freeNumber{f, isNumber && v.kind != valueBool})
		m, isDate := parseMoment(v.text, c.zone)
		c.clock = c.clock || isDate && m.base != baseFixed && n.op.ordering()
		t.dates = append(t.dates, freeDate{m, isDate})
	}
	if n.op.ordering() && !t.numbers[0].ok && !t.dates[0].ok {
		return nil, c.fail(n.values[0].offset, "only numbers and dates have an order", "%s cannot be compared by size with %s", n.name, quote(n.values[0].text))
	}
	return t, nil
}
