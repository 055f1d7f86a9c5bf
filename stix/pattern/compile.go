package pattern

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Matcher is a pattern made ready to be matched, any number of times and from many
// goroutines.
type Matcher struct {
	root  *node
	tests []condition
}

// Compile makes a Matcher. The error is an *Error: a regular expression that cannot
// be run, a set of mixed types, a day that no month has, a WITHIN or REPEATS of
// nothing.
func Compile(p *Pattern) (*Matcher, error) {
	m := &Matcher{}
	c := compiler{m: m, src: p.src, known: map[string]int{}}
	root, err := c.observation(p.Root())
	if err != nil {
		return nil, err
	}
	m.root = root
	return m, nil
}

// nodeKind tells nodes apart.
type nodeKind uint8

const (
	nodeTest nodeKind = iota
	nodeAnd
	nodeOr
	nodeFollowed
	nodeWithin
	nodeRepeat
	nodeStartStop
)

// node is an expression over observations, ready to be solved.
type node struct {
	kind        nodeKind
	args        []*node
	test        int // nodeTest: of Matcher.tests
	times       int // nodeRepeat
	span        time.Duration
	start, stop time.Time
}

// condition tells whether an object of an observation satisfies what stands in
// brackets. Each comparison looks at the same object.
type condition func(o *observation, root map[string]any) (bool, error)

type compiler struct {
	m     *Matcher
	src   string
	known map[string]int // tests by what they print as
}

func (c *compiler) observation(of Expr) (*node, *Error) {
	switch of.Form() {
	case Test:
		return c.test(of)
	case Qualified:
		return c.qualified(of)
	}
	n := &node{kind: [...]nodeKind{And: nodeAnd, Or: nodeOr, FollowedBy: nodeFollowed}[of.Joint()]}
	for arg := range of.Args() {
		a, err := c.observation(arg)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, a)
	}
	if n.kind == nodeAnd {
		n.args = merge(n.args)
	}
	return n, nil
}

// merge turns equal tests joined by AND into a repetition, which is the same and is
// solved without trying every order.
func merge(args []*node) []*node {
	var out []*node
	at := map[int]int{}
	for _, a := range args {
		if a.kind != nodeTest {
			out = append(out, a)
			continue
		}
		i, again := at[a.test]
		if !again {
			at[a.test] = len(out)
			out = append(out, a)
			continue
		}
		if out[i].kind == nodeTest {
			out[i] = &node{kind: nodeRepeat, args: []*node{a}, times: 1}
		}
		out[i].times++
	}
	return out
}

func (c *compiler) test(of Expr) (*node, *Error) {
	text := string(appendExpr(nil, of, FollowedBy))
	id, ok := c.known[text]
	if !ok {
		run, err := c.condition(of.Arg())
		if err != nil {
			return nil, err
		}
		id = len(c.m.tests)
		c.known[text] = id
		c.m.tests = append(c.m.tests, run)
	}
	return &node{kind: nodeTest, test: id}, nil
}

func (c *compiler) qualified(of Expr) (*node, *Error) {
	inner, err := c.observation(of.Arg())
	if err != nil {
		return nil, err
	}
	n, q := &node{args: []*node{inner}}, of.Qualifier()
	var bad error
	switch q.Kind {
	case Within:
		n.kind = nodeWithin
		n.span = seconds(q.Number)
		if strings.Trim(q.Number, "0.") == "" {
			bad = fmt.Errorf("WITHIN %s SECONDS: a number above zero is wanted", q.Number)
		}
	case Repeats:
		n.kind = nodeRepeat
		n.times, bad = strconv.Atoi(q.Number)
		if bad != nil {
			n.times, bad = math.MaxInt, nil // more than there ever is
		}
		if n.times < 1 {
			bad = fmt.Errorf("REPEATS %s TIMES: a number above zero is wanted", q.Number)
		}
	case StartStop:
		n.kind = nodeStartStop
		if n.start, bad = instant(q.Start); bad == nil {
			n.stop, bad = instant(q.Stop)
		}
	}
	if bad != nil {
		return nil, fault(c.src, q.Pos, "%v", bad)
	}
	return n, nil
}

