package pattern

import (
	"strconv"
	"strings"
)

// conditions reads conditions joined by op or by AND, which binds tighter than OR.
func (p *parser) conditions(op Joint) (Condition, *Error) {
	first, err := p.tighterCondition(op)
	if err != nil || p.tok.kind != joints[op] {
		return first, err
	}
	base := len(p.open)
	p.open = spreadCondition(p.open, first, op)
	for p.tok.kind == joints[op] {
		p.advance()
		next, err := p.tighterCondition(op)
		if err != nil {
			return nil, err
		}
		p.open = spreadCondition(p.open, next, op)
	}
	j := p.newJunction(op, p.open[base:])
	p.open = p.open[:base]
	return j, nil
}

func spreadCondition(to []Condition, c Condition, op Joint) []Condition {
	if j, ok := c.(*Junction); ok && j.Op == op {
		return append(to, j.Args...)
	}
	return append(to, c)
}

func (p *parser) tighterCondition(op Joint) (Condition, *Error) {
	if op == Or {
		return p.conditions(And)
	}
	if p.tok.kind != tLeft {
		return p.comparison()
	}
	if err := p.deeper(); err != nil {
		return nil, err
	}
	p.advance()
	c, err := p.conditions(Or)
	if err == nil {
		err = p.expect(tRight, "), AND or OR")
	}
	p.depth--
	return c, err
}

func (p *parser) comparison() (Condition, *Error) {
	c := p.newComparison()
	c.Pos = int32(p.tok.pos)
	if p.tok.kind == tNot || p.tok.kind == tExists {
		return p.existence(c)
	}
	if err := p.path(&c.Path); err != nil {
		return nil, err
	}
	if p.tok.kind == tNot {
		c.Not = true
		p.advance()
	}
	return c, p.operation(c)
}

// existence reads [NOT] EXISTS path.
func (p *parser) existence(c *Comparison) (Condition, *Error) {
	if p.tok.kind == tNot {
		c.Not = true
		p.advance()
	}
	if p.tok.kind == tExists && p.version == V20 {
		return nil, fault(p.src, p.tok.pos, "STIX 2.0 has no EXISTS")
	}
	if err := p.expect(tExists, "EXISTS (NOT stands behind the path otherwise)"); err != nil {
		return nil, err
	}
	c.Op = Exists
	return c, p.path(&c.Path)
}

// operatorOf are the operators by their tokens, one more than what they are; 0 is none.
var operatorOf = [tLast + 1]Operator{
	tEqual: Equal + 1, tNotEqual: NotEqual + 1, tLess: Less + 1, tLessEqual: LessEqual + 1, tGreater: Greater + 1,
	tGreaterEqual: GreaterEqual + 1, tIn: In + 1, tLike: Like + 1, tMatches: Matches + 1, tIsSubset: IsSubset + 1, tIsSuperset: IsSuperset + 1,
}

func (p *parser) operation(c *Comparison) *Error {
	op := operatorOf[p.tok.kind]
	if op == 0 {
		return p.unexpected("an operator (=, !=, <, <=, >, >=, IN, LIKE, MATCHES, ISSUBSET, ISSUPERSET)")
	}
	c.Op = op - 1
	p.advance()
	switch c.Op {
	case In:
		return p.set(c)
	case Like, Matches, IsSubset, IsSuperset:
		if p.tok.kind != tString {
			return p.unexpected("a string")
		}
	case Less, LessEqual, Greater, GreaterEqual:
		if p.tok.kind == tTrue || p.tok.kind == tFalse {
			return fault(p.src, p.tok.pos, "%s needs something that has an order, which true and false have not", c.Op)
		}
	}
	c.Values = c.one[:]
	return p.constant(&c.one[0])
}

func (p *parser) set(c *Comparison) *Error {
	if err := p.expect(tLeft, "( of a set"); err != nil {
		return err
	}
	if p.tok.kind == tRight {
		p.advance()
		return nil
	}
	var values []Constant
	for {
		var v Constant
		if err := p.constant(&v); err != nil {
			return err
		}
		values = append(values, v)
		if p.tok.kind != tComma {
			break
		}
		p.advance()
	}
	c.Values = values
	return p.expect(tRight, ", or ) of the set")
}

