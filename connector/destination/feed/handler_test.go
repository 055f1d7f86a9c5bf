package feed

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table is a table a test can change, fail and stop.
type table struct {
	version atomic.Uint64
	scans   atomic.Int64
	mu      sync.Mutex
	rows    []sdk.Row
	err     error
	hold    chan struct{}
}

func newTable(kind indicator.Kind, texts ...string) *table {
	t := &table{}
	t.set(kind, texts...)
	return t
}

func (t *table) set(kind indicator.Kind, texts ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = nil
	for _, text := range texts {
		i, err := indicator.Parse(kind, text)
		if err != nil {
			panic(err)
		}
		t.rows = append(t.rows, sdk.Row{Key: i.AppendKey(nil), Changed: time.UnixMilli(1000), Attrs: &indicator.Attributes{Sources: []string{"s"}}})
	}
	t.version.Add(1)
}

func (t *table) Version() uint64 { return t.version.Load() }

func (t *table) Scan(_ context.Context, fn func(sdk.Row) error) error {
	t.mu.Lock()
	rows, err, hold := t.rows, t.err, t.hold
	t.mu.Unlock()
	t.scans.Add(1)
	if hold != nil {
		<-hold
	}
	for _, r := range rows {
		if err := fn(r); err != nil {
			return err
		}
	}
	return err
}

func serve(t *testing.T, src sdk.Table, change func(*Config)) http.Handler {
	t.Helper()
	cfg := defaults()
	if change != nil {
		change(&cfg)
	}
	return newHandler(t, "edl", cfg, tableSource{src})
}

func get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func domains(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strings.Repeat("a", i/26+1) + string(rune('a'+i%26)) + ".example.com"
	}
	return out
}

func TestPlainLineEndsFollowMineMeldsChunks(t *testing.T) {
	for _, c := range []struct {
		rows        int
		query       string
		lines, ends int
	}{
		{0, "", 0, 1}, {1, "", 1, 1}, {99, "", 99, 99}, {100, "", 100, 101}, {200, "", 200, 201}, {101, "", 101, 101},
		{200, "?n=100", 100, 100}, {100, "?n=200", 100, 101}, {250, "?n=150", 150, 150}, {300, "?s=100", 200, 201}, {10, "?s=50", 0, 1},
	} {
		w := get(serve(t, newTable(indicator.Domain, domains(c.rows)...), nil), "/feeds/edl"+c.query)
		ends := strings.Count(w.Body.String(), "\n")
		if lines := len(strings.Fields(w.Body.String())); lines != c.lines || ends != c.ends {
			t.Errorf("%d rows%s: %d lines, %d line ends, want %d and %d", c.rows, c.query, lines, ends, c.lines, c.ends)
		}
	}
}

