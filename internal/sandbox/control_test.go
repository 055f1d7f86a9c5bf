package sandbox

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func (w *twin) control(method, path string, body any) reply {
	w.t.Helper()
	return w.send(w.request(method, "/_sandbox/"+path, body))
}

func TestControl_Calls(t *testing.T) {
	w := newTwin(t)
	type step struct {
		method, path, body string
		status             int
		want               string
	}
	for _, s := range []step{
		{"GET", "clock", "", 200, `"now":"2026-11-22T06:00:00Z"`},
		{"POST", "clock", `{"advance":"24h"}`, 200, `"now":"2026-11-23T06:00:00Z"`},
		{"POST", "clock", `{"set":"2027-01-01T00:00:00Z"}`, 200, `"now":"2027-01-01T00:00:00Z"`},
		{"POST", "clock", `{"set":"2026-11-22T06:00:00Z"}`, 200, `"rate":0`},
		{"POST", "clock", `{"rate":-1}`, 400, "clock rate"},
		{"POST", "clock", `{}`, 400, "give advance"},
		{"POST", "clock", `{"advnace":"1h"}`, 400, "advnace"},
		{"POST", "tenants/" + testTenant + "/indicators", `{"generate":3}`, 200, `"ids":["1","2","3"]`},
		{"POST", "tenants/t/indicators", `{"by":{"app":"x","name":"X"},"indicators":[{"indicatorType":"DomainName","indicatorValue":"e.example","action":"Allowed","title":"t"}]}`, 200, `"ids":["4"]`},
		{"POST", "tenants/t/indicators", `{}`, 400, "either"},
		{"GET", "tenants/t/indicators", "", 200, `"indicatorValue":"e.example"`},
		{"PATCH", "tenants/t/indicators/4", `{"title":"edited"}`, 204, ""},
		{"GET", "tenants/t/indicators", "", 200, `"title":"edited"`},
		{"DELETE", "tenants/t/indicators/4", "", 204, ""},
		{"DELETE", "tenants/t/indicators/4", "", 400, "has no row 4"},
		{"GET", "tenants/none/indicators", "", 400, "there is no tenant"},
		{"PUT", "tenants/33333333-3333-3333-3333-333333333333", `{"apps":[{"id":"z","secrets":[{"value":"topsecret"}]}]}`, 204, ""},
		{"GET", "tenants", "", 200, `"id":"z"`},
		{"PATCH", "switches", `{"read_lag":"20s","capacity":1000000}`, 200, `"read_lag":"20s"`},
		{"PATCH", "switches", `{"capacity":7,"nonsense":"1"}`, 400, "there is no switch"},
		{"GET", "switches", "", 200, `"capacity":"1000000"`},
		{"PATCH", "limits", `{"import":{"per_minute":1000}}`, 200, `"import":{"per_minute":1000,"per_hour":0}`},
		{"PATCH", "limits", `{"nonsense":{}}`, 400, "no limited operation"},
		{"POST", "faults", `{"op":"list","action":"x"}`, 400, "action"},
		{"POST", "faults", `{"op":"list","status":503,"latency":"5s","latency_mode":"advance"}`, 200, `"id":"f1"`},
		{"GET", "faults", "", 200, `"latency":"5s"`},
		{"DELETE", "faults/f1", "", 204, ""},
		{"DELETE", "faults/f1", "", 400, "no fault rule"},
		{"PUT", "feeds/ips", `{"steps":[{"lines":["192.0.2.1"]},{"after":"1h","add":["192.0.2.2"]}]}`, 204, ""},
		{"PUT", "feeds/bad", `{"steps":[{"aftr":"1h"}]}`, 400, "aftr"},
		{"GET", "feeds", "", 200, `["ips"]`},
		{"DELETE", "feeds/ips", "", 204, ""},
		{"GET", "journal?status=abc", "", 400, "not a number"},
		{"GET", "journal", "", 200, `"entries":[]`},
		{"GET", "counters", "", 200, `[]`},
		{"GET", "ca.pem", "", 200, "BEGIN CERTIFICATE"},
		{"POST", "reset", "", 204, ""},
		{"GET", "tenants/t/indicators", "", 200, `[]`},
		{"GET", "nonsense", "", 404, "lists them"},
	} {
		var body any
		if s.body != "" {
			body = s.body
		}
		r := w.control(s.method, s.path, body)
		if r.status != s.status || !strings.Contains(string(r.body), s.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", s.method, s.path, s.body, r.status, r.body, s.status, s.want)
		}
		if strings.Contains(string(r.body), "topsecret") {
			t.Errorf("%s %s shows a secret", s.method, s.path)
		}
	}
}

