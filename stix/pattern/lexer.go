package pattern

import (
	"strings"
	"unicode/utf8"
)

// kind is what a token is.
type kind uint8

const (
	tEnd      kind = iota
	tBad           // nothing the language has; the lexer's fault says what
	tName          // an identifier without a hyphen
	tHyphened      // an identifier with one: object types only
	tString
	tInt // the sign, if any, is part of it
	tFloat
	tBinary
	tHex
	tTimestamp
	tOpen  // [
	tClose // ]
	tLeft  // (
	tRight // )
	tColon
	tDot
	tComma
	tStar
	tEqual
	tNotEqual
	tLess
	tLessEqual
	tGreater
	tGreaterEqual
	tAnd
	tOr
	tNot
	tFollowedBy
	tLike
	tMatches
	tIsSuperset
	tIsSubset
	tExists
	tIn
	tStart
	tStop
	tSeconds
	tWithin
	tRepeats
	tTimes
	tTrue
	tFalse
	tLast // reserved, without a use
	tPath // a whole path that was read before: made by the parser

	tKinds // how many there are
)

// Classes of bytes.
const (
	isLetter = 1 << iota // a letter or _
	isDigit
	isHyphen
	isSpace
	isBase64
	isHexDigit
)

var class = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			t[c] = isLetter | isBase64
		case c >= '0' && c <= '9':
			t[c] = isDigit | isBase64 | isHexDigit
		}
	}
	for _, c := range "abcdefABCDEF" {
		t[c] |= isHexDigit
	}
	for _, c := range " \t\r\n\v\f" {
		t[c] = isSpace
	}
	t['_'], t['-'], t['+'], t['/'] = isLetter, isHyphen, isBase64, isBase64
	return t
}()

// begins are the kinds of tokens by their first byte: what it can be at its shortest.
var begins = func() (t [256]kind) {
	for c := range t {
		switch {
		case class[c]&isLetter != 0:
			t[c] = tName
		case class[c]&isDigit != 0:
			t[c] = tInt
		default:
			t[c] = tBad
		}
	}
	for c, k := range map[byte]kind{
		'[': tOpen, ']': tClose, '(': tLeft, ')': tRight, ':': tColon, ',': tComma, '*': tStar, '\'': tString,
		'+': tInt, '-': tInt, '.': tInt, '=': tLess, '!': tLess, '<': tLess, '>': tLess,
	} {
		t[c] = k
	}
	return t
}()

// token is one token, by its place in the source.
type token struct {
	pos, end int
	kind     kind
	escaped  bool // a text with backslashes in it
}

// text is where the text of a token begins and ends: what is between its quotes.
func (t *token) text() (from, to int) {
	switch t.kind {
	case tString:
		return t.pos + 1, t.end - 1
	case tBinary, tHex, tTimestamp:
		return t.pos + 2, t.end - 1
	}
	return t.pos, t.end
}

// lexer cuts a pattern into tokens, the longest that can be, as the grammar's does.
type lexer struct {
	src string
	at  int
	// escape is where the first backslash from there on is, if not before the place:
	// most patterns have none, and are then searched once.
	escape int
	// why says what is wrong with the last tBad.
	why string
}

func (l *lexer) next(t *token) {
	src, at := l.src, l.at
	for at < len(src) && class[src[at]]&isSpace != 0 {
		at++
	}
	if at < len(src) && begins[src[at]] == tBad {
		at = skip(src, at)
	}
	if at == len(src) {
		*t, l.at = token{pos: at, end: at}, at
		return
	}
	*t = token{pos: at, end: at + 1, kind: begins[src[at]]}
	switch t.kind {
	case tName:
		l.word(t)
	case tString:
		l.quoted(t)
	case tInt:
		l.number(t)
	case tLess:
		l.relation(t)
	case tBad:
		l.stranger(t)
	}
	l.at = t.end
}

// skip passes over spaces of Unicode and comments.
func skip(src string, at int) int {
	for at < len(src) {
		rest := src[at:]
		switch {
		case class[src[at]]&isSpace != 0:
			at++
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexAny(rest, "\r\n")
			if end < 0 {
				return len(src)
			}
			at += end
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return at
			}
			at += end + 4
		default:
			r, n := utf8.DecodeRuneInString(rest)
			if !wideSpace(r) {
				return at
			}
			at += n
		}
	}
	return at
}

