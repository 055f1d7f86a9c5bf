package httpx

import (
	"net/http"
	"net/url"
	"strings"
)

// credentials adds login and configured headers, hop by hop and only where the
// hop goes to the origin the caller asked for: a redirect elsewhere gets neither.
type credentials struct {
	next http.RoundTripper
	o    Options
}

// RoundTrip sends req with what belongs to its origin.
func (t *credentials) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.Header.Del("Referer") // would carry the query of the hop before
	if j := journeyOf(req.Context()); sameOrigin(j.start, req.URL) {
		t.add(out)
	} else {
		out.Header.Del("Authorization")
		out.Header.Del("Cookie")
	}
	return t.next.RoundTrip(out)
}

// CloseIdleConnections lets http.Client reach the transports below.
func (t *credentials) CloseIdleConnections() {
	if g, ok := t.next.(*guard); ok {
		g.closeIdle()
	}
}

func (g *guard) closeIdle() {
	for _, t := range []http.RoundTripper{g.open, g.strict} {
		if c, ok := t.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	}
}

func (t *credentials) add(req *http.Request) {
	for k, v := range t.o.Header {
		if strings.EqualFold(k, "Host") {
			req.Host = v.Reveal()
			continue
		}
		req.Header.Set(k, v.Reveal())
	}
	switch a := t.o.Auth; {
	case a.Bearer != "":
		req.Header.Set("Authorization", "Bearer "+a.Bearer.Reveal())
	case a.Username != "" || a.Password != "":
		req.SetBasicAuth(a.Username, a.Password.Reveal())
	}
}

// sameOrigin reports whether b is the server of a; going from http to https on
// the default ports of one host counts as the same.
func sameOrigin(a, b *url.URL) bool {
	if !strings.EqualFold(a.Hostname(), b.Hostname()) {
		return false
	}
	if a.Scheme == "http" && b.Scheme == "https" {
		return port(a) == "80" && port(b) == "443"
	}
	return a.Scheme == b.Scheme && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
