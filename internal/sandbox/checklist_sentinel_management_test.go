package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// managed is the body of a good createIndicator with changes.
func managed(edit props) props {
	p := props{
		"source": "hand", "displayName": "n", "pattern": "[url:value = 'https://a.b/']", "patternType": "url", "confidence": 78,
		"threatTypes": []string{"compromised"}, "validFrom": "2026-01-01T00:00:00Z", "threatIntelligenceTags": []string{"one"},
	}
	for k, v := range edit {
		p[k] = v
		if v == nil {
			delete(p, k)
		}
	}
	return props{"kind": "indicator", "properties": p}
}

func (w *twin) create(body props) map[string]any {
	w.t.Helper()
	r := w.azure("a", "POST", socARM+"main/createIndicator"+armV, body)
	if r.status != 201 {
		w.t.Fatalf("create: %d %s", r.status, r.body)
	}
	return r.json(w.t)
}

func TestManagement_Indicator(t *testing.T) {
	w := newSentinel(t)
	made := w.create(managed(props{"modified": "", "validUntil": "", "labels": []string{}}))
	name, _ := made["name"].(string)
	p := made["properties"].(map[string]any)
	if made["id"] != managedIn+"soc/providers/Microsoft.SecurityInsights/ThreatIntelligence/"+name || made["type"] != "Microsoft.SecurityInsights/ThreatIntelligence" ||
		made["kind"] != "indicator" || made["etag"] == "" || !strings.HasPrefix(p["externalId"].(string), "indicator--") || p["created"] != "2026-11-22T06:00:00.0000000Z" ||
		p["createdByRef"] != "a" || fmt.Sprint(p["externalReferences"], p["granularMarkings"], p["killChainPhases"]) != "[] [] []" ||
		fmt.Sprint(p["parsedPattern"]) != "[map[patternTypeKey:url patternTypeValues:[map[value:https://a.b/ valueType:url]]]]" {
		t.Errorf("%v", made)
	}
	path := socARM + "main/indicators/" + name
	if got := w.azure("a", "GET", path+armV, nil).json(t); fmt.Sprint(got) != fmt.Sprint(made) {
		t.Errorf("get: %v", got)
	}
	// Both listings and the query have it; it is deleted by either door.
	if n, m, k := len(w.value("GET", socARM+"main/indicators"+armV, nil)), len(w.value("POST", socARM+"main/queryIndicators"+armV, props{})), len(w.find()); n != 1 || m != 1 || k != 1 {
		t.Errorf("listed %d %d %d", n, m, k)
	}
	w.Clock().Advance(time.Hour)
	body := managed(props{"displayName": "renamed", "source": "cannot move"})
	body["etag"] = "stale"
	if r := w.azure("a", "PUT", path+armV, body); r.status != 409 {
		t.Errorf("stale etag: %d %s", r.status, r.body)
	}
	body["etag"] = made["etag"]
	put := w.azure("a", "PUT", path+armV, body)
	if q := put.json(t)["properties"].(map[string]any); put.status != 200 || q["displayName"] != "renamed" || q["externalId"] != p["externalId"] || q["created"] != p["created"] || q["source"] != "hand" {
		t.Errorf("put: %d %s", put.status, put.body)
	}
	if r := w.azure("a", "PUT", socARM+"main/indicators/mine"+armV, managed(nil)); r.status != 201 || r.json(t)["name"] != "mine" {
		t.Errorf("put of a new one: %d %s", r.status, r.body)
	}
	for _, want := range []int{200, 204} {
		if r := w.azure("a", "DELETE", path+armV, nil); r.status != want || len(r.body) != 0 {
			t.Errorf("delete: %d %s", r.status, r.body)
		}
	}
	if r := w.azure("a", "GET", path+armV, nil); r.status != 404 || !strings.Contains(string(r.body), `"code":"NotFound"`) {
		t.Errorf("get: %d %s", r.status, r.body)
	}
	if r := w.azure("a", "DELETE", w.find()[0]["id"].(string)+queryV, nil); r.status != 200 || len(w.stixObjects()) != 0 {
		t.Errorf("delete by the query's id: %d %s", r.status, r.body)
	}
	if b, _ := w.Bill("soc"); b.ByMethod["Management API"] != 5 {
		t.Errorf("%+v", b)
	}
	if e := w.Journal(Query{Op: "sentinel-create"}); len(e) != 1 || e[0].Items[0].Value != "https://a.b/" {
		t.Errorf("%+v", e)
	}
}

