package pattern

import (
	"strings"
	"sync"
)

// parsers keep the lists that a parser reads into.
var parsers = sync.Pool{New: func() any { return &parser{} }}

// begin readies p for a text.
func (p *parser) begin(text string, v Version) *small {
	out := &small{Pattern: Pattern{src: text}}
	p.lexer, p.version = lexer{src: text}, v
	p.slabs = slabs{small: out, comparisons: out.comparisons[:0], paths: out.paths[:0], steps: out.steps[:0]}
	return out
}

// release lets go of all that belongs to the pattern.
func (p *parser) release() {
	clear(p.open[:cap(p.open)])
	clear(p.around[:cap(p.around)])
	*p = parser{open: p.open[:0], around: p.around[:0]}
	if cap(p.open) <= maxKept && cap(p.around) <= maxKept {
		parsers.Put(p)
	}
}

// maxKept bounds the lists that are kept for the next pattern.
const maxKept = 1024

// small is a pattern with room for its first parts: most patterns are one
// comparison, and then there is no other allocation.
type small struct {
	Pattern
	tests       [1]Test
	comparisons [1]Comparison
	paths       [1]Path
	steps       [3]Step
}

// more is room for what goes with more than one comparison.
type more struct {
	joined    [4]Condition
	junctions [2]Junction
	paths     [3]Path
	steps     [6]Step
}

// slabs give out the parts of a tree, many from one allocation: first those of
// small, then those of more, then lists as long as is likely to be wanted.
type slabs struct {
	small       *small
	tests       int // given out of small
	comparisons []Comparison
	joined      []Condition // the arguments of junctions
	junctions   []Junction
	paths       []Path
	steps       []Step
}

// The fewest and the most comparisons that room is made for at a time.
const (
	minRoom = 2
	maxRoom = 256
)

// refill makes room for the comparisons behind what was read: most are written
// with =.
func (p *parser) refill() {
	s := &p.slabs
	n := strings.Count(p.src[p.tok.pos:], "=")
	s.comparisons = make([]Comparison, 0, min(max(n, minRoom), maxRoom))
	if s.joined == nil {
		b := &more{}
		s.joined, s.junctions, s.paths, s.steps = b.joined[:0], b.junctions[:0], b.paths[:0], b.steps[:0]
	}
}

// one returns the next element of a slab that has been made room in.
func one[T any](slab *[]T) *T {
	n := len(*slab)
	if n == cap(*slab) {
		*slab, n = make([]T, 0, minRoom+n), 0
	}
	*slab = (*slab)[:n+1]
	return &(*slab)[n]
}

func (p *parser) newTest() *Test {
	if p.tests < len(p.small.tests) {
		p.tests++
		return &p.small.tests[p.tests-1]
	}
	return &Test{}
}

func (p *parser) newComparison() *Comparison {
	if len(p.comparisons) == cap(p.comparisons) {
		p.refill()
	}
	return one(&p.comparisons)
}

// newJunction makes a junction of a copy of args.
func (p *parser) newJunction(op Joint, args []Condition) *Junction {
	j := one(&p.junctions)
	j.Op = op
	if cap(p.joined)-len(p.joined) < len(args) {
		p.joined = make([]Condition, 0, max(len(args), 4*minRoom))
	}
	from := len(p.joined)
	p.joined = append(p.joined, args...)
	j.Args = p.joined[from:len(p.joined):len(p.joined)]
	return j
}

// stepsOfAPath is how many steps a path has at most, but for rare ones.
const stepsOfAPath = 4

// beginSteps returns an empty list to append to, in the slab as long as it has room.
func (p *parser) beginSteps() []Step {
	if n := len(p.steps); n > 0 && cap(p.steps)-n < stepsOfAPath {
		p.steps = make([]Step, 0, 3*stepsOfAPath)
	}
	return p.steps[len(p.steps):]
}

// endSteps keeps what was appended.
func (p *parser) endSteps(steps []Step) []Step {
	if len(p.steps)+len(steps) <= cap(p.steps) {
		p.steps = p.steps[:len(p.steps)+len(steps)]
	} // else the list outgrew the slab and has memory of its own
	return steps[:len(steps):len(steps)]
}

// recent are the last paths of a pattern: one path is often compared with many
// constants, and is then read once.
type recent struct {
	paths [4]readPath
	next  int
}

type readPath struct {
	text string
	path *Path
}

// find returns the one that src begins with.
func (r *recent) find(src string) *readPath {
	for i := range r.paths {
		e := &r.paths[i]
		if n := len(e.text); n > 0 && n < len(src) && endsPath(src[n]) && src[:n] == e.text {
			return e
		}
	}
	return nil
}

// endsPath tells whether no path goes on with c, but for one with a space inside.
func endsPath(c byte) bool { return c == ' ' || c == '=' || c == '!' || c == '<' || c == '>' }

// keep adds a path. Its text may have spaces behind it.
func (r *recent) keep(text string, path *Path) {
	for len(text) > 0 && class[text[len(text)-1]]&isSpace != 0 {
		text = text[:len(text)-1]
	}
	r.paths[r.next] = readPath{text, path}
	r.next = (r.next + 1) % len(r.paths)
}
