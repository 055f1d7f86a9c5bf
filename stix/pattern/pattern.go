// Package pattern is the STIX patterning language (STIX 2.1 section 9, STIX 2.0 part
// 5): a parser with positions, a syntax tree, a printer with one form for each
// meaning, and a matcher that tells whether observed data satisfy a pattern.
//
// Use Parse to read a pattern and Check for what the grammar lets through and the
// specification does not; String prints it; Root and Comparisons show what is in it;
// Compile makes a matcher that can be used for any number of observations.
//
// A parsed Pattern is read-only and safe for concurrent use. It is small: two
// allocations, whatever its length. Expr, Comparison and Path are views of it, to be
// passed by value; each keeps its pattern alive, and the pattern its text.
package pattern

import "iter"

// Version is the edition of the language.
type Version uint8

// The editions. They differ in START and STOP, which take t'…' in 2.1 and a plain
// text in 2.0 (there t'…' is taken too), and in EXISTS, which 2.0 does not have.
const (
	V21 Version = iota
	V20
)

// Pattern is a parsed pattern. Only Parse and ParseVersion make one.
type Pattern struct {
	src   string
	cells []cell
	root  ref
	// twice is the byte of a qualifier that repeats one of its kind, 0 for none.
	twice uint32
}

// Root is the whole expression: a Test, Joined or Qualified.
func (p *Pattern) Root() Expr { return Expr{p, p.root} }

// Comparisons are all comparisons of the pattern, from left to right.
func (p *Pattern) Comparisons() iter.Seq[Comparison] {
	return func(yield func(Comparison) bool) {
		for i := range p.cells {
			if p.cells[i].form == Compared && !yield(Comparison{p, ref(i)}) {
				return
			}
		}
	}
}
