package http

import (
	"context"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGolden(t *testing.T) { sdktest.GoldenSource(t, "http", "testdata", *update) }

func TestConformance(t *testing.T) {
	s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		user, pass, _ := r.BasicAuth()
		switch {
		case user != "soc" || pass != "s3cret-pass" || r.URL.Query().Get("k") != "s3cret-param" || r.Header.Get("X-Api-Key") != "s3cret-head":
			nethttp.Error(w, "who are you", nethttp.StatusUnauthorized)
		case r.URL.Path == "/stalled":
			_, _ = io.WriteString(w, "192.0.2.1\n")
			_ = nethttp.NewResponseController(w).Flush()
			<-r.Context().Done()
		case r.URL.Path == "/broken":
			w.WriteHeader(nethttp.StatusInternalServerError)
		default:
			_, _ = io.WriteString(w, "192.0.2.1\n192.0.2.2\n")
		}
	}))
	t.Cleanup(s.Close)
	config := func(path string) string {
		return fmt.Sprintf("{url: '%s%s?token=s3cret-query', kind: ip, proxy: direct, auth: {username: soc, password: s3cret-pass}, "+
			"headers: {X-Api-Key: s3cret-head}, params: {k: s3cret-param}}", s.URL, path)
	}
	sdktest.TestSource(t, "http", sdktest.SourceCase{
		Config: config("/list"), Broken: config("/broken"), Stalled: config("/stalled"), Unchanged: true,
		Secrets: []string{"s3cret-pass", "s3cret-head", "s3cret-param"},
	})
	src := build(t, config("/broken"))
	_, err := src.Poll(t.Context(), nil, &sdktest.RecordingSink{})
	if err == nil || strings.Contains(err.Error()+src.Info().Origin, "s3cret") || !src.Info().Login {
		t.Errorf("%v, %+v", err, src.Info())
	}
}

func build(t *testing.T, config string) sdk.Source {
	t.Helper()
	return sdktest.Build(t, sdktest.Class(t, sdk.RoleSource, "http"), config, sdktest.Env(t))
}

// E4: a transfer that breaks off is an error; whole lines may be added, the piece
// of a line at the end may not, and JSON adds nothing.
func TestE4_IncompleteReadIsAnError(t *testing.T) {
	s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, map[string]string{
			"/line": "192.0.2.1\n192.0.2.2\n192.0.2.3", "/json": `["192.0.2.1","192.0.2.2",`, "/html": "<html>\nx y\n", "/piece": "192.0.2.1",
		}[r.URL.Path])
	}))
	t.Cleanup(s.Close)
	for path, want := range map[string]string{
		"/line": "+ ipv4 192.0.2.1\n+ ipv4 192.0.2.2\n", "/json": "", "/piece": "", "/html": "! 1 not_an_address \"<html>\"\n! 2 not_an_address \"x\"\n",
	} {
		format := ""
		if path == "/json" {
			format = ", json: {}"
		}
		src := build(t, fmt.Sprintf("{url: '%s%s', kind: ip, proxy: direct%s}", s.URL, path, format))
		var out sdktest.RecordingSink
		p, err := src.Poll(t.Context(), nil, &out)
		if err == nil || !strings.Contains(err.Error(), "ended before its announced end") || p.Next != nil {
			t.Errorf("%s: %+v, %v", path, p, err)
		}
		if out.String() != want {
			t.Errorf("%s added\n%swant\n%s", path, out.String(), want)
		}
	}
}

// E3: validators belong to the parse configuration they were stored with.
func TestE3_ChangedParseConfigIsNotHiddenByA304(t *testing.T) {
	s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(nethttp.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "192.0.2.1 5\n")
	}))
	t.Cleanup(s.Close)
	plain := build(t, fmt.Sprintf("{url: '%s', proxy: direct}", s.URL))
	p, err := plain.Poll(t.Context(), nil, &sdktest.RecordingSink{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := plain.Poll(t.Context(), p.Next, &sdktest.RecordingSink{}); err != nil || !again.NotModified || again.Body != p.Body {
		t.Fatalf("same config: %+v, %v", again, err)
	}
	edited := build(t, fmt.Sprintf(`{url: '%s', proxy: direct, line: '(?P<indicator>\S+) (?P<severity>\d)'}`, s.URL))
	var out sdktest.RecordingSink
	q, err := edited.Poll(t.Context(), p.Next, &out)
	if err != nil || q.NotModified || out.String() != "+ ipv4 192.0.2.1 {\"severity\":5}\n" {
		t.Errorf("edited config: %+v, %v\n%s", q, err, out.String())
	}
}

func TestEqualBodyWithoutValidatorsIsNotReadAgain(t *testing.T) {
	var body atomic.Value
	body.Store("192.0.2.1\n")
	s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) { _, _ = io.WriteString(w, body.Load().(string)) }))
	t.Cleanup(s.Close)
	src := build(t, fmt.Sprintf("{url: '%s', proxy: direct}", s.URL))
	p, err := src.Poll(t.Context(), nil, &sdktest.RecordingSink{})
	if err != nil {
		t.Fatal(err)
	}
	if q, err := src.Poll(t.Context(), p.Next, &sdktest.RecordingSink{}); err != nil || !q.NotModified {
		t.Errorf("%+v, %v", q, err)
	}
	body.Store("192.0.2.2\n")
	if q, err := src.Poll(t.Context(), p.Next, &sdktest.RecordingSink{}); err != nil || q.NotModified || q.Body == p.Body {
		t.Errorf("%+v, %v", q, err)
	}
	if q, err := src.Poll(t.Context(), []byte("not ours"), &sdktest.RecordingSink{}); err != nil || q.NotModified {
		t.Errorf("strange state: %+v, %v", q, err)
	}
}

func TestTLSWithOwnAuthority(t *testing.T) {
	s := httptest.NewTLSServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) { _, _ = io.WriteString(w, "192.0.2.1\n") }))
	t.Cleanup(s.Close)
	env := sdktest.Env(t)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(env.BaseDir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	class := sdktest.Class(t, sdk.RoleSource, "http")
	src := sdktest.Build(t, class, fmt.Sprintf("{url: '%s', proxy: direct, ca_file: ca.pem}", s.URL), env)
	if _, err := src.Poll(context.Background(), nil, &sdktest.RecordingSink{}); err != nil {
		t.Error(err)
	}
}

func TestValidateNamesPlaces(t *testing.T) {
	class := sdktest.Class(t, sdk.RoleSource, "http")
	for config, path := range map[string]string{
		"{url: ftp://x/y}": "url", "{url: 'https://u:p@x/y'}": "url", "{url: 'https://x', shape: delta}": "shape",
		"{url: 'https://x', auth: {username: a, bearer: b}}": "auth", "{url: 'https://x', cert_file: a}": "cert_file",
		"{url: 'https://x', max_size: 0}": "max_size", "{url: 'https://x', kind: ipv5}": "kind",
		"{url: 'https://x', json: {items: 'a['}}": "json.items",
	} {
		cfg, err := sdktest.Decode(class, config)
		if err != nil {
			t.Fatal(config, err)
		}
		errs := cfg.(sdk.Validator).Validate()
		if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), path+": ") {
			t.Errorf("%s: %v, want one at %s", config, errs, path)
		}
	}
	cfg, err := sdktest.Decode(class, "{url: 'https://x', max_size: 1GB, idle_timeout: 5s}")
	if c, ok := cfg.(*Config); err != nil || !ok || c.MaxSize != 1<<30 || c.IdleTimeout != 5*time.Second {
		t.Errorf("%+v, %v", cfg, err)
	}
}
