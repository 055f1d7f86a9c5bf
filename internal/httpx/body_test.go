package httpx

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/remeld/remeld/sdk"
)

func listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

func packed(tb testing.TB, how, text string) []byte {
	tb.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "raw":
		w, _ = flate.NewWriter(&b, 6)
	case "zstd":
		w, _ = zstd.NewWriter(&b)
	default:
		return []byte(text)
	}
	if _, err := io.WriteString(w, text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestContentEncodings(t *testing.T) {
	text := strings.Repeat("192.0.2.1\n", 1000)
	for _, tc := range []struct{ pack, header string }{{"gzip", "gzip"}, {"zlib", "deflate"}, {"raw", "deflate"}, {"zstd", "zstd"},
		{"gzip", ""}, {"zstd", ""}, {"", "identity"}} {
		data := packed(t, tc.pack, text)
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if tc.header != "" {
				w.Header().Set("Content-Encoding", tc.header)
			}
			_, _ = w.Write(data)
		})
		c, _ := client(t, nil)
		if _, body, err := fetch(t, c, s.URL, Validators{}); err != nil || body != text {
			t.Errorf("%s sent as %q: %d bytes, %v", tc.pack, tc.header, len(body), err)
		}
	}
}

func TestCompressionBombs(t *testing.T) {
	for _, how := range []string{"gzip", "zlib", "zstd"} {
		for _, header := range []string{"", map[string]string{"zlib": "deflate"}[how]} {
			data := packed(t, how, strings.Repeat("\x00", 8<<20))
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				enc := map[string]string{"gzip": "gzip", "zstd": "zstd", "zlib": "deflate"}[how]
				if header == "" && how != "zlib" {
					enc = "" // a compressed file
				}
				if enc != "" {
					w.Header().Set("Content-Encoding", enc)
				}
				_, _ = w.Write(data)
			})
			c, _ := client(t, func(o *Options) { o.MaxBody = 1 << 20 })
			_, _, err := fetch(t, c, s.URL, Validators{})
			wantError(t, err, sdk.Permanent, "decompresses to more than 1048576 bytes", "bomb", "max_size")
		}
	}
}

func TestBodyCap(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, map[string]int{"/full": 1000, "/over": 1001}[r.URL.Path]))
	})
	c, _ := client(t, func(o *Options) { o.MaxBody = 1000 })
	if d, _, err := fetch(t, c, s.URL+"/full", Validators{}); err != nil || d.Size != 1000 {
		t.Errorf("exactly full: %+v %v", d, err)
	}
	_, _, err := fetch(t, c, s.URL+"/over", Validators{})
	wantError(t, err, sdk.Permanent, "larger than 1000 bytes")
}

func TestDamagedAndForeignArchives(t *testing.T) {
	zipped := "PK\x03\x04 and so on"
	data := packed(t, "gzip", strings.Repeat("x", 10000))
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/zip":
			_, _ = io.WriteString(w, zipped)
		case "/short":
			_, _ = w.Write(data[:len(data)-6])
		case "/br":
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, "x")
		}
	})
	c, _ := client(t, func(o *Options) { o.Retries = -1 })
	_, _, err := fetch(t, c, s.URL+"/zip", Validators{})
	wantError(t, err, sdk.Permanent, "zip archive")
	_, _, err = fetch(t, c, s.URL+"/short", Validators{})
	wantError(t, err, sdk.Unavailable, "ended before")
	_, _, err = fetch(t, c, s.URL+"/br", Validators{})
	wantError(t, err, sdk.Unavailable, `Content-Encoding "br"`)
}

// stalling answers with a body that stops in the middle.
type stalling struct{}

func (stalling) RoundTrip(req *http.Request) (*http.Response, error) {
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, "first\n")
		<-req.Context().Done()
		_ = w.CloseWithError(req.Context().Err())
	}()
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: r, ContentLength: -1, Request: req}, nil
}

func TestIdleBodyIsGivenUp(t *testing.T) {
	path := t.TempDir() + "/body"
	synctest.Test(t, func(t *testing.T) {
		c, _ := client(t, func(o *Options) { o.Transport, o.Retries = stalling{}, -1 })
		start := time.Now()
		d, err := c.Fetch(context.Background(), "http://feeds.example/x", Validators{}, path)
		wantError(t, err, sdk.Unavailable, "idle timeout")
		if took := time.Since(start); took != DefaultIdle || d == nil || d.Size != 6 {
			t.Errorf("gave up after %s with %+v", took, d)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	for _, how := range []string{"", "gzip", "zstd"} {
		f.Add(packed(f, how, "192.0.2.1\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Unpack(bytes.NewReader(data), 1<<16)
		if err != nil {
			return
		}
		n, _ := io.Copy(io.Discard, r)
		_ = r.Close()
		if n > 1<<16 {
			t.Fatalf("%d bytes passed a cap of %d", n, 1<<16)
		}
	})
}
