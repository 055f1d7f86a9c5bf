package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/tql"
)

// The must-haves of the reference on ThreatConnect, section 8.1, by their numbers.

func TestTC01_TLSOnly(t *testing.T) {
	in := newInstance(t, func(o *Options) { o.PlainAddr = "127.0.0.1:0" })
	req := in.signed("GET", in.PlainURL()+"/api/v3/indicators", nil)
	if r := in.send(req); r.status != 403 {
		t.Errorf("plain HTTP: %d %s", r.status, r.body)
	}
	if r := in.tc("GET", "/api/v3/indicators", nil); r.status != 200 {
		t.Errorf("TLS: %d %s", r.status, r.body)
	}
}

func TestTC02_SignatureIsOverTheRawTarget(t *testing.T) {
	in := newInstance(t)
	in.seed(host("a.example"))
	for _, target := range []string{
		"/api/v3/indicators?tql=typeName%20in%20(%22Address%22%2C%20%22Host%22)&resultLimit=100",
		"/api/v3/indicators?tql=typeName+in+(%22Address%22,%22Host%22)",
		"/api/v3/indicators?tql=typeName%20%3D%20%22%48ost%22",
		"/api/v3/indicators/a%2Eexample",
	} {
		if r := in.tc("GET", target, nil); r.status != 200 || !strings.Contains(string(r.body), "a.example") {
			t.Errorf("%s: %d %s", target, r.status, r.body)
		}
	}
	req := in.signed("GET", "/api/v3/indicators?tql=a", nil)
	req.URL.RawQuery = "tql=b"
	if r := in.send(req); r.status != 401 || !strings.Contains(string(r.body), `"message":"Signature Data Did Not Match Expected Result","status":"Error"`) {
		t.Errorf("another target: %d %s", r.status, r.body)
	}
}

