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
	marked    bool // the token has a byte that nearly every short indicator has
}

// feed takes one byte.
func (s *scanner) feed(b byte) error {
	switch class := classes[b]; {
	case b == '\\':
		return s.escape()
	case b == '&':
		return s.entity()
	case class == lead:
		return s.wide(b)
	case class == delimiter || class == separator && !s.quoted:
		return s.cut(b, 1)
	}
	s.add(b)
	s.advance(b, 1)
	return nil
}

// cut ends the token at a delimiter of width bytes.
func (s *scanner) cut(b byte, width int) error {
	if err := s.end(); err != nil {
		return err
	}
	s.before = b
	s.advance(b, width)
	return nil
}

// put takes b, which an escape or an entity of width bytes stands for.
func (s *scanner) put(b byte, width int) error {
	if class := classes[b]; class == delimiter || class == separator && !s.quoted {
		return s.cut(b, width)
	}
	s.add(b)
	s.col += width
	return nil
}

// wide reads what may be a non-ASCII character that is no part of a word, with b
// as its first byte.
func (s *scanner) wide(b byte) error {
	next, _ := s.in.Peek(3)
	width, what := wideChar(b, next)
	if what == stop {
		what = delimiter // the end of a sentence
		if width <= len(next) && isAlnum(next[width-1]) && s.afterAlnum() {
			what = dot
		}
	}
	if width > 1 {
		_, _ = s.in.Discard(width - 1)
	}
	switch what {
	case delimiter:
		return s.cut(' ', width)
	case dot:
		return s.put('.', width)
	case 0:
		s.add(b)
	}
	s.advance(b, width)
	return nil
}

func (s *scanner) afterAlnum() bool { return len(s.token) > 0 && isAlnum(s.token[len(s.token)-1]) }

// entity reads a character of HTML, or the ampersand that it is not.
func (s *scanner) entity() error {
	next, _ := s.in.Peek(maxEntity)
	text, used := unentity(next)
	_, _ = s.in.Discard(used)
	return s.put(text, 1+used)
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
	case len(token) < minToken, !marked && len(token) < minDigest && (token[0] != 'A' || token[1] != 'S'):
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

// minDigest is the length of the shortest digest.
const minDigest = 32
