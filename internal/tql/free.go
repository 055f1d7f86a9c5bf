package tql

import (
	"strconv"
	"time"
)

type (
	freeNumber struct {
		value float64
		ok    bool
	}
	freeDate struct {
		value moment
		ok    bool
	}
)

// anyTest compares a free attribute: numbers as numbers where both sides are
// (text that is a number counts), dates where both sides are, else text. What
// cannot be compared is Null.
type anyTest struct {
	p       *Param
	op      operator
	not     bool
	m       matcher
	numbers []freeNumber // of each literal
	dates   []freeDate
}

func (t anyTest) eval(s any, env *Env) Truth {
	switch v := t.p.Any(s).(type) {
	case nil:
		return Null
	case []string:
		for _, one := range v {
			if t.one(one, env) == True {
				return truth(!t.not)
			}
		}
		return truth(t.not)
	case string:
		return t.negated(t.one(v, env))
	case bool:
		return t.negated(t.text(strconv.FormatBool(v)))
	case int64:
		return t.negated(t.number(float64(v)))
	case float64:
		return t.negated(t.number(v))
	default:
		return Null
	}
}

func (t anyTest) negated(r Truth) Truth {
	if t.not {
		return True - r
	}
	return r
}

func (t anyTest) one(v string, env *Env) Truth {
	if t.op.pattern() {
		return t.text(v)
	}
	if f, ok := parseNumber(v); ok && t.numeric() {
		return t.number(f)
	}
	if !t.op.ordering() {
		return t.text(v)
	}
	return t.date(v, env)
}

func (t anyTest) text(v string) Truth {
	if t.op.ordering() {
		return Null
	}
	return truth(t.m.match(v))
}

func (t anyTest) numeric() bool {
	for _, n := range t.numbers {
		if n.ok {
			return true
		}
	}
	return false
}

func (t anyTest) number(v float64) Truth {
	if t.op.pattern() {
		var buf [32]byte
		return truth(t.m.match(string(strconv.AppendFloat(buf[:0], v, 'f', -1, 64))))
	}
	if t.op.ordering() {
		if !t.numbers[0].ok {
			return Null
		}
		return truth(ordered(t.op, compare(v, t.numbers[0].value)))
	}
	for _, n := range t.numbers {
		if n.ok && n.value == v {
			return True
		}
	}
	return False
}

func (t anyTest) date(v string, env *Env) Truth {
	if !t.dates[0].ok {
		return Null
	}
	have, ok := parseMoment(v, time.UTC)
	if !ok || have.base != baseFixed {
		return Null
	}
	want, ok := t.dates[0].value.resolve(env)
	if !ok {
		return Null
	}
	return truth(ordered(t.op, have.at.Compare(want)))
}
