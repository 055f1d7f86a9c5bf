package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/sampledata"
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
	raw, err := os.ReadFile(sampledata.Beside(t, "defender", name))
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
	if r.code() != "400 InvalidInput" || r.message(t) != "Recieved an empty indicator value." {
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
