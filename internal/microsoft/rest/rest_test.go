package rest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/remeld/remeld/sdk"
)

// tokens hands out numbered tokens and counts what was forgotten.
type tokens struct {
	n, forgot int
	used      bool
}

func (t *tokens) Token(context.Context, string) (string, bool, error) {
	fresh := !t.used
	t.used = true
	return "fake-token-" + strconv.Itoa(t.n), fresh, nil
}

func (t *tokens) Forget() { t.n, t.forgot, t.used = t.n+1, t.forgot+1, false }

// room is a service and a client of it.
type room struct {
	*Client
	tokens *tokens
	seen   []string // path and token of each call
}

var served = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)

func serve(t *testing.T, answer http.HandlerFunc) *room {
	t.Helper()
	r := &room{tokens: &tokens{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.seen = append(r.seen, req.URL.RequestURI()+" "+req.Header.Get("Authorization"))
		w.Header().Set("Date", served.Format(http.TimeFormat))
		answer(w, req)
	}))
	t.Cleanup(s.Close)
	r.Client = New(Options{Service: "Service", Base: s.URL, Scope: "scope", Tokens: r.tokens, HTTP: s.Client(), Role: "grant the role"})
	return r
}

// TestForgedNextLinkNeverGetsTheToken: whatever a next page is called, the token goes
// to the API's own host.
func TestForgedNextLinkNeverGetsTheToken(t *testing.T) {
	leaked := false
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked = true }))
	t.Cleanup(evil.Close)
	r := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	host := strings.TrimPrefix(r.o.Base, "http://")
	for _, next := range []string{
		evil.URL + "/page2", "https://" + host + "/page2", "http://" + host + "@" + strings.TrimPrefix(evil.URL, "http://") + "/page2",
		"page2", "", "http://[::1", "ftp://" + host + "/",
		"http://" + host + ".evil.example/page2", "http://evil.example/?" + r.o.Base, "\\\\" + host,
	} {
		if _, err := r.Call(t.Context(), http.MethodGet, next, nil); sdk.FailureOf(err) != sdk.Permanent {
			t.Errorf("%q: %v", next, err)
		}
	}
	if leaked || len(r.seen) > 0 {
		t.Errorf("leaked %v, seen %v", leaked, r.seen)
	}
	for _, next := range []string{"/a?$skip=1", r.o.Base + "/a?$skip=1", strings.ToUpper(r.o.Base[:4]) + r.o.Base[4:] + "/a?$skip=1"} {
		if _, err := r.Call(t.Context(), http.MethodGet, next, nil); err != nil {
			t.Errorf("%q: %v", next, err)
		}
	}
	for _, s := range r.seen {
		if s != "/a?$skip=1 Bearer fake-token-0" {
			t.Errorf("%s", s)
		}
	}
}

// A path that begins with two slashes is a path, not another host.
func TestPathWithTwoSlashesStaysAtTheHost(t *testing.T) {
	r := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	if _, err := r.Call(t.Context(), http.MethodGet, "//evil.example/x", nil); err != nil || len(r.seen) != 1 {
		t.Errorf("%v %v", err, r.seen)
	}
}

func TestRetryAfterForms(t *testing.T) {
	at := served.Add(90 * time.Second)
	for _, test := range []struct {
		header, message string
		want            time.Duration // after served; -1: nothing is said
	}{
		{"8", "", 8 * time.Second},
		{"0", "", 0},
		{"2.128", "", 2128 * time.Millisecond},
		{at.Format(http.TimeFormat), "", 90 * time.Second},
		{"", "You can send requests again in 8 seconds.", 8 * time.Second},
		{"", "Rate limit is exceeded. Try again in 1 second.", time.Second},
		{"3", "again in 8 seconds", 3 * time.Second},
		{"", "Try again in 99999999999999999999 seconds.", -1},
		{"soon", "", -1}, {"-5", "", -1}, {"NaN", "", -1}, {"1e300", "", -1}, {"", "", -1},
	} {
		r := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if test.header != "" {
				w.Header().Set("Retry-After", test.header)
			}
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte(`{"error":{"code":"429","message":"` + test.message + `"}}`))
		})
		_, err := r.Call(t.Context(), http.MethodPost, "/x", []byte("{}"))
		var e *sdk.Error
		if !errors.As(err, &e) || e.Failure != sdk.Throttled {
			t.Fatalf("%+v: %v", test, err)
		}
		if want := served.Add(test.want); test.want < 0 != e.RetryAt.IsZero() || test.want >= 0 && !e.RetryAt.Equal(want) {
			t.Errorf("%+v: retry at %v", test, e.RetryAt)
		}
	}
}

