package pattern

import (
	"strings"
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
	defer p.release()
	out := p.begin(text, v)
	p.advance()
	root, err := p.observations(FollowedBy)
	if err == nil && p.tok.kind != tEnd {
		err = p.unexpected("AND, OR, FOLLOWEDBY, a qualifier or the end of the pattern")
	}
	if err != nil {
		return nil, err
	}
	out.Root, out.twice = root, p.twice
	return &out.Pattern, nil
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
	slabs
	tok     token
	version Version
	depth   int
	twice   int
	open    []Condition   // of junctions being read
	around  []Observation // of combinations being read
	recent  recent
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

func (p *parser) deeper() *Error {
	if p.depth++; p.depth > maxNesting {
		return p.tooDeep()
	}
	return nil
}

func (p *parser) tooDeep() *Error {
	return fault(p.src, p.tok.pos, "parentheses or qualifiers are nested more than %d deep", maxNesting)
}

// joints are the tokens of the joints.
var joints = [...]kind{And: tAnd, Or: tOr, FollowedBy: tFollowedBy}

// observations reads expressions joined by op or by anything that binds tighter.
func (p *parser) observations(op Joint) (Observation, *Error) {
	first, err := p.tighter(op)
	if err != nil || p.tok.kind != joints[op] {
		return first, err
	}
	base := len(p.around)
	p.around = spread(p.around, first, op)
	for p.tok.kind == joints[op] {
		p.advance()
		next, err := p.tighter(op)
		if err != nil {
			return nil, err
		}
		p.around = spread(p.around, next, op)
	}
	c := &Combination{Op: op, Args: append([]Observation(nil), p.around[base:]...)}
	p.around = p.around[:base]
	return c, nil
}

// spread appends o, or its arguments if it is joined by op as well: joints are
// associative, so the parentheses say nothing.
func spread(to []Observation, o Observation, op Joint) []Observation {
	if c, ok := o.(*Combination); ok && c.Op == op {
		return append(to, c.Args...)
	}
	return append(to, o)
}

func (p *parser) tighter(op Joint) (Observation, *Error) {
	if op == And {
		return p.qualified()
	}
	return p.observations(op - 1)
}

// qualified reads [condition] or (expression) and the qualifiers behind it.
func (p *parser) qualified() (Observation, *Error) {
	var o Observation
	var err *Error
	simple := p.tok.kind == tOpen
	switch p.tok.kind {
	case tOpen:
		o, err = p.test()
	case tLeft:
		o, err = p.group()
	default:
		err = p.unexpected("[ or (")
	}
	var seen [StartStop + 1]bool
	for levels := p.depth; err == nil; levels++ { // each qualifier is a level of the tree
		if levels > maxNesting {
			return nil, p.tooDeep()
		}
		var q Qualifier
		q.Pos = p.tok.pos
		switch p.tok.kind {
		case tWithin:
			q.Kind, err = Within, p.within(&q)
		case tRepeats:
			q.Kind, err = Repeats, p.repeats(&q)
		case tStart:
			q.Kind, err = StartStop, p.startStop(&q)
		default:
			return o, nil
		}
		if simple && seen[q.Kind] && p.twice == 0 && p.version == V21 {
			p.twice = q.Pos
		}
		seen[q.Kind] = true
		o = &Qualified{Of: o, Qualifier: q}
	}
	return nil, err
}

func (p *parser) group() (Observation, *Error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	p.advance()
	o, err := p.observations(FollowedBy)
	if err == nil {
		err = p.expect(tRight, ") or a joint (AND, OR, FOLLOWEDBY)")
	}
	p.depth--
	return o, err
}

func (p *parser) test() (Observation, *Error) {
	p.advance()
	c, err := p.conditions(Or)
	if err == nil {
		err = p.expect(tClose, "], AND or OR")
	}
	if err != nil {
		return nil, err
	}
	t := p.newTest()
	t.Condition = c
	return t, nil
}

func (p *parser) within(q *Qualifier) *Error {
	p.advance()
	if k := p.tok.kind; k != tInt && k != tFloat || p.src[p.tok.pos] == '-' {
		return p.unexpected("a positive number of seconds")
	}
	q.Number = canonicalNumber(p.tok.kind, p.text(&p.tok))
	p.advance()
	return p.expect(tSeconds, "SECONDS")
}

func (p *parser) repeats(q *Qualifier) *Error {
	p.advance()
	if p.tok.kind != tInt || p.src[p.tok.pos] == '-' {
		return p.unexpected("a positive whole number")
	}
	q.Number = canonicalNumber(tInt, p.text(&p.tok))
	p.advance()
	return p.expect(tTimes, "TIMES")
}

func (p *parser) startStop(q *Qualifier) *Error {
	p.advance()
	if err := p.instant(q, &q.Start); err != nil {
		return err
	}
	if err := p.expect(tStop, "STOP"); err != nil {
		return err
	}
	return p.instant(q, &q.Stop)
}

// instant reads a timestamp of START and STOP.
func (p *parser) instant(q *Qualifier, into *string) *Error {
	switch {
	case p.tok.kind == tTimestamp:
	case p.tok.kind == tString && p.version == V20:
		q.Quoted = true
		if !timestampText(p.text(&p.tok)) {
			return fault(p.src, p.tok.pos, "START and STOP need a timestamp such as '2026-01-31T12:00:00Z'")
		}
	case p.tok.kind == tString:
		return fault(p.src, p.tok.pos, "START and STOP need t'…' in STIX 2.1; a plain text is STIX 2.0")
	default:
		return p.unexpected("a timestamp (t'…')")
	}
	*into = p.text(&p.tok)
	p.advance()
	return nil
}
