package pattern

import (
	"errors"
	"slices"
	"time"
)

// Result is what Match found.
type Result struct {
	// Matched says whether the observations satisfy the pattern.
	Matched bool
	// IDs are the identifiers of observed-data objects that satisfy it together, in
	// their order; of several such groups, one.
	IDs []string
}

// ErrTooCostly is returned by Match for a pattern and observations that would take
// too long to decide.
var ErrTooCostly = errors.New("too many combinations of observations to try them all; narrow the pattern or the observations")

const (
	maxSteps = 4_000_000
	// maxChosen bounds the observations of one answer, and so the depth of the search.
	maxChosen = 10_000
)

// Match tells whether observed satisfies the pattern. Expressions joined by AND or
// FOLLOWEDBY, and repetitions, each need observations of their own; an observed-data
// object stands for as many as it was observed times. An observation that lasts is
// at any moment between its first and last that suits.
//
// An error says that nothing was decided: a text that is compared with a timestamp
// and is none, or ErrTooCostly.
func (m *Matcher) Match(observed *Observed) (Result, error) {
	s := &search{list: observed.list, used: make([]int, len(observed.list)), candidates: make([][]int, len(m.tests))}
	for i, test := range m.tests {
		var err error
		if s.candidates[i], err = s.satisfying(test); err != nil {
			return Result{}, err
		}
	}
	if s.most(m.root) == 0 {
		return Result{}, nil
	}
	var found []int
	ok := s.solve(m.root, bounds{}, func() bool {
		found = slices.Clone(s.chosen)
		return true
	})
	if !ok {
		if s.exhausted {
			return Result{}, ErrTooCostly
		}
		return Result{}, nil
	}
	slices.Sort(found)
	r := Result{Matched: true}
	for _, i := range slices.Compact(found) {
		r.IDs = append(r.IDs, observed.list[i].id)
	}
	return r, nil
}

// search is one run of Match. It goes through the expression from left to right and
// goes on, for each way to satisfy a part, to what is behind it.
type search struct {
	list       []observation
	used       []int   // how many times each is taken
	chosen     []int   // what is taken
	candidates [][]int // by test, in the order of first observation
	steps      int
	exhausted  bool
}

// satisfying lists the observations with an object that satisfies a test.
func (s *search) satisfying(test condition) ([]int, error) {
	var out []int
	for i := range s.list {
		o := &s.list[i]
		for _, root := range o.roots {
			ok, err := test(o, root)
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, i)
				break
			}
		}
	}
	slices.SortStableFunc(out, func(a, b int) int { return s.list[a].first.Compare(s.list[b].first) })
	return out, nil
}

// most is an upper bound of how many times a node can be satisfied side by side. 0
// means never, which needs no search.
func (s *search) most(n *node) int {
	switch n.kind {
	case nodeTest:
		sum := 0
		for _, i := range s.candidates[n.test] {
			sum = add(sum, s.list[i].number)
		}
		return sum
	case nodeOr:
		sum := 0
		for _, a := range n.args {
			sum = add(sum, s.most(a))
		}
		return sum
	case nodeRepeat:
		return s.most(n.args[0]) / n.times
	}
	least := s.most(n.args[0])
	for _, a := range n.args[1:] {
		least = min(least, s.most(a))
	}
	return least
}

// add adds without overflow.
func add(a, b int) int {
	if sum := a + b; sum >= a {
		return sum
	}
	return int(^uint(0) >> 1)
}

// bounds are what an observation must keep within where it stands.
type bounds struct {
	// notBefore: some moment of it must be at or after; before: some before. Zero
	// times bound nothing.
	notBefore, before time.Time
	windows           *window
}

// window gathers the observations of an expression.
type window struct {
	limited  bool
	span     time.Duration
	filled   bool
	maxFirst time.Time // the latest first observation
	minLast  time.Time // the earliest last one
	up       *window
}

