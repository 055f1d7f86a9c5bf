package httpx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, change func(*Options)) (*Client, *sdktest.Clock) {
	t.Helper()
	clock := sdktest.NewClock(time.Time{})
	o := Options{Clock: clock, Proxy: "direct", PerSecond: 1e6}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c, clock
}

func fetch(t *testing.T, c *Client, url string, v Validators) (*Download, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "body")
	d, err := c.Fetch(context.Background(), url, v, path)
	if d == nil || d.NotModified {
		return d, "", err
	}
	b, rerr := os.ReadFile(path)
	if rerr != nil {
		t.Fatal(rerr)
	}
	return d, string(b), err
}

// wantError checks an error's failure and that its text holds each of words.
func wantError(t *testing.T, err error, kind sdk.Failure, words ...string) {
	t.Helper()
	var e *sdk.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *sdk.Error", err)
	}
	if e.Failure != kind {
		t.Errorf("failure %q, want %q: %v", e.Failure, kind, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func TestFetchConditional(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"v1"` && r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
		_, _ = io.WriteString(w, "hello")
	})
	c, _ := client(t, nil)
	d, body, err := fetch(t, c, s.URL, Validators{})
	if err != nil || body != "hello" || d.Size != 5 {
		t.Fatalf("got %q, %+v, %v", body, d, err)
	}
	if want := "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"; d.SHA256 != want {
		t.Errorf("sha256 %s, want %s", d.SHA256, want)
	}
	again, _, err := fetch(t, c, s.URL, d.Validators)
	if err != nil || !again.NotModified || again.Validators != d.Validators {
		t.Fatalf("second: %+v, %v", again, err)
	}
}

// A 304 that nobody asked for says nothing about our table.
func TestUnaskedNotModifiedIsAnError(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	c, _ := client(t, nil)
	if _, _, err := fetch(t, c, s.URL, Validators{}); err == nil {
		t.Fatal("a 304 to an unconditional GET passed for success")
	}
}

func TestStatusErrors(t *testing.T) {
	for status, want := range map[int]struct {
		kind sdk.Failure
		says string
	}{
		401: {sdk.Unauthorized, "refused the login"}, 403: {sdk.Forbidden, "does not allow"},
		404: {sdk.Missing, "moved or ended"}, 410: {sdk.Missing, "moved or ended"}, 429: {sdk.Throttled, "too often"},
		500: {sdk.Unavailable, "server failed"}, 503: {sdk.Unavailable, "server failed"},
		400: {sdk.Refused, "parameters"}, 206: {sdk.Unavailable, "incomplete"},
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		c, _ := client(t, func(o *Options) { o.Retries = -1 })
		_, _, err := fetch(t, c, s.URL+"/list.txt", Validators{})
		wantError(t, err, want.kind, want.says, "/list.txt", "HTTP ")
	}
}

func TestConnectionErrors(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	c, _ := client(t, func(o *Options) { o.Retries = -1 })
	_, _, err := fetch(t, c, dead.URL, Validators{})
	wantError(t, err, sdk.NotSent, "connection refused", "check host and port")
	_, _, err = fetch(t, c, "http://no-such-host.invalid/x", Validators{})
	wantError(t, err, sdk.NotSent, "no-such-host.invalid does not resolve", "DNS")
	for _, bad := range []string{"", "ftp://x/y", "::", "/x"} {
		_, _, err = fetch(t, c, bad, Validators{})
		wantError(t, err, sdk.Permanent, "https://host/path")
	}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	_, _, err = fetch(t, c, s.URL, Validators{})
	wantError(t, err, sdk.Unavailable, "closed the connection without an answer")
}

func TestE4_CutBodyIsAnError(t *testing.T) {
	cut := map[string]http.HandlerFunc{
		"short of Content-Length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "one\ntwo\n")
		},
		"chunked": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "one\ntwo\n")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	}
	for name, h := range cut {
		t.Run(name, func(t *testing.T) {
			s := serve(t, h)
			c, clock := client(t, nil)
			d, body, err := fetch(t, c, s.URL, Validators{})
			wantError(t, err, sdk.Unavailable, "ended before its announced end", "withdraws nothing")
			if d == nil || body != "one\ntwo\n" {
				t.Errorf("what arrived: %+v %q", d, body)
			}
			if n := len(clock.Slept()); n != DefaultRetries {
				t.Errorf("waited %d times, want %d", n, DefaultRetries)
			}
		})
	}
}

func TestRetriesGrowAndHonourRetryAfter(t *testing.T) {
	calls := 0
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch calls++; calls {
		case 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			w.Header().Set("Retry-After", "45")
			w.WriteHeader(http.StatusTooManyRequests)
		case 3:
			w.Header().Set("Date", "Thu, 01 Jan 2026 00:00:00 GMT")
			w.Header().Set("Retry-After", "Thu, 01 Jan 2026 00:01:30 GMT")
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			_, _ = io.WriteString(w, "ok")
		}
	})
	c, clock := client(t, func(o *Options) { o.Retries = 5 })
	if _, body, err := fetch(t, c, s.URL, Validators{}); err != nil || body != "ok" {
		t.Fatal(body, err)
	}
	slept := clock.Slept()
	if len(slept) != 3 || slept[0] < firstWait/2 || slept[0] >= 2*firstWait || slept[1] != 45*time.Second || slept[2] != 90*time.Second {
		t.Errorf("waits %v", slept)
	}
}

func TestRetryAfterBeyondTheCapEndsTheCall(t *testing.T) {
	calls := 0
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	c, clock := client(t, nil)
	_, _, err := fetch(t, c, s.URL, Validators{})
	wantError(t, err, sdk.Throttled, "2026-01-03T")
	var e *sdk.Error
	if errors.As(err, &e); !e.RetryAt.Equal(clock.Now().Add(24*time.Hour)) || calls != 1 {
		t.Errorf("retry at %s after %d calls", e.RetryAt, calls)
	}
}

func TestDoSendsOnce(t *testing.T) {
	calls := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	c, _ := client(t, nil)
	req, err := http.NewRequest(http.MethodPost, s.URL, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if calls != 1 || resp.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("%d calls, status %d: a write must be sent once", calls, resp.StatusCode)
	}
}

// TestPaceIsTheCallersToGiveUp: one host is asked at the pace of whoever named it
// first, and at none by a client that keeps the service's own limits.
func TestPaceIsTheCallersToGiveUp(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	ask := func(perSecond float64) int {
		c, clock := client(t, func(o *Options) { o.PerSecond = perSecond })
		for range 50 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
		return len(clock.Slept())
	}
	if n := ask(-1); n != 0 {
		t.Errorf("a client without a pace waited %d times", n)
	}
	if n := ask(5); n != 40 { // ten may go at once
		t.Errorf("a client with a pace waited %d times of 50", n)
	}
	if n := ask(-1); n != 0 {
		t.Errorf("a client without a pace waited %d times for the other's", n)
	}
}

func TestZones(t *testing.T) {
	for text, want := range map[string]zone{
		"169.254.169.254": zoneForbidden, "fe80::1%eth0": zoneForbidden, "::ffff:169.254.0.1": zoneForbidden,
		"64:ff9b::a9fe:a9fe": zoneForbidden, "fd00:ec2::254": zoneForbidden, "0.0.0.0": zoneForbidden, "::": zoneForbidden,
		"224.0.0.1": zoneForbidden, "127.0.0.1": zonePrivate, "::1": zonePrivate, "10.1.2.3": zonePrivate, "192.168.0.1": zonePrivate,
		"100.64.0.1": zonePrivate, "fd12::1": zonePrivate, "64:ff9b::a00:1": zonePrivate, "8.8.8.8": zonePublic, "2606:4700::1111": zonePublic,
	} {
		if got := zoneOf(netip.MustParseAddr(text)); got != want {
			t.Errorf("zone of %s is %d, want %d", text, got, want)
		}
	}
}

func TestGuardRefusesMetadata(t *testing.T) {
	c, _ := client(t, nil)
	for _, u := range []string{"http://169.254.169.254/latest/meta-data", "http://[fe80::1]/x", "http://0.0.0.0/"} {
		_, _, err := fetch(t, c, u, Validators{})
		wantError(t, err, sdk.Permanent, "never fetched from")
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
	})
	_, _, err := fetch(t, c, s.URL, Validators{})
	wantError(t, err, sdk.Permanent, "never fetched from")
}

// The loopback net stands in for the world: .1 counts as public, .2 as private,
// .3 as link-local. The name localhost is judged when it is resolved.
func TestGuardAfterResolution(t *testing.T) {
	inner := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "inner") }))
	l, err := listen("127.0.0.2:0")
	if err != nil {
		t.Skip("no second loopback address here:", err)
	}
	_ = inner.Listener.Close()
	inner.Listener = l
	inner.Start()
	t.Cleanup(inner.Close)
	outer := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inner.URL, http.StatusFound) })

	world := func(outerZone zone) func(netip.Addr) zone {
		return func(a netip.Addr) zone {
			return map[string]zone{"127.0.0.1": outerZone, "127.0.0.2": zonePrivate, "127.0.0.3": zoneForbidden}[a.String()]
		}
	}
	c, _ := client(t, nil)
	c.guard.zoneOf = world(zonePrivate)
	if _, body, err := fetch(t, c, outer.URL, Validators{}); err != nil || body != "inner" {
		t.Errorf("private to private: %q %v", body, err)
	}
	c.guard.zoneOf = world(zonePublic)
	_, _, err = fetch(t, c, outer.URL, Validators{})
	wantError(t, err, sdk.Permanent, "public server redirected to the private address 127.0.0.2")
	// A name: nothing literal to judge, so only the dialer can refuse.
	c.guard.zoneOf = func(netip.Addr) zone { return zoneForbidden }
	if err := c.guard.control(false)(t.Context(), "tcp", "127.0.0.1:80", nil); err == nil {
		t.Error("the dialer let a forbidden address through")
	}
}

func TestRedirects(t *testing.T) {
	loop := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) })
	c, _ := client(t, nil)
	_, _, err := fetch(t, c, loop.URL, Validators{})
	wantError(t, err, sdk.Permanent, "more than 10 redirects")
}

func TestCredentialsStayAtTheirOrigin(t *testing.T) {
	var got http.Header
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	var first http.Header
	home := serve(t, func(w http.ResponseWriter, r *http.Request) {
		first = r.Header.Clone()
		http.Redirect(w, r, other.URL, http.StatusFound)
	})
	c, _ := client(t, func(o *Options) {
		o.Auth = Auth{Username: "ann", Password: "hunter22"}
		o.Header = map[string]sdk.Secret{"X-Key": "k-12345"}
		o.Params = map[string]sdk.Secret{"token": "t-12345"}
	})
	if _, _, err := fetch(t, c, home.URL, Validators{}); err != nil {
		t.Fatal(err)
	}
	if first.Get("Authorization") == "" || first.Get("X-Key") != "k-12345" {
		t.Errorf("the origin got no credentials: %v", first)
	}
	for _, h := range []string{"Authorization", "X-Key", "Referer", "Cookie"} {
		if got.Get(h) != "" {
			t.Errorf("another host got %s: %s", h, got.Get(h))
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	secrets := []string{"s3cr3t-pass", "s3cr3t-header", "s3cr3t/param+x", "s3cr3tquery", "s3cr3tuser"}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:1/moved?"+r.URL.RawQuery)
		w.WriteHeader(http.StatusFound)
	})
	c, _ := client(t, func(o *Options) {
		o.Auth = Auth{Username: "u", Password: "s3cr3t-pass"}
		o.Header = map[string]sdk.Secret{"X-Key": "s3cr3t-header"}
		o.Params = map[string]sdk.Secret{"q": "s3cr3t/param+x"}
	})
	u := strings.Replace(s.URL, "http://", "http://s3cr3tuser:pw@", 1) + "/f?api_key=s3cr3tquery&list=a"
	_, _, err := fetch(t, c, u, Validators{})
	if err == nil {
		t.Fatal("want an error")
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, secret := range secrets {
			if strings.Contains(e.Error(), secret) || strings.Contains(e.Error(), "s3cr3t") {
				t.Errorf("%q shows %q", e, secret)
			}
		}
	}
	if !strings.Contains(err.Error(), "list=a") {
		t.Errorf("%q hides a harmless parameter", err)
	}
}

func TestRedactURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://u:p@h/x?Token=1&a=2":         "https://h/x?Token=[secret]&a=2",
		"https://h/x?auth-key=1&apiKey=2&k=3": "https://h/x?auth-key=[secret]&apiKey=[secret]&k=3",
		"https://h/x?keyword=1&client_secret": "https://h/x?keyword=1&client_secret",
		"https://h/x?sig=a%2Fb#frag":          "https://h/x?sig=[secret]",
		"http://[::1":                         "(unreadable URL)",
	} {
		if got := RedactURL(in); got != want {
			t.Errorf("RedactURL(%q) = %q, want %q", in, got, want)
		}
	}
}