func TestAnswers(t *testing.T) {
	ips := newTable(indicator.IP, "10.0.0.1", "10.0.1.0/30", "10.0.2.1-10.0.2.4", "2001:db8::/32", "2001:db8:1::1-2001:db8:1::3")
	hosts := newTable(indicator.Domain, "b.example.com", "my-host.example.com")
	hosts.rows[0].Attrs = &indicator.Attributes{
		Confidence: indicator.Known(5), TLP: indicator.AmberStrict, Sources: []string{"x/y", `q"`}, Tags: []string{"a", "b,c"},
		Extra: map[string]any{"direction": "outbound", "ratio": 1234567.5, "seen": true, "bc_category": []string{"one", "two"}},
	}
	ported := newTable(indicator.URL, "http://a.example.com:8080/X", "https://b.example.com/")
	for _, c := range []struct {
		table *table
		query string
		code  int
		body  string
	}{
		{ips, "", 200, "10.0.0.1-10.0.0.1\n10.0.1.0-10.0.1.3\n10.0.2.1-10.0.2.4\n2001:db8:1::1-2001:db8:1::3\n2001:db8::/32\n"},
		{ips, "d&n=1", 200, "2001:db8::/32\n"},
		{ips, "tr=1", 200, "10.0.0.1\n10.0.1.0/30\n10.0.2.1\n10.0.2.2/31\n10.0.2.4\n2001:db8:1::1\n2001:db8:1::2/127\n2001:db8::/32\n"},
		{ips, "sum&tr=1", 200, "10.0.0.1/32\n10.0.1.0/30\n10.0.2.1/32\n10.0.2.2/31\n10.0.2.4/32\n2001:db8::/32\n"},
		{ips, "v=csv&tr=1&h=0&s=3&n=1", 200, "2001:db8:1::1-2001:db8:1::3\r\n"},
		{ips, "v=csv&tr=1&h=0&s=2&n=1", 200, "10.0.2.1\r\n10.0.2.2/31\r\n10.0.2.4\r\n"},
		{ips, "v=mwg&t=ip&n=2", 200, "type=ip\n\"10.0.0.1\" \"s\"\n\"10.0.1.0/30\" \"s\"\n"},
		{ips, "v=csv&f=indicator|a&f=nothing&ubom=1&n=1", 200, "\xef\xbb\xbfa,nothing\r\n10.0.0.1-10.0.0.1,\r\n"},
		{ips, "v=csv&f=no|such|a&f=indicator|a&n=1", 200, "a,a\r\n10.0.0.1-10.0.0.1,10.0.0.1-10.0.0.1\r\n"},
		{hosts, "tr=1", 200, "b.example.com\nmy-host.example.com\n"},
		{hosts, "v=csv&f=indicator&f=sources&f=ratio&f=seen&f=share_level&n=1", 200, "indicator,sources,ratio,seen,share_level\r\nb.example.com,\"x/y,q\"\"\",1234567.5,True,amber\r\n"},
		{hosts, "v=csv&f=nothing&h=0&n=1", 200, "\"\"\r\n"},
		{hosts, "v=json&n=1", 200, "[\n" + `{"indicator":"b.example.com","value":{"sources":["x\/y","q\""],"confidence":5,"type":"domain","share_level":"amber","bc_category":["one","two"],"direction":"outbound","ratio":1234567.5,"seen":true,"tags":["a","b,c"]}}` + "]\n"},
		{hosts, "v=bluecoat&cd=rest", 200, "define category two\nb.example.com\nend\ndefine category rest\nmy-host.example.com\nend\ndefine category one\nb.example.com\nend\n"},
		{ported, "v=bluecoat&cd=a;b", 200, "define category a;b\na.example.com:8080/x\nb.example.com/\nend\n"},
		{ported, "v=bluecoat&cd=100%", 200, "define category 100%\na.example.com:8080/x\nb.example.com/\nend\n"},
		{ported, "v=panosurl", 200, "b.example.com/\n"},
		{ported, "v=panosurl&sp", 200, "a.example.com/x\nb.example.com/\n"},
		{hosts, "v=panosurl&nsl&n=1", 200, "b.example.com\n"},
		{hosts, "s=-1", 400, "<html><body>s should be a positive integer</body></html>"},
		{hosts, "s=", 400, "<html><body>s should be a positive integer</body></html>"},
		{hosts, "n=0", 400, "<html><body>n should be a positive integer</body></html>"},
		{hosts, "v=xml", 400, "<html><body>unknown format</body></html>"},
		{hosts, "v=", 400, "<html><body>unknown format</body></html>"},
		{hosts, "tr=x", 500, "<html><body>Internal error: tr should be an integer</body></html>"},
		{hosts, "sum", 500, "<html><body>sum needs a feed of addresses alone, and &#34;b.example.com&#34; is none</body></html>"},
	} {
		if w := get(serve(t, c.table, nil), "/feeds/edl?"+strings.ReplaceAll(c.query, "|", "%7C")); w.Code != c.code || w.Body.String() != c.body {
			t.Errorf("%s:\n%d %q\nwant\n%d %q", c.query, w.Code, w.Body, c.code, c.body)
		}
	}
}

