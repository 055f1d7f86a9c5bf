package pattern

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxNesting bounds parentheses inside parentheses, so that no pattern exhausts
// the stack.
const maxNesting = 200

// maxLength bounds a pattern, in bytes.
const maxLength = 1 << 20

// Parse reads a pattern of STIX 2.1. The error is an *Error.
func Parse(text string) (*Pattern, error) { return ParseVersion(text, V21) }

// ParseVersion reads a pattern of the given edition. The pattern refers to text and
// keeps it alive. The error is an *Error.
func ParseVersion(text string, v Version) (*Pattern, error) {
	if len(text) > maxLength {
		return nil, fault(text, maxLength, "a pattern has at most %d bytes", maxLength)
	}
	if !utf8.ValidString(text) {
		return nil, fault(text, invalidAt(text), "not valid UTF-8")
	}
	p := parsers.Get().(*parser)
	out, err := p.pattern(text, v)
	p.release()
	if err != nil {
		return nil, err
	}
	return out, nil
}

// parsers keep the list that a parser reads into.
var parsers = sync.Pool{New: func() any { return &parser{} }}

// maxKept bounds the lists that are kept for the next pattern, in cells.
const maxKept = 4096

// release lets go of the text.
func (p *parser) release() {
	if cap(p.cells) <= maxKept {
		p.src, p.why = "", ""
		parsers.Put(p)
	}
}

// pattern reads a whole pattern. Its cells are copied once they are known: the list is
// then as long as it must be, and nobody else's.
func (p *parser) pattern(text string, v Version) (*Pattern, *Error) {
	*p = parser{lexer: lexer{src: text}, version: v, cells: p.cells[:0]}
	p.advance()
	root, err := p.joined(FollowedBy, outside)
	if err == nil && p.tok.kind != tEnd {
		err = p.unexpected("AND, OR, FOLLOWEDBY, a qualifier or the end of the pattern")
	}
	if err != nil {
		return nil, err
	}
	return &Pattern{src: text, cells: slices.Clone(p.cells), root: root, twice: p.twice}, nil
}

func invalidAt(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(text[i:]); n == 1 {
				return i
			}
		}
	}
	return 0
}

// parser is recursive descent with one token ahead.
type parser struct {
	lexer
	tok     token
	version Version
	depth   int
	twice   uint32
	cells   []cell
	recent  recent
	again   ref // what a tPath is
}

// add appends a cell.
func (p *parser) add(c cell) ref {
	p.cells = append(p.cells, c)
	return ref(len(p.cells) - 1)
}

// addText appends a cell that says what the token does.
func (p *parser) addText(form Form, sub uint8, set flag) {
	from, to := p.tok.text()
	if p.tok.escaped {
		set |= escaped
	}
	p.add(cell{form: form, sub: sub, flag: set, x: uint32(from), y: uint32(to)})
}

func (p *parser) advance() { p.next(&p.tok) }

// unexpected is the error of a token that does not fit.
func (p *parser) unexpected(wanted string) *Error {
	t := &p.tok
	switch t.kind {
	case tBad:
		return fault(p.src, t.pos, "%s", p.why)
	case tEnd:
		return fault(p.src, t.pos, "the pattern ends where %s is expected", wanted)
	}
	found := p.src[t.pos:t.end]
	if len(found) > 40 {
		found = strings.ToValidUTF8(found[:40], "") + "…"
	}
	hint := ""
	if upper := strings.ToUpper(found); t.kind == tName && upper != found && keyword(upper) != tName {
		hint = "; keywords are written in capitals"
	}
	if t.kind == tHyphened {
		hint = "; a name with a hyphen stands between quotes ('…') in a path"
	}
	return fault(p.src, t.pos, "found %s where %s is expected%s", found, wanted, hint)
}

func (p *parser) expect(k kind, wanted string) *Error {
	if p.tok.kind != k {
		return p.unexpected(wanted)
	}
	p.advance()
	return nil
}

func (p *parser) tooDeep() *Error {
	return fault(p.src, p.tok.pos, "parentheses or qualifiers are nested more than %d deep", maxNesting)
}

// joints are the tokens of the joints.
var joints = [...]kind{And: tAnd, Or: tOr, FollowedBy: tFollowedBy}

// place is inside a test, where conditions stand, or outside of one.
type place bool

const (
	outside place = false
	inside  place = true
)

// joined reads an expression of joints up to the loosest one: first what AND joins, of
// that what OR joins, and so on.
func (p *parser) joined(loosest Joint, at place) (ref, *Error) {
	left, err := p.argument(at)
	for op := And; op <= loosest && err == nil; op++ {
		if p.tok.kind == joints[op] {
			left, err = p.list(op, left, at)
		}
	}
	return left, err
}

// list reads what op joins to first.
func (p *parser) list(op Joint, first ref, at place) (list ref, err *Error) {
	list = p.begin(op, first)
	for p.tok.kind == joints[op] {
		p.advanceTo(at)
		var next ref
		if op == And {
			next, err = p.argument(at)
		} else {
			next, err = p.joined(op-1, at)
		}
		if err != nil {
			return 0, err
		}
		p.join(list, next)
	}
	return list, nil
}

// argument reads what joints join.
func (p *parser) argument(at place) (ref, *Error) {
	switch {
	case at == outside:
		return p.qualified()
	case p.tok.kind == tLeft:
		return p.group(Or, inside, "), AND or OR")
	}
	return p.comparison()
}

// begin returns a list of arguments that begins with first. Joints are associative, so
// that parentheses around first say nothing where it is joined by op as well.
func (p *parser) begin(op Joint, first ref) ref {
	if p.isJoined(first, op) {
		return first
	}
	return p.add(cell{form: Joined, sub: uint8(op), x: uint32(first), y: uint32(first)})
}

func (p *parser) isJoined(at ref, op Joint) bool {
	return p.cells[at].form == Joined && p.cells[at].sub == uint8(op)
}

// join puts next, or its arguments if it is joined by the same, at the end of list.
func (p *parser) join(list, next ref) {
	l := &p.cells[list]
	first, last := next, next
	if n := &p.cells[next]; p.isJoined(next, Joint(l.sub)) {
		first, last = ref(n.x), ref(n.y)
	}
	p.cells[l.y].next = first
	l.y = uint32(last)
}

// group reads what stands between parentheses.
func (p *parser) group(loosest Joint, at place, wanted string) (ref, *Error) {
	if p.depth++; p.depth > maxNesting {
		return 0, p.tooDeep()
	}
	p.advanceTo(at)
	inner, err := p.joined(loosest, at)
	if err == nil {
		err = p.expect(tRight, wanted)
	}
	p.depth--
	return inner, err
}