// seconds reads a decimal number of seconds, to the nanosecond.
func seconds(text string) time.Duration {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n >= math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	nanos, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	return time.Duration(n)*time.Second + time.Duration(nanos)
}

func (c *compiler) condition(of Expr) (condition, *Error) {
	if of.Form() == Compared {
		return c.comparison(of.Comparison())
	}
	var args []condition
	for arg := range of.Args() {
		a, err := c.condition(arg)
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	want := of.Joint() == Or // what decides at once
	return func(o *observation, root map[string]any) (bool, error) {
		for _, arg := range args {
			if ok, err := arg(o, root); err != nil || ok == want {
				return ok, err
			}
		}
		return !want, nil
	}, nil
}

func (c *compiler) comparison(of Comparison) (condition, *Error) {
	holds, err := predicateOf(of)
	if err != nil {
		return nil, fault(c.src, of.Pos(), "%v", err)
	}
	path, not := of.Path(), of.Not()
	objectType, steps := path.Type(), slices.Collect(path.Steps())
	if of.Op() == Exists {
		return func(o *observation, root map[string]any) (bool, error) {
			if root["type"] != objectType {
				return false, nil
			}
			found, err := walk(o, root, steps, false, holds)
			return found != not, err
		}, nil
	}
	if not {
		holds = negate(of, holds)
	}
	return func(o *observation, root map[string]any) (bool, error) {
		if root["type"] != objectType {
			return false, nil
		}
		ok, err := walk(o, root, steps, false, holds)
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		return ok, nil
	}, nil
}

// negate is NOT: what is not compared at all is in no order either way.
func negate(of Comparison, holds predicate) predicate {
	op := of.Op()
	ordered := op == Less || op == LessEqual || op == Greater || op == GreaterEqual
	if !ordered {
		return func(value any) (bool, error) {
			ok, err := holds(value)
			return !ok, err
		}
	}
	v, _ := literalOf(of.Value()) // compiled once already
	return func(value any) (bool, error) {
		if _, ordered, err := v.compare(value); err != nil || !ordered {
			return false, err
		}
		ok, err := holds(value)
		return !ok, err
	}
}

// walk takes the steps from value and tells whether holds is true of any value they
// lead to. refs says that value is a list of references.
func walk(o *observation, value any, steps []Step, refs bool, holds predicate) (bool, error) {
	if len(steps) == 0 {
		return holds(value)
	}
	step, rest := steps[0], steps[1:]
	if !step.IsIndex {
		object, ok := value.(map[string]any)
		if !ok {
			return false, nil
		}
		next, ok := object[step.Key]
		if !ok {
			return false, nil
		}
		if len(rest) > 0 && strings.HasSuffix(step.Key, "_ref") {
			if next = follow(o, next); next == nil {
				return false, nil
			}
		}
		return walk(o, decoded(step.Key, next), rest, strings.HasSuffix(step.Key, "_refs"), holds)
	}
	list, ok := value.([]any)
	if !ok {
		return false, nil
	}
	for i, next := range list {
		if step.Index != Any && int(step.Index) != i {
			continue
		}
		if refs && len(rest) > 0 {
			if next = follow(o, next); next == nil {
				continue
			}
		}
		if ok, err := walk(o, next, rest, false, holds); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// follow resolves a reference; nil where it leads nowhere.
func follow(o *observation, ref any) any {
	text, ok := ref.(string)
	if !ok {
		return ref
	}
	if object := o.find(text); object != nil {
		return object
	}
	return nil
}

// decoded is the bytes that a property with a name in _hex or _bin holds.
func decoded(name string, value any) any {
	text, ok := value.(string)
	if !ok {
		return value
	}
	var raw []byte
	var err error
	switch {
	case strings.HasSuffix(name, "_hex"):
		raw, err = hex.DecodeString(text)
	case strings.HasSuffix(name, "_bin"):
		raw, err = base64.StdEncoding.DecodeString(text)
	default:
		return value
	}
	if err != nil {
		return value // not what the name promises: a text
	}
	return raw
}
