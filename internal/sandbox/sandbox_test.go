package sandbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/sandbox/switches"
)

func TestCAIsWrittenAndTrusted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	w := newTwin(t, func(o *Options) { o.Dir = dir })
	raw, err := os.ReadFile(w.CAFile())
	pool := x509.NewCertPool()
	if err != nil || w.CAFile() != filepath.Join(dir, "ca.pem") || !pool.AppendCertsFromPEM(raw) || string(raw) != string(w.CAPEM()) {
		t.Fatalf("%s: %v", w.CAFile(), err)
	}
	for _, host := range slices.Concat([]string{"127.0.0.1", "localhost"}, loginHosts, defenderHosts) {
		conn, err := w.Dial(t.Context(), "tcp", "ignored")
		if err != nil {
			t.Fatal(err)
		}
		c := tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: host})
		if err := c.HandshakeContext(t.Context()); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		_ = conn.Close()
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("more than the certificate was written: %v %v", entries, err)
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:1", "nonsense"} {
		if _, err := Start(t.Context(), Options{Addr: addr}); err == nil {
			t.Errorf("started on %s", addr)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"switch": {Switches: Switches{MD5: "maybe"}}, "capacity": {Switches: Switches{Capacity: -1}}, "limit": {Limits: map[string]Limit{"nonsense": {}}},
		"tenant twice": {Tenants: []Tenant{{ID: "x"}, {ID: "X"}}}, "certificate": {Tenants: []Tenant{{ID: "x", Apps: []App{{ID: "a", Certificates: []string{"no"}}}}}},
	} {
		if s, err := Start(t.Context(), o); err == nil {
			t.Errorf("%s: started", name)
			_ = s.Close()
		}
	}
}

