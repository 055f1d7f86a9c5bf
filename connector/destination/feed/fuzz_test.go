package feed

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/remeld/remeld/indicator"
)

// FuzzQuery asks a feed of everything for anything: it answers with one of its
// statuses, and what calls itself JSON or CSV is.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "v=json&tr=1", "v=json-seq&s=1&n=2&d", "v=csv&f=sources|x&f=indicator&h=1&ubom=1", "v=panosurl&sp&di&nsl",
		"v=mwg&t=ip", "v=bluecoat&cd=a&ca=tags", "v=carbonblack&rt=%22&rs=5", "v=stix2&tlp=2&n=3", "sum", "s=99999999999999999999", "v=csv&h=x", "%zz&;"} {
		f.Add(q)
	}
	tab := newTable(indicator.Unknown, "10.0.0.1-10.0.0.9", "10.0.1.0/24", "2001:db8::/64", "a.example.com", "https://a.example.com:81/*x?y", "d41d8cd98f00b204e9800998ecf8427e")
	h := newHandler(f, "edl", defaults(), tableSource{tab})
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, "/feeds/edl", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 && w.Code != 500 {
			t.Fatalf("status %d", w.Code)
		}
		if w.Code != 200 {
			return
		}
		switch v, _ := first(r.URL.Query(), "v"); v {
		case "json", "carbonblack", "stix2":
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("no JSON: %s", w.Body)
			}
		case "csv":
			text := strings.TrimPrefix(w.Body.String(), "\xef\xbb\xbf")
			if _, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil {
				t.Fatalf("no CSV: %v\n%s", err, text)
			}
		}
	})
}

// The two patterns that schemeless and cutPort are written out from.
var (
	schemeRE = regexp.MustCompile(`^(?:[a-z]+:)*//`)
	portRE   = regexp.MustCompile(`^([a-z0-9\-.]+)(?::[0-9]+)*`)
)

func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// FuzzPanosURL compares the handwritten matching with the patterns.
func FuzzPanosURL(f *testing.F) {
	for _, u := range []string{"HTTP://*.Example.com:80/a*b?c=*d", "a:b://x", "*.com", "//", ":80", "x:80:90/:1", "***.*"} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, u string) {
		r := render{q: &query{stripPort: true}}
		got := r.schemeless([]byte(u))
		if bytes.ContainsAny(got, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			t.Errorf("%q has upper case", got)
		}
		want := schemeRE.ReplaceAllString(strings.Map(lowerASCII, u), "")
		if want == "" || strings.ToValidUTF8(u, "") != u {
			return
		}
		if string(got) != want {
			t.Errorf("schemeless(%q) = %q, want %q", u, got, want)
		}
		if stripped, cut := cutPort([]byte(want)); string(stripped) != portRE.ReplaceAllString(want, "$1") || cut != (string(stripped) != want) {
			t.Errorf("cutPort(%q) = %q %v, want %q", want, stripped, cut, portRE.ReplaceAllString(want, "$1"))
		}
		wildParts(got)
	})
}
