package format

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

var errRowTooLong = errors.New("a CSV row of more than 1 MB")

// rowBound ends the read when one row takes more than MaxLine bytes: the CSV
// reader keeps a whole row in memory, and an unclosed quote makes the rest of the
// body one row.
type rowBound struct {
	r      io.Reader
	handed int64
	mark   int64 // offset at which the row being read began
	last   byte  // the last one that ends no line
}

func (b *rowBound) Read(p []byte) (int, error) {
	if b.handed-b.mark > MaxLine {
		return 0, errRowTooLong
	}
	n, err := b.r.Read(p)
	b.handed += int64(n)
	if text := bytes.TrimRight(p[:n], "\r\n"); len(text) > 0 {
		b.last = text[len(text)-1]
	}
	return n, err
}

// The CSV reader knows one quote. Another one is read by exchanging the two on
// the way in and back in the fields; "none" exchanges with a control character
// that text does not hold.
func otherQuote(quote string) byte {
	switch quote {
	case "'":
		return '\''
	case "none":
		return 0x01
	}
	return 0
}

func swapQuote(r io.Reader, quote string) io.Reader {
	if other := otherQuote(quote); other != 0 {
		return &swapped{r, other}
	}
	return r
}

func unswap(field, quote string) string {
	other := otherQuote(quote)
	if other == 0 || !strings.ContainsAny(field, string([]byte{other, '"'})) {
		return field
	}
	b := []byte(field)
	swapBytes(b, other)
	return string(b)
}

type swapped struct {
	r     io.Reader
	other byte
}

func (s *swapped) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	swapBytes(p[:n], s.other)
	return n, err
}

func swapBytes(b []byte, other byte) {
	if bytes.IndexByte(b, '"') < 0 && bytes.IndexByte(b, other) < 0 {
		return
	}
	for i, c := range b {
		switch c {
		case '"':
			b[i] = other
		case other:
			b[i] = '"'
		}
	}
}