func wideSpace(r rune) bool {
	switch r {
	case 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200A
}

func (l *lexer) word(t *token) {
	src, at := l.src, t.pos+1
	for at < len(src) && class[src[at]]&(isLetter|isDigit) != 0 {
		at++
	}
	if at < len(src) && src[at] == '-' {
		for at < len(src) && class[src[at]]&(isLetter|isDigit|isHyphen) != 0 {
			at++
		}
		t.kind, t.end = tHyphened, at
		return
	}
	t.end = at
	c := src[t.pos]
	if at-t.pos == 1 && at < len(src) && src[at] == '\'' {
		l.typed(t, c)
		return
	}
	if mayBeKeyword(c) {
		t.kind = keyword(src[t.pos:at])
	}
}

// mayBeKeyword goes by the first letter.
func mayBeKeyword(c byte) bool { return c <= 'W' && c >= 'A' || c == 't' || c == 'f' }

// keyword tells reserved words from names. They are in capitals, but for true and
// false.
func keyword(text string) kind {
	switch text {
	case "AND":
		return tAnd
	case "OR":
		return tOr
	case "NOT":
		return tNot
	case "FOLLOWEDBY":
		return tFollowedBy
	case "LIKE":
		return tLike
	case "MATCHES":
		return tMatches
	case "ISSUPERSET":
		return tIsSuperset
	case "ISSUBSET":
		return tIsSubset
	case "EXISTS":
		return tExists
	case "LAST":
		return tLast
	case "IN":
		return tIn
	case "START":
		return tStart
	case "STOP":
		return tStop
	case "SECONDS":
		return tSeconds
	case "true":
		return tTrue
	case "false":
		return tFalse
	case "WITHIN":
		return tWithin
	case "REPEATS":
		return tRepeats
	case "TIMES":
		return tTimes
	}
	return tName
}

// plain looks for the end of a string whose text begins at a place, and tells whether
// there is one and nothing is escaped.
func (l *lexer) plain(from int) (end int, ok bool) {
	if l.escape < from {
		l.escape = indexFrom(l.src, from, '\\')
	}
	end = indexFrom(l.src, from, '\'')
	return end, end < min(l.escape, len(l.src))
}

// quoted reads a string.
func (l *lexer) quoted(t *token) {
	src, from := l.src, t.pos+1
	if end, ok := l.plain(from); ok {
		t.end = end + 1
		return
	}
	for at := from; at < len(src); {
		switch src[at] {
		case '\'':
			t.end = at + 1
			return
		case '\\':
			if at+1 == len(src) || src[at+1] != '\'' && src[at+1] != '\\' {
				l.bad(t, at+1, `a backslash stands for itself only when doubled: in a string write \\ for \ and \' for '`)
				t.pos = at
				return
			}
			t.escaped = true
			at += 2
		default:
			at++
		}
	}
	l.bad(t, len(src), "a string without its closing quote")
}

// indexFrom returns the place of the first c from a place on, the end if there is none.
func indexFrom(src string, from int, c byte) int {
	if n := strings.IndexByte(src[from:], c); n >= 0 {
		return from + n
	}
	return len(src)
}

func (l *lexer) bad(t *token, end int, why string) {
	t.kind, t.end, l.why = tBad, max(end, t.pos+1), why
}

// typed reads b'…', h'…' and t'…'; t is the letter.
func (l *lexer) typed(t *token, letter byte) {
	if letter != 'b' && letter != 'h' && letter != 't' {
		return // a name, and a string behind it
	}
	from := t.end + 1
	n := strings.IndexByte(l.src[from:], '\'')
	if n < 0 {
		l.bad(t, len(l.src), string(letter)+"'… without its closing quote")
		return
	}
	text := l.src[from : from+n]
	t.end = from + n + 1
	switch letter {
	case 'b':
		t.kind = tBinary
		if !base64Text(text) {
			l.bad(t, t.end, "b'…' needs base64 in groups of four characters")
		}
	case 'h':
		t.kind = tHex
		if !hexText(text) {
			l.bad(t, t.end, "h'…' needs hexadecimal digits in pairs")
		}
	case 't':
		t.kind = tTimestamp
		if !timestampText(text) {
			l.bad(t, t.end, "t'…' needs a timestamp such as t'2026-01-31T12:00:00Z'")
		}
	}
}

func hexText(s string) bool {
	for i := range len(s) {
		if class[s[i]]&isHexDigit == 0 {
			return false
		}
	}
	return len(s)%2 == 0
}

func base64Text(s string) bool {
	if len(s) == 0 || len(s)%4 != 0 {
		return false
	}
	padding := 0
	for strings.HasSuffix(s, "=") && padding < 2 {
		s = s[:len(s)-1]
		padding++
	}
	for i := range len(s) {
		if class[s[i]]&isBase64 == 0 {
			return false
		}
	}
	return true
}

// timestampText checks the form YYYY-MM-DDTHH:MM:SS[.fraction]Z and the range of
// each field, not that the month has the day. A leap second is a second.
func timestampText(s string) bool {
	const form = "0000-00-00T00:00:00"
	if len(s) < len(form)+1 || s[len(s)-1] != 'Z' {
		return false
	}
	for i := range len(form) {
		if form[i] == '0' && class[s[i]]&isDigit == 0 || form[i] != '0' && s[i] != form[i] {
			return false
		}
	}
	two := func(at int) int { return int(s[at]-'0')*10 + int(s[at+1]-'0') }
	if m, d := two(5), two(8); m < 1 || m > 12 || d < 1 || d > 31 {
		return false
	}
	if two(11) > 23 || two(14) > 59 || two(17) > 60 {
		return false
	}
	fraction := s[len(form) : len(s)-1]
	if fraction == "" {
		return true
	}
	for i := 1; i < len(fraction); i++ {
		if class[fraction[i]]&isDigit == 0 {
			return false
		}
	}
	return fraction[0] == '.' && len(fraction) > 1
}

// number reads [+-]digits or [+-][digits].digits. An integer has no leading zeros.
func (l *lexer) number(t *token) {
	src, at := l.src, t.pos
	if src[at] == '+' || src[at] == '-' {
		at++
	}
	first := at
	for at < len(src) && class[src[at]]&isDigit != 0 {
		at++
	}
	if at+1 < len(src) && src[at] == '.' && class[src[at+1]]&isDigit != 0 {
		for at++; at < len(src) && class[src[at]]&isDigit != 0; at++ {
		}
		t.kind, t.end = tFloat, at
		return
	}
	switch {
	case at > first && (src[first] != '0' || at == first+1):
		t.kind, t.end = tInt, at
	case at > first:
		l.bad(t, at, "an integer has no leading zeros")
	case src[t.pos] == '.':
		t.kind, t.end = tDot, t.pos+1
	default:
		l.bad(t, at, "a sign without digits")
	}
}

// relation reads = == != <> < <= > >=.
func (l *lexer) relation(t *token) {
	c, next := l.src[t.pos], byte(0)
	if t.pos+1 < len(l.src) {
		next = l.src[t.pos+1]
	}
	n := 2
	switch {
	case c == '=' && next == '=':
		t.kind = tEqual
	case c == '=':
		t.kind, n = tEqual, 1
	case c == '!' && next == '=', c == '<' && next == '>':
		t.kind = tNotEqual
	case c == '<' && next == '=':
		t.kind = tLessEqual
	case c == '<':
		t.kind, n = tLess, 1
	case c == '>' && next == '=':
		t.kind = tGreaterEqual
	case c == '>':
		t.kind, n = tGreater, 1
	default:
		l.stranger(t)
		return
	}
	t.end = t.pos + n
}

// stranger is a character that begins no token.
func (l *lexer) stranger(t *token) {
	c, size := utf8.DecodeRuneInString(l.src[t.pos:])
	l.bad(t, t.pos+size, "a character that has no meaning here")
	if c == '"' {
		l.why = "strings stand between single quotes"
	}
}
