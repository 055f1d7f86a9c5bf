package pattern

import "strings"

func (p *parser) comparison() (ref, *Error) {
	switch p.tok.kind {
	case tNot, tExists:
		return p.existence()
	case tPath:
		if c, ok := p.equalText(); ok {
			return c, nil
		}
	}
	c := cell{form: Compared, y: uint32(p.tok.pos)}
	path, err := p.path()
	if err != nil {
		return 0, err
	}
	c.x = uint32(path)
	if p.tok.kind == tNot {
		c.flag = negated
		p.advance()
	}
	op := operatorOf[p.tok.kind]
	if op == 0 {
		return 0, p.unexpected("an operator (=, !=, <, <=, >, >=, IN, LIKE, MATCHES, ISSUBSET, ISSUPERSET)")
	}
	op--
	c.sub = uint8(op)
	p.advance()
	return p.add(c), p.operand(op)
}

// equalText reads = 'text' behind a tPath, if that stands there: long lists are made of
// it, and it needs no tokens.
func (p *parser) equalText() (c ref, ok bool) {
	const before = " = '"
	if !strings.HasPrefix(p.src[p.at:], before) {
		return 0, false
	}
	from := p.at + len(before)
	to, ok := p.plain(from)
	if !ok {
		return 0, false
	}
	c = p.add(cell{form: Compared, sub: uint8(Equal), x: uint32(p.again), y: uint32(p.tok.pos)})
	p.add(cell{form: constant, sub: uint8(String), x: uint32(from), y: uint32(to)})
	p.at = to + 1
	p.advance()
	return c, true
}

// existence reads [NOT] EXISTS path.
func (p *parser) existence() (ref, *Error) {
	c := cell{form: Compared, sub: uint8(Exists), y: uint32(p.tok.pos)}
	if p.tok.kind == tNot {
		c.flag = negated
		p.advance()
	}
	if p.tok.kind == tExists && p.version == V20 {
		return 0, fault(p.src, p.tok.pos, "STIX 2.0 has no EXISTS")
	}
	if err := p.expect(tExists, "EXISTS (NOT stands behind the path otherwise)"); err != nil {
		return 0, err
	}
	path, err := p.path()
	c.x = uint32(path)
	return p.add(c), err
}

// operatorOf are the operators by their tokens, one more than what they are; 0 is none.
var operatorOf = [tKinds]Operator{
	tEqual: Equal + 1, tNotEqual: NotEqual + 1, tLess: Less + 1, tLessEqual: LessEqual + 1, tGreater: Greater + 1,
	tGreaterEqual: GreaterEqual + 1, tIn: In + 1, tLike: Like + 1, tMatches: Matches + 1, tIsSubset: IsSubset + 1, tIsSuperset: IsSuperset + 1,
}

// operand reads what stands behind an operator.
func (p *parser) operand(op Operator) *Error {
	switch op {
	case In:
		return p.set()
	case Like, Matches, IsSubset, IsSuperset:
		if p.tok.kind != tString {
			return p.unexpected("a string")
		}
	case Less, LessEqual, Greater, GreaterEqual:
		if p.tok.kind == tTrue || p.tok.kind == tFalse {
			return fault(p.src, p.tok.pos, "%s needs something that has an order, which true and false have not", op)
		}
	}
	return p.constant()
}

func (p *parser) set() *Error {
	if err := p.expect(tLeft, "( of a set"); err != nil {
		return err
	}
	if p.tok.kind == tRight {
		p.advance()
		return nil
	}
	for {
		if err := p.constant(); err != nil {
			return err
		}
		if p.tok.kind != tComma {
			return p.expect(tRight, ", or ) of the set")
		}
		p.advance()
	}
}

// constantOf are the constants by their tokens, one more than what they are; 0 is none.
var constantOf = [tKinds]ConstantKind{
	tString: String + 1, tInt: Int + 1, tFloat: Float + 1, tTrue: Bool + 1, tFalse: Bool + 1,
	tBinary: Binary + 1, tHex: Hex + 1, tTimestamp: Timestamp + 1,
}

func (p *parser) constant() *Error {
	kind := constantOf[p.tok.kind]
	if kind == 0 {
		return p.unexpected("a constant ('text', a number, true, false, b'…', h'…' or t'…')")
	}
	p.addText(constant, uint8(kind-1), 0)
	p.advance()
	return nil
}

// unescape resolves \\ and \'; the lexer has seen that there is nothing else.
func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		b.WriteByte(s[i+1])
		s = s[i+2:]
	}
}

// canonicalNumber drops a plus sign, a minus before zero, and zeros that say
// nothing; .5 is 0.5.
func canonicalNumber(k ConstantKind, s string) string {
	if s[0] == '+' {
		s = s[1:]
	}
	if k == Int {
		if s == "-0" {
			return "0"
		}
		return s
	}
	digits, minus := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if whole == "" {
		whole = "0"
	}
	if fraction == "" {
		fraction = "0"
	}
	out := whole + "." + fraction
	if minus && out != "0.0" {
		out = "-" + out
	}
	return out
}