// The wanted orders were printed by Python 2.7.
func TestCategoriesAreInTheOrderOfAPython2Dict(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"one two rest", "two rest one"},
		{"malicious phishing Custom+List x1 x2", "phishing x2 x1 malicious Custom+List"},
		{"café zz Social+Networking Adult IT News/Media a", "a IT Adult zz café Social+Networking News/Media"},
		{"c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11 c12 c13 c14 c15 c16 c17 c18 c19 c20 c21 c22 c23 c24 c25 c26 c27 c28 c29 c30 c31 c32 c33 c34 c35 c36 c37 c38 c39",
			"c36 c37 c19 c18 c39 c38 c13 c12 c11 c10 c17 c16 c15 c14 c35 c9 c8 c34 c3 c2 c1 c0 c7 c6 c5 c4 c22 c23 c20 c21 c26 c27 c24 c25 c31 c28 c29 c30 c33 c32"},
	} {
		plus := strings.NewReplacer("+", " ")
		var in, want []string
		for _, w := range strings.Fields(c.in) {
			in = append(in, plus.Replace(w))
		}
		for _, w := range strings.Fields(c.want) {
			want = append(want, plus.Replace(w))
		}
		if got := dictOrder(in); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestValuesOffIsStoreValueFalse(t *testing.T) {
	off := func(c *Config) { c.Values = false }
	for query, want := range map[string]string{
		"v=json-seq":            "\x1e{\"indicator\":\"a.example.com\",\"value\":null}\n",
		"v=csv&f=sources&h=0":   "\"\"\r\n",
		"v=mwg":                 "type=string\n\"a.example.com\" \"from minemeld\"\n",
		"v=bluecoat":            "",
		"v=csv&f=indicator|url": "url\r\na.example.com\r\n",
	} {
		if w := get(serve(t, newTable(indicator.Domain, "a.example.com"), off), "/feeds/edl?"+strings.ReplaceAll(query, "|", "%7C")); w.Body.String() != want {
			t.Errorf("%s: %q, want %q", query, w.Body, want)
		}
	}
}

func TestOrderIsChangeThenBytes(t *testing.T) {
	tab := newTable(indicator.Domain, "a.example.com", "c.example.com", "b.example.com")
	tab.rows[0].Changed = time.UnixMilli(5000)
	tab.rows[1].Changed = time.UnixMilli(1000).Add(500 * time.Microsecond) // the same millisecond as b
	if w := get(serve(t, tab, nil), "/feeds/edl"); w.Body.String() != "b.example.com\nc.example.com\na.example.com\n" {
		t.Errorf("%q", w.Body)
	}
}

func TestConditionalCompressedAndHead(t *testing.T) {
	tab := newTable(indicator.Domain, domains(300)...)
	h := serve(t, tab, nil)
	plain := get(h, "/feeds/edl")
	etag := plain.Header().Get("Etag")
	if etag == "" || plain.Header().Get("Content-Length") == "" || plain.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Fatalf("headers %v", plain.Header())
	}
	if w := get(h, "/feeds/edl", "If-None-Match", etag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("status %d, want 304", w.Code)
	}
	z := get(h, "/feeds/edl", "Accept-Encoding", "br, gzip;q=0.5")
	if z.Header().Get("Content-Encoding") != "gzip" || z.Header().Get("Etag") == etag {
		t.Fatalf("headers %v", z.Header())
	}
	zr, err := gzip.NewReader(z.Body)
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := io.ReadAll(zr)
	if err != nil || !bytes.Equal(unzipped, plain.Body.Bytes()) {
		t.Errorf("compressed body differs (%v)", err)
	}
	if w := get(h, "/feeds/edl", "Accept-Encoding", "gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Error("compressed although refused")
	}
	head := httptest.NewRecorder()
	h.ServeHTTP(head, httptest.NewRequest(http.MethodHead, "/feeds/edl", nil))
	if head.Body.Len() != 0 || head.Header().Get("Content-Length") != plain.Header().Get("Content-Length") {
		t.Errorf("HEAD: %d bytes, headers %v", head.Body.Len(), head.Header())
	}
	if tab.scans.Load() != 1 {
		t.Errorf("%d scans for one version", tab.scans.Load())
	}
	tab.version.Add(1) // another version with the same content is still not modified
	if w := get(h, "/feeds/edl", "If-None-Match", etag); w.Code != http.StatusNotModified {
		t.Errorf("status %d after a version without a change here", w.Code)
	}
}

