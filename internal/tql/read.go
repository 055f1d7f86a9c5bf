package tql

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// InputError is what is wrong with a file of objects and where; lines count from 1.
type InputError struct {
	Line int
	Err  error
}

func (e *InputError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

func (e *InputError) Unwrap() error { return e.Err }

// pageStart is how a page of the v3 API begins: no object of it has such a member
// first.
var pageStart = regexp.MustCompile(`^\s*\{\s*"(next|data|prev|count|status|message)"\s*:`)

const (
	readBuffer = 1 << 16
	peeked     = 512
)

// ReadObjects calls fn for each object of r, which holds objects one after the other
// (one a line), a JSON array of them, or pages of the v3 API ({"data":[…]}). Memory
// is bounded by the largest object. raw is the object as it stands in r, valid
// during the call. Reading ends at the first error of fn, which is returned as it
// is; what is no JSON is an *InputError.
func ReadObjects(r io.Reader, fn func(raw []byte, o *Object) error) error {
	in := bufio.NewReaderSize(r, readBuffer)
	if mark, err := in.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(len(mark)) // a byte order mark; peeked at just now
	}
	start, _ := in.Peek(peeked) // what cannot be read shows when it is read
	lines := &lineReader{in: in}
	d := &reader{dec: jsontext.NewDecoder(lines, lenient), lines: lines, fn: fn, pages: pageStart.Match(start)}
	for {
		err := d.top()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return d.fail(err)
		}
	}
}

type reader struct {
	dec   *jsontext.Decoder
	lines *lineReader
	fn    func(raw []byte, o *Object) error
	pages bool
}

// callerError keeps what fn returned apart from what is wrong with the input.
type callerError struct{ error }

func (d *reader) fail(err error) error {
	var own callerError
	if errors.As(err, &own) {
		return own.error
	}
	at := d.dec.InputOffset()
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		at = syntax.ByteOffset
		err = syntax.Err
	}
	return &InputError{Line: d.lines.at(at), Err: err}
}

// top reads one value of the outermost level.
func (d *reader) top() error {
	d.lines.forget(d.dec.InputOffset())
	switch kind := d.dec.PeekKind(); {
	case kind == '[':
		return d.list()
	case kind == '{' && d.pages:
		return d.page()
	default:
		return d.one()
	}
}

// one reads one object.
func (d *reader) one() error {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	o, err := DecodeObject(raw)
	if err != nil {
		return err
	}
	if err := d.fn(raw, o); err != nil {
		return callerError{err}
	}
	return nil
}

func (d *reader) list() error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for d.dec.PeekKind() != ']' {
		d.lines.forget(d.dec.InputOffset())
		if err := d.one(); err != nil {
			return unexpected(err)
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

// page reads the data of one page. What the server answers in place of one is an
// error, not a page without indicators.
func (d *reader) page() error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	var status, message string
	for d.dec.PeekKind() != '}' {
		name, err := d.dec.ReadToken()
		if err != nil {
			return unexpected(err)
		}
		switch key := name.String(); {
		case key == "data" && d.dec.PeekKind() == '[':
			err = d.list()
		case key == "data" && d.dec.PeekKind() == '{':
			err = d.one() // the answer to a request for one object
		case key == "status":
			status, err = d.text()
		case key == "message":
			message, err = d.text()
		default:
			err = d.dec.SkipValue()
		}
		if err != nil {
			return unexpected(err)
		}
	}
	if status != "" && !strings.EqualFold(status, "success") {
		return fmt.Errorf("the server answered %s: %q", status, message)
	}
	_, err := d.dec.ReadToken()
	return err
}

// text reads a value that may be text.
func (d *reader) text() (string, error) {
	raw, err := d.dec.ReadValue()
	if err != nil || raw.Kind() != '"' {
		return "", err
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err
}

// unexpected is the end of the input inside something.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// lineReader knows in which line an offset lies that was read not long ago.
type lineReader struct {
	in   io.Reader
	read int64
	ends []int64 // offsets of line ends
	line int     // how many of ends are forgotten
	past int     // line ends forgotten that are no longer in ends
}

// Read implements io.Reader.
func (l *lineReader) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	l.past += l.line
	l.ends, l.line = l.ends[:copy(l.ends, l.ends[l.line:])], 0
	for i, c := range p[:n] {
		if c == '\n' {
			l.ends = append(l.ends, l.read+int64(i))
		}
	}
	l.read += int64(n)
	return n, err
}

// at returns the line of an offset.
func (l *lineReader) at(offset int64) int {
	line := l.past + l.line + 1
	for _, end := range l.ends[l.line:] {
		if end < offset {
			line++
		}
	}
	return line
}

// forget drops the line ends before offset.
func (l *lineReader) forget(offset int64) {
	for l.line < len(l.ends) && l.ends[l.line] < offset {
		l.line++
	}
}
