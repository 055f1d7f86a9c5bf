package odata

import (
	"strings"
	"time"
)

type kind int

const (
	end kind = iota
	word
	text
	number
	moment
	punct // ( ) [ ] , / :
)

type token struct {
	kind kind
	text string // of text: unquoted
	time time.Time
	pos  int
}

type lexer struct {
	src string
	pos int
}

func (l *lexer) next() (token, error) {
	for l.pos < len(l.src) && (l.src[l.pos] == ' ' || l.src[l.pos] == '\t') {
		l.pos++
	}
	start := l.pos
	if start == len(l.src) {
		return token{kind: end, pos: start}, nil
	}
	c := l.src[start]
	switch {
	case c == '\'':
		return l.quoted()
	case strings.IndexByte("()[],/:", c) >= 0:
		l.pos++
		return token{kind: punct, text: string(c), pos: start}, nil
	case c == '-' || c >= '0' && c <= '9':
		return l.literal()
	case isLetter(c):
		for l.pos < len(l.src) && (isLetter(l.src[l.pos]) || isDigit(l.src[l.pos]) || l.src[l.pos] == '.') {
			l.pos++
		}
		return token{kind: word, text: l.src[start:l.pos], pos: start}, nil
	}
	return token{}, errorf(start, "Syntax error: character %q is not valid", rune(c))
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// quoted reads a string literal; a quote inside is doubled.
func (l *lexer) quoted() (token, error) {
	start := l.pos
	var b strings.Builder
	for i := start + 1; i < len(l.src); i++ {
		if l.src[i] != '\'' {
			b.WriteByte(l.src[i])
			continue
		}
		if i+1 < len(l.src) && l.src[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		l.pos = i + 1
		return token{kind: text, text: b.String(), pos: start}, nil
	}
	return token{}, errorf(start, "There is an unterminated string literal")
}

// literal reads a number or an unquoted timestamp.
func (l *lexer) literal() (token, error) {
	start := l.pos
	for l.pos < len(l.src) && (isLetter(l.src[l.pos]) || isDigit(l.src[l.pos]) || strings.IndexByte("+-:.", l.src[l.pos]) >= 0) {
		l.pos++
	}
	s := l.src[start:l.pos]
	if t, ok := parseTime(s); ok {
		return token{kind: moment, text: s, time: t, pos: start}, nil
	}
	digits := strings.TrimPrefix(s, "-")
	if digits != "" && strings.Trim(digits, "0123456789.") == "" {
		return token{kind: number, text: s, pos: start}, nil
	}
	return token{}, errorf(start, "Unknown literal '%s'", s)
}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
