package format

import (
	"bufio"
	"bytes"
	"io"

	"github.com/remeld/remeld/sdk"
)

// head is what the first bytes of a body tell.
type head struct{ html, binary bool }

// hint says what to do about a body that is no feed.
func (h head) hint() string {
	switch {
	case h.html:
		return "it is an HTML page, perhaps a login or error page: check the URL and the login"
	case h.binary:
		return "it is binary data: check the URL, or whether the file is packed in a way that is not read"
	}
	return "check the URL, kind and format of this source"
}

// sniff drops a UTF-8 byte order mark and refuses UTF-16 and UTF-32.
func sniff(r io.Reader) (io.Reader, head, error) {
	br := bufio.NewReaderSize(r, 4096)
	b, err := br.Peek(1024)
	if err != nil && err != io.EOF {
		return nil, head{}, err
	}
	if wideText(b) {
		return nil, head{}, &sdk.Error{Failure: sdk.Permanent, Message: "the body is UTF-16 or UTF-32 text, which is not read: have it written as UTF-8"}
	}
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		if _, err := br.Discard(3); err != nil {
			return nil, head{}, err
		}
		b = b[3:]
	}
	text := bytes.ToLower(bytes.TrimSpace(b))
	return br, head{
		html:   bytes.HasPrefix(text, []byte("<!doctype html")) || bytes.HasPrefix(text, []byte("<html")),
		binary: binaryData(b),
	}, nil
}

// binaryData: a zero, or more control characters than any text has. One byte in 256
// being zero, packed data can well have none among the first.
func binaryData(b []byte) bool {
	controls := 0
	for _, c := range b {
		switch {
		case c == 0:
			return true
		case c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != '\x1b':
			controls++
		}
	}
	return controls > len(b)/20
}

// wideText tells by the byte order mark, or by a zero at every other place.
func wideText(b []byte) bool {
	for _, bom := range []string{"\xff\xfe", "\xfe\xff", "\x00\x00\xfe\xff"} {
		if bytes.HasPrefix(b, []byte(bom)) {
			return true
		}
	}
	if len(b) < 8 {
		return false
	}
	var zero [2]int
	for i, c := range b {
		if c == 0 {
			zero[i&1]++
		}
	}
	half := len(b) / 2
	return zero[0] == 0 && zero[1] > half*9/10 || zero[1] == 0 && zero[0] > half*9/10
}
