package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestChecklist10_Prefixes(t *testing.T) {
	w := newTwin(t)
	for _, path := range []string{"/api/indicators", "/api/indicators/", "/api/v1.0/indicators", "/api/v1.0/indicators/", "/API/Indicators"} {
		if r := w.call("GET", path, nil); r.status != 200 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := w.call("GET", "/api/v2.0/indicators", nil); r.code() != "404 NotFound" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestChecklist11_ContextEchoesHostAndPrefix(t *testing.T) {
	w := newTwin(t)
	context := func(method, url string, body any) string {
		s, _ := w.call(method, url, body).json(t)["@odata.context"].(string)
		return s
	}
	got := []string{
		context("GET", "https://api.securitycenter.windows.com/api/indicators", nil),
		context("GET", "/api/v1.0/indicators", nil),
		context("POST", "https://eu.api.security.microsoft.com/api/v1.0/indicators", domain("a.example", nil)),
		context("POST", "https://api.securitycenter.windows.com/api/indicators/import", props{"Indicators": []props{domain("a.example", nil)}}),
	}
	want := []string{
		"https://api.securitycenter.windows.com/api/$metadata#Indicators",
		w.URL() + "/api/v1.0/$metadata#Indicators",
		"https://eu.api.security.microsoft.com/api/v1.0/$metadata#Indicators/$entity",
		"https://api.securitycenter.windows.com/api/$metadata#Collection(microsoft.windowsDefenderATP.api.ImportIndicatorResult)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if err := w.SetSwitch("context_host", "api.fixed.example"); err != nil {
		t.Fatal(err)
	}
	if got := context("GET", "/api/indicators", nil); got != "https://api.fixed.example/api/$metadata#Indicators" {
		t.Error(got)
	}
	r := w.call("GET", "/api/indicators", nil)
	if r.header.Get("Odata-Version") != "4.0" || r.header.Get("Content-Type") != "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8" {
		t.Errorf("headers %v", r.header)
	}
}

func TestChecklist12_NamesAreCaseSensitive(t *testing.T) {
	w := newTwin(t)
	bad := domain("x", props{"indicatorValue": nil, "IndicatorValue": "a.example"})
	for _, r := range []reply{
		w.call("POST", "/api/indicators", bad),
		w.call("POST", "/api/indicators/import", props{"Indicators": []props{domain("ok.example", nil), bad}}),
		w.call("POST", "/api/indicators/import", props{"indicators": []props{domain("ok.example", nil)}}),
		w.call("POST", "/api/indicators/BatchDelete", props{"indicatorIds": []string{"1"}}),
	} {
		if r.code() != "400 MissingRequiredParameter" {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	for _, name := range []string{"indicatorValue", "indicatorType", "action", "title", "description"} {
		r := w.call("POST", "/api/indicators", domain("a.example", props{name: nil}))
		if r.code() != "400 MissingRequiredParameter" || r.message(t) != "Parameter "+name+" is missing." {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for _, body := range []string{"", "null", "[]", `{"indicatorValue":`, `{"Indicators":5}`, `{"Indicators":[5]}`} {
		path := "/api/indicators"
		if strings.Contains(body, "Indicators") {
			path += "/import"
		}
		if r := w.call("POST", path, body); r.code() != "400 InvalidRequestBody" || r.message(t) != "Request body is incorrect" {
			t.Errorf("%q: %d %s", body, r.status, r.body)
		}
	}
	for _, edit := range []props{{"action": "block"}, {"indicatorType": "IP"}, {"severity": "Critical"}, {"title": 5}, {"expirationTime": "soon"}, {"generateAlert": "yes"}} {
		if r := w.call("POST", "/api/indicators", domain("a.example", edit)); r.code() != "400 InvalidRequestBody" {
			t.Errorf("%v: %d %s", edit, r.status, r.body)
		}
	}
	if got := len(w.list("")); got != 0 {
		t.Errorf("%d rows were written", got)
	}
}

func TestChecklist12_MissingOnImportPerItem(t *testing.T) {
	w := newTwin(t, func(o *Options) {
		o.Switches = Switches{MissingOnImport: "fail_item", DescriptionOnImport: "required"}
	})
	res := w.imports(domain("a.example", props{"description": nil}), domain("b.example", nil))
	if !res[0].IsFailed || *res[0].FailureReason != "Parameter description is missing." || res[1].IsFailed {
		t.Errorf("%+v", res)
	}
}

func TestChecklist13_UnknownAndReadOnlyProperties(t *testing.T) {
	w := newTwin(t)
	sent := domain("a.example", props{
		"nonsense": map[string]any{"a": 1}, "id": "77", "createdBy": "evil", "createdByDisplayName": "evil", "createdBySource": "evil",
		"creationTimeDateTimeUtc": "2001-01-01T00:00:00Z", "lastUpdateTime": "2001-01-01T00:00:00Z", "lastUpdatedBy": "evil", "sourceType": "evil", "source": "evil",
		"externalId": "x1", "mitreTechniques": []string{"T1566"}, "category": "Ransomware", "rbacGroupIds": []any{1, "2"}, "rbacGroupNames": []string{"servers"},
		"educateUrl": "https://help.example", "bypassDurationHours": 4, "additionalInfo": "more", "historicalDetection": true,
		"lookBackPeriod": "30", "notificationId": "n", "notificationBody": "nb", "version": "1", "recommendedActions": "none", "application": "Remeld",
	})
	r := w.call("POST", "/api/indicators", sent)
	got := r.json(t)
	want := props{
		"id": "1", "createdBy": "a", "createdByDisplayName": "App A", "createdBySource": "PublicApi", "lastUpdatedBy": "App A",
		"creationTimeDateTimeUtc": "2026-11-22T06:00:00.0000000Z", "lastUpdateTime": "2026-11-22T06:00:00.0000000Z", "externalId": "x1",
		"category": 5.0, "bypassDurationHours": 4.0, "historicalDetection": true, "application": "Remeld", "expirationTime": nil, "severity": "Informational",
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s = %v, want %v", k, got[k], v)
		}
	}
	if fmt.Sprint(got["rbacGroupIds"]) != "[1 2]" || got["nonsense"] != nil || got["sourceType"] != nil {
		t.Errorf("%s", r.body)
	}
	checkWireFields(t, w.list("")[0])
}

// checkWireFields compares a row's property names with those seen on the wire.
func checkWireFields(t *testing.T, row map[string]any) {
	t.Helper()
	raw, ok := reference(t, "observed-wire-fields.json")
	if !ok {
		t.Log("the list of wire fields is absent: names not compared")
		return
	}
	var doc struct{ Fields []struct{ Name string } }
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, f := range doc.Fields {
		want = append(want, f.Name)
	}
	for k := range row {
		got = append(got, k)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("properties %v, want %v", got, want)
	}
}

// reference reads a file of the reference data beside the repository.
func reference(t *testing.T, name string) ([]byte, bool) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return nil, false
		}
		dir = filepath.Dir(dir)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "..", "shared", "data", "defender", name))
	return raw, err == nil
}

func TestChecklist14_TypesAndValues(t *testing.T) {
	w := newTwin(t, func(o *Options) { o.Limits = map[string]Limit{"create": {}} })
	hex := func(n int) string { return strings.Repeat("0aF1", n/4) }
	cases := []struct {
		typ, code string
		good, bad []string
	}{
		{"FileMd5", "InvalidHashValue", []string{hex(32), strings.ToUpper(hex(32)), strings.Repeat("0", 32)}, []string{hex(40), "zz" + hex(28) + "zz", hex(32) + " "}},
		{"FileSha1", "InvalidHashValue", []string{hex(40), strings.Repeat("a", 40), strings.Repeat("1", 40)}, []string{hex(32), hex(36) + "xyz!", "x"}},
		{"FileSha256", "InvalidHashValue", []string{hex(64), strings.Repeat("b", 64), strings.Repeat("9", 64)}, []string{hex(60), hex(60) + " abc", hex(40)}},
		{"CertificateThumbprint", "InvalidHashValue", []string{hex(40), strings.Repeat("c", 40), strings.Repeat("2", 40)}, []string{hex(64), "g" + strings.Repeat("c", 39), "aa:bb"}},
		{"IpAddress", "InvalidIpAddress", []string{"203.0.113.7", "2001:4860:4860:0:0:0:0:8888", "2001:0db8:0000:0000:0000:0000:0000:0001"},
			[]string{"203.0.113.0/24", "203.0.113.1-203.0.113.9", "2001:4860::8888", "203.0.113.07", "10.1.2.3", "127.0.0.1", "fe80:0:0:0:0:0:0:1", "203.0.113.*", "203.0.113.1 "}},
		{"DomainName", "InvalidDomainName", []string{"evil.example", "Sub.Evil.Example", "xn--bcher-kva.example"},
			[]string{"*.evil.example", "_dmarc.evil.example", "evil", "evil..example", "evil.example.", "ev il.example", "bücher.example", "1.2.3.4", "-a.example", "evil.example "}},
		{"Url", "InvalidUrl", []string{"http://evil.example/a?b=c#d", "https://203.0.113.7:8443/x", "evil.example/path"},
			[]string{"ftp://evil.example/", "http://", "http://ev il.example/", "hxxp://evil.example/", "http://evil_.example../", "http://evil.example:port/", "/path", "http://evil.example/ "}},
	}
	for _, c := range cases {
		action := "Block"
		if c.typ == "CertificateThumbprint" {
			action = "BlockAndRemediate"
		}
		edit := props{"indicatorType": c.typ, "action": action}
		for _, v := range c.good {
			if r := w.call("POST", "/api/indicators", domain(v, edit)); r.status != 200 {
				t.Errorf("%s %q: %d %s", c.typ, v, r.status, r.body)
			}
		}
		for _, v := range c.bad {
			if r := w.call("POST", "/api/indicators", domain(v, edit)); r.code() != "400 "+c.code {
				t.Errorf("%s %q: %d %s", c.typ, v, r.status, r.body)
			}
		}
	}
	r := w.call("POST", "/api/indicators", domain("", nil))
	if r.code() != "400 InvalidInput" || r.message(t) != "Recieved an empty indicator value." { //nolint:misspell // the service's word
		t.Errorf("empty value: %d %s", r.status, r.body)
	}
	if r := w.call("POST", "/api/indicators", domain("http://evil.example/"+strings.Repeat("a", 800), props{"indicatorType": "Url"})); r.code() != "400 InvalidInput" {
		t.Errorf("long value: %d", r.status)
	}
	if r := w.call("POST", "/api/indicators", domain("a.example", props{"title": strings.Repeat("a", 4001)})); r.code() != "400 InvalidInput" {
		t.Errorf("long title: %d", r.status)
	}
}

func TestChecklist14_Switches(t *testing.T) {
	w := newTwin(t, func(o *Options) {
		o.Switches = Switches{MD5: "reject", InternalIP: "accept", RetiredActions: "reject", CertificateActions: "any"}
	})
	md5 := domain(strings.Repeat("a", 32), props{"indicatorType": "FileMd5"})
	cert := domain(strings.Repeat("a", 40), props{"indicatorType": "CertificateThumbprint", "action": "Audit", "generateAlert": true})
	for _, c := range []struct {
		want string
		sent props
	}{
		{"400 InvalidInput", md5},
		{"200", domain("10.1.2.3", props{"indicatorType": "IpAddress"})},
		{"200", cert},
		{"400 InvalidInput", domain("a.example", props{"action": "Alert"})},
	} {
		if r := w.call("POST", "/api/indicators", c.sent); r.code() != c.want {
			t.Errorf("%v: %d %s", c.sent, r.status, r.body)
		}
	}
}

func TestChecklist15_AuditNeedsGenerateAlert(t *testing.T) {
	w := newTwin(t)
	for _, edit := range []props{{"action": "Audit"}, {"action": "Audit", "generateAlert": false}} {
		if r := w.call("POST", "/api/indicators", domain("a.example", edit)); r.code() != "400 InvalidInput" {
			t.Errorf("%v: %d %s", edit, r.status, r.body)
		}
	}
	if r := w.call("POST", "/api/indicators", domain("a.example", props{"action": "Audit", "generateAlert": true})); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	// The retired names say the same in the old way.
	for typ, want := range map[string]string{"Alert a.example DomainName": "Audit", "AlertAndBlock a.example DomainName": "Block", "AlertAndBlock " + strings.Repeat("a", 64) + " FileSha256": "BlockAndRemediate"} {
		f := strings.Fields(typ)
		m := w.call("POST", "/api/indicators", domain(f[1], props{"action": f[0], "indicatorType": f[2]})).json(t)
		if m["action"] != want || m["generateAlert"] != true {
			t.Errorf("%s: %v %v", typ, m["action"], m["generateAlert"])
		}
	}
}

func TestChecklist16_BlockAndRemediateOnNetwork(t *testing.T) {
	w := newTwin(t)
	p := domain("a.example", props{"action": "BlockAndRemediate"})
	if r := w.call("POST", "/api/indicators", p); r.code() != "400 InvalidInput" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if err := w.SetSwitch("block_and_remediate_on_network", "accept"); err != nil {
		t.Fatal(err)
	}
	if r := w.call("POST", "/api/indicators", p); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestChecklist17_UpdateKeepsIdentity(t *testing.T) {
	w := newTwin(t)
	w.call("POST", "/api/indicators", domain("a.example", props{"application": "first", "recommendedActions": "x", "externalId": "e1"}))
	w.Clock().Advance(time.Minute)
	m := w.as("b", "POST", "/api/indicators", domain("A.EXAMPLE", props{"application": "second", "title": "new", "externalId": "e2"})).json(t)
	want := props{"id": "1", "createdBy": "a", "application": "first", "title": "new", "externalId": "e2", "lastUpdatedBy": "App B", "recommendedActions": nil,
		"creationTimeDateTimeUtc": "2026-11-22T06:00:00.0000000Z", "lastUpdateTime": "2026-11-22T06:01:00.0000000Z"}
	for k, v := range want {
		if m[k] != v {
			t.Errorf("%s = %v, want %v", k, m[k], v)
		}
	}
	// Another scope is another row.
	if m := w.call("POST", "/api/indicators", domain("a.example", props{"rbacGroupIds": []int{2, 1}})).json(t); m["id"] != "2" {
		t.Errorf("scoped: %v", m["id"])
	}
	if m := w.call("POST", "/api/indicators", domain("a.example", props{"rbacGroupIds": []string{"1", "2"}})).json(t); m["id"] != "2" {
		t.Errorf("same scope in another order: %v", m["id"])
	}
}

func TestChecklist18_OtherActionIsAnotherRow(t *testing.T) {
	w := newTwin(t)
	res := w.imports(domain("a.example", nil), domain("a.example", props{"action": "Allowed"}))
	if *res[0].ID == *res[1].ID || len(w.list("")) != 2 {
		t.Errorf("%+v", res)
	}
	if err := w.SetSwitch("duplicate_policy", "value+type"); err != nil {
		t.Fatal(err)
	}
	res = w.imports(domain("a.example", props{"action": "Warn"}))
	if *res[0].ID != "2" || w.list("")[1]["action"] != "Warn" {
		t.Errorf("value+type: %+v", res)
	}
}

func TestChecklist19_ImportOrderAndMixedVerdicts(t *testing.T) {
	w := newTwin(t)
	res := w.imports(domain("a.example", nil), domain("*.bad", nil), domain("b.example", nil), domain("c.example", props{"action": "Audit"}), domain("A.example", nil))
	var got []string
	for _, r := range res {
		id, reason := "-", ""
		if r.ID != nil {
			id = *r.ID
		}
		if r.FailureReason != nil {
			reason = *r.FailureReason
		}
		got = append(got, fmt.Sprint(id, " ", r.Indicator, " ", r.IsFailed, " ", reason))
	}
	want := []string{"1 a.example false ", "- *.bad true Domain name *.bad is invalid.", "2 b.example false ",
		"- c.example true Invalid input: generateAlert must be true when action is Audit.", "1 A.example false "}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func many(n int) []props {
	var out []props
	for i := range n {
		out = append(out, domain(fmt.Sprintf("d%05d.example", i), nil))
	}
	return out
}

func TestChecklist20_BatchSize(t *testing.T) {
	w := newTwin(t)
	r := w.call("POST", "/api/indicators/import", props{"Indicators": many(501)})
	if r.code() != "400 MaximumBatchSizeExceeded" || r.message(t) != "Maximum batch size exceeded. Received: 501, allowed: 500." {
		t.Errorf("%d %s", r.status, r.body)
	}
	if res := w.imports(many(500)...); len(res) != 500 {
		t.Errorf("%d results", len(res))
	}
	if r := w.call("POST", "/api/indicators/import", props{"Indicators": []props{}}); r.code() != "400 InvalidInput" {
		t.Errorf("empty: %d %s", r.status, r.body)
	}
	if r := w.as("none", "POST", "/api/indicators/import", props{"Indicators": []props{}}); r.code() != "403 Forbidden" {
		t.Errorf("a probe without the role: %d %s", r.status, r.body)
	}
}

func TestChecklist21_PastExpiryFailsTheCall(t *testing.T) {
	w := newTwin(t)
	past := domain("203.0.113.1", props{"indicatorType": "IpAddress", "expirationTime": "2026-11-22T06:00:00Z"})
	const words = "Indicator 203.0.113.1 is inactive. (Expiration time should be set to a future date time)"
	for path, body := range map[string]any{"/api/indicators": past, "/api/indicators/import": props{"Indicators": []props{domain("a.example", nil), past}}} {
		if r := w.call("POST", path, body); r.code() != "400 BadRequest" || r.message(t) != words {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if n := len(w.list("")); n != 0 {
		t.Errorf("%d rows were written", n)
	}
	if err := w.SetSwitch("past_expiry", "fail_item"); err != nil {
		t.Fatal(err)
	}
	if res := w.imports(domain("a.example", nil), past); res[0].IsFailed || !res[1].IsFailed || *res[1].FailureReason != words {
		t.Errorf("%+v", res)
	}
	for sent, want := range map[string]string{
		"2026-12-22T05:02:26.211160+00:00": "2026-12-22T05:02:26Z", "2026-12-22T07:02:26+02:00": "2026-12-22T05:02:26Z", "2027-11-22T05:16:19.686459Z": "2027-11-22T05:16:19Z",
	} {
		if m := w.call("POST", "/api/indicators", domain("x.example", props{"expirationTime": sent})).json(t); m["expirationTime"] != want {
			t.Errorf("%s: %v", sent, m["expirationTime"])
		}
	}
}

func TestChecklist22_Capacity(t *testing.T) {
	w := newTwin(t)
	if _, err := w.SeedForeign(testTenant, Author{App: "other", Name: "Other"}, 14_999); err != nil {
		t.Fatal(err)
	}
	res := w.imports(domain("a.example", nil), domain("b.example", nil), domain("a.example", props{"title": "new"}))
	const words = "Max capacity exceeded. Current Total: 15000, Limit: 15000 (Parameter 'Capacity: 15000/15000')"
	if res[0].IsFailed || !res[1].IsFailed || *res[1].FailureReason != words || res[2].IsFailed || *res[2].ID != *res[0].ID {
		t.Errorf("%+v", res)
	}
	if r := w.call("POST", "/api/indicators", domain("b.example", nil)); r.status != 400 || r.message(t) != words {
		t.Errorf("%d %s", r.status, r.body)
	}
	if _, err := w.SeedForeign(testTenant, Author{}, 1); err == nil {
		t.Error("seeded beyond capacity")
	}
}

func TestChecklist23_ExpiryFreesASlot(t *testing.T) {
	w := newTwin(t, func(o *Options) { o.Switches.Capacity = 1; o.TokenLifetime = 48 * time.Hour })
	w.imports(domain("a.example", props{"expirationTime": start.Add(24 * time.Hour)}))
	w.Clock().Advance(24*time.Hour - time.Second)
	if res := w.imports(domain("b.example", nil)); !res[0].IsFailed {
		t.Fatalf("%+v", res)
	}
	w.Clock().Advance(time.Second)
	if rows := w.list(""); len(rows) != 0 {
		t.Errorf("%v", rows)
	}
	if res := w.imports(domain("b.example", nil)); res[0].IsFailed {
		t.Errorf("%+v", res)
	}
	if n := len(w.Journal(Query{Effect: "expired"})); n != 1 {
		t.Errorf("%d calls saw the expiry", n)
	}
}

func TestChecklist24_TopAndSkip(t *testing.T) {
	w := newTwin(t)
	w.imports(many(5)...)
	for query, want := range map[string]int{"?$top=0": 0, "?%24top=1": 1, "?$top=10000": 5, "?$top=2&$skip=4": 1, "?$skip=5": 0, "?$skip=10000": 0, "?ignored=1": 5} {
		if got := len(w.list(query)); got != want {
			t.Errorf("%s: %d rows, want %d", query, got, want)
		}
	}
	if r := w.call("GET", "/api/indicators?$skip=99", nil); !strings.Contains(string(r.body), `"value":[]`) {
		t.Errorf("%s", r.body)
	}
	for _, query := range []string{"?$top=10001", "?$top=-1", "?$top=x", "?$skip=-1", "?$orderby=id", "?$top=1&$top=2", "?$top=%zz"} {
		if r := w.call("GET", "/api/indicators"+query, nil); r.code() != "400 ODataError" {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
	if err := w.SetSwitch("top_over_max", "cap"); err != nil {
		t.Fatal(err)
	}
	if got := len(w.list("?$top=10001")); got != 5 {
		t.Errorf("capped: %d", got)
	}
}

func TestChecklist25_TenThousandAndNoNextLink(t *testing.T) {
	w := newTwin(t)
	if _, err := w.SeedForeign(testTenant, Author{}, 10_001); err != nil {
		t.Fatal(err)
	}
	r := w.call("GET", "/api/indicators", nil)
	m := r.json(t)
	if n := len(m["value"].([]any)); n != 10_000 || m["@odata.nextLink"] != nil {
		t.Errorf("%d rows, next link %v", n, m["@odata.nextLink"])
	}
	if rest := w.list("?$skip=10000"); len(rest) != 1 || rest[0]["id"] != "10001" {
		t.Errorf("%v", rest)
	}
}

func TestChecklist26_Filters(t *testing.T) {
	w := newTwin(t)
	w.imports(
		domain("old.example", props{"application": "Remeld", "expirationTime": "2026-12-01T00:00:00Z"}),
		domain("http://e.example/a'b", props{"indicatorType": "Url", "title": "O'Neil", "rbacGroupNames": []string{"servers"}}),
		domain("new.example", props{"action": "Audit", "generateAlert": true, "severity": "High", "expirationTime": "2027-06-01T00:00:00Z"}),
	)
	for filter, want := range map[string]string{
		"action+eq+'Block'": "1 2", "indicatorType+eq+'Url'+and+indicatorValue+eq+'http://e.example/a''b'": "2",
		"contains(title,'Neil')": "2", "contains(indicatorValue,'.example')": "1 2 3", "startswith(indicatorValue,'old')": "1", "endswith(indicatorValue,'w.example')": "3",
		"expirationTime+le+2027-01-01T00:00:00Z": "1", "expirationTime+eq+null": "2", "expirationTime+gt+2027-01-01T00:00:00.5%2B00:00": "3",
		"indicatorValue+in+%5B'old.example'%5D": "1", "indicatorValue+in+('old.example','new.example')": "1 3",
		"not+(action+eq+'Block'+or+severity+eq+'High')": "", "generateAlert+eq+true": "3", "generateAlert": "3", "application+ne+'Remeld'": "2 3",
		"rbacGroupNames/any(g:+g+eq+'servers')": "2", "creationTimeDateTimeUtc+ge+2026-11-22": "1 2 3", "tolower(title)+eq+'o''neil'": "2",
		"createdBy+eq+'a'+and+createdByDisplayName+eq+'App+A'": "1 2 3",
	} {
		var got []string
		for _, row := range w.list("?$filter=" + filter) {
			got = append(got, row["id"].(string))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %q", filter, got, want)
		}
	}
	for _, filter := range []string{"indicatorValue+eq+'it's'", "indicatorValue+eq+'open", "IndicatorValue+eq+'a'", "externalId+eq+'a'", "action", "", "action+eq",
		"expirationTime+le+'2027-01-01'", "contains(expirationTime,'a')", "(action+eq+'Block'", "indicatorValue+in+[", "title+like+'x'"} {
		if r := w.call("GET", "/api/indicators?$filter="+filter, nil); r.code() != "400 ODataError" {
			t.Errorf("%q: %d %s", filter, r.status, r.body)
		}
	}
	r := w.call("GET", "/api/indicators?$filter=indicatorValue+eq+'open", nil)
	if !strings.Contains(r.message(t), "unterminated string literal") {
		t.Errorf("%s", r.body)
	}
}

func TestChecklist27_OwnRowsOnly(t *testing.T) {
	w := newTwin(t)
	w.imports(domain("theirs.example", nil))
	if r := w.as("own", "POST", "/api/indicators", domain("mine.example", nil)); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	m := w.as("own", "GET", "/api/indicators", nil).json(t)["value"].([]any)
	if len(m) != 1 || m[0].(map[string]any)["id"] != "2" {
		t.Errorf("%v", m)
	}
	for _, r := range []reply{w.as("own", "GET", "/api/indicators/1", nil), w.as("own", "DELETE", "/api/indicators/1", nil),
		w.as("own", "POST", "/api/indicators/BatchDelete", props{"IndicatorIds": []string{"1", "2"}})} {
		if r.code() != "404 ResourceNotFound" {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	foreign := domain("theirs.example", props{"title": "taken"})
	if r := w.as("own", "POST", "/api/indicators", foreign); r.code() != "403 DisallowedOperation" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if err := w.SetSwitch("own_scope_conflict", "update"); err != nil {
		t.Fatal(err)
	}
	if r := w.as("own", "POST", "/api/indicators", foreign); r.status != 200 || r.json(t)["id"] != "1" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestChecklist28_BatchDelete(t *testing.T) {
	w := newTwin(t)
	w.imports(many(4)...)
	post := func(ids ...string) reply {
		return w.call("POST", "/api/indicators/BatchDelete", props{"IndicatorIds": append([]string{}, ids...)})
	}
	if r := post(); r.code() != "400 InvalidInput" {
		t.Errorf("empty: %d %s", r.status, r.body)
	}
	if r := post(slices.Repeat([]string{"1"}, 501)...); r.message(t) != "Maximum batch size exceeded. Received: 501, allowed: 500." {
		t.Errorf("501: %d %s", r.status, r.body)
	}
	if r := post("1", "a-guid"); r.code() != "400 InvalidInput" {
		t.Errorf("malformed: %d %s", r.status, r.body)
	}
	if r := post("1", "99"); r.code() != "404 ResourceNotFound" || len(w.list("")) != 4 {
		t.Errorf("unknown: %d %s, %d rows left", r.status, r.body, len(w.list("")))
	}
	r := post("1", "2", "1")
	if _, has := r.header["Content-Length"]; r.status != 204 || len(r.body) != 0 || has {
		t.Errorf("%d %q %v", r.status, r.body, r.header)
	}
	if err := w.SetSwitch("batch_delete_missing", "ignore"); err != nil {
		t.Fatal(err)
	}
	if r := post("3", "99"); r.status != 204 || len(w.list("")) != 1 {
		t.Errorf("ignore: %d, %d rows left", r.status, len(w.list("")))
	}
}

func TestChecklist29_DeleteTwice(t *testing.T) {
	w := newTwin(t)
	w.imports(domain("a.example", nil))
	if r := w.call("GET", "/api/indicators/1", nil); r.status != 200 || r.json(t)["id"] != "1" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := w.call("DELETE", "/api/indicators/1", nil); r.status != 204 {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, method := range []string{"DELETE", "GET"} {
		if r := w.call(method, "/api/indicators/1", nil); r.code() != "404 ResourceNotFound" {
			t.Errorf("%s: %d %s", method, r.status, r.body)
		}
	}
}

func TestChecklist30_MinuteWindow(t *testing.T) {
	w := newTwin(t)
	for i := range 30 {
		w.imports(domain("a.example", nil))
		if i == 0 {
			w.Clock().Advance(40 * time.Second)
		}
	}
	body := props{"Indicators": []props{domain("a.example", nil)}}
	r := w.call("POST", "/api/v1.0/indicators/import", body)
	if r.status != 429 || r.header.Get("Retry-After") != "20" || r.code() != "429 429" ||
		r.message(t) != "API calls quota exceeded! Maximum allowed 30 per 00:01:00 for the key Destination+TenantID+AppID. You can send requests again in 20 seconds." {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := w.as("b", "POST", "/api/indicators/import", body); r.status != 200 {
		t.Errorf("another app: %d", r.status)
	}
	if r := w.in(otherTenant, "a", "POST", "/api/indicators/import", body); r.status != 200 {
		t.Errorf("another tenant: %d", r.status)
	}
	if r := w.call("GET", "/api/indicators", nil); r.status != 200 {
		t.Errorf("another path: %d", r.status)
	}
	for shape, want := range map[string]string{"2021": "429 API calls quota exceeded! maximum allowed 30 per 00:01:00", "documented": "TooManyRequests Response represents"} {
		if err := w.SetSwitch("throttle_shape", shape); err != nil {
			t.Fatal(err)
		}
		if r := w.call("POST", "/api/indicators/import", body); !strings.HasPrefix(strings.TrimPrefix(r.code(), "429 ")+" "+r.message(t), want) {
			t.Errorf("%s: %s", shape, r.body)
		}
	}
	// The window slides: one call has left it after 20 s, the other 29 have not.
	w.Clock().Advance(20 * time.Second)
	if r := w.call("POST", "/api/indicators/import", body); r.status != 200 {
		t.Errorf("after the wait: %d %s", r.status, r.body)
	}
	if r := w.call("POST", "/api/indicators/import", body); r.status != 429 {
		t.Errorf("second after the wait: %d", r.status)
	}
}

func TestChecklist31_HourWindowIsItsOwn(t *testing.T) {
	w := newTwin(t, func(o *Options) { o.Limits = map[string]Limit{"list": {PerMinute: 2, PerHour: 5}} })
	get := func() reply { return w.call("GET", "/api/indicators", nil) }
	for range 2 {
		for range 2 {
			if r := get(); r.status != 200 {
				t.Fatalf("%d %s", r.status, r.body)
			}
		}
		if r := get(); r.header.Get("Retry-After") != "60" {
			t.Errorf("minute: %d %v", r.status, r.header)
		}
		w.Clock().Advance(time.Minute)
	}
	if r := get(); r.status != 200 {
		t.Fatalf("fifth: %d", r.status)
	}
	if r := get(); r.status != 429 || !strings.Contains(r.message(t), "Maximum allowed 5 per 01:00:00") || r.header.Get("Retry-After") != "3480" {
		t.Errorf("hour: %d %s %v", r.status, r.body, r.header)
	}
	w.Clock().Advance(58 * time.Minute)
	w.tokens = map[string]string{}
	if r := get(); r.status != 200 {
		t.Errorf("after the hour: %d %s", r.status, r.body)
	}
}

func TestChecklist32_WrongMethod(t *testing.T) {
	w := newTwin(t)
	for _, c := range [][3]string{
		{"GET", "/api/indicators/import", "POST"}, {"PUT", "/api/indicators/BatchDelete", "POST"},
		{"PATCH", "/api/indicators/1", "DELETE, GET"}, {"DELETE", "/api/indicators", "GET, POST"},
	} {
		r := w.call(c[0], c[1], nil)
		if r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != c[2] || len(r.body) != 0 {
			t.Errorf("%s %s: %d %q %q", c[0], c[1], r.status, r.header.Get("Allow"), r.body)
		}
	}
}

func TestChecklist33_Gzip(t *testing.T) {
	w := newTwin(t)
	send := func() reply {
		raw, err := json.Marshal(props{"Indicators": many(3)})
		if err != nil {
			t.Fatal(err)
		}
		req := w.request("POST", "/api/indicators/import", string(pack(t, raw)))
		req.Header.Set("Content-Encoding", "gzip")
		req.Header.Set("Authorization", "Bearer "+w.token(testTenant, "a"))
		return w.send(req)
	}
	if r := send(); r.status != 200 || len(w.list("")) != 3 {
		t.Errorf("accept: %d %s", r.status, r.body)
	}
	if err := w.SetSwitch("gzip_requests", "reject"); err != nil {
		t.Fatal(err)
	}
	if r := send(); r.status != http.StatusUnsupportedMediaType {
		t.Errorf("reject: %d %s", r.status, r.body)
	}
	req := w.request("GET", "/api/indicators", nil)
	req.Header.Set("Authorization", "Bearer "+w.token(testTenant, "a"))
	req.Header.Set("Accept-Encoding", "gzip, deflate")
	r := w.send(req)
	if r.header.Get("Content-Encoding") != "gzip" || !strings.Contains(string(unpack(t, r.body)), "d00001.example") {
		t.Errorf("answer: %v", r.header)
	}
	if r := w.call("GET", "/api/indicators", nil); r.header.Get("Content-Encoding") != "" {
		t.Errorf("packed without being asked: %v", r.header)
	}
}

func TestDocumentedLimitsAreTheDefaults(t *testing.T) {
	raw, ok := reference(t, "limits.json")
	if !ok {
		t.Skip("reference data is absent: limits not compared")
	}
	var doc struct {
		ActiveIndicatorsPerTenant int
		Calls                     []struct {
			Call               string
			PerMinute, PerHour int
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	w := newTwin(t)
	names := map[string]string{"GET /api/indicators": "list", "POST /api/indicators": "create", "POST /api/indicators/import": "import",
		"DELETE /api/indicators/{id}": "delete", "POST /api/indicators/BatchDelete": "batch_delete"}
	for _, c := range doc.Calls {
		if got := w.mde.Limits()[names[c.Call]]; got != (Limit{PerMinute: c.PerMinute, PerHour: c.PerHour}) {
			t.Errorf("%s: %+v", c.Call, got)
		}
	}
	if w.Switches().Capacity != doc.ActiveIndicatorsPerTenant {
		t.Errorf("capacity %d", w.Switches().Capacity)
	}
}
