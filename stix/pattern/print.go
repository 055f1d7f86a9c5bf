package pattern

import (
	"strconv"
	"strings"
)

// String prints the pattern in the one form that its meaning has: single spaces,
// no comments, no parentheses but the necessary ones, quotes around names only
// where the grammar wants them. Parsing it gives an equal pattern.
func (p *Pattern) String() string {
	return string(appendExpr(make([]byte, 0, len(p.src)+16), p.Root(), FollowedBy+1))
}

// appendExpr appends e as an argument of around.
func appendExpr(b []byte, e Expr, around Joint) []byte {
	switch e.Form() {
	case Test:
		return append(appendExpr(append(b, '['), e.Arg(), FollowedBy), ']')
	case Joined:
		return appendJoined(b, e, around)
	case Qualified:
		q := e.Qualifier()
		// The grammar forbids nothing here, but Check does: two of one kind.
		if e.Arg().has(q.Kind) {
			b = append(appendExpr(append(b, '('), e.Arg(), FollowedBy+1), ')')
		} else {
			b = appendExpr(b, e.Arg(), And)
		}
		return appendQualifier(append(b, ' '), q)
	}
	return appendComparison(b, e.Comparison())
}

func appendJoined(b []byte, e Expr, around Joint) []byte {
	op, first := e.Joint(), true
	if op >= around {
		b = append(b, '(')
	}
	for arg := range e.Args() {
		if !first {
			b = append(append(append(b, ' '), op.String()...), ' ')
		}
		b, first = appendExpr(b, arg, op), false
	}
	if op >= around {
		b = append(b, ')')
	}
	return b
}

// has tells whether e, or what it qualifies and so on, is qualified by kind.
func (e Expr) has(kind QualifierKind) bool {
	for ; e.Form() == Qualified; e = e.Arg() {
		if e.Qualifier().Kind == kind {
			return true
		}
	}
	return false
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

func appendComparison(b []byte, c Comparison) []byte {
	op := c.Op()
	if op == Exists {
		if c.Not() {
			b = append(b, "NOT "...)
		}
		return appendPath(append(b, "EXISTS "...), c.Path())
	}
	b = append(appendPath(b, c.Path()), ' ')
	if c.Not() {
		b = append(b, "NOT "...)
	}
	b = append(append(b, op.String()...), ' ')
	if op != In {
		return appendConstant(b, c.Value())
	}
	b = append(b, '(')
	first := true
	for v := range c.Values() {
		if !first {
			b = append(b, ", "...)
		}
		b, first = appendConstant(b, v), false
	}
	return append(b, ')')
}

// String prints the path.
func (p Path) String() string { return string(appendPath(nil, p)) }

func appendPath(b []byte, p Path) []byte {
	b = append(append(b, p.Type()...), ':')
	first := true
	for s := range p.Steps() {
		switch {
		case s.IsIndex && s.Index == Any:
			b = append(b, "[*]"...)
		case s.IsIndex:
			b = append(strconv.AppendInt(append(b, '['), int64(s.Index), 10), ']')
		default:
			if !first {
				b = append(b, '.')
			}
			b = appendKey(b, s.Key)
		}
		first = false
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
