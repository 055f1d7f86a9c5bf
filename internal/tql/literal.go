package tql

import (
	"strconv"
	"strings"

	"github.com/remeld/remeld/internal/diag"
)

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
	if len(t.values) > manyValues {
		t.set = make(map[float64]struct{}, len(t.values))
		for _, v := range t.values {
			t.set[v] = struct{}{}
		}
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
	t := boolTest{p: p, want: [2]bool{not, not}}
	for i := range n.values {
		v := &n.values[i]
		lower := strings.ToLower(strings.TrimSpace(v.text))
		if lower != "true" && lower != "false" {
			return nil, c.fail(v.offset, "write true or false", "%s is true or false, not %s", n.name, quote(v.text))
		}
		v.text, v.kind = lower, valueBool
		if lower == "true" {
			t.want[1] = !not
		} else {
			t.want[0] = !not
		}
	}
	return t, nil
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
