package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestChecklist34_UploadSuffixIsLiteral(t *testing.T) {
	w := newSentinel(t)
	body := props{"sourcesystem": "src", "stixobjects": iocs(1, 1)}
	for _, path := range []string{
		"/workspaces/" + socID + uploadTo, "/workspaces/{" + strings.ToUpper(socID) + "}" + uploadTo,
		"/workspaces/" + socID + strings.Replace(uploadTo, ":", "%3A", 1), "https://api.ti.sentinel.azure.com/workspaces/" + socID + uploadTo,
	} {
		if r := w.azure("a", "POST", path, body); r.status != 200 || r.header.Get("x-ms-request-id") == "" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	for _, path := range []string{
		"/workspaces/" + socID + strings.Replace(uploadTo, ":", "/", 1), "/workspaces/" + socID + strings.Replace(uploadTo, ":upload", "", 1),
		"https://management.azure.com/workspaces/" + socID + uploadTo, "https://sentinelus.azure-api.net/workspaces/" + socID + uploadTo,
		"https://login.microsoftonline.com/workspaces/" + socID + uploadTo, "https://api.ti.sentinel.azure.com" + socARM + "main/metrics" + armV,
	} {
		if r := w.azure("a", "POST", path, body); r.status != 404 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := w.azure("a", "GET", "/workspaces/"+socID+uploadTo, nil); r.status != 404 {
		t.Errorf("GET: %d %s", r.status, r.body)
	}
	for _, query := range []string{"", "?api-version=2022-07-01"} {
		if r := w.azure("a", "POST", "/workspaces/"+socID+strings.TrimSuffix(uploadTo, "?api-version=2024-02-01-preview")+query, body); r.status != 400 {
			t.Errorf("version %q: %d %s", query, r.status, r.body)
		}
	}
}

func TestChecklist35_ThreeEndpointsThreeKeys(t *testing.T) {
	w := newSentinel(t)
	keys := []string{"stixobjects", "value", "indicators"}
	for i, path := range []string{
		"https://api.ti.sentinel.azure.com/workspaces/" + socID + uploadTo,
		"https://sentinelus.azure-api.net/" + socID + "/threatintelligence:upload-indicators?api-version=2022-07-01",
		"https://sentinelus.azure-api.net/workspaces/" + socID + "/threatintelligenceindicators:upload?api-version=2022-07-01",
	} {
		for j, key := range keys {
			r := w.azure("a", "POST", path, props{"sourcesystem": "src", key: iocs(10*i+j, 1)})
			switch {
			case i == j && (r.status != 200 || len(r.body) != 0):
				t.Errorf("%s with %s: %d %s", path, key, r.status, r.body)
			case i != j && (r.status != 400 || !strings.Contains(string(r.body), `"code":"InvalidRequestBodyProperty(`+keys[i]+`)"`)):
				t.Errorf("%s with %s: %d %s", path, key, r.status, r.body)
			}
		}
	}
	if n := len(w.stixObjects()); n != 3 {
		t.Errorf("%d objects", n)
	}
	if len(w.Journal(Query{Op: "upload"})) != 3 || len(w.Journal(Query{Op: "upload-indicators"})) != 6 {
		t.Errorf("journal: %+v", w.Counters())
	}
}

func TestChecklist36_TooManyObjects(t *testing.T) {
	w := newSentinel(t)
	w.uploaded("src", iocs(0, 100)...)
	r := w.upload("src", iocs(100, 101)...)
	if r.status != 400 || !strings.Contains(r.message(t), "101") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if n := len(w.stixObjects()); n != 100 {
		t.Errorf("%d objects", n)
	}
}

func TestChecklist37_RateLimitPerUser(t *testing.T) {
	w := newSentinel(t)
	for i := range 100 {
		if i == 30 {
			w.Clock().Advance(15 * time.Second)
		}
		w.uploaded("src", ioc(1, props{"modified": stamp(time.Duration(i) * time.Millisecond)}))
	}
	legacy := "/" + socID + "/threatintelligence:upload-indicators?api-version=2022-07-01"
	for _, r := range []reply{w.upload("src", ioc(1, nil)), w.azure("a", "POST", legacy, props{"sourcesystem": "src", "value": iocs(1, 1)})} {
		var e struct {
			StatusCode int
			Message    string
		}
		if err := json.Unmarshal(r.body, &e); err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(e.Message)
		if r.status != 429 || e.StatusCode != 429 || e.Message != "Rate limit is exceeded. Try again in 45 seconds." || words[len(words)-2] != "45" || r.header.Get("Retry-After") != "" {
			t.Errorf("%d %v %s", r.status, r.header, r.body)
		}
	}
	if r := w.azure("b", "POST", "/workspaces/"+socID+uploadTo, props{"sourcesystem": "src", "stixobjects": iocs(1, 1)}); r.status != 200 {
		t.Errorf("another user: %d %s", r.status, r.body)
	}
	if err := w.SetSwitch("sentinel_retry_after", "header"); err != nil {
		t.Fatal(err)
	}
	if r := w.upload("src", ioc(1, nil)); r.header.Get("Retry-After") != "45" {
		t.Errorf("%v", r.header)
	}
	w.Clock().Advance(45 * time.Second)
	w.uploaded("src", ioc(2, nil))
}

func TestChecklist38_AllValidIsEmpty(t *testing.T) {
	w := newSentinel(t)
	r := w.upload("src", iocs(1, 3)...)
	if r.status != 200 || len(r.body) != 0 || r.header.Get("Content-Length") != "0" || r.header.Get("Content-Type") != "" {
		t.Errorf("%d %v %q", r.status, r.header, r.body)
	}
	e := w.Journal(Query{Op: "upload"})[0]
	if len(e.Items) != 3 || e.Effects()["created"] != 3 || e.Items[0].ID != stixID(1) || e.Items[0].Value != "198.51.100.1" || e.Tenant != testTenant || e.App != "a" {
		t.Errorf("%+v", e)
	}
}

func TestChecklist39_PartialSuccess(t *testing.T) {
	w := newSentinel(t)
	send := func() reply {
		return w.upload("src", ioc(1, nil), ioc(2, nil), ioc(3, nil), ioc(4, props{"id": nil}), ioc(5, props{"valid_until": stamp(-time.Hour), "confidence": 101}))
	}
	r := send()
	want := `{"errors":[{"errorMessages":["Error for Property=id: Required property is missing. Actual value: NULL."],"recordIndex":3},` +
		`{"errorMessages":["Error for Property=confidence: Value is not an integer from 0 to 100. Actual value: 101.",` +
		`"Error for Property=valid_until: Valid_until is not after valid_from. Actual value: \"2026-11-22T05:00:00.000Z\"."],"recordIndex":4}]}`
	if r.status != 200 || string(r.body) != want {
		t.Errorf("%d %s", r.status, r.body)
	}
	if n := len(w.stixObjects()); n != 3 {
		t.Errorf("%d objects", n)
	}
	if e := w.Journal(Query{Op: "upload"})[0]; e.Effects()["refused"] != 2 || e.Effects()["created"] != 3 {
		t.Errorf("%+v", e)
	}
	if err := w.SetSwitch("sentinel_errors", "validationErrorMessages"); err != nil {
		t.Fatal(err)
	}
	if r := send(); !strings.Contains(string(r.body), `"recordIndex":3`) || !strings.Contains(string(r.body), `"validationErrorMessages":[`) || strings.Contains(string(r.body), `"errorMessages"`) {
		t.Errorf("%s", r.body)
	}
	if r := w.upload("src", ioc(1, props{"id": nil})); r.status != 200 {
		t.Errorf("nothing valid: %d %s", r.status, r.body)
	}
	if err := w.SetSwitch("sentinel_all_invalid", "400"); err != nil {
		t.Fatal(err)
	}
	if r := w.upload("src", ioc(1, props{"id": nil})); r.status != 400 || !strings.Contains(string(r.body), `"recordIndex":0`) {
		t.Errorf("nothing valid: %d %s", r.status, r.body)
	}
}

func TestChecklist40_NoContentType(t *testing.T) {
	w := newSentinel(t)
	send := func(kind string) reply {
		req := w.request("POST", "/workspaces/"+socID+uploadTo, props{"sourcesystem": "src", "stixobjects": iocs(1, 1)})
		req.Header.Del("Content-Type")
		if kind != "" {
			req.Header.Set("Content-Type", kind)
		}
		req.Header.Set("Authorization", "Bearer "+w.azureToken("a", armScope))
		return w.send(req)
	}
	for kind, want := range map[string]int{"": 200, "application/json; charset=utf-8": 200, "text/plain": 415} {
		if r := send(kind); r.status != want {
			t.Errorf("%q: %d %s", kind, r.status, r.body)
		}
	}
}

func TestChecklist41_RestrictedSource(t *testing.T) {
	w := newSentinel(t)
	for _, source := range []string{"Microsoft Sentinel", " microsoft sentinel "} {
		r := w.upload(source, ioc(1, nil))
		if r.status != 400 || !strings.Contains(r.message(t), "restricted") {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	w.uploaded("Microsoft Sentinel 2", ioc(1, nil))
}

func TestChecklist42_Audiences(t *testing.T) {
	w := newSentinel(t)
	send := func(token string) reply {
		req := w.request("POST", "/workspaces/"+socID+uploadTo, props{"sourcesystem": "src", "stixobjects": iocs(1, 1)})
		req.Header.Set("Authorization", "Bearer "+token)
		return w.send(req)
	}
	for _, aud := range []string{"https://management.core.windows.net/", "https://management.core.windows.net", "https://management.azure.com/", "https://management.azure.com", w.URL()} {
		if r := send(w.azureToken("a", aud)); r.status != 200 {
			t.Errorf("%s: %d %s", aud, r.status, r.body)
		}
	}
	v1, _ := w.form("/"+testTenant+"/oauth2/token", "grant_type", "client_credentials", "client_id", "a", "client_secret", "s", "resource", "https://management.azure.com/").json(t)["access_token"].(string)
	if r := send(v1); r.status != 200 {
		t.Errorf("v1: %d %s", r.status, r.body)
	}
	for name, token := range map[string]string{
		"defender": w.token(testTenant, "a"), "none": "", "garbage": "x.y.z", "government": w.azureToken("a", "https://management.usgovcloudapi.net"),
	} {
		r := send(token)
		if r.status != 401 || string(r.body) != `{"statusCode":401,"message":"Unauthorized. Access token is missing or invalid."}` {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	w.Clock().Advance(2 * time.Hour)
	if r := send(v1); r.status != 401 {
		t.Errorf("expired: %d %s", r.status, r.body)
	}
	// A token for Azure opens nothing at Defender.
	w.Clock().Set(start)
	req := w.request("GET", "/api/indicators", nil)
	req.Header.Set("Authorization", "Bearer "+v1)
	if r := w.send(req); r.status != 401 {
		t.Errorf("Defender took a token for Azure: %d %s", r.status, r.body)
	}
}

func TestChecklist43_ContributorOnTheWorkspace(t *testing.T) {
	w := newSentinel(t)
	to := func(app, workspace string) int {
		return w.azure(app, "POST", "/workspaces/"+workspace+uploadTo, props{"sourcesystem": "src", "stixobjects": iocs(1, 1)}).status
	}
	for _, c := range []struct {
		app, workspace string
		want           int
	}{{"a", socID, 200}, {"a", devID, 403}, {"b", socID, 200}, {"b", devID, 200}, {"reader", socID, 403}, {"none", socID, 403}, {"own", devID, 403}} {
		if got := to(c.app, c.workspace); got != c.want {
			t.Errorf("%s to %s: %d, want %d", c.app, c.workspace, got, c.want)
		}
	}
	r := w.azure("reader", "POST", "/workspaces/"+socID+uploadTo, props{"sourcesystem": "src", "stixobjects": iocs(1, 1)})
	if !strings.Contains(string(r.body), `{"error":{"code":"AuthorizationFailed"`) || r.header.Get("x-ms-error-code") != "AuthorizationFailed" {
		t.Errorf("%v %s", r.header, r.body)
	}
	// The management plane: the reader reads and does not write.
	for path, want := range map[string]int{"POST main/query": 200, "POST main/queryIndicators": 200, "GET main/metrics": 200, "DELETE main/indicators/x": 403, "POST main/createIndicator": 403} {
		method, path, _ := strings.Cut(path, " ")
		v := armV
		if path == "main/query" {
			v = queryV
		}
		if r := w.azure("reader", method, socARM+path+v, props{}); r.status != want {
			t.Errorf("%s %s: %d %s", method, path, r.status, r.body)
		}
	}
	// A role given later counts with the token that is there.
	tenant := w.Tenants()[0]
	tenant.Apps = slices.Clone(tenant.Apps)
	tenant.Apps[0].Assignments = append(slices.Clone(tenant.Apps[0].Assignments), Assignment{Role: RoleSentinelContributor, Scope: devID})
	if err := w.SetTenant(tenant); err != nil {
		t.Fatal(err)
	}
	if got := to("a", devID); got != 200 {
		t.Errorf("after the role was given: %d", got)
	}
}

func TestChecklist44_UnknownWorkspace(t *testing.T) {
	w := newSentinel(t)
	for workspace, want := range map[string]int{"e5555555-5555-4555-8555-555555555555": 404, "soc": 400, govID: 404, chinaID: 404} {
		r := w.azure("b", "POST", "/workspaces/"+workspace+uploadTo, props{"sourcesystem": "src", "stixobjects": iocs(1, 1)})
		if r.status != want {
			t.Errorf("%s: %d %s", workspace, r.status, r.body)
		}
	}
	if r := w.azure("b", "GET", managedIn+"none"+tiPath+"main/metrics"+armV, nil); r.status != http.StatusNotFound || !strings.Contains(string(r.body), `"code":"ResourceNotFound"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestChecklist45_ModifiedDecides(t *testing.T) {
	w := newSentinel(t)
	w.uploaded("src", ioc(1, props{"modified": stamp(time.Hour), "name": "one"}))
	w.uploaded("src", ioc(1, props{"modified": stamp(time.Hour + time.Millisecond), "name": "two", "confidence": 7}))
	if o := w.one(stixID(1)); o.Label != "two" || *o.Confidence != 7 {
		t.Errorf("newer did not replace: %+v", o)
	}
	for _, d := range []time.Duration{time.Hour, time.Hour + time.Millisecond} { // older, same
		w.uploaded("src", ioc(1, props{"modified": stamp(d), "name": "old"}))
		if o := w.one(stixID(1)); o.Label != "two" {
			t.Errorf("%v replaced: %+v", d, o)
		}
	}
	if e := w.Journal(Query{Op: "upload", Effect: "refused"}); len(e) != 2 || !strings.Contains(e[0].Items[0].Reason, "not older") {
		t.Errorf("%+v", e)
	}
	for value, want := range map[string]string{"fail_item": `"recordIndex":0`, "replace": ""} {
		if err := w.SetSwitch("sentinel_older_modified", value); err != nil {
			t.Fatal(err)
		}
		if r := w.upload("src", ioc(1, props{"name": "old"})); r.status != 200 || !strings.Contains(string(r.body), want) || want == "" && len(r.body) != 0 {
			t.Errorf("%s: %d %s", value, r.status, r.body)
		}
	}
}

func TestChecklist46_RevokedNeverComesBack(t *testing.T) {
	w := newSentinel(t)
	w.uploaded("src", ioc(1, nil))
	w.uploaded("src", ioc(1, props{"modified": stamp(time.Second), "revoked": true}))
	if o := w.one(stixID(1)); !o.Revoked || o.Live(w.Now()) {
		t.Errorf("%+v", o)
	}
	again := ioc(1, props{"modified": stamp(time.Minute)})
	w.uploaded("src", again)
	if o := w.one(stixID(1)); !o.Revoked {
		t.Errorf("came back: %+v", o)
	}
	if err := w.DeleteObject("soc", stixID(1)); err != nil {
		t.Fatal(err)
	}
	w.uploaded("src", again)
	if n := len(w.stixObjects()); n != 0 {
		t.Errorf("came back after deletion: %d objects", n)
	}
	if e := w.Journal(Query{Effect: "refused"}); len(e) != 2 || !strings.Contains(e[1].Items[0].Reason, "revoked") {
		t.Errorf("%+v", e)
	}
	if err := w.SetSwitch("sentinel_revoked", "fail_item"); err != nil {
		t.Fatal(err)
	}
	if r := w.upload("src", again); !strings.Contains(string(r.body), "revoked") {
		t.Errorf("%d %s", r.status, r.body)
	}
	w.uploaded("other", again) // another identity
}

func TestChecklist47_SourceIsPartOfIdentity(t *testing.T) {
	w := newSentinel(t)
	w.uploaded("one", ioc(1, nil))
	w.uploaded("two", ioc(1, nil))
	rows, err := w.TableRows("soc", "ThreatIntelIndicators")
	if err != nil || len(rows) != 2 || rows[0].ID != "b25l---"+stixID(1) || rows[1].ID != "dHdv---"+stixID(1) {
		t.Errorf("%v %+v", err, rows)
	}
	if n := len(w.find(where("source", "Equals", "two"))); n != 1 {
		t.Errorf("%d found", n)
	}
	w.uploaded("a", ioc(1, nil)) // "YQ==" or "YQ"
	if rows, _ := w.TableRows(socID, ""); rows[2].ID != "YQ==---"+stixID(1) {
		t.Errorf("%s", rows[2].ID)
	}
	if err := w.SetSwitch("sentinel_id", "raw"); err != nil {
		t.Fatal(err)
	}
	w.uploaded("a", ioc(2, nil))
	if o := w.one(stixID(2)); o.ID != "YQ---"+stixID(2) {
		t.Errorf("%s", o.ID)
	}
}

func TestChecklist48_OnlySingleComparisonsAreParsed(t *testing.T) {
	w := newSentinel(t)
	for i, c := range []struct{ pattern, key, value string }{
		{"[ipv4-addr:value = '203.0.113.0/24']", "ipv4-addr:value", "203.0.113.0/24"},
		{" [ url:value='https://e.example/it\\'s?a\\\\b' ] ", "url:value", `https://e.example/it's?a\b`},
		{"[file:hashes.'SHA-256' = 'ab']", "file:hashes.'SHA-256'", "ab"}, {"[file:hashes.MD5 = 'ab']", "file:hashes.MD5", "ab"},
		{"[x509-certificate:serial_number = '1']", "x509-certificate:serial_number", "1"},
		{"[network-traffic:dst_ref.value = '198.51.100.1']", "network-traffic:dst_ref.value", "198.51.100.1"},
		{"[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'x']", "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'", "x"},
		{"[autonomous-system:number = 15139]", "autonomous-system:number", "15139"},
		{"[file:name = 'a' AND file:hashes.MD5 = 'b']", "", ""}, {"[ipv4-addr:value = 'a' OR ipv4-addr:value = 'b']", "", ""},
		{"[ipv4-addr:value = 'a'] AND [ipv4-addr:value = 'b']", "", ""}, {"[ipv4-addr:value ISSUBSET '10.0.0.0/8']", "", ""},
		{"[ipv4-addr:value != 'a']", "", ""}, {"[ipv4-addr:value IN ('a')]", "", ""}, {"[ipv4-addr:value = 'a'] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'", "", ""},
		{"ipv4-addr:value = 'a'", "", ""}, {"alert tcp any any", "", ""}, {"[a:b = 'c\\d']", "", ""},
	} {
		w.uploaded("src", ioc(i, props{"pattern": c.pattern}))
		if o := w.one(stixID(i)); o.ObservableKey != c.key || o.ObservableValue != c.value || o.Pattern != c.pattern {
			t.Errorf("%s: %q = %q", c.pattern, o.ObservableKey, o.ObservableValue)
		}
	}
	w.uploaded("src", ioc(99, props{"pattern_type": "snort"}))
	if o := w.one(stixID(99)); o.ObservableKey != "" {
		t.Errorf("snort was parsed: %+v", o)
	}
}

func TestChecklist54_TLPLevel(t *testing.T) {
	w := newSentinel(t)
	for guid, want := range map[string]string{
		"613f2e26-407d-48c7-9eca-b8e91df99dc9": "White", "34098fce-860f-48ae-8e50-ebd3cc5e41da": "Green", "f88d31f6-486f-44da-b317-01333bde0b82": "Amber",
		"5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "Red", "55d920b0-5e8b-4f79-9ee9-91f868d9b421": "unknown", "089a6ecb-cc15-43cc-9494-767639779123": "unknown",
	} {
		w.uploaded("src", ioc(1, props{"object_marking_refs": []string{"marking-definition--" + guid}}))
		rows, err := w.TableRows("soc", "")
		if err != nil || rows[len(rows)-1].AdditionalFields["TLPLevel"] != want {
			t.Errorf("%s: %v %+v", guid, err, rows)
		}
		w.Sandbox.sentinel.Reset()
	}
	w.uploaded("src", ioc(1, nil))
	if rows, _ := w.TableRows("soc", ""); len(rows[0].AdditionalFields) != 0 {
		t.Errorf("without marking: %+v", rows[0])
	}
}
