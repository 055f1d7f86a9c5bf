package tql

import (
	"strconv"
	"strings"

	"github.com/remeld/remeld/internal/diag"
)

// condition is everything that starts with a name.
func (p *parser) condition() (node, *Error) {
	name := p.next()
	if p.symbol("(") {
		return p.nested(name)
	}
	if p.word("is") {
		return p.nullTest(name)
	}
	n := &predicate{name: name.text, offset: name.offset}
	if p.word("not") {
		n.not = true
		p.next()
	}
	op, err := p.operator(name, n.not)
	if err != nil {
		return nil, err
	}
	n.op, n.opOffset = op, p.tokens[p.pos-1].offset
	return n, p.operands(n)
}

func (p *parser) nested(name token) (node, *Error) {
	open := p.peek()
	if p.tokens[p.pos+1].text == ")" && p.tokens[p.pos+1].kind == tokenSymbol {
		return nil, p.fail(open, `write a condition, as hasTag(name = "x")`, "%s() without a condition", name.text)
	}
	sub, err := p.group()
	if err != nil {
		return nil, err
	}
	return &nested{name: name.text, offset: name.offset, sub: sub}, nil
}

func (p *parser) nullTest(name token) (node, *Error) {
	p.next()
	n := &nullTest{name: name.text, offset: name.offset}
	if p.word("not") {
		n.not = true
		p.next()
	}
	if !p.word("null") {
		return nil, p.fail(p.peek(), "IS takes NULL or NOT NULL; use = to compare", "IS is not followed by NULL")
	}
	p.next()
	return n, nil
}

func (p *parser) operator(name token, negated bool) (operator, *Error) {
	t := p.next()
	if t.kind == tokenEnd {
		return 0, p.fail(t, `write an operator and a value, as `+name.text+` = "x"`, "an operator is missing after %q", name.text)
	}
	lower := strings.ToLower(t.text)
	op, ok := operators[lower]
	if t.kind == tokenString || t.kind == tokenNumber || !ok {
		help := ""
		if other := otherSpellings[lower]; other != "" && t.kind == tokenWord {
			help = "write " + other
		} else if t.kind == tokenWord {
			help = diag.DidYouMean(strings.ToUpper(t.text), operatorWords)
		}
		if help == "" {
			help = "operators are = != < > <= >= IN LIKE CONTAINS STARTSWITH ENDSWITH and IS NULL"
		}
		return 0, p.fail(t, help, "an operator is missing after %q, found %s", name.text, t.describe())
	}
	if negated && op < opIn {
		return 0, p.fail(t, "write NOT before the condition, or !=", "NOT cannot stand before %q", t.text)
	}
	return op, nil
}

// operands reads one value or a list of them.
func (p *parser) operands(n *predicate) *Error {
	if !p.symbol("(") {
		v, err := p.value()
		n.values = []value{v}
		return err
	}
	open := p.next()
	if n.op < opIn {
		return p.fail(open, "use IN for several values", "operator %s takes one value, not a list", n.op)
	}
	n.list = true
	if p.symbol(")") {
		return p.fail(open, "name at least one value", "empty list")
	}
	for {
		v, err := p.value()
		if err != nil {
			return err
		}
		n.values = append(n.values, v)
		if !p.symbol(",") {
			break
		}
		p.next()
	}
	if p.symbol(")") {
		p.next()
		return nil
	}
	if p.peek().kind == tokenEnd {
		return p.fail(open, `add ")"`, `the list is never closed`)
	}
	return p.fail(p.peek(), "separate values with commas", "unexpected %s in a list", p.peek().describe())
}

func (p *parser) value() (value, *Error) {
	t := p.next()
	switch t.kind {
	case tokenString:
		return value{text: t.text, offset: t.offset}, nil
	case tokenNumber:
		if _, err := strconv.ParseFloat(t.text, 64); err != nil || strings.ContainsAny(t.text, "xX_pP") {
			return value{}, p.fail(t, `put text, dates and addresses in quotes: "`+t.text+`"`, "%q is no number", t.text)
		}
		return value{text: t.text, kind: valueNumber, offset: t.offset}, nil
	case tokenWord:
		return p.bareWord(t)
	case tokenEnd:
		return value{}, p.fail(t, "", "a value is missing at the end of the query")
	}
	return value{}, p.fail(t, "", "a value is missing before %s", t.describe())
}

// bareWord is true, false, or NOW() and TODAY() written without quotes.
func (p *parser) bareWord(t token) (value, *Error) {
	switch lower := strings.ToLower(t.text); lower {
	case "true", "false":
		return value{text: lower, kind: valueBool, offset: t.offset}, nil
	case "null":
		return value{}, p.fail(t, "write IS NULL or IS NOT NULL", "NULL cannot be compared")
	case "now", "today":
		if p.symbol("(") {
			return p.bareClock(t)
		}
	}
	return value{}, p.fail(t, "put it in quotes: "+quote(t.text), "the value %s has no quotes", t.text)
}

// bareClock gathers NOW() - 1 HOUR into the text it would be inside quotes.
func (p *parser) bareClock(t token) (value, *Error) {
	open := p.next()
	if !p.symbol(")") {
		return value{}, p.fail(open, "", "%s() takes nothing in its parentheses", strings.ToUpper(t.text))
	}
	p.next()
	text := strings.ToUpper(t.text) + "()"
	number := p.peek()
	switch {
	case p.symbol("-") || p.symbol("+"):
		text += " " + p.next().text
		number = p.next()
		text += " " + number.text
	case number.kind == tokenNumber && strings.HasPrefix(number.text, "-"):
		p.next() // NOW() -1 HOUR: the sign was read as the number's
		text += " - " + number.text[1:]
	default:
		return value{text: text, offset: t.offset}, nil
	}
	unit := p.next()
	if number.kind != tokenNumber || unit.kind != tokenWord {
		return value{}, p.fail(number, "write a number and a unit, as NOW() - 1 HOUR", "what is added to %s() is not complete", strings.ToUpper(t.text))
	}
	return value{text: text + " " + strings.ToUpper(unit.text), offset: t.offset}, nil
}
