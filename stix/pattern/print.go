package pattern

import (
	"strconv"
	"strings"
)

// String prints the pattern in the one form that its meaning has: single spaces,
// no comments, no parentheses but the necessary ones, quotes around names only
// where the grammar wants them. Parsing it gives an equal pattern.
func (p *Pattern) String() string {
	return string(appendObservation(make([]byte, 0, len(p.src)+16), p.Root, FollowedBy+1))
}

// appendObservation appends o as an argument of around.
func appendObservation(b []byte, o Observation, around Joint) []byte {
	switch o := o.(type) {
	case *Test:
		b = append(b, '[')
		b = appendCondition(b, o.Condition, FollowedBy)
		return append(b, ']')
	case *Qualified:
		// The grammar forbids nothing here, but Check does: two of one kind.
		if inner, ok := o.Of.(*Qualified); ok && inner.has(o.Qualifier.Kind) {
			b = append(b, '(')
			b = appendObservation(b, o.Of, FollowedBy+1)
			b = append(b, ')')
		} else {
			b = appendObservation(b, o.Of, And)
		}
		return appendQualifier(append(b, ' '), o.Qualifier)
	case *Combination:
		if o.Op >= around {
			b = append(b, '(')
		}
		for i, arg := range o.Args {
			if i > 0 {
				b = append(b, ' ')
				b = append(b, o.Op.String()...)
				b = append(b, ' ')
			}
			b = appendObservation(b, arg, o.Op)
		}
		if o.Op >= around {
			b = append(b, ')')
		}
	}
	return b
}

// has tells whether q or a qualifier right below it is of kind.
func (q *Qualified) has(kind QualifierKind) bool {
	for {
		if q.Qualifier.Kind == kind {
			return true
		}
		inner, ok := q.Of.(*Qualified)
		if !ok {
			return false
		}
		q = inner
	}
}

func appendQualifier(b []byte, q Qualifier) []byte {
	switch q.Kind {
	case Within:
		return append(append(append(b, "WITHIN "...), q.Number...), " SECONDS"...)
	case Repeats:
		return append(append(append(b, "REPEATS "...), q.Number...), " TIMES"...)
	}
	mark := "t'"
	if q.Quoted {
		mark = "'"
	}
	b = append(append(append(b, "START "...), mark...), q.Start...)
	b = append(append(append(b, "' STOP "...), mark...), q.Stop...)
	return append(b, '\'')
}

func appendCondition(b []byte, c Condition, around Joint) []byte {
	switch c := c.(type) {
	case *Comparison:
		return appendComparison(b, c)
	case *Junction:
		if c.Op >= around {
			b = append(b, '(')
		}
		for i, arg := range c.Args {
			if i > 0 {
				b = append(b, ' ')
				b = append(b, c.Op.String()...)
				b = append(b, ' ')
			}
			b = appendCondition(b, arg, c.Op)
		}
		if c.Op >= around {
			b = append(b, ')')
		}
	}
	return b
}

func appendComparison(b []byte, c *Comparison) []byte {
	if c.Op == Exists {
		if c.Not {
			b = append(b, "NOT "...)
		}
		return appendPath(append(b, "EXISTS "...), c.Path)
	}
	b = append(appendPath(b, c.Path), ' ')
	if c.Not {
		b = append(b, "NOT "...)
	}
	b = append(append(b, c.Op.String()...), ' ')
	if c.Op != In {
		return appendConstant(b, c.Values[0])
	}
	b = append(b, '(')
	for i, v := range c.Values {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendConstant(b, v)
	}
	return append(b, ')')
}

// String prints the path.
func (p *Path) String() string { return string(appendPath(nil, p)) }

func appendPath(b []byte, p *Path) []byte {
	b = append(append(b, p.Type...), ':')
	for i, s := range p.Steps {
		switch {
		case s.IsIndex && s.Index == Any:
			b = append(b, "[*]"...)
		case s.IsIndex:
			b = append(strconv.AppendInt(append(b, '['), int64(s.Index), 10), ']')
		default:
			if i > 0 {
				b = append(b, '.')
			}
			b = appendKey(b, s.Key)
		}
	}
	return b
}

// appendKey appends a property's name, between quotes unless it is an identifier
// that is no keyword.
func appendKey(b []byte, key string) []byte {
	plain := key != "" && class[key[0]]&isLetter != 0 && keyword(key) == tName
	for i := 0; i < len(key) && plain; i++ {
		plain = class[key[i]]&(isLetter|isDigit) != 0
	}
	if plain {
		return append(b, key...)
	}
	return appendQuoted(b, key)
}

func appendConstant(b []byte, c Constant) []byte {
	switch c.Kind {
	case String:
		return appendQuoted(b, c.Text)
	case Binary:
		return append(append(append(b, "b'"...), c.Text...), '\'')
	case Hex:
		return append(append(append(b, "h'"...), c.Text...), '\'')
	case Timestamp:
		return append(append(append(b, "t'"...), c.Text...), '\'')
	}
	return append(b, c.Text...)
}

// Quote writes s as a string constant of the language.
func Quote(s string) string { return string(appendQuoted(nil, s)) }

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '\'')
	for {
		i := strings.IndexAny(s, `'\`)
		if i < 0 {
			return append(append(b, s...), '\'')
		}
		b = append(append(b, s[:i]...), '\\', s[i])
		s = s[i+1:]
	}
}
