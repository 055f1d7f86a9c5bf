// Package pattern is the STIX patterning language (STIX 2.1 section 9, STIX 2.0 part
// 5): a parser with positions, a syntax tree, a printer with one form for each
// meaning, and a matcher that tells whether observed data satisfy a pattern.
//
// Use Parse to read a pattern and Check for what the grammar lets through and the
// specification does not; String prints it; Compile makes a matcher that can be
// used for any number of observations.
//
// A parsed Pattern is read-only and safe for concurrent use.
package pattern

// Version is the edition of the language.
type Version uint8

// The editions. They differ in START and STOP, which take t'…' in 2.1 and a plain
// text in 2.0 (there t'…' is taken too), and in EXISTS, which 2.0 does not have.
const (
	V21 Version = iota
	V20
)

// Pattern is a parsed pattern.
type Pattern struct {
	Root Observation

	src string
	// twice is the byte of a qualifier that repeats one of its kind, 0 for none.
	twice int
}

// Observation is an expression over observations: *Test, *Combination or
// *Qualified.
type Observation interface{ observation() }

// Test is [condition]: one observation that satisfies the condition.
type Test struct{ Condition Condition }

// Combination joins two or more expressions, each satisfied by observations of its
// own.
type Combination struct {
	Op   Joint
	Args []Observation
}

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

// Qualified narrows the observations that satisfy an expression.
type Qualified struct {
	Of        Observation
	Qualifier Qualifier
}

// Qualifier is WITHIN, REPEATS or START … STOP, by its Kind.
type Qualifier struct {
	Kind QualifierKind
	// Number is the digits of WITHIN (seconds) or REPEATS (times).
	Number string
	// Start and Stop are the timestamps between the quotes.
	Start, Stop string
	// Quoted says that START and STOP were plain texts, as in 2.0.
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

func (*Test) observation()        {}
func (*Combination) observation() {}
func (*Qualified) observation()   {}

// Condition is what stands between [ and ]: *Comparison or *Junction.
type Condition interface{ condition() }

// Junction joins two or more conditions by And or Or.
type Junction struct {
	Op   Joint
	Args []Condition
}

// Comparison compares what a path leads to with a constant, or with each of a set.
type Comparison struct {
	// Path is shared by comparisons with one path.
	Path *Path
	// Values is the constant; those of the set with In; nothing with Exists.
	Values []Constant
	// Pos is the byte at which the comparison begins.
	Pos int32
	Op  Operator
	Not bool

	one [1]Constant // where a single constant is kept
}

func (*Comparison) condition() {}
func (*Junction) condition()   {}

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

// Path leads from an object to a value: type:step.step[0].
type Path struct {
	Type  string
	Steps []Step
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