// TestA401IsJudgedByTheTokensAge: an aged token may simply have ended, and the call
// counts as not made; a fresh one that is refused stops.
func TestA401IsJudgedByTheTokensAge(t *testing.T) {
	status := http.StatusOK
	r := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	if _, err := r.Call(t.Context(), http.MethodGet, "/x", nil); err != nil {
		t.Fatal(err)
	}
	status = http.StatusUnauthorized
	if _, err := r.Call(t.Context(), http.MethodGet, "/x", nil); sdk.FailureOf(err) != sdk.NotSent || r.tokens.forgot != 1 {
		t.Errorf("aged: %v, forgot %d", err, r.tokens.forgot)
	}
	if _, err := r.Call(t.Context(), http.MethodGet, "/x", nil); sdk.FailureOf(err) != sdk.Unauthorized || !strings.Contains(err.Error(), "tenant and cloud") {
		t.Errorf("fresh: %v", err)
	}
	if last := r.seen[len(r.seen)-1]; last != "/x Bearer fake-token-1" {
		t.Errorf("the new token was not used: %s", last)
	}
}

func TestStatusIsWhatMayBeDone(t *testing.T) {
	for status, want := range map[int]sdk.Failure{
		400: sdk.Refused, 403: sdk.Forbidden, 404: sdk.Missing, 408: sdk.Unavailable, 409: sdk.Refused, 413: sdk.Refused,
		429: sdk.Throttled, 500: sdk.Unavailable, 503: sdk.Unavailable, 302: sdk.Unavailable, 307: sdk.Unavailable,
	} {
		r := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"statusCode":1,"message":"in words"}`))
		})
		reply, err := r.Call(t.Context(), http.MethodPost, "/x", []byte("{}"))
		if sdk.FailureOf(err) != want || !strings.Contains(err.Error(), "in words") || !reply.Served.Equal(served) {
			t.Errorf("%d: %s %v, served %v", status, sdk.FailureOf(err), err, reply.Served)
		}
		if status == 403 && (r.tokens.forgot != 1 || !strings.Contains(err.Error(), "grant the role")) {
			t.Errorf("403: forgot %d, %v", r.tokens.forgot, err)
		}
	}
}

// A redirect of a write is a proxy's word, not the service's on the objects: nobody is
// parked for it. Of where it leads the host alone is told.
func TestRedirectOfAWriteIsNotFollowed(t *testing.T) {
	followed := false
	portal := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	t.Cleanup(portal.Close)
	r := serve(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, portal.URL+"/login?ticket=not-to-be-told", http.StatusTemporaryRedirect)
	})
	r.o.HTTP.(*http.Client).CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	_, err := r.Call(t.Context(), http.MethodPost, "/x", []byte("{}"))
	if sdk.FailureOf(err) != sdk.Unavailable || !strings.Contains(err.Error(), strings.TrimPrefix(portal.URL, "http://")) || strings.Contains(err.Error(), "ticket") || followed {
		t.Errorf("%v, followed %v", err, followed)
	}
}

// A service's words are kept, but not without end.
func TestMessagesAreBounded(t *testing.T) {
	r := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":{"code":"` + strings.Repeat("c", 1<<20) + `","message":"` + strings.Repeat("ä", 1<<20) + `"}}`))
	})
	_, err := r.Call(t.Context(), http.MethodPost, "/x", []byte("{}"))
	if n := len(err.Error()); n > 2*maxMessage+20 || !utf8.ValidString(err.Error()) {
		t.Errorf("%d bytes", n)
	}
}

// TestD11_WhatLeftIsInDoubt: an answer that breaks off, or is none, leaves the effect
// unknown; a server that is not there does not.
func TestD11_WhatLeftIsInDoubt(t *testing.T) {
	r := serve(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/cut" {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
			return
		}
		panic(http.ErrAbortHandler)
	})
	for _, path := range []string{"/cut", "/reset"} {
		if _, err := r.Call(t.Context(), http.MethodPost, path, []byte("{}")); sdk.FailureOf(err) != sdk.InDoubt {
			t.Errorf("%s: %v", path, err)
		}
	}
	r.o.Base = "http://127.0.0.1:1"
	if _, err := r.Call(t.Context(), http.MethodPost, "/x", []byte("{}")); sdk.FailureOf(err) != sdk.NotSent {
		t.Errorf("nobody there: %v", err)
	}
	if err := r.Read(Reply{Body: []byte("<html>")}, &struct{}{}); sdk.FailureOf(err) != sdk.InDoubt {
		t.Errorf("%v", err)
	}
}
