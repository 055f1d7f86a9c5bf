package odata

import (
	"slices"
	"strconv"
	"strings"
)

type parser struct {
	lex    lexer
	tok    token
	schema Schema
	depth  int
	elem   string // variable of the enclosing any
}

// Parse reads a filter. The error is an *Error.
func Parse(src string, schema Schema) (*Filter, error) {
	if len(src) > MaxLength {
		return nil, errorf(MaxLength, "The filter is longer than %d characters", MaxLength)
	}
	p := &parser{lex: lexer{src: src}, schema: schema}
	if err := p.advance(); err != nil {
		return nil, err
	}
	root, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != end {
		return nil, p.unexpected()
	}
	return &Filter{root: root}, nil
}

func (p *parser) advance() error {
	t, err := p.lex.next()
	p.tok = t
	return err
}

func (p *parser) unexpected() *Error {
	if p.tok.kind == end {
		return errorf(p.tok.pos, "Expression expected")
	}
	return errorf(p.tok.pos, "Syntax error")
}

func (p *parser) is(k kind, s string) bool { return p.tok.kind == k && p.tok.text == s }

func (p *parser) expect(s string) error {
	if !p.is(punct, s) {
		return errorf(p.tok.pos, "Syntax error: '%s' expected", s)
	}
	return p.advance()
}

func (p *parser) or() (node, error) {
	a, err := p.and()
	for err == nil && p.is(word, "or") {
		var b node
		if err = p.advance(); err == nil {
			b, err = p.and()
			a = or{a, b}
		}
	}
	return a, err
}

func (p *parser) and() (node, error) {
	a, err := p.unary()
	for err == nil && p.is(word, "and") {
		var b node
		if err = p.advance(); err == nil {
			b, err = p.unary()
			a = and{a, b}
		}
	}
	return a, err
}

func (p *parser) unary() (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, errorf(p.tok.pos, "The filter is nested deeper than %d", maxDepth)
	}
	switch {
	case p.is(word, "not"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		a, err := p.unary()
		return not{a}, err
	case p.is(punct, "("):
		if err := p.advance(); err != nil {
			return nil, err
		}
		a, err := p.or()
		if err != nil {
			return nil, err
		}
		return a, p.expect(")")
	case p.tok.kind != word:
		return nil, p.unexpected()
	}
	return p.condition()
}

var functions = []string{"contains", "startswith", "endswith"}

func (p *parser) condition() (node, error) {
	if slices.Contains(functions, p.tok.text) {
		return p.function()
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	if left.typ == Strings {
		return p.anyOf(left)
	}
	op := p.tok.text
	switch {
	case p.tok.kind == word && op == "in":
		return p.in(left)
	case p.tok.kind == word && slices.Contains([]string{"eq", "ne", "gt", "ge", "lt", "le"}, op):
		if err := p.advance(); err != nil {
			return nil, err
		}
		lit, err := p.literal(left)
		return compare{left, op, lit}, err
	case left.typ == Bool:
		return flag{left}, nil
	case p.tok.kind == end:
		return nil, errorf(p.tok.pos, "The $filter expression must evaluate to a single boolean value")
	}
	return nil, p.unexpected()
}

// function reads contains(property,'text').
func (p *parser) function() (node, error) {
	c := call{name: p.tok.text}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	pos := p.tok.pos
	var err error
	if c.left, err = p.operand(); err != nil {
		return nil, err
	}
	if c.left.typ != String {
		return nil, errorf(pos, "No function signature for the function with name '%s' matches the specified arguments", c.name)
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	if p.tok.kind != text {
		return nil, errorf(p.tok.pos, "No function signature for the function with name '%s' matches the specified arguments", c.name)
	}
	c.arg = p.tok.text
	if err := p.advance(); err != nil {
		return nil, err
	}
	return c, p.expect(")")
}

// operand reads a property, the variable of an any, or tolower/toupper of one.
func (p *parser) operand() (operand, error) {
	name, pos := p.tok.text, p.tok.pos
	if p.tok.kind != word {
		return operand{}, p.unexpected()
	}
	if err := p.advance(); err != nil {
		return operand{}, err
	}
	switch {
	case (name == "tolower" || name == "toupper") && p.is(punct, "("):
		return p.folded(name, pos)
	case p.elem != "" && name == p.elem:
		return operand{item: true}, nil
	}
	typ, ok := p.schema.Properties[name]
	if !ok {
		return operand{}, errorf(pos, "Could not find a property named '%s' on type '%s'", name, p.schema.Entity)
	}
	return operand{name: name, typ: typ}, nil
}

func (p *parser) folded(name string, pos int) (operand, error) {
	if err := p.advance(); err != nil {
		return operand{}, err
	}
	if p.is(word, "tolower") || p.is(word, "toupper") {
		return operand{}, p.unexpected()
	}
	o, err := p.operand()
	if err != nil {
		return o, err
	}
	if o.typ != String {
		return o, errorf(pos, "No function signature for the function with name '%s' matches the specified arguments", name)
	}
	if o.fold = strings.ToLower; name == "toupper" {
		o.fold = strings.ToUpper
	}
	return o, p.expect(")")
}

// in reads the list of property in ('a','b'), or with square brackets.
func (p *parser) in(left operand) (node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	closing := ")"
	switch {
	case p.is(punct, "["):
		closing = "]"
	case !p.is(punct, "("):
		return nil, errorf(p.tok.pos, "Syntax error: '(' expected")
	}
	n := in{left: left}
	for {
		if err := p.advance(); err != nil {
			return nil, err
		}
		lit, err := p.literal(left)
		if err != nil {
			return nil, err
		}
		n.lits = append(n.lits, lit)
		if !p.is(punct, ",") {
			return n, p.expect(closing)
		}
	}
}

// anyOf reads property/any(x: condition).
func (p *parser) anyOf(left operand) (node, error) {
	if !p.is(punct, "/") || p.elem != "" {
		return nil, errorf(p.tok.pos, "A binary operator with incompatible types was detected: '%s' is of type '%s'", left.name, Strings)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.is(word, "any") {
		return nil, errorf(p.tok.pos, "Syntax error: 'any' expected")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.is(punct, ")") {
		return anyOf{name: left.name}, p.advance()
	}
	if p.tok.kind != word {
		return nil, p.unexpected()
	}
	p.elem = p.tok.text
	defer func() { p.elem = "" }()
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	cond, err := p.or()
	if err != nil {
		return nil, err
	}
	return anyOf{left.name, cond}, p.expect(")")
}

// literal reads a literal of the operand's type, or null.
func (p *parser) literal(left operand) (literal, error) {
	t := p.tok
	var l literal
	ok := true
	switch {
	case t.kind == word && t.text == "null":
		l.null = true
	case t.kind == text && left.typ == String:
		l.text = t.text
	case t.kind == word && left.typ == Bool && (t.text == "true" || t.text == "false"):
		l.bool = t.text == "true"
	case t.kind == moment && left.typ == Time:
		l.time = t.time
	case t.kind == number && left.typ == Int:
		n, err := strconv.ParseInt(t.text, 10, 64)
		l.int, ok = n, err == nil
	default:
		ok = false
	}
	switch {
	case !ok && (t.kind == end || t.kind == punct):
		return l, p.unexpected()
	case !ok:
		return l, errorf(t.pos, "A binary operator with incompatible types was detected. Found operand type '%s' for '%s'", left.typ, left.name)
	}
	return l, p.advance()
}
