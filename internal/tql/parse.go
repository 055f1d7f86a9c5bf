package tql

import (
	"strings"

	"github.com/remeld/remeld/internal/diag"
)

// parser is a recursive descent over the tokens; depth bounds it.
type parser struct {
	src    string
	tokens []token
	pos    int
	depth  int
}

// parse reads src without looking at what the names mean.
func parse(src string) (node, error) {
	tokens, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{src: src, tokens: tokens}
	if p.peek().kind == tokenEnd {
		return nil, p.fail(p.peek(), `write a condition, as confidence >= 70`, "empty query")
	}
	tree, err := p.or()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, p.trailing(t)
	}
	return tree, nil
}

func (p *parser) trailing(t token) *Error {
	if t.text == ")" && t.kind == tokenSymbol {
		return p.fail(t, "remove it, or open one before", `")" without "("`)
	}
	help := "join conditions with AND or OR"
	if t.kind == tokenWord {
		if s := diag.DidYouMean(t.text, []string{"AND", "OR"}); s != "" {
			help = s
		}
	}
	return p.fail(t, help, "unexpected %s after a complete condition", t.describe())
}

func (p *parser) peek() token { return p.tokens[p.pos] }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if t.kind != tokenEnd {
		p.pos++
	}
	return t
}

func (p *parser) fail(t token, help, format string, args ...any) *Error {
	return errorAt(p.src, t.offset, help, format, args...)
}

// word tells whether the next token is the keyword w (lower case).
func (p *parser) word(w string) bool {
	t := p.peek()
	return t.kind == tokenWord && strings.EqualFold(t.text, w)
}

func (p *parser) symbol(s string) bool {
	t := p.peek()
	return t.kind == tokenSymbol && t.text == s
}

func (p *parser) or() (node, *Error) { return p.joined("or", p.and) }

func (p *parser) and() (node, *Error) { return p.joined("and", p.not) }

// joined reads operands with keyword between them, flattening what is of the
// same kind: (a AND b) AND c is one AND of three.
func (p *parser) joined(keyword string, operand func() (node, *Error)) (node, *Error) {
	first, err := operand()
	if err != nil {
		return nil, err
	}
	isOr := keyword == "or"
	sub := flatten(nil, first, isOr)
	for p.word(keyword) {
		p.next()
		n, err := operand()
		if err != nil {
			return nil, err
		}
		sub = flatten(sub, n, isOr)
	}
	if len(sub) == 1 {
		return sub[0], nil
	}
	return &logical{or: isOr, sub: sub}, nil
}

func flatten(sub []node, n node, isOr bool) []node {
	if l, ok := n.(*logical); ok && l.or == isOr {
		return append(sub, l.sub...)
	}
	return append(sub, n)
}

func (p *parser) enter() *Error {
	if p.depth++; p.depth > maxDepth {
		return p.fail(p.peek(), "simplify the query", "more than %d levels of nesting", maxDepth)
	}
	return nil
}

func (p *parser) not() (node, *Error) {
	if !p.word("not") {
		return p.primary()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	t := p.next()
	sub, err := p.not()
	if err != nil {
		return nil, err
	}
	return &negation{offset: t.offset, sub: sub}, nil
}

func (p *parser) primary() (node, *Error) {
	t := p.peek()
	switch {
	case p.symbol("("):
		return p.group()
	case t.kind == tokenWord && !reserved[strings.ToLower(t.text)]:
		return p.condition()
	case t.kind == tokenString:
		return nil, p.fail(t, "parameter names are written without quotes", "a value where a parameter name belongs: %s", quote(t.text))
	}
	return nil, p.fail(t, "", "a condition is missing before %s", t.describe())
}

// reserved words cannot be parameter names.
var reserved = map[string]bool{"and": true, "or": true, "not": true}

// group is an expression in parentheses.
func (p *parser) group() (node, *Error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	open := p.next()
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	return n, p.closing(open)
}

func (p *parser) closing(open token) *Error {
	if p.symbol(")") {
		p.next()
		return nil
	}
	t := p.peek()
	if t.kind == tokenEnd {
		return p.fail(open, `add ")"`, `"(" is never closed`)
	}
	return p.fail(t, "join conditions with AND or OR, or close the parenthesis", "unexpected %s", t.describe())
}
