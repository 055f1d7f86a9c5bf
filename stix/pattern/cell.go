package pattern

import "strconv"

// ref is the place of a cell in its pattern.
type ref uint32

// cell is what a pattern is made of. It has no pointers, so that a pattern costs the
// garbage collector nothing, and texts are places in the source. The cells stand in
// the order in which their last byte was read:
//
//	form      sub            x                  y                   behind it
//	Test                     its condition
//	Joined    Joint          the first argument the last argument
//	Qualified QualifierKind  what it qualifies  its byte            one constant, two with START
//	Compared  Operator       its path           its byte            its constants
//	typeName                 where the text begins and ends         its steps
//	step                     the same
//	constant  ConstantKind   the same
type cell struct {
	form Form
	sub  uint8
	// flag says of a comparison that it is negated, of a text that it has escapes, and
	// of an index that it is one.
	flag flag
	// next is the argument behind this one, 0 behind the last: cell 0 begins what is
	// leftmost, and is behind none.
	next ref
	x, y uint32
}

// The forms of cells that are no expressions.
const (
	typeName Form = Compared + 1 + iota
	step
	constant
)

type flag uint8

const (
	negated flag = 1 << iota
	escaped
	isIndex
)

// text is what a cell of a text says.
func (p *Pattern) text(c *cell) string {
	s := p.src[c.x:c.y]
	if c.flag&escaped != 0 {
		return unescape(s)
	}
	return s
}

// constant is the constant in a cell.
func (p *Pattern) constant(c *cell) Constant {
	kind, text := ConstantKind(c.sub), p.text(c)
	if kind == Int || kind == Float {
		text = canonicalNumber(kind, text)
	}
	return Constant{text, kind}
}

// step is the step in a cell.
func (p *Pattern) step(c *cell) Step {
	text := p.text(c)
	if c.flag&isIndex == 0 {
		return Step{Key: text}
	}
	if text == "*" {
		return Step{IsIndex: true, Index: Any}
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		n = noIndex
	}
	return Step{IsIndex: true, Index: int32(n)}
}

// run are the cells of a form that stand together behind at.
func (p *Pattern) run(at ref, form Form) []cell {
	list := p.cells[at+1:]
	for i := range list {
		if list[i].form != form {
			return list[:i]
		}
	}
	return list
}