// solve tries each way to satisfy n within b until one lets then succeed.
func (s *search) solve(n *node, b bounds, then func() bool) bool {
	switch n.kind {
	case nodeTest:
		for _, i := range s.candidates[n.test] {
			if s.take(i, 1, b, then) {
				return true
			}
		}
		return false
	case nodeAnd:
		return s.all(n.args, b, then)
	case nodeOr:
		return slices.ContainsFunc(n.args, func(a *node) bool { return s.solve(a, b, then) })
	case nodeFollowed:
		w := &window{up: b.windows}
		return s.followed(n.args, b, w, then)
	case nodeWithin:
		b.windows = &window{limited: true, span: n.span, up: b.windows}
		return s.solve(n.args[0], b, then)
	case nodeRepeat:
		if inner := n.args[0]; inner.kind == nodeTest {
			return s.repeatTest(s.candidates[inner.test], n.times, b, then)
		}
		return s.repeat(n.args[0], n.times, b, then)
	case nodeStartStop:
		if !n.start.Before(n.stop) {
			return false
		}
		if b.notBefore.Before(n.start) {
			b.notBefore = n.start
		}
		if b.before.IsZero() || n.stop.Before(b.before) {
			b.before = n.stop
		}
		return s.solve(n.args[0], b, then)
	}
	return false
}

func (s *search) all(args []*node, b bounds, then func() bool) bool {
	if len(args) == 0 {
		return then()
	}
	return s.solve(args[0], b, func() bool { return s.all(args[1:], b, then) })
}

// followed: no observation of a part is before one of the parts ahead of it.
func (s *search) followed(args []*node, b bounds, w *window, then func() bool) bool {
	if len(args) == 0 {
		return then()
	}
	inner := b
	inner.windows = w
	if w.filled && inner.notBefore.Before(w.maxFirst) {
		inner.notBefore = w.maxFirst
	}
	return s.solve(args[0], inner, func() bool { return s.followed(args[1:], b, w, then) })
}

func (s *search) repeat(n *node, times int, b bounds, then func() bool) bool {
	if times == 0 {
		return then()
	}
	return s.solve(n, b, func() bool { return s.repeat(n, times-1, b, then) })
}

// repeatTest takes times observations of the candidates, from the front: which are
// taken counts, not in what order.
func (s *search) repeatTest(candidates []int, times int, b bounds, then func() bool) bool {
	if times == 0 {
		return then()
	}
	left := 0
	for _, i := range candidates {
		left = add(left, s.list[i].number-s.used[i])
	}
	for at, i := range candidates {
		if left < times || s.exhausted {
			return false
		}
		free := s.list[i].number - s.used[i]
		// Fewer of this one leave more for what is behind; where that was not even
		// reached, they are no help.
		reached := true
		next := func() bool { reached = true; return then() }
		for n := min(free, times); n > 0 && reached && !s.exhausted; n-- {
			reached = false
			if s.take(i, n, b, func() bool { return s.repeatTest(candidates[at+1:], times-n, b, next) }) {
				return true
			}
		}
		left -= free
	}
	return false
}

// take takes observation i n times, if it is free and within b, and goes on.
func (s *search) take(i, n int, b bounds, then func() bool) bool {
	if s.steps++; s.steps > maxSteps || len(s.chosen) >= maxChosen {
		s.exhausted = true
	}
	o := &s.list[i]
	if s.exhausted || s.used[i]+n > o.number {
		return false
	}
	if o.last.Before(b.notBefore) || !b.before.IsZero() && !o.first.Before(b.before) {
		return false
	}
	return s.enter(b.windows, o, func() bool {
		s.used[i] += n
		s.chosen = append(s.chosen, i)
		if then() {
			return true
		}
		s.chosen = s.chosen[:len(s.chosen)-1]
		s.used[i] -= n
		return false
	})
}

// enter puts an observation into w and those around it, if they have room for it,
// and takes it out again when then fails.
func (s *search) enter(w *window, o *observation, then func() bool) bool {
	if w == nil {
		return then()
	}
	old := *w
	if !w.filled || w.maxFirst.Before(o.first) {
		w.maxFirst = o.first
	}
	if !w.filled || o.last.Before(w.minLast) {
		w.minLast = o.last
	}
	w.filled = true
	fits := !w.limited || w.maxFirst.Sub(w.minLast) <= w.span
	if fits && s.enter(w.up, o, then) {
		return true
	}
	*w = old
	return false
}