func TestControl_Journal(t *testing.T) {
	w := newTwin(t)
	w.imports(domain("a.example", nil))
	w.call("DELETE", "/api/indicators/9", nil)
	for query, want := range map[string]int{"": 3, "?op=import": 1, "?status=4": 1, "?status=404": 1, "?effect=created": 1, "?limit=2": 2, "?after=2": 1, "?tenant=none": 0, "?app=a&op=token": 1} {
		m := w.control("GET", "journal"+query, nil).json(t)
		if got := len(m["entries"].([]any)); got != want {
			t.Errorf("%q: %d entries, want %d", query, got, want)
		}
	}
	if r := w.control("DELETE", "journal", nil); r.status != 204 || len(w.Counters()) != 0 {
		t.Errorf("%d", r.status)
	}
}

func TestControl_IsLocal(t *testing.T) {
	w := newTwin(t)
	r := w.send(w.request("GET", "https://api.security.microsoft.com/_sandbox/clock", nil))
	if r.status != http.StatusForbidden {
		t.Errorf("by another name: %d", r.status)
	}
	req := w.request("POST", "/_sandbox/reset", nil)
	req.Header.Set("Origin", "https://evil.example")
	if r := w.send(req); r.status != http.StatusForbidden {
		t.Errorf("from a web page: %d", r.status)
	}
}

func TestControl_Index(t *testing.T) {
	w := newTwin(t, func(o *Options) { o.Tenants = nil; o.PlainAddr = "127.0.0.1:0" })
	r := w.send(w.request("GET", w.PlainURL()+"/_sandbox/", nil))
	for _, want := range []string{w.URL(), w.PlainURL(), DemoTenant, DemoApp, DemoSecret, "stands still", "capacity ", "past_expiry", "POST    clock", "404_all | ignore"} {
		if !strings.Contains(string(r.body), want) {
			t.Errorf("the index lacks %q", want)
		}
	}
}

