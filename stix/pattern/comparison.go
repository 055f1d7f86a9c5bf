package pattern

import "iter"

// Comparison compares what a path leads to with a constant, or with each of a set.
type Comparison Expr

// Operator is what compares.
type Operator uint8

// The operators.
const (
	Equal Operator = iota
	NotEqual
	Less
	LessEqual
	Greater
	GreaterEqual
	In
	Like
	Matches
	IsSubset
	IsSuperset
	Exists
)

var operatorNames = [...]string{
	"=", "!=", "<", "<=", ">", ">=", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET", "EXISTS",
}

// String returns the operator as it is written.
func (o Operator) String() string { return operatorNames[o] }

func (c Comparison) cell() *cell { return Expr(c).cell() }

// Path returns what is compared.
func (c Comparison) Path() Path { return Path{c.p, ref(c.cell().x)} }

// Op returns the operator.
func (c Comparison) Op() Operator { return Operator(c.cell().sub) }

// Not tells whether NOT stands before the operator.
func (c Comparison) Not() bool { return c.cell().flag&negated != 0 }

// Pos returns the byte at which the comparison begins.
func (c Comparison) Pos() int { return int(c.cell().y) }

// Len returns the number of constants: one, but any number with In, and none with
// Exists.
func (c Comparison) Len() int { return len(c.p.run(c.at, constant)) }

// Value returns the constant, the first of a set; the zero Constant if there is none.
func (c Comparison) Value() Constant {
	for v := range c.Values() {
		return v
	}
	return Constant{}
}

// Values are the constants as they are written.
func (c Comparison) Values() iter.Seq[Constant] {
	return func(yield func(Constant) bool) {
		list := c.p.run(c.at, constant)
		for i := range list {
			if !yield(c.p.constant(&list[i])) {
				return
			}
		}
	}
}

// Path leads from an object to a value: type:step.step[0].
type Path struct {
	p  *Pattern
	at ref
}

// Step is one step of a Path: a property's name, or the index of a list.
type Step struct {
	// Key is the property's name; "" where an index stands.
	Key string
	// Index is the place in a list, or Any for [*]. It counts where IsIndex.
	Index   int32
	IsIndex bool
}

// Any is the Index of [*].
const Any = -1

// noIndex is an index no list has: [-1] is grammatical and leads nowhere.
const noIndex = -2

// Type returns the type of the object.
func (p Path) Type() string { return p.p.text(&p.p.cells[p.at]) }

// Steps are the steps, from the object on: one at least, and the first has a Key.
func (p Path) Steps() iter.Seq[Step] {
	return func(yield func(Step) bool) {
		list := p.p.run(p.at, step)
		for i := range list {
			if !yield(p.p.step(&list[i])) {
				return
			}
		}
	}
}

// ConstantKind tells the types of constants apart.
type ConstantKind uint8

// The types of constants.
const (
	String ConstantKind = iota
	Int
	Float
	Bool
	Binary    // b'…', base64
	Hex       // h'…'
	Timestamp // t'…'
)

var constantNames = [...]string{"string", "integer", "float", "boolean", "binary", "hex", "timestamp"}

// String returns the type's name.
func (k ConstantKind) String() string { return constantNames[k] }

// Constant is a literal. Text is what it says: a string without its escapes, digits
// without a plus, true or false, and what stands between the quotes of the others.
type Constant struct {
	Text string
	Kind ConstantKind
}
