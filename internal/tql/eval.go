package tql

import (
	"net/netip"
	"strings"
)

// evaluator is one compiled condition. It does not allocate for plain
// parameters and is safe for concurrent use.
type evaluator interface {
	eval(subject any, env *Env) Truth
}

type (
	allOf  []evaluator
	anyOf  []evaluator
	negate struct{ sub evaluator }
	// exists asks whether there is a thing the condition is true of. As in SQL that
	// is true or false, whatever is unknown of the things: one of which it is not
	// known is not found. It is unknown only where the things themselves are.
	exists struct {
		sub  *Sub
		cond evaluator
	}
	// some is exists for a parameter with several values, where an unknown value
	// leaves the comparison unknown.
	some   struct{ exists }
	isNull struct {
		p   *Param
		not bool
	}
)

func (a allOf) eval(s any, env *Env) Truth {
	result := True
	for _, e := range a {
		if t := e.eval(s, env); t < result {
			if t == False {
				return False
			}
			result = t
		}
	}
	return result
}

func (a anyOf) eval(s any, env *Env) Truth {
	result := False
	for _, e := range a {
		if t := e.eval(s, env); t > result {
			if t == True {
				return True
			}
			result = t
		}
	}
	return result
}

func (n negate) eval(s any, env *Env) Truth { return True - n.sub.eval(s, env) }

func (x exists) eval(s any, env *Env) Truth {
	if x.sub.Known != nil && !x.sub.Known(s) {
		return Null
	}
	for i := range x.sub.Len(s) {
		if x.cond.eval(x.sub.At(s, i), env) == True {
			return True
		}
	}
	return False
}

func (x some) eval(s any, env *Env) Truth {
	if x.sub.Known != nil && !x.sub.Known(s) {
		return Null
	}
	result := False
	for i := range x.sub.Len(s) {
		if t := x.cond.eval(x.sub.At(s, i), env); t > result {
			if t == True {
				return True
			}
			result = t
		}
	}
	return result
}

func (n isNull) eval(s any, _ *Env) Truth { return truth(n.p.known(s) != !n.not) }

// known tells whether the parameter has a value at all.
func (p *Param) known(s any) (known bool) {
	if p.Each == nil {
		return p.has(s)
	}
	for i := range p.Each.Len(s) {
		if p.has(p.Each.At(s, i)) {
			return true
		}
	}
	return false
}

func (p *Param) has(s any) (known bool) {
	switch {
	case p.Texts != nil:
		return len(p.Texts(s)) > 0
	case p.Text != nil:
		_, known = p.Text(s)
	case p.Number != nil:
		_, known = p.Number(s)
	case p.Bool != nil:
		_, known = p.Bool(s)
	case p.Date != nil:
		known = !p.Date(s).IsZero()
	case p.Enum != nil:
		_, known = p.Enum(s)
	case p.Net != nil:
		_, _, known = p.Net(s)
	default:
		known = p.Any(s) != nil
	}
	return known
}

// textTest compares text; over several values it asks for any, negated for none.
type textTest struct {
	p   *Param
	m   matcher
	not bool
}

func (t textTest) eval(s any, _ *Env) Truth {
	if t.p.Texts != nil {
		return truth(t.m.any(t.p.Texts(s)) != t.not)
	}
	v, known := t.p.Text(s)
	if !known {
		return Null
	}
	return truth(t.m.match(v) != t.not)
}

type numberTest struct {
	p      *Param
	op     operator
	values []float64
	set    map[float64]struct{} // of many values
	not    bool
}

func (t numberTest) eval(s any, _ *Env) Truth {
	v, known := t.p.Number(s)
	if !known {
		return Null
	}
	if t.op.ordering() {
		return truth(ordered(t.op, compare(v, t.values[0])))
	}
	if t.set != nil {
		_, found := t.set[v]
		return truth(found != t.not)
	}
	for _, w := range t.values {
		if v == w {
			return truth(!t.not)
		}
	}
	return truth(t.not)
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// ordered turns the sign of a comparison into the operator's answer.
func ordered(op operator, sign int) bool {
	switch op {
	case opLess:
		return sign < 0
	case opLessEqual:
		return sign <= 0
	case opGreater:
		return sign > 0
	default:
		return sign >= 0
	}
}

type boolTest struct {
	p    *Param
	want [2]bool // whether false and true hold
}

func (t boolTest) eval(s any, _ *Env) Truth {
	v, known := t.p.Bool(s)
	if !known {
		return Null
	}
	if v {
		return truth(t.want[1])
	}
	return truth(t.want[0])
}

type dateTest struct {
	p      *Param
	op     operator
	values []moment
	not    bool
}

func (t dateTest) eval(s any, env *Env) Truth {
	v := t.p.Date(s)
	if v.IsZero() {
		return Null
	}
	result := truth(t.not)
	for _, m := range t.values {
		w, ok := m.resolve(env)
		switch {
		case !ok:
			result = Null
		case t.op.ordering():
			return truth(ordered(t.op, v.Compare(w)))
		case v.Equal(w):
			return truth(!t.not)
		}
	}
	return result
}

type enumTest struct {
	p    *Param
	mask uint64
	not  bool
}

func (t enumTest) eval(s any, _ *Env) Truth {
	i, known := t.p.Enum(s)
	if !known {
		return Null
	}
	return truth((t.mask>>uint(i)&1 == 1) != t.not)
}

// netTest asks whether an address or range lies wholly inside a network. What is
// no address is False, also of != and NOT IN, as the reference has it; NOT( … )
// around the test is the way to keep such records.
type netTest struct {
	p    *Param
	nets []netip.Prefix
	not  bool
}

func (t netTest) eval(s any, _ *Env) Truth {
	from, to, ok := t.p.Net(s)
	if !ok {
		return False
	}
	for _, n := range t.nets {
		if n.Contains(from) && n.Contains(to) {
			return truth(!t.not)
		}
	}
	return truth(t.not)
}

// parsePrefix reads a network or a single address; host bits are tolerated.
func parsePrefix(s string) (netip.Prefix, bool) {
	s = strings.TrimSpace(s)
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}