func TestCloseEndsWaitingCalls(t *testing.T) {
	w := newTwin(t)
	w.token(testTenant, "a")
	w.fault(Rule{Op: "import", Action: Action{Latency: 1 << 60, LatencyMode: "clock"}})
	done := make(chan error, 1)
	go func() {
		_, _, err := w.try(one("a.example"))
		done <- err
	}()
	for w.Faults()[0].Hits == 0 { // the call is on its way
		runtime.Gosched()
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("the call was answered")
	}
	if err := w.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestContextEndsTheSandbox(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Start(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-s.closed
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestDateIsTheClock(t *testing.T) {
	w := newTwin(t)
	w.Clock().Set(time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC))
	for _, path := range []string{"/nowhere", "/" + testTenant + "/discovery/keys", "/api/indicators"} {
		if got := w.send(w.request("GET", path, nil)).header.Get("Date"); got != "Mon, 02 Jan 2040 03:04:05 GMT" {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestSetSwitchesAllOrNothing(t *testing.T) {
	w := newTwin(t)
	if err := w.SetSwitches(Switches{Capacity: 5, MD5: "maybe"}); err == nil || w.Switches() != switches.Defaults() {
		t.Errorf("%v %+v", err, w.Switches())
	}
	if err := w.SetSwitches(Switches{Capacity: 5}); err != nil || w.Switches().Capacity != 5 || w.Switches().MD5 != "accept" {
		t.Errorf("%v %+v", err, w.Switches())
	}
}

func TestHostsServeTheirServiceOnly(t *testing.T) {
	w := newTwin(t)
	for url, want := range map[string]int{
		"https://login.microsoftonline.com/api/indicators":                                            404,
		"https://api.security.microsoft.com/" + testTenant + "/v2.0/.well-known/openid-configuration": 404,
		"https://api.security.microsoft.com/api/indicators":                                           401,
		"https://login.microsoftonline.us/" + testTenant + "/v2.0/.well-known/openid-configuration":   200,
	} {
		if r := w.send(w.request("GET", url, nil)); r.status != want {
			t.Errorf("%s: %d, want %d", url, r.status, want)
		}
	}
}

func TestExpiryIsJournalledOnce(t *testing.T) {
	w := newTwin(t)
	w.imports(domain("a.example", props{"expirationTime": start.Add(time.Minute)}))
	w.Clock().Advance(time.Minute)
	if n := rowCount(t, w); n != 0 {
		t.Errorf("%d rows", n)
	}
	w.list("")
	w.list("")
	e := w.Journal(Query{Effect: "expired"})
	if len(e) != 1 || e[0].Items[0].Value != "a.example" {
		t.Errorf("%+v", e)
	}
}

func TestReadLag(t *testing.T) {
	w := newTwin(t, func(o *Options) { o.Switches.ReadLag = 20 * time.Second })
	w.imports(domain("a.example", nil))
	seen := func(want int, when string) {
		t.Helper()
		if n := len(w.list("")); n != want {
			t.Errorf("%s: %d rows listed, want %d", when, n, want)
		}
	}
	seen(0, "at once")
	if r := w.call("GET", "/api/indicators/1", nil); r.status != 404 {
		t.Errorf("get at once: %d", r.status)
	}
	w.Clock().Advance(20 * time.Second)
	seen(1, "after the lag")
	if r := w.call("DELETE", "/api/indicators/1", nil); r.status != 204 {
		t.Errorf("%d", r.status)
	}
	seen(1, "deleted a moment ago")
	if r := w.call("DELETE", "/api/indicators/1", nil); r.status != 404 {
		t.Errorf("writes see the truth: %d", r.status)
	}
	w.Clock().Advance(20 * time.Second)
	seen(0, "deleted long ago")
}

func TestOtherWriters(t *testing.T) {
	w := newTwin(t)
	ids, err := w.Seed("contoso.example", Author{App: "cas", Name: "Cloud Apps"}, []Indicator{{Type: "Url", Value: "http://x.example/", Title: "x", RbacGroupNames: []string{"servers"}}})
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	if _, err := w.SeedForeign(testTenant, Author{}, 3); err != nil {
		t.Fatal(err)
	}
	rows := w.list("")
	if len(rows) != 4 || rows[0]["createdBy"] != "cas" || rows[0]["createdBySource"] != "PublicApi" || rows[1]["createdBySource"] != "Portal" {
		t.Errorf("%v", rows)
	}
	before, err := w.Rows(testTenant)
	if err != nil {
		t.Fatal(err)
	}
	w.Clock().Advance(time.Second)
	err = w.EditRow(testTenant, "1", Author{}, func(i *Indicator) error { i.RbacGroupNames[0], i.ID = "edited", "5"; return nil })
	rows = w.list("?$filter=rbacGroupNames/any(x:x+eq+'edited')")
	if err != nil || len(rows) != 1 || rows[0]["id"] != "1" || rows[0]["lastUpdatedBy"] != "analyst@sandbox.example" || rows[0]["createdBy"] != "cas" {
		t.Errorf("%v %v", rows, err)
	}
	if before[0].RbacGroupNames[0] != "servers" {
		t.Error("an edit changed what was read before")
	}
	if err := w.DeleteRow(testTenant, "1"); err != nil || len(w.list("")) != 3 {
		t.Errorf("%v", err)
	}
	if w.DeleteRow(testTenant, "1") == nil || w.DeleteRow("nobody", "2") == nil {
		t.Error("deleted what is not there")
	}
}

func TestRolesAndSecretsChangeAtRunTime(t *testing.T) {
	w := newTwin(t)
	old := w.token(testTenant, "a")
	if err := w.SetTenant(Tenant{ID: testTenant, Apps: []App{{ID: "a", Secrets: []Secret{{Value: "s2"}}}}}); err != nil {
		t.Fatal(err)
	}
	checkAADSTS(t, w.form(v2path, v2form()...), 401, "invalid_client", 7000215)
	w.tokens[testTenant+"/a"] = old
	if r := w.call("GET", "/api/indicators", nil); r.status != 200 {
		t.Errorf("a token lives to its end: %d", r.status)
	}
	w.tokens[testTenant+"/a"] = w.form(v2path, v2form("client_secret", "s2")...).json(t)["access_token"].(string)
	if r := w.call("GET", "/api/indicators", nil); r.status != 403 {
		t.Errorf("the new one has no role: %d", r.status)
	}
}

func TestBodyIsBounded(t *testing.T) {
	w := newTwin(t, func(o *Options) { o.MaxBody = 1000 })
	if r := w.call("POST", "/api/indicators/import", strings.Repeat(" ", 1001)); r.status != http.StatusRequestEntityTooLarge {
		t.Errorf("plain: %d", r.status)
	}
	req := w.request("POST", "/api/indicators/import", string(pack(t, make([]byte, 1<<20))))
	req.Header.Set("Content-Encoding", "gzip")
	if r := w.send(req); r.status != http.StatusRequestEntityTooLarge {
		t.Errorf("bomb: %d", r.status)
	}
	req = w.request("POST", "/api/indicators/import", "not gzip")
	req.Header.Set("Content-Encoding", "gzip")
	if r := w.send(req); r.status != http.StatusBadRequest {
		t.Errorf("garbage: %d", r.status)
	}
}

func TestJournalIsBoundedAndCountersExact(t *testing.T) {
	w := newTwin(t, func(o *Options) {
		o.JournalEntries, o.JournalItems = 5, 100
		o.Limits = map[string]Limit{"import": {}}
	})
	for range 10 {
		w.imports(many(30)...)
	}
	e := w.Journal(Query{})
	if len(e) != 3 || e[2].Seq != 11 || e[0].Effects()["updated"] != 30 {
		t.Errorf("%d entries kept", len(e))
	}
	for _, c := range w.Counters() {
		if c.Op == "import" && (c.Calls != 10 || c.Effects["created"] != 30 || c.Effects["updated"] != 270) {
			t.Errorf("%+v", c)
		}
	}
	w.Reset()
	if rowCount(t, w) != 0 || len(w.Counters()) != 0 || len(w.Journal(Query{})) != 0 {
		t.Error("reset left something")
	}
	w.imports(domain("z.example", nil))
	if e := w.Journal(Query{}); len(e) != 1 || e[0].Seq != 12 || e[0].Items[0] != (Item{ID: "1", Type: "DomainName", Value: "z.example", Action: "Block", Effect: "created"}) {
		t.Errorf("%+v", e)
	}
}

func TestStartErrorNamesTheAddress(t *testing.T) {
	w := newTwin(t)
	_, err := Start(t.Context(), Options{Addr: w.Addr()})
	if err == nil || !strings.Contains(err.Error(), w.Addr()) {
		t.Error(err)
	}
}
