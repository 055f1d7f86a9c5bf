package tql

import (
	"strings"
	"unicode/utf8"
)

// manyValues is from where a list of values is looked up in a set instead of
// compared one by one.
const manyValues = 8

// matcher compares text with the literals of one predicate, any of which may
// match. Literals are folded once, at compile time; ASCII text is folded byte by
// byte while comparing, so that nothing is allocated.
type matcher struct {
	exact   bool
	ascii   bool // all literals are
	tests   []textPattern
	set     map[string]struct{} // of many equalities
	longest int
}

// textPattern is prefix … middle … suffix; whole means equality with prefix.
type textPattern struct {
	whole          bool
	prefix, suffix string
	middle         []string
}

func newMatcher(n *predicate, exact bool) matcher {
	m := matcher{exact: exact, ascii: true}
	for _, v := range n.values {
		lit := v.text
		if !exact {
			lit = strings.ToLower(lit)
		}
		m.ascii = m.ascii && isASCII(lit)
		m.longest = max(m.longest, len(lit))
		m.tests = append(m.tests, newPattern(n.op, lit))
	}
	if (n.op == opIn || n.op == opNotEqual || n.op == opEqual) && len(m.tests) > manyValues {
		m.set = make(map[string]struct{}, len(m.tests))
		for _, t := range m.tests {
			m.set[t.prefix] = struct{}{}
		}
	}
	return m
}

func newPattern(op operator, lit string) textPattern {
	switch op {
	case opContains:
		return textPattern{middle: []string{lit}}
	case opStartsWith:
		return textPattern{prefix: lit}
	case opEndsWith:
		return textPattern{suffix: lit}
	case opLike:
		parts := strings.Split(lit, "%")
		if len(parts) > 1 {
			last := len(parts) - 1
			return textPattern{prefix: parts[0], middle: parts[1:last], suffix: parts[last]}
		}
	}
	return textPattern{whole: true, prefix: lit}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (m *matcher) any(values []string) bool {
	for _, v := range values {
		if m.match(v) {
			return true
		}
	}
	return false
}

func (m *matcher) match(s string) bool {
	fold := !m.exact
	if fold && !m.ascii && !isASCII(s) {
		s, fold = strings.ToLower(s), false
	}
	if m.set != nil {
		return m.in(s, fold)
	}
	for i := range m.tests {
		if m.tests[i].match(s, fold) {
			return true
		}
	}
	return false
}

// in looks s up in the set, folded into a buffer on the stack if it is short.
func (m *matcher) in(s string, fold bool) bool {
	if len(s) > m.longest {
		return false
	}
	if !fold {
		_, ok := m.set[s]
		return ok
	}
	var buf [128]byte
	b := buf[:0]
	for i := range len(s) {
		b = append(b, lower(s[i]))
	}
	_, ok := m.set[string(b)]
	return ok
}

func lower(c byte) byte {
	if c-'A' < 26 {
		c += 'a' - 'A'
	}
	return c
}

func (p *textPattern) match(s string, fold bool) bool {
	if p.whole {
		return len(s) == len(p.prefix) && same(s, p.prefix, fold)
	}
	if len(s) < len(p.prefix)+len(p.suffix) ||
		!same(s[:len(p.prefix)], p.prefix, fold) ||
		!same(s[len(s)-len(p.suffix):], p.suffix, fold) {
		return false
	}
	rest := s[len(p.prefix) : len(s)-len(p.suffix)]
	for _, part := range p.middle {
		i := index(rest, part, fold)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return true
}

// same compares strings of equal length; lit is folded already.
func same(s, lit string, fold bool) bool {
	if s == lit {
		return true
	}
	if !fold {
		return false
	}
	for i := range len(s) {
		if lower(s[i]) != lit[i] {
			return false
		}
	}
	return true
}

// index finds lit in s.
func index(s, lit string, fold bool) int {
	if !fold || lit == "" {
		return strings.Index(s, lit)
	}
	for i := 0; i+len(lit) <= len(s); i++ {
		if lower(s[i]) == lit[0] && same(s[i:i+len(lit)], lit, true) {
			return i
		}
	}
	return -1
}
