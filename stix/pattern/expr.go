package pattern

import "iter"

// Expr is an expression of a pattern, by its Form.
type Expr struct {
	p  *Pattern
	at ref
}

// Form tells expressions apart.
type Form uint8

// The forms.
const (
	// Test is [condition]: one observation that satisfies the condition, its one
	// argument.
	Test Form = iota
	// Joined joins two or more arguments by its Joint: conditions inside a Test, each
	// true of the same object, and observations outside, each another one. No
	// argument is joined by the same Joint.
	Joined
	// Qualified narrows the observations that satisfy its one argument by its
	// Qualifier. It is outside of tests.
	Qualified
	// Compared is a Comparison: a condition without arguments.
	Compared
)

// Joint is what joins expressions.
type Joint uint8

// The joints, from the tightest to the loosest. FollowedBy joins observations only.
const (
	And Joint = iota
	Or
	FollowedBy
)

// String returns the keyword.
func (j Joint) String() string { return [...]string{"AND", "OR", "FOLLOWEDBY"}[j] }

func (e Expr) cell() *cell { return &e.p.cells[e.at] }

// Form returns the form.
func (e Expr) Form() Form { return e.cell().form }

// Joint returns what joins the arguments of a Joined.
func (e Expr) Joint() Joint { return Joint(e.cell().sub) }

// Arg returns the argument of a Test or Qualified, the first of a Joined.
func (e Expr) Arg() Expr { return Expr{e.p, ref(e.cell().x)} }

// Args are the arguments from left to right: none of a Compared.
func (e Expr) Args() iter.Seq[Expr] {
	return func(yield func(Expr) bool) {
		if e.Form() == Compared {
			return
		}
		for arg := e.Arg(); yield(arg); {
			if arg.at = arg.cell().next; arg.at == 0 {
				return
			}
		}
	}
}

// Comparison returns the comparison that a Compared is.
func (e Expr) Comparison() Comparison { return Comparison(e) }

// Qualifier is WITHIN, REPEATS or START … STOP, by its Kind.
type Qualifier struct {
	Kind QualifierKind
	// Number is the digits of WITHIN (seconds) or REPEATS (times).
	Number string
	// Start and Stop are the timestamps between the quotes.
	Start, Stop string
	// Quoted says that START or STOP was a plain text, as in 2.0.
	Quoted bool
	// Pos is the byte at which the qualifier begins.
	Pos int
}

// QualifierKind tells qualifiers apart.
type QualifierKind uint8

// The kinds of qualifiers.
const (
	Within QualifierKind = iota
	Repeats
	StartStop
)

// String returns the first keyword.
func (k QualifierKind) String() string { return [...]string{"WITHIN", "REPEATS", "START"}[k] }

// Qualifier returns what a Qualified is narrowed by.
func (e Expr) Qualifier() Qualifier {
	c := e.cell()
	q := Qualifier{Kind: QualifierKind(c.sub), Pos: int(c.y)}
	first := e.p.constant(&e.p.cells[e.at+1])
	if q.Kind != StartStop {
		q.Number = first.Text
		return q
	}
	stop := e.p.constant(&e.p.cells[e.at+2])
	q.Start, q.Stop, q.Quoted = first.Text, stop.Text, first.Kind == String || stop.Kind == String
	return q
}