func TestManagement_Tags(t *testing.T) {
	w := newSentinel(t)
	made := w.create(managed(nil))
	path := socARM + "main/indicators/" + made["name"].(string)
	tags := func() string {
		return fmt.Sprint(w.azure("a", "GET", path+armV, nil).json(t)["properties"].(map[string]any)["threatIntelligenceTags"])
	}
	if r := w.azure("a", "POST", path+"/appendTags"+armV, props{"threatIntelligenceTags": []string{"two", "one"}}); r.status != 200 || len(r.body) != 0 || tags() != "[one two]" {
		t.Errorf("%d %s %s", r.status, r.body, tags())
	}
	etag := w.azure("a", "GET", path+armV, nil).json(t)["etag"]
	replace := props{"kind": "indicator", "etag": etag, "properties": props{"threatIntelligenceTags": []string{"three"}}}
	r := w.azure("a", "POST", path+"/replaceTags"+armV, replace)
	if r.status != 200 || r.json(t)["etag"] == etag || tags() != "[three]" {
		t.Errorf("%d %s %s", r.status, r.body, tags())
	}
	if r := w.azure("a", "POST", path+"/replaceTags"+armV, replace); r.status != 409 {
		t.Errorf("stale: %d %s", r.status, r.body)
	}
	// What was uploaded is in the other store.
	w.uploaded("src", ioc(1, nil))
	if r := w.azure("a", "POST", socARM+"main/indicators/"+w.one(stixID(1)).Name+"/appendTags"+armV, props{}); r.status != 404 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestManagement_Refusals(t *testing.T) {
	w := newSentinel(t)
	kind := managed(nil)
	kind["kind"] = "nonsense"
	for _, body := range []any{
		"{", kind, managed(props{"source": nil}), managed(props{"displayName": ""}), managed(props{"pattern": nil}), managed(props{"patternType": nil}),
		managed(props{"validFrom": nil}), managed(props{"validFrom": "x"}), managed(props{"validUntil": "2025-01-01T00:00:00Z"}), managed(props{"threatTypes": nil}), managed(props{"confidence": 101}),
	} {
		for _, target := range []string{"POST main/createIndicator", "PUT main/indicators/x"} {
			method, path, _ := strings.Cut(target, " ")
			if r := w.azure("a", method, socARM+path+armV, body); r.status != 400 || !strings.Contains(string(r.body), `"code":"BadRequest"`) {
				t.Errorf("%s %v: %d %s", target, body, r.status, r.body)
			}
		}
	}
	for _, c := range []struct {
		method, path string
		want         int
		allow        string
	}{
		{"PATCH", "main/indicators/x", 405, "DELETE, GET, PUT"}, {"GET", "main/createIndicator", 405, "POST"}, {"GET", "main/nonsense", 404, ""}, {"GET", "main", 404, ""}, {"POST", "other/query", 404, ""},
	} {
		if r := w.azure("a", c.method, socARM+c.path+armV, nil); r.status != c.want || r.header.Get("Allow") != c.allow || !strings.Contains(string(r.body), `{"error":{"code":"`) {
			t.Errorf("%s %s: %d %v %s", c.method, c.path, r.status, r.header, r.body)
		}
	}
}

func TestManagement_List(t *testing.T) {
	w := newSentinel(t)
	for i := range 5 {
		w.create(managed(props{"displayName": fmt.Sprintf("n%d", i), "source": []string{"x", "y"}[i%2]}))
	}
	w.uploaded("x", ioc(1, nil))
	for query, want := range map[string]int{
		"": 5, "&$filter=source+eq+'x'": 3, "&$top=2": 5, "&$orderby=name+desc&$top=1": 5, "&$filter=displayName+eq+'n1'": 1, "&$filter=validUntil+eq+null": 5,
		"&$filter=validFrom+lt+2026-02-01T00:00:00Z": 5, "&$filter=patternType+ne+'url'": 0, "&$filter=contains(pattern,'a.b')": 5, "&$filter=revoked+eq+true": 0,
		"&$filter=externalId+eq+'x'": 0, "&$filter=name+eq+'x'": 0, "&$filter=threatIntelligenceTags/any(t:t+eq+'one')": 5,
	} {
		if got := len(w.value("GET", socARM+"main/indicators"+armV+query, nil)); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	for _, query := range []string{"&$filter=nonsense+eq+1", "&$top=0", "&$orderby=name+up", "&$orderby=nonsense", "&$skipToken=x"} {
		if r := w.azure("a", "GET", socARM+"main/indicators"+armV+query, nil); r.status != 400 {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
}

func TestChecklist52_MetricsAndCount(t *testing.T) {
	w := newSentinel(t)
	w.uploaded("src", ioc(1, props{"indicator_types": []string{"benign"}}), ioc(2, nil), ioc(3, props{"pattern": "[url:value = 'http://a.example/']"}))
	w.create(managed(nil))
	r := w.azure("a", "GET", socARM+"main/metrics"+armV, nil)
	var doc struct {
		Value []struct {
			Properties map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal(r.body, &doc); err != nil || len(doc.Value) != 1 {
		t.Fatalf("%v %s", err, r.body)
	}
	for name, want := range map[string]string{
		"sourceMetrics":      `[{"metricName":"src","metricValue":3},{"metricName":"hand","metricValue":1}]`,
		"patternTypeMetrics": `[{"metricName":"ipv4-addr","metricValue":2},{"metricName":"url","metricValue":2}]`,
		"threatTypeMetrics":  `[{"metricName":"benign","metricValue":1},{"metricName":"compromised","metricValue":1}]`,
		"lastUpdatedTimeUtc": `"2026-11-22T06:00:00.0000000Z"`,
	} {
		if got := string(doc.Value[0].Properties[name]); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	count := func() string { return string(w.azure("a", "POST", socARM+"main/count"+queryV, props{}).body) }
	if got := count(); got != `{"count":4}` || len(w.stixObjects()) != 4 {
		t.Error(got)
	}
	if err := w.DeleteObject("soc", stixID(1)); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != `{"count":3}` {
		t.Error(got)
	}
}

func TestChecklist53_ApiVersion(t *testing.T) {
	w := newSentinel(t)
	for _, path := range []string{"main/metrics", "main/indicators", "main/indicators/x"} {
		r := w.azure("a", "GET", socARM+path, nil)
		if r.status != 400 || !strings.Contains(string(r.body), `{"error":{"code":"MissingApiVersionParameter","message":"`) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	for _, c := range []struct{ method, path string }{
		{"GET", "main/metrics?api-version=2031-01-01"}, {"POST", "main/query" + armV}, {"POST", "main/count" + armV}, {"GET", "main/metrics?api-version="},
	} {
		if r := w.azure("a", c.method, socARM+c.path, props{}); r.status != 400 || !strings.Contains(string(r.body), "NoRegisteredProviderFound") {
			t.Errorf("%s: %d %s", c.path, r.status, r.body)
		}
	}
	r := w.send(w.request("GET", socARM+"main/metrics"+armV, nil))
	if r.status != 401 || !strings.Contains(string(r.body), `"code":"AuthenticationFailed"`) || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer authorization_uri=") {
		t.Errorf("%d %v %s", r.status, r.header, r.body)
	}
	req := w.request("GET", socARM+"main/metrics"+armV, nil)
	req.Header.Set("Authorization", "Bearer "+w.token(testTenant, "a"))
	if r := w.send(req); r.status != 401 || !strings.Contains(string(r.body), "InvalidAuthenticationTokenAudience") {
		t.Errorf("Defender's token: %d %s", r.status, r.body)
	}
}

// TestNationalClouds: each management plane knows its own workspaces and takes
// its own audiences; the upload API is in the public cloud only (§4.9).
func TestNationalClouds(t *testing.T) {
	w := newSentinel(t)
	for _, c := range []struct {
		host, audience, workspace string
		want                      int
	}{
		{"management.azure.com", armScope, "soc", 200}, {"management.azure.com", armScope, "gov", 404}, {"management.usgovcloudapi.net", armScope, "gov", 401},
		{"management.usgovcloudapi.net", "https://management.usgovcloudapi.net", "gov", 200}, {"management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/", "gov", 200},
		{"management.usgovcloudapi.net", "https://management.usgovcloudapi.net", "soc", 404}, {"management.chinacloudapi.cn", "https://management.chinacloudapi.cn", "cn", 200},
		{strings.TrimPrefix(w.URL(), "https://"), "https://management.chinacloudapi.cn", "cn", 200}, {strings.TrimPrefix(w.URL(), "https://"), armScope, "cn", 401},
	} {
		req := w.request("GET", "https://"+c.host+managedIn+c.workspace+tiPath+"main/metrics"+armV, nil)
		req.Header.Set("Authorization", "Bearer "+w.azureToken("a", c.audience))
		if r := w.send(req); r.status != c.want {
			t.Errorf("%+v: %d %s", c, r.status, r.body)
		}
	}
}
