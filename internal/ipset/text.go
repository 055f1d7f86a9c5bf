package ipset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxLine is the longest line ReadText looks at.
const maxLine = 64 << 10

// maxShown is how much of a refused line is kept.
const maxShown = 80

// Refused is a line that is neither empty nor a comment nor addresses.
type Refused struct {
	Line   int // 1-based
	Text   string
	Reason string
}

func (r Refused) Error() string { return fmt.Sprintf("line %d: %s: %q", r.Line, r.Reason, r.Text) }

// ReadText adds the addresses of a text to b: one address, CIDR (length or
// netmask) or range (a-b) a line, spaces around, comments after # or ;, LF or
// CRLF, a byte order mark at the start. Other lines go to refuse, which may be
// nil. Memory does not depend on the length of a line.
func (b *Builder) ReadText(r io.Reader, refuse func(Refused)) error {
	br := bufio.NewReaderSize(r, maxLine)
	if mark, _ := br.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		if _, err := br.Discard(3); err != nil {
			return fmt.Errorf("reading addresses: %w", err)
		}
	}
	for n := 1; ; n++ {
		line, err := br.ReadSlice('\n')
		var reason string
		shown := line[:min(len(line), maxShown)]
		if errors.Is(err, bufio.ErrBufferFull) {
			reason, shown = reasonLong, append([]byte(nil), shown...)
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = br.ReadSlice('\n')
			}
		} else {
			reason = b.addLine(trimEnd(line))
		}
		if reason != "" && refuse != nil {
			refuse(Refused{Line: n, Text: string(trimEnd(shown)), Reason: reason})
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading addresses at line %d: %w", n, err)
		}
	}
}

func trimEnd(line []byte) []byte {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		n--
	}
	if n > 0 && line[n-1] == '\r' {
		n--
	}
	return line[:n]
}

// ReadText reads a whole text into a Set; see Builder.ReadText.
func ReadText(r io.Reader, refuse func(Refused)) (*Set, error) {
	var b Builder
	if err := b.ReadText(r, refuse); err != nil {
		return nil, err
	}
	return b.Set(), nil
}

// WriteCIDRs writes the fewest CIDRs of s, one a line; a single address is
// written without its length.
func (s *Set) WriteCIDRs(w io.Writer) error {
	return s.write(w, func(dst []byte, r span) []byte {
		for at, more := r.from, true; more; {
			next, bits, left := r.family.block(at, r.to)
			dst = r.family.append(dst, at)
			if bits < r.family.bits {
				dst = strconv.AppendInt(append(dst, '/'), int64(bits), 10)
			}
			dst = append(dst, '\n')
			at, more = next, left
		}
		return dst
	})
}

// WriteRanges writes the ranges of s as first-last, one a line; a single address
// is written alone.
func (s *Set) WriteRanges(w io.Writer) error {
	return s.write(w, func(dst []byte, r span) []byte {
		dst = r.family.append(dst, r.from)
		if r.from != r.to {
			dst = r.family.append(append(dst, '-'), r.to)
		}
		return append(dst, '\n')
	})
}

func (s *Set) write(w io.Writer, format func([]byte, span) []byte) error {
	const full = 64 << 10
	buf := make([]byte, 0, full+16<<10)
	for r := range s.spans() {
		if buf = format(buf, r); len(buf) >= full {
			if _, err := w.Write(buf); err != nil {
				return fmt.Errorf("writing addresses: %w", err)
			}
			buf = buf[:0]
		}
	}
	if _, err := w.Write(buf); err != nil {
		return fmt.Errorf("writing addresses: %w", err)
	}
	return nil
}

func (f family) append(dst []byte, u u128) []byte {
	if f.bits == 32 {
		return append4(dst, uint32(u.lo))
	}
	return f.addr(u).AppendTo(dst)
}
