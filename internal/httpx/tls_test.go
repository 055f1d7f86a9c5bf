package httpx

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

func caFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, "safe")
	}))
	t.Cleanup(s.Close)
	strict, _ := client(t, nil)
	_, _, err := fetch(t, strict, s.URL, Validators{})
	wantError(t, err, sdk.Permanent, "does not trust", "ca_file")

	c, _ := client(t, func(o *Options) { o.CAFile = caFile(t, s) })
	if _, body, err := fetch(t, c, s.URL, Validators{}); err != nil || body != "safe" {
		t.Fatal(body, err)
	}
	_, _, err = fetch(t, c, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), Validators{})
	wantError(t, err, sdk.Permanent, "not for localhost")
	_, _, err = fetch(t, c, s.URL+"/down", Validators{})
	wantError(t, err, sdk.Permanent, "unprotected http")

	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, _, err = fetch(t, c, strings.Replace(plain.URL, "http:", "https:", 1), Validators{})
	wantError(t, err, sdk.Permanent, "does not speak TLS")
}

func TestBadFilesAreFoundByNew(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	clock := sdktest.NewClock(time.Time{})
	for want, o := range map[string]Options{
		"no PEM certificate": {CAFile: empty}, "no such file": {CAFile: empty + "x"},
		"client certificate": {CertFile: empty, KeyFile: empty}, "proxy": {Proxy: "nonsense"}, "scheme": {Proxy: "ftp://x"},
	} {
		o.Clock = clock
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestProxy(t *testing.T) {
	var asked *url.URL
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL
		_, _ = io.WriteString(w, "proxied")
	})
	c, _ := client(t, func(o *Options) { o.Proxy = proxy.URL })
	_, body, err := fetch(t, c, "http://feeds.example/list", Validators{})
	if err != nil || body != "proxied" || asked.Host != "feeds.example" {
		t.Errorf("got %q, asked for %v, %v", body, asked, err)
	}
	_, _, err = fetch(t, c, "http://169.254.169.254/", Validators{})
	wantError(t, err, sdk.Permanent, "never fetched from")
}
