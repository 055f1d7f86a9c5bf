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

// slabs give out the parts of a tree from larger allocations: a pattern of a
// hundred comparisons is a handful of them.
type slabs struct {
	small       *small
	tests       int // given out of small
	comparisons []Comparison
	paths       []Path
	steps       []Step
	joined      []Condition // the arguments of junctions
}

// The fewest and the most that a slab of comparisons has room for.
const (
	minSlab = 4
	maxSlab = 256
)

// expected is about how many comparisons there are behind what was read: most are
// written with =.
func (p *parser) expected() int {
	return min(max(strings.Count(p.src[p.tok.pos:], "="), minSlab), maxSlab)
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
		p.comparisons = make([]Comparison, 0, p.expected())
	}
	p.comparisons = p.comparisons[:len(p.comparisons)+1]
	return &p.comparisons[len(p.comparisons)-1]
}

// pathSlab is the room of a slab of paths: a long pattern has few.
const pathSlab = 4

func (p *parser) newPath() *Path {
	if len(p.paths) == cap(p.paths) {
		p.paths = make([]Path, 0, pathSlab)
	}
	p.paths = p.paths[:len(p.paths)+1]
	return &p.paths[len(p.paths)-1]
}

func (p *parser) newConditions(of []Condition) []Condition {
	if cap(p.joined)-len(p.joined) < len(of) {
		p.joined = make([]Condition, 0, max(cap(p.comparisons), len(of)))
	}
	from := len(p.joined)
	p.joined = append(p.joined, of...)
	return p.joined[from:len(p.joined):len(p.joined)]
}

// stepsOfAPath is how many steps a path has at most, but for rare ones; stepSlab the
// room of a slab.
const (
	stepsOfAPath = 4
	stepSlab     = 16
)

// beginSteps returns an empty list to append to, in the slab as long as it has room.
func (p *parser) beginSteps() []Step {
	if len(p.steps) > 0 && cap(p.steps)-len(p.steps) < stepsOfAPath {
		p.steps = make([]Step, 0, stepSlab)
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
