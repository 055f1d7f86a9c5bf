// Package extract finds indicators in text of any form: prose, reports, CSV, JSON,
// logs. It undoes defanging, and it reports what looks like an indicator but is
// refused.
//
// Use it where the place of the indicators is not known. It is one pass in linear
// time over any input, and holds one token of bounded length.
package extract

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/remeld/remeld/indicator"
)

// maxToken bounds a token in bytes; a longer one is skipped, and refused if it
// begins like a URL.
const maxToken = 16 << 10

// Options narrow what is reported.
type Options struct {
	// Kinds are the kinds or families wanted; empty means all that can be found:
	// addresses, CIDRs, ranges, domains, URLs, e-mail addresses, digests and
	// certificate thumbprints.
	Kinds []indicator.Kind
}

// Match is one find. Line and Col count from 1, Col in bytes. Text is what stands
// there, Indicator what it means; where Refusal is set, Text looks like an
// indicator and is none.
type Match struct {
	Line, Col int
	Text      string
	Indicator indicator.Indicator
	Refusal   *indicator.Refusal
}

// Scan calls yield for every find in the order of the text; repeats are reported
// each time. An error of yield ends the scan and is returned as it is.
func Scan(r io.Reader, opts Options, yield func(Match) error) error {
	s := scanner{in: bufio.NewReaderSize(r, 64<<10), line: 1, col: 1, before: ' '}
	s.finder = finder{opts: opts, yield: yield}
	for {
		b, err := s.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return s.end()
		}
		if err != nil {
			return fmt.Errorf("read text: %w", err)
		}
		if err := s.feed(b); err != nil {
			return err
		}
	}
}

// scanner cuts text into tokens.
type scanner struct {
	finder
	in        *bufio.Reader
	line, col int // of the next byte
	before    byte
	token     []byte
	overlong  bool
	quoted    bool // the token follows a double quote: commas belong to it
	marked    bool // the token has a byte that every short indicator has
}

// feed takes one byte.
func (s *scanner) feed(b byte) error {
	width := 1
	switch class := classes[b]; {
	case b == '\\':
		return s.escape()
	case class == lead && s.dropPunctuation(b):
		width = 3
		b = ' '
		fallthrough
	case class == delimiter || class == separator && !s.quoted:
		if err := s.end(); err != nil {
			return err
		}
		s.before = b
		s.advance(b, width)
		return nil
	}
	s.add(b)
	s.advance(b, 1)
	return nil
}

// dropPunctuation consumes a non-ASCII quote, dash, space or bracket, whose first
// byte is b.
func (s *scanner) dropPunctuation(b byte) bool {
	next, _ := s.in.Peek(2)
	if len(next) < 2 || !wideDelimiter(b, next[0], next[1]) {
		return false
	}
	_, _ = s.in.Discard(2)
	return true
}

func (s *scanner) advance(b byte, width int) {
	if b == '\n' {
		s.line, s.col = s.line+1, 1
		return
	}
	s.col += width
}

func (s *scanner) add(b byte) {
	switch {
	case len(s.token) == 0 && !s.overlong:
		s.finder.line, s.finder.col = s.line, s.col
		s.quoted = s.before == '"'
	case len(s.token) >= maxToken:
		s.overlong = true
		return
	}
	s.token = append(s.token, b)
	s.marked = s.marked || marks[b]
}

// end closes the token.
func (s *scanner) end() error {
	token := s.token
	s.token = s.token[:0]
	overlong, quoted, marked := s.overlong, s.quoted, s.marked
	s.overlong, s.quoted, s.marked = false, false, false
	switch {
	case len(token) < minToken, !marked && len(token) < minDigest:
		return nil
	case overlong:
		return s.tooLong(token)
	}
	return s.find(string(token), quoted)
}

// escape reads a backslash: of JSON (\/ \" \n \u0026) or of a defanged dot.
// Anything else is a delimiter, as in a Windows path.
func (s *scanner) escape() error {
	next, _ := s.in.Peek(5)
	skip, text := unescape(next)
	if text == 0 {
		if err := s.end(); err != nil {
			return err
		}
		s.before = '\\'
	} else {
		s.add(text)
	}
	_, _ = s.in.Discard(skip)
	s.col += 1 + skip
	return nil
}

// unescape returns how many bytes after the backslash belong to the escape and
// the byte it stands for, 0 for a delimiter.
func unescape(next []byte) (skip int, text byte) {
	if len(next) == 0 {
		return 0, 0
	}
	switch next[0] {
	case '/', '.':
		return 1, next[0]
	case 'n', 'r', 't', '"':
		return 1, 0
	case 'u':
		if len(next) == 5 && next[1] == '0' && next[2] == '0' {
			return 5, hexByte(next[3], next[4])
		}
	}
	return 0, 0
}

// hexByte returns the printable ASCII character of two digits, 0 for none.
func hexByte(hi, lo byte) byte {
	const digits = "0123456789abcdef"
	h, l := slices.Index([]byte(digits), hi|0x20), slices.Index([]byte(digits), lo|0x20)
	if hi < 'A' {
		h = slices.Index([]byte(digits), hi)
	}
	if lo < 'A' {
		l = slices.Index([]byte(digits), lo)
	}
	if h < 2 || l < 0 || classes[byte(h<<4|l)] != 0 {
		return 0
	}
	return byte(h<<4 | l)
}

// The classes of bytes; 0 is part of a token.
const (
	delimiter = 1 + iota
	separator // a delimiter unless the token is in double quotes
	lead      // may begin a non-ASCII delimiter
)

var classes = func() (t [256]byte) {
	for b := range 0x21 {
		t[b] = delimiter
	}
	for _, b := range []byte("\"'`<>|\x7f") {
		t[b] = delimiter
	}
	t[','], t[';'] = separator, separator
	t[0xE2], t[0xE3], t[0xEF] = lead, lead, lead
	return t
}()

// marks are the bytes of which every indicator but a digest has one, defanged or
// not; most words of prose have none.
var marks = [256]bool{'.': true, ':': true, '@': true, '[': true, '(': true, '{': true}

// minDigest is the length of the shortest digest.
const minDigest = 32

// wideDelimiter knows the three-byte characters that surround words: general
// punctuation (U+2000–206F), CJK punctuation (U+3000–303F), full-width brackets
// and commas, the byte order mark.
func wideDelimiter(a, b, c byte) bool {
	switch a {
	case 0xE2:
		return b == 0x80 || b == 0x81 && c < 0xB0
	case 0xE3:
		return b == 0x80
	}
	return b == 0xBB && c == 0xBF || b == 0xBC && (c == 0x88 || c == 0x89 || c == 0x8C || c == 0x9A || c == 0x9B)
}