func TestFeed_ScriptAndValidators(t *testing.T) {
	w := newTwin(t, func(o *Options) { o.PlainAddr = "127.0.0.1:0" })
	err := w.SetFeed(Feed{Name: "ips", Steps: []Step{
		{Lines: []string{"192.0.2.1", "192.0.2.2"}}, {After: hours(1), Add: []string{"192.0.2.3"}, Remove: []string{"192.0.2.1"}}, {After: hours(2), Body: []byte("x")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	get := func(header ...string) reply {
		req := w.request("GET", w.FeedURL("ips"), nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		return w.send(req)
	}
	first := get()
	if first.status != 200 || string(first.body) != "192.0.2.1\n192.0.2.2\n" || first.header.Get("Last-Modified") != start.Format(http.TimeFormat) {
		t.Fatalf("%d %s %v", first.status, first.body, first.header)
	}
	etag := first.header.Get("ETag")
	if r := get("If-None-Match", etag); r.status != 304 || len(r.body) != 0 || r.header.Get("ETag") != etag {
		t.Errorf("etag: %d", r.status)
	}
	if r := get("If-Modified-Since", start.Format(http.TimeFormat)); r.status != 304 {
		t.Errorf("since: %d", r.status)
	}
	if r := get("If-None-Match", `"other"`, "If-Modified-Since", start.Format(http.TimeFormat)); r.status != 200 {
		t.Errorf("If-None-Match decides: %d", r.status)
	}
	w.Clock().Advance(time.Hour)
	if r := get("If-None-Match", etag, "If-Modified-Since", start.Format(http.TimeFormat)); r.status != 200 || string(r.body) != "192.0.2.2\n192.0.2.3\n" {
		t.Errorf("after an hour: %d %s", r.status, r.body)
	}
	w.Clock().Advance(time.Hour)
	if r := get(); string(r.body) != "x" {
		t.Errorf("after two: %s", r.body)
	}
	if r := w.send(w.request("GET", w.FeedURL("none"), nil)); r.status != 404 {
		t.Errorf("%d", r.status)
	}
}

func TestFeed_LoginAndGzip(t *testing.T) {
	w := newTwin(t)
	long := []string{strings.Repeat("192.0.2.1 ", 100)}
	for _, f := range []Feed{
		{Name: "basic", User: "u", Password: "p", Steps: []Step{{Lines: long}}},
		{Name: "bearer", Bearer: "tok", NoGzip: true, NoETag: true, NoLastModified: true, ContentType: "text/csv", Steps: []Step{{Lines: long}}},
	} {
		if err := w.SetFeed(f); err != nil {
			t.Fatal(err)
		}
	}
	get := func(name, auth string) reply {
		req := w.request("GET", w.FeedURL(name), nil)
		req.Header.Set("Authorization", auth)
		req.Header.Set("Accept-Encoding", "gzip")
		return w.send(req)
	}
	if r := get("basic", "Basic dTp3cm9uZw=="); r.status != 401 || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Basic") {
		t.Errorf("%d %v", r.status, r.header)
	}
	if r := get("basic", "Basic dTpw"); r.status != 200 || r.header.Get("Content-Encoding") != "gzip" || string(unpack(t, r.body)) != long[0]+"\n" {
		t.Errorf("%d %v", r.status, r.header)
	}
	if r := get("bearer", "Bearer no"); r.status != 401 {
		t.Errorf("%d", r.status)
	}
	r := get("bearer", "Bearer tok")
	if r.status != 200 || r.header.Get("Content-Encoding") != "" || r.header.Get("ETag") != "" || r.header.Get("Last-Modified") != "" || r.header.Get("Content-Type") != "text/csv" {
		t.Errorf("%d %v", r.status, r.header)
	}
}

func TestFeed_EndlessBody(t *testing.T) {
	w := newTwin(t)
	if err := w.SetFeed(Feed{Name: "f", Steps: []Step{{Lines: []string{"192.0.2.1"}}}}); err != nil {
		t.Fatal(err)
	}
	w.fault(Rule{Op: "feed", Path: "/f$", Action: Action{Endless: true}})
	resp, err := w.client.Do(w.request("GET", w.FeedURL("f"), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	buf := make([]byte, 64<<10)
	n := 0
	for n < 1<<20 {
		k, err := resp.Body.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
}

func TestFeed_BadScripts(t *testing.T) {
	w := newTwin(t)
	for _, f := range []Feed{{Name: "x"}, {Steps: []Step{{}}}, {Name: "x", Steps: []Step{{After: hours(1)}, {After: hours(1)}}}} {
		if w.SetFeed(f) == nil {
			t.Errorf("accepted %+v", f)
		}
	}
}

func TestFeed_SetOverHTTP(t *testing.T) {
	w := newTwin(t)
	if r := w.control("PUT", "feeds/ips", `{"steps":[{"lines":["a","b"]},{"after":"90m","add":["c"],"remove":["a"]}]}`); r.status != 204 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for _, want := range []string{"a\nb\n", "b\nc\n"} {
		if r := w.send(w.request("GET", w.FeedURL("ips"), nil)); string(r.body) != want {
			t.Errorf("%q, want %q", r.body, want)
		}
		w.Clock().Advance(90 * time.Minute)
	}
}