func TestFormBodyAndMethods(t *testing.T) {
	h := serve(t, newTable(indicator.Domain, domains(5)...), nil)
	r := httptest.NewRequest(http.MethodGet, "/feeds/edl?s=1", strings.NewReader("n=1&s=3"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Body.String() != "ab.example.com\n" {
		t.Errorf("query and form: %q", w.Body)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/feeds/edl", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// TestServesTheLastBodyWhileTheNextIsMade: the clock of the test does not wait, so
// the request gives up waiting at once.
func TestServesTheLastBodyWhileTheNextIsMade(t *testing.T) {
	tab := newTable(indicator.Domain, "old.example.com")
	h := newHandler(t, "edl", defaults(), tableSource{tab})
	h.node.env.Clock = sdktest.NewClock(time.Time{})
	get(h, "/feeds/edl")
	hold := make(chan struct{})
	tab.mu.Lock()
	tab.hold = hold
	tab.mu.Unlock()
	tab.set(indicator.Domain, "new.example.com")
	if w := get(h, "/feeds/edl"); w.Body.String() != "old.example.com\n" {
		t.Errorf("while rendering: %d %q", w.Code, w.Body)
	}
	close(hold)
	for range 1000 {
		if w := get(h, "/feeds/edl"); w.Body.String() == "new.example.com\n" {
			return
		} else if w.Body.String() != "old.example.com\n" {
			t.Fatalf("neither body: %q", w.Body)
		}
	}
	t.Error("the new body never came")
}

func TestFailingTableNeverEmptiesTheFeed(t *testing.T) {
	tab := newTable(indicator.Domain, domains(150)...)
	broken := newTable(indicator.Domain, domains(150)...)
	broken.err = errors.New("disk on fire")
	if w := get(serve(t, broken, nil), "/feeds/edl"); w.Code != 500 || w.Body.String() != "<html><body>Internal error</body></html>" {
		t.Errorf("first body: %d %q", w.Code, w.Body)
	}
	h := serve(t, tab, nil)
	want := get(h, "/feeds/edl").Body.String()
	tab.mu.Lock()
	tab.err = errors.New("disk on fire")
	tab.mu.Unlock()
	tab.version.Add(1)
	for range 3 {
		if w := get(h, "/feeds/edl"); w.Code != 200 || w.Body.String() != want {
			t.Fatalf("later body: %d, %d bytes", w.Code, w.Body.Len())
		}
	}
}

func TestCacheIsBoundedAndForgivesLostFiles(t *testing.T) {
	tab := newTable(indicator.Domain, domains(500)...)
	cfg := defaults()
	h := newHandler(t, "edl", cfg, tableSource{tab})
	h.cache.limit = 20 << 10
	for _, q := range []string{"", "?d", "?n=400", "?v=json", "?v=csv", "?s=1", "?v=json-seq"} {
		if w := get(h, "/feeds/edl"+q, "Accept-Encoding", "gzip"); w.Code != 200 {
			t.Fatalf("%s: %d", q, w.Code)
		}
	}
	files, err := filepath.Glob(filepath.Join(h.cache.dir, "body-*"))
	if err != nil || len(files) > 4 {
		t.Errorf("%d files in the cache (%v)", len(files), err)
	}
	want := get(h, "/feeds/edl").Body.String()
	files, _ = filepath.Glob(filepath.Join(h.cache.dir, "body-*"))
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if w := get(h, "/feeds/edl"); w.Body.String() != want || w.Code != 200 {
		t.Errorf("after the files were removed: %d, %d bytes", w.Code, w.Body.Len())
	}
}

func TestCarbonBlackExpandsRangesUpToABound(t *testing.T) {
	tab := newTable(indicator.IPv4, "10.0.0.1-10.0.0.3", "255.255.255.255")
	if w := get(serve(t, tab, nil), "/feeds/edl?v=carbonblack&rs=7&rt=x"); !strings.Contains(w.Body.String(),
		`"ipv4": ["10.0.0.1","10.0.0.2","10.0.0.3","255.255.255.255"],"dns": [],"md5": []`) || !strings.Contains(w.Body.String(), `"score": 7,`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(serve(t, newTable(indicator.IPv4, "10.0.0.0/8"), nil), "/feeds/edl?v=carbonblack"); w.Code != 500 {
		t.Errorf("a /8: status %d, %d bytes", w.Code, w.Body.Len())
	}
}

func TestBuildNeedsADirectoryAndReadableIcons(t *testing.T) {
	env := sdk.Env{Log: slog.New(slog.DiscardHandler), Clock: sdktest.NewClock(time.Time{})}
	if _, err := build(defaults(), env); err == nil {
		t.Error("built without a directory")
	}
	env.Dir, env.BaseDir = t.TempDir(), t.TempDir()
	cfg := defaults()
	cfg.Icon = "missing.png"
	if _, err := build(cfg, env); err == nil || !strings.Contains(err.Error(), "missing.png") {
		t.Errorf("error %v", err)
	}
	if cfg.Cache = 5; len(cfg.Validate()) != 1 {
		t.Error("a cache of 5 bytes was taken")
	}
}

// TestTextOfKeys compares the fast way from key to text with the indicator's own.
func TestTextOfKeys(t *testing.T) {
	for text, want := range map[string]string{
		"0.0.0.0/0": "0.0.0.0-255.255.255.255", "255.255.255.255": "255.255.255.255-255.255.255.255",
		"10.0.0.1-10.0.0.6": "10.0.0.1-10.0.0.6", "10.0.0.0/31": "10.0.0.0-10.0.0.1", "::/0": "::/0", "2001:db8::1": "2001:db8::1",
		"a.b.example.com": "a.b.example.com", "example.com": "example.com", "https://example.com/a?b": "https://example.com/a?b",
		"d41d8cd98f00b204e9800998ecf8427e": "d41d8cd98f00b204e9800998ecf8427e",
	} {
		i, err := indicator.Parse(indicator.Unknown, text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := appendText(nil, i.AppendKey(nil)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := appendText(nil, []byte{255, 1}); err == nil {
		t.Error("a broken key was printed")
	}
	if _, err := appendText(nil, nil); err == nil {
		t.Error("an empty key was printed")
	}
}

// TestSortIsTimeThenBytes compares the sort by counting with a plain one, over
// texts with long common beginnings, empty ones and ones that begin others.
func TestSortIsTimeThenBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	l, plain := &snapshot{}, []string{}
	for range 20_000 {
		text := strings.Repeat("long-common-beginning.", r.IntN(3)) + strings.Repeat("\x00", r.IntN(2)) + strconv.Itoa(r.IntN(2000))
		changed := int64(r.IntN(3)) - 1
		l.add([]byte(text), []byte("payload"), indicator.Domain, changed)
		plain = append(plain, strconv.FormatInt(changed+1, 10)+text)
	}
	l.sort()
	slices.Sort(plain)
	for i := range l.entries {
		text, payload := l.bytes(&l.entries[i])
		if got := strconv.FormatInt(l.entries[i].changed+1, 10) + string(text); got != plain[i] || string(payload) != "payload" {
			t.Fatalf("entry %d: %q %q, want %q", i, got, payload, plain[i])
		}
	}
}

// TestAbandonedRequestsCostNothing: a body whose turn comes after everybody left is
// not made, unless the query has been served before.
func TestAbandonedRequestsCostNothing(t *testing.T) {
	tab := newTable(indicator.Domain, domains(5)...)
	h := newHandler(t, "edl", defaults(), tableSource{tab})
	h.renders <- struct{}{}
	h.renders <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/feeds/edl?s=3", nil))
	}()
	cancel()
	<-left
	h.mu.Lock()
	var f *flight
	for _, f = range h.flights {
	}
	h.mu.Unlock()
	<-h.renders
	<-h.renders
	if f != nil {
		<-f.done
	}
	if tab.scans.Load() != 0 {
		t.Errorf("%d scans for nobody", tab.scans.Load())
	}
	if w := get(h, "/feeds/edl?s=3"); w.Code != 200 || len(strings.Fields(w.Body.String())) != 2 {
		t.Errorf("afterwards: %d %q", w.Code, w.Body)
	}
}