var constantOf = [tLast + 1]ConstantKind{
	tString: String, tInt: Int, tFloat: Float, tTrue: Bool, tFalse: Bool, tBinary: Binary, tHex: Hex, tTimestamp: Timestamp,
}

func (p *parser) constant(c *Constant) *Error {
	t := &p.tok
	text := p.text(t)
	switch t.kind {
	case tString:
		if t.escaped {
			text = unescape(text)
		}
	case tInt, tFloat:
		text = canonicalNumber(t.kind, text)
	case tTrue, tFalse, tBinary, tHex, tTimestamp:
	default:
		return p.unexpected("a constant ('text', a number, true, false, b'…', h'…' or t'…')")
	}
	c.Kind, c.Text = constantOf[t.kind], text
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
func canonicalNumber(k kind, s string) string {
	if s[0] == '+' {
		s = s[1:]
	}
	if k == tInt {
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

// path reads type:step and what follows.
func (p *parser) path(into **Path) *Error {
	if k := p.tok.kind; k != tName && k != tHyphened {
		return p.unexpected("an object path (type:property)")
	}
	from := p.tok.pos
	if found := p.recent.find(p.src[from:]); found != nil {
		*into = found.path
		p.at = from + len(found.text)
		p.advance()
		if p.tok.kind != tDot && p.tok.kind != tOpen {
			return nil
		}
		p.at = from // it goes on behind a space
		p.advance()
	}
	path := one(&p.paths)
	*into = path
	path.Type = p.text(&p.tok)
	steps := p.beginSteps()
	if !p.names(&steps) {
		p.advance()
		if err := p.expect(tColon, ": behind the object's type"); err != nil {
			return err
		}
		if err := p.property(&steps); err != nil {
			return err
		}
	}
	for {
		var err *Error
		switch p.tok.kind {
		case tDot:
			p.advance()
			err = p.property(&steps)
		case tOpen:
			p.advance()
			err = p.index(&steps)
		default:
			path.Steps = p.endSteps(steps)
			p.recent.keep(p.src[from:p.tok.pos], path)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// names reads :name.name… behind the type, as far as it is plain, and tells whether
// there was any: most paths are that alone, and need no tokens.
func (p *parser) names(steps *[]Step) bool {
	src, at := p.src, p.at
	end, mark := at, byte(':')
	for at < len(src) && src[at] == mark {
		from := at + 1
		at = from
		for at < len(src) && class[src[at]]&(isLetter|isDigit) != 0 {
			at++
		}
		if at == from || at == len(src) || src[at] == '-' || src[at] == '\'' || class[src[from]]&isDigit != 0 {
			break
		}
		if name := src[from:at]; !mayBeKeyword(name[0]) || keyword(name) == tName {
			*steps = append(*steps, Step{Key: name})
			end, mark = at, '.'
			continue
		}
		break
	}
	if mark == ':' {
		return false
	}
	p.at = end
	p.advance()
	return true
}

func (p *parser) property(steps *[]Step) *Error {
	key := p.text(&p.tok)
	switch p.tok.kind {
	case tName:
	case tString:
		if p.tok.escaped {
			key = unescape(key)
		}
	default:
		return p.unexpected("a property's name")
	}
	*steps = append(*steps, Step{Key: key})
	p.advance()
	return nil
}

func (p *parser) index(steps *[]Step) *Error {
	s := Step{IsIndex: true, Index: Any}
	switch p.tok.kind {
	case tStar:
	case tInt:
		n, err := strconv.ParseInt(p.text(&p.tok), 10, 32)
		if err != nil || n < 0 {
			n = noIndex
		}
		s.Index = int32(n)
	default:
		return p.unexpected("an index: a whole number or *")
	}
	*steps = append(*steps, s)
	p.advance()
	return p.expect(tClose, "] of the index")
}
