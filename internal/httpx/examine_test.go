package httpx

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/sdk"
)

// still is a clock that stands.
type still time.Time

func (s still) Now() time.Time                                 { return time.Time(s) }
func (still) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// examined is what Examine says of url, a line each.
func examined(t *testing.T, url string, o Options) (string, bool) {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	ok := c.Examine(t.Context(), url, func(k sdk.Check) {
		fmt.Fprintf(&b, "%s %s: %s\n", k.Name, k.State, k.Detail)
		if k.State == sdk.CheckFailed && k.Fix == "" {
			t.Errorf("%s failed without saying what to do", k.Name)
		}
	})
	return b.String(), ok
}

func TestExamineNamesTheFirstStepThatFails(t *testing.T) {
	now := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	var asked []string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+r.URL.RequestURI()+r.Header.Get("Authorization"))
		w.Header().Set("Date", now.Add(-7*time.Minute).Format(http.TimeFormat))
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	base := Options{Clock: still(now), Proxy: "direct", CAFile: ca, PerSecond: 1000, Auth: Auth{Bearer: "fake-bearer"}}
	other := base
	other.CAFile = ""
	proxied := base
	proxied.Proxy = "http://127.0.0.1:1"
	for name, test := range map[string]struct {
		url  string
		o    Options
		ok   bool
		want []string // lines begin so
	}{
		"all steps":      {s.URL + "/feed?key=fake-key", base, true, []string{"proxy ok: none", "connection ok: to 127.0.0.1:", "TLS ok: TLS 1.3, certificate of Acme Co, ends 2084", "clock failed: this machine is 7m0s ahead of"}},
		"unknown CA":     {s.URL, other, false, []string{"proxy ok", "connection ok", "TLS failed: the server's certificate is signed by an authority"}},
		"nobody there":   {"https://127.0.0.1:1/", base, false, []string{"proxy ok", "connection failed: connection refused"}},
		"no such name":   {"https://nowhere.invalid/", base, false, []string{"proxy ok", "name failed: the host name nowhere.invalid does not resolve"}},
		"proxy is down":  {s.URL, proxied, false, []string{"proxy ok: through http://127.0.0.1:1", "connection failed: connection refused"}},
		"forbidden":      {"http://169.254.169.254/x", base, false, []string{"proxy ok", "connection failed: 169.254.169.254 is a link-local"}},
		"not an address": {"feeds.example", base, false, []string{"address failed"}},
	} {
		got, ok := examined(t, test.url, test.o)
		lines := strings.Split(strings.TrimSpace(got), "\n")
		if ok != test.ok || len(lines) != len(test.want) {
			t.Errorf("%s: %v\n%s", name, ok, got)
			continue
		}
		for i, line := range lines {
			if !strings.HasPrefix(line, test.want[i]) {
				t.Errorf("%s: %q, want %q", name, line, test.want[i])
			}
		}
		if strings.Contains(got, "fake-") {
			t.Errorf("%s shows a secret: %s", name, got)
		}
	}
	if len(asked) != 1 || asked[0] != "HEAD/" {
		t.Errorf("asked %q, want the root once and without login", asked)
	}
}