func TestTC03_BodyInsteadOfQuery(t *testing.T) {
	in := newInstance(t)
	in.seed(host("a.example"), host("b.example"), host("c.example"))
	body := props{"data": props{"tql": `summary IN ("a.example","b.example")`, "resultLimit": 1, "fields": []string{"tags", "attributes"}, "count": true}}
	r := in.tc("GET", "/api/v3/indicators", body)
	p := readPage(t, r)
	if r.status != 200 || len(p.Data) != 1 || p.Count == nil || *p.Count != 2 || p.Data[0]["tags"] == nil {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if p = readPage(t, in.tc("GET", strings.TrimPrefix(p.Next, in.URL()), nil)); len(p.Data) != 1 || p.Data[0]["summary"] != "b.example" {
		t.Errorf("the next page: %+v", p)
	}
	if r := in.tc("GET", "/api/v3/indicators", "nonsense"); r.status != 400 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestTC04_UnknownParametersAndBothBlanks(t *testing.T) {
	in := newInstance(t)
	in.seed(host("a.example"), host("b.example"))
	for _, q := range []string{"nonsense=1&result_limit=5&createActivityLog=false&fields=nonsense", "tql=typeName%20=%20%22Host%22", "tql=typeName+=+%22Host%22"} {
		if p := in.ask(q); len(p.Data) != 2 {
			t.Errorf("%s: %d", q, len(p.Data))
		}
	}
}

func TestTC05_TC10_Count(t *testing.T) {
	in := newInstance(t)
	for i := range 7 {
		in.seed(host(fmt.Sprintf("h%d.example", i)))
	}
	for _, q := range []string{"count=true", "count=True&resultLimit=1"} {
		if p := in.ask(q); p.Count == nil || *p.Count != 7 {
			t.Errorf("%s: %v", q, p.Count)
		}
	}
	for _, q := range []string{"", "count=true&resultStart=2"} {
		if p := in.ask(q); p.Count != nil {
			t.Errorf("%s: %v", q, *p.Count)
		}
	}
}

func TestTC06_LinksAreAbsoluteAndKeepTheQuery(t *testing.T) {
	in := newInstance(t)
	for i := range 10 {
		in.seed(host(fmt.Sprintf("h%d.example", i)))
	}
	var got []string
	next := in.ThreatConnectURL() + "/v3/indicators?tql=typeName+EQ+%22Host%22&fields=tags&fields=attributes&resultLimit=4&sorting=id%20DESC"
	for next != "" {
		if !strings.HasPrefix(next, in.ThreatConnectURL()+"/v3/") {
			t.Fatalf("not under the base: %s", next)
		}
		p := readPage(t, in.tc("GET", strings.TrimPrefix(next, in.URL()), nil))
		for _, d := range p.Data {
			got = append(got, d["summary"].(string))
			if d["tags"] == nil || d["attributes"] == nil {
				t.Errorf("fields got lost: %v", d)
			}
		}
		if (p.Prev != "") != (len(got) > 4) {
			t.Errorf("after %d: prev %q", len(got), p.Prev)
		}
		next = p.Next
	}
	if len(got) != 10 || got[0] != "h9.example" || got[9] != "h0.example" {
		t.Errorf("%v", got)
	}
	// A row that goes between two pages shifts the offset: one is skipped, as there.
	p := in.ask("resultLimit=5")
	if err := in.DeleteThreatConnect(int64(p.Data[0]["id"].(float64))); err != nil {
		t.Fatal(err)
	}
	if q := readPage(t, in.tc("GET", strings.TrimPrefix(p.Next, in.URL()), nil)); q.Data[0]["summary"] != "h6.example" {
		t.Errorf("%v", q.Data[0]["summary"])
	}
}

func TestTC07_Refusals(t *testing.T) {
	in := newInstance(t)
	in.seed(host("a.example"))
	for target, status := range map[string]int{
		"/api/v3/indicators?tql=Invalid+TQL":               400,
		"/api/v3/indicators?resultLimit=10001":             400,
		"/api/v3/indicators?resultStart=x":                 400,
		"/api/v3/indicators?sorting=nonsense":              400,
		"/api/v3/indicators?owner=Nobody":                  403,
		"/api/v3/indicators?owner=Sealed+Community":        403,
		"/api/v3/indicators/deleted?owner=Nobody":          403,
		"/api/v3/indicators/nowhere.example":               404,
		"/api/v3/indicators/99":                            404,
		"/api/v3/nonsense":                                 404,
		"/api/v3/indicators/deleted?deletedSince=nonsense": 400,
	} {
		r := in.tc("GET", target, nil)
		m := r.json(t)
		if r.status != status || m["status"] != "Error" || m["message"] == "" {
			t.Errorf("%s: %d %s", target, r.status, r.body)
		}
	}
	if r := in.tc("GET", "/api/v3/indicators?tql=Invalid+TQL", nil); !strings.HasPrefix(r.json(t)["message"].(string), "Invalid TQL: ") {
		t.Errorf("%s", r.body)
	}
	for why, edit := range map[string]func(*http.Request){
		"Timestamp Out of Acceptable Time Range": func(r *http.Request) { in.signAt(r, in.Now().Add(5*time.Minute+time.Second)) },
		"Access Denied": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "TC 1", "TC 2", 1))
		},
		"Unauthorized": func(r *http.Request) { r.Header.Del("Authorization") },
		"Signature Data Did Not Match Expected Result": func(r *http.Request) { r.Header.Set("Authorization", "TC "+DemoAccessID+":AAAA") },
	} {
		req := in.signed("GET", "/api/v3/indicators", nil)
		edit(req)
		if r := in.send(req); r.status != 401 || r.json(t)["message"] != why {
			t.Errorf("%s: %d %s", why, r.status, r.body)
		}
	}
	req := in.signed("GET", "/api/v3/indicators", nil)
	in.signAt(req, in.Now().Add(-5*time.Minute))
	if r := in.send(req); r.status != 200 {
		t.Errorf("five minutes are within the window: %d", r.status)
	}
	if r := in.tc("GET", "/api/v2/indicators/hosts?owner=Nobody", nil); r.status != 403 || r.json(t)["status"] != "Failure" {
		t.Errorf("version 2: %d %s", r.status, r.body)
	}
}

func TestTC08_Options(t *testing.T) {
	in := newInstance(t)
	r := in.tc("OPTIONS", "/api/v3/indicators/tql", nil)
	server, err := tql.ParseServer(r.body)
	if r.status != 200 || err != nil || server == nil || int(r.json(t)["count"].(float64)) != len(tql.V3Indicators.Keywords()) {
		t.Errorf("%d %v", r.status, err)
	}
	fields := readPage(t, in.tc("OPTIONS", "/api/v3/indicators/fields", nil))
	if len(fields.Data) != 23 || fields.Data[0]["includedByDefault"] != false {
		t.Errorf("%+v", fields)
	}
	if m := in.tc("OPTIONS", "/api/v3/indicators?show=readonly", nil).json(t); m["summary"] == nil || m["confidence"] == nil {
		t.Errorf("%v", m)
	}
}

