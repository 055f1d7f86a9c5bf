package pattern

// slabs give out the parts of a tree from larger allocations: a pattern of a
// hundred comparisons is a handful of them.
type slabs struct {
	comparisons []Comparison
	constants   []Constant
	steps       []Step
	conditions  []Condition
}

// The most that is taken on the word of a pattern's colons, which strings have too.
const maxExpected = 256

// expect makes room for n comparisons.
func (s *slabs) expect(n int) {
	n = min(max(n, 1), maxExpected)
	s.comparisons = make([]Comparison, 0, n)
	s.constants = make([]Constant, 0, n)
	s.steps = make([]Step, 0, 2*n)
}

func (s *slabs) newComparison() *Comparison {
	if len(s.comparisons) == cap(s.comparisons) {
		s.comparisons = make([]Comparison, 0, 2*cap(s.comparisons)+1)
	}
	s.comparisons = s.comparisons[:len(s.comparisons)+1]
	return &s.comparisons[len(s.comparisons)-1]
}

func (s *slabs) newConstants(n int) []Constant {
	if cap(s.constants)-len(s.constants) < n {
		s.constants = make([]Constant, 0, 2*cap(s.constants)+n)
	}
	from := len(s.constants)
	s.constants = s.constants[:from+n]
	return s.constants[from : from+n : from+n]
}

func (s *slabs) newConditions(of []Condition) []Condition {
	if cap(s.conditions)-len(s.conditions) < len(of) {
		s.conditions = make([]Condition, 0, 2*cap(s.conditions)+len(of))
	}
	from := len(s.conditions)
	s.conditions = append(s.conditions, of...)
	return s.conditions[from:len(s.conditions):len(s.conditions)]
}

// beginSteps returns an empty list to append to, in the slab as long as it has room.
func (s *slabs) beginSteps() []Step { return s.steps[len(s.steps):] }

// endSteps keeps what was appended.
func (s *slabs) endSteps(steps []Step) []Step {
	if len(s.steps)+len(steps) <= cap(s.steps) {
		s.steps = s.steps[:len(s.steps)+len(steps)]
	} else {
		s.steps = make([]Step, 0, 2*cap(s.steps)) // the list outgrew the slab and has memory of its own
	}
	return steps[:len(steps):len(steps)]
}
