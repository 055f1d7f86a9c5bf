package tql

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is what a token is.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenString
	tokenNumber
	tokenSymbol // ( ) , = == != < > <= >= + -
)

// token is one lexical unit. text is the word as written, the unescaped string,
// the number as written or the symbol.
type token struct {
	kind   tokenKind
	text   string
	offset int
	end    int
}

func (t token) describe() string {
	switch t.kind {
	case tokenEnd:
		return "the end of the query"
	case tokenString:
		return "the value " + quote(t.text)
	default:
		return `"` + t.text + `"`
	}
}

// lex cuts src into tokens; the last is a tokenEnd.
func lex(src string) ([]token, *Error) {
	if len(src) > maxSource {
		return nil, errorAt(src, maxSource, "split the query", "query longer than 1 MiB")
	}
	var out []token
	for i := 0; ; {
		i += len(src[i:]) - len(strings.TrimLeftFunc(src[i:], unicode.IsSpace))
		if i >= len(src) {
			return append(out, token{kind: tokenEnd, offset: len(src), end: len(src)}), nil
		}
		t, err := lexOne(src, i)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		i = t.end
	}
}

func lexOne(src string, i int) (token, *Error) {
	switch c := src[i]; {
	case c == '"' || c == '\'' || c == '`':
		return lexString(src, i)
	case isDigit(c), c == '-' && i+1 < len(src) && (isDigit(src[i+1]) || src[i+1] == '.'),
		c == '.' && i+1 < len(src) && isDigit(src[i+1]):
		return lexNumber(src, i), nil
	case isLetter(c):
		return lexWord(src, i), nil
	case strings.IndexByte("(),=<>!+-", c) >= 0:
		return lexSymbol(src, i)
	default:
		r, _ := utf8.DecodeRuneInString(src[i:])
		help := ""
		switch r {
		case '“', '”', '‘', '’', '«', '»':
			help = `write values in plain quotes: "value"`
		case '&', '|':
			help = "write AND, OR"
		case '~':
			help = "write LIKE or CONTAINS"
		case '#', '/':
			help = "TQL has no comments"
		}
		return token{}, errorAt(src, i, help, "unexpected character %q", r)
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

// lexWord takes an identifier; dots are part of it for extra.NAME.
func lexWord(src string, i int) token {
	end := i
	for end < len(src) && (isLetter(src[end]) || isDigit(src[end]) || src[end] == '.') {
		end++
	}
	return token{kind: tokenWord, text: src[i:end], offset: i, end: end}
}

func lexNumber(src string, i int) token {
	end := i + 1
	for end < len(src) && (isDigit(src[end]) || src[end] == '.' || isLetter(src[end])) {
		end++ // letters are taken along, so that 12abc is one wrong number, not two tokens
	}
	return token{kind: tokenNumber, text: src[i:end], offset: i, end: end}
}

func lexSymbol(src string, i int) (token, *Error) {
	for _, s := range []string{"==", "!=", "<=", ">=", "<>", "=<", "=>"} {
		if !strings.HasPrefix(src[i:], s) {
			continue
		}
		switch s {
		case "<>":
			return token{}, errorAt(src, i, "write !=", "unknown operator %q", s)
		case "=<", "=>":
			return token{}, errorAt(src, i, "write "+s[1:]+"=", "unknown operator %q", s)
		}
		return token{kind: tokenSymbol, text: s, offset: i, end: i + 2}, nil
	}
	if src[i] == '!' {
		return token{}, errorAt(src, i, "write NOT, or != to compare", "unexpected character '!'")
	}
	return token{kind: tokenSymbol, text: src[i : i+1], offset: i, end: i + 1}, nil
}

// lexString takes a value in ", ' or `; a backslash escapes the quotes and
// itself and is literal before anything else.
func lexString(src string, start int) (token, *Error) {
	var b strings.Builder
	for i := start + 1; i < len(src); i++ {
		switch c := src[i]; {
		case c == src[start]:
			return token{kind: tokenString, text: b.String(), offset: start, end: i + 1}, nil
		case c == '\\' && i+1 < len(src) && strings.IndexByte("\"'`\\", src[i+1]) >= 0:
			i++
			b.WriteByte(src[i])
		default:
			b.WriteByte(c)
		}
	}
	return token{}, errorAt(src, start, "close it with "+src[start:start+1], "string without an end")
}

// quote writes a value as a TQL string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