func TestTC09_TC11_CreateAndUpdate(t *testing.T) {
	in := newInstance(t)
	r := in.tc("POST", "/api/v3/indicators", `{"type":"Host","hostName":"a.example","rating":3.5,"confidence":60,"tags":{"data":[{"name":"x"}]}}`)
	if r.status != 201 || r.json(t)["message"] != "Created" || !strings.Contains(string(r.body), `"rating":3.50`) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	in.Clock().Advance(time.Hour)
	put := func(target, body string) map[string]any {
		t.Helper()
		r := in.tc("PUT", target, body)
		if r.status != 200 || r.json(t)["message"] != "Updated" {
			t.Fatalf("%s: %d %s", body, r.status, r.body)
		}
		return r.json(t)["data"].(map[string]any)
	}
	tags := func(d map[string]any) string {
		data, _ := d["tags"].(map[string]any)["data"].([]any)
		var out []string
		for _, tag := range data {
			out = append(out, tag.(map[string]any)["name"].(string))
		}
		return strings.Join(out, " ")
	}
	at := "/api/v3/indicators/a.example?owner=Demo%20Organization&fields=tags"
	for _, step := range []struct{ mode, name, want string }{{"append", "y", "x y"}, {"append", "x", "x y"}, {"delete", "x", "y"}, {"replace", "z", "z"}} {
		d := put(at, fmt.Sprintf(`{"tags":{"data":[{"name":%q}],"mode":%q}}`, step.name, step.mode))
		if tags(d) != step.want {
			t.Errorf("%+v: %s", step, tags(d))
		}
		if d["lastModified"] != "2026-11-22T06:00:00Z" {
			t.Errorf("a tag moved lastModified: %v", d["lastModified"])
		}
	}
	if d := put(at, `{"rating":1}`); d["lastModified"] != "2026-11-22T07:00:00Z" || d["confidence"] != 60.0 {
		t.Errorf("%v", d)
	}
	// Feedback: false positives once a day, observations as they come.
	at += "&fields=falsePositives&fields=observations"
	put(at, `{"falsePositiveFlag":true,"observations":2}`)
	if d := put(at, `{"falsePositiveFlag":true,"observations":3}`); d["falsePositives"] != 1.0 || d["observations"] != 5.0 {
		t.Errorf("%v", d)
	}
	in.Clock().Advance(24 * time.Hour)
	if d := put(at, `{"falsePositiveFlag":true}`); d["falsePositives"] != 2.0 {
		t.Errorf("%v", d)
	}
	if r := in.tc("POST", "/api/v3/indicators", `{"type":"Host","hostName":"A.example","confidence":61}`); r.status != 200 || r.json(t)["message"] != "Updated" {
		t.Errorf("a second POST: %d %s", r.status, r.body)
	}
	if r := in.tc("DELETE", "/api/v3/indicators/a.example", nil); r.status != 200 || string(r.body) != `{"message":"Deleted","status":"Success"}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	for effect, n := range map[string]int{"created": 1, "deleted": 1, "updated": 9} {
		if got := len(in.Journal(Query{App: DemoAccessID, Effect: effect})); got != n {
			t.Errorf("journal has %d %s, want %d", got, effect, n)
		}
	}
}

func TestTC11_Files(t *testing.T) {
	in := newInstance(t)
	md5, sha1 := strings.Repeat("A1", 16), strings.Repeat("B2", 20)
	in.tc("POST", "/api/v3/indicators", `{"type":"File","md5":"`+md5+`"}`)
	if r := in.tc("PUT", "/api/v3/indicators/"+strings.ToLower(md5), `{"sha1":"`+sha1+`","mode":"merge"}`); r.status != 200 || !strings.Contains(string(r.body), `"summary":"`+md5+" : "+sha1+`"`) {
		t.Errorf("merge: %d %s", r.status, r.body)
	}
	if r := in.tc("PUT", "/api/v3/indicators/"+sha1, `{"md5":"`+md5+`","mode":"delete"}`); r.status != 200 || !strings.Contains(string(r.body), `"summary":"`+sha1+`"`) {
		t.Errorf("delete: %d %s", r.status, r.body)
	}
}

func TestTC12_ActiveByDefault(t *testing.T) {
	in := newInstance(t)
	off := host("off.example")
	off.Inactive = true
	in.seed(host("on.example"), off)
	for query, want := range map[string]string{
		"": "on.example", `typeName = "Host"`: "on.example", "indicatorActive = false": "off.example",
		"indicatorActive IN (true, false)": "on.example off.example", "id > 0": "on.example", "(indicatorActive = false) AND id > 0": "off.example",
	} {
		if got := in.summaries(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestTC13_Version2(t *testing.T) {
	in := newInstance(t)
	rating := 3.0
	old := host("old.example")
	old.Modified = start.Add(-time.Hour)
	recent := host("new.example")
	recent.Rating = &rating
	theirs := host("their.example")
	theirs.Owner = "Common Community"
	in.seed(old, recent, theirs)
	if m := in.tc("GET", "/api/v2/whoami", nil).json(t); m["status"] != "Success" || m["data"].(map[string]any)["user"] == nil {
		t.Errorf("%v", m)
	}
	if r := in.tc("GET", "/api/v2/owners", nil); !strings.Contains(string(r.body), `"resultCount":3`) {
		t.Errorf("%s", r.body)
	}
	if r := in.tc("GET", "/api/v2/types/indicatorTypes", nil); !strings.Contains(string(r.body), `"apiBranch":"emailAddresses"`) {
		t.Errorf("%s", r.body)
	}
	for query, want := range map[string]string{
		"": "old.example new.example", "?modifiedSince=" + start.Format("2006-01-02T15:04:05Z"): "new.example",
		"?owner=Common+Community": "their.example", "?resultStart=1&resultLimit=1": "new.example", "?filters=active%20%3D%20false": "",
	} {
		r := in.tc("GET", "/api/v2/indicators/hosts"+query, nil)
		data := r.json(t)["data"].(map[string]any)
		var got []string
		for _, h := range data["host"].([]any) {
			got = append(got, h.(map[string]any)["hostName"].(string))
		}
		if strings.Join(got, " ") != want || (data["resultCount"] != nil) == strings.Contains(query, "resultStart") {
			t.Errorf("%s: %s", query, r.body)
		}
	}
	if r := in.tc("GET", "/api/v2/indicators/hosts", nil); !strings.Contains(string(r.body), `"rating":3,`) {
		t.Errorf("a rating without decimals: %s", r.body)
	}
	if err := in.DeleteThreatConnect(1); err != nil {
		t.Fatal(err)
	}
	if r := in.tc("GET", "/api/v2/indicators/deleted", nil); !strings.Contains(string(r.body), `"summary":"old.example"`) {
		t.Errorf("%s", r.body)
	}
}

func TestTC14_TokensEndAndAreRenewed(t *testing.T) {
	in := newInstance(t)
	with := func(token string) int {
		req := in.request("GET", "/api/v3/indicators", nil)
		req.Header.Set("Authorization", "TC-Token "+token)
		return in.send(req).status
	}
	long := in.ThreatConnectToken("APIV2", 90*24*time.Hour)
	short, _ := in.tc("POST", "/api/v3/token/api", nil).json(t)["data"].(string)
	if !strings.HasPrefix(short, "API:") || with(short) != 200 || with(long) != 200 || with(short+"x") != 401 {
		t.Fatalf("%s: %d", short, with(short))
	}
	in.Clock().Advance(4 * time.Hour)
	if with(short) != 401 || with(long) != 200 {
		t.Error("the token outlived its four hours")
	}
	renew := func(token string) reply {
		return in.send(in.request("GET", "/api/appAuth?expiredToken="+url.QueryEscape(token), nil))
	}
	m := renew(short).json(t)
	if with(m["apiToken"].(string)) != 200 || int64(m["apiTokenExpires"].(float64)) != in.Now().Add(4*time.Hour).Unix() {
		t.Errorf("%v", m)
	}
	for _, token := range []string{"", "API:1:x:1:y", long} {
		if r := renew(token); r.status != 401 {
			t.Errorf("%q: %d", token, r.status)
		}
	}
}

func TestTC15_Faults(t *testing.T) {
	in := newInstance(t)
	in.seed(host("a.example"))
	in.fault(Rule{Op: "tc-list", Count: 1, Action: Action{Status: 401, Body: `{"message":"Unauthorized","status":"Error"}`}})
	in.fault(Rule{Op: "tc-list", From: 2, Count: 1, Action: Action{Status: 502}})
	in.fault(Rule{Op: "tc-list", From: 3, Count: 1, Action: Action{Truncate: 10}})
	in.fault(Rule{Op: "tc-list", From: 4, Count: 1, Action: Action{Latency: Duration(2 * time.Minute), LatencyMode: "advance"}})
	loop := fmt.Sprintf(`{"next":"%s/v3/indicators?resultStart=0","data":[],"status":"Success"}`, in.ThreatConnectURL())
	in.fault(Rule{Op: "tc-list", From: 5, Count: 1, Action: Action{Status: 200, Body: loop}})
	for _, want := range []int{401, 502} {
		if r := in.tc("GET", "/api/v3/indicators", nil); r.status != want {
			t.Errorf("%d, want %d", r.status, want)
		}
	}
	if resp, err := in.client.Do(in.signed("GET", "/api/v3/indicators", nil)); err == nil {
		buf := make([]byte, 100)
		n, _ := resp.Body.Read(buf)
		_ = resp.Body.Close()
		if n != 10 {
			t.Errorf("%d bytes", n)
		}
	}
	before := in.Now()
	if in.ask(""); in.Now().Sub(before) != 2*time.Minute {
		t.Error("the query was not slow")
	}
	if p := in.ask(""); p.Next == "" || len(p.Data) != 0 {
		t.Errorf("%+v", p)
	}
	if e := in.Journal(Query{Op: "tc-list"}); len(e) != 5 || slices.ContainsFunc(e, func(e Entry) bool { return e.Fault == "" }) {
		t.Errorf("%+v", e)
	}
}
