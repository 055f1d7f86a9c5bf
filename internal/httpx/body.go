package httpx

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

var (
	errIdle    = errors.New("no data arrived within the idle timeout")
	errCut     = errors.New("the body ended before its announced end")
	errArchive = errors.New("the body is a zip archive, which is not read")
)

// tooLargeError is a body beyond its cap.
type tooLargeError struct {
	limit   int64
	decoded bool
}

func (e *tooLargeError) Error() string {
	if e.decoded {
		return fmt.Sprintf("the body decompresses to more than %d bytes", e.limit)
	}
	return fmt.Sprintf("the body is larger than %d bytes", e.limit)
}

// capped fails with tooLargeError once more than limit bytes were read.
type capped struct {
	r       io.Reader
	left    int64
	tooMuch *tooLargeError
}

func capAt(r io.Reader, limit int64, decoded bool) *capped {
	return &capped{r: r, left: limit, tooMuch: &tooLargeError{limit, decoded}}
}

func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1] // one more than allowed tells "exactly full" from "too much"
	}
	n, err := c.r.Read(p)
	if int64(n) > c.left {
		return 0, c.tooMuch
	}
	c.left -= int64(n)
	return n, err
}

// idleBody cancels the request when a single read takes longer than limit. It
// runs on the machine's time: what it bounds is the network.
type idleBody struct {
	body  io.Reader
	limit time.Duration
	timer *time.Timer
	fired atomic.Bool
}

func newIdleBody(body io.Reader, limit time.Duration, cancel context.CancelFunc) *idleBody {
	b := &idleBody{body: body, limit: limit}
	b.timer = time.AfterFunc(limit, func() { b.fired.Store(true); cancel() })
	b.timer.Stop()
	return b
}

func (b *idleBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.limit)
	n, err := b.body.Read(p)
	b.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) && b.fired.Load() {
		err = errIdle
	}
	return n, err
}

// decode undoes a Content-Encoding.
func decode(r io.Reader, encoding string) (io.ReadCloser, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return io.NopCloser(r), nil
	case "gzip", "x-gzip":
		return gzip.NewReader(r)
	case "zstd":
		return zstdReader(r)
	case "deflate":
		return inflate(r)
	}
	return nil, fmt.Errorf("the server answered with Content-Encoding %q, which was not asked for", encoding)
}

func zstdReader(r io.Reader) (io.ReadCloser, error) {
	// One goroutine-free decoder with a bounded window: a body may not choose
	// how much memory is spent on it.
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(32<<20))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// inflate reads "deflate", which by the standard is zlib and by some servers raw.
func inflate(r io.Reader) (io.ReadCloser, error) {
	br := bufio.NewReader(r)
	head, _ := br.Peek(2)
	if len(head) == 2 && head[0]&0x0f == 8 && (uint16(head[0])<<8|uint16(head[1]))%31 == 0 {
		return zlib.NewReader(br)
	}
	return flate.NewReader(br), nil
}

// Unpack undoes a file's own compression (gzip or zstd, told by their first
// bytes, as in list.csv.gz); anything else passes as it is. More than limit bytes
// out is an error. Close releases the decoder, not r.
func Unpack(r io.Reader, limit int64) (io.ReadCloser, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	rc, packed := io.NopCloser(br), true
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		rc, err = gzip.NewReader(br)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		rc, err = zstdReader(br)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return nil, errArchive
	default:
		err, packed = nil, false
	}
	if err != nil {
		return nil, fmt.Errorf("read compressed file: %w", err)
	}
	return &body{Reader: capAt(rc, limit, packed), close: rc.Close}, nil
}

// body is a reader with its own closing.
type body struct {
	io.Reader
	close func() error
}

// Close closes what is below.
func (b *body) Close() error { return b.close() }

// openBody wraps resp.Body: idle timeout, caps, Content-Encoding.
func (c *Client) openBody(resp *http.Response, cancel context.CancelFunc) (io.ReadCloser, error) {
	sent := resp.Body // Do replaces resp.Body by what is built here
	raw := capAt(newIdleBody(sent, c.o.Idle, cancel), c.o.MaxBody, false)
	dec, err := decode(raw, resp.Header.Get("Content-Encoding"))
	if errors.Is(err, io.EOF) && resp.ContentLength <= 0 {
		dec, err = io.NopCloser(raw), nil // an empty body needs no valid gzip header
	}
	if err != nil {
		_ = sent.Close() // the decoder's error is the one to tell
		return nil, err
	}
	return &body{Reader: capAt(dec, c.o.MaxBody, true), close: func() error {
		return errors.Join(dec.Close(), sent.Close())
	}}, nil
}
