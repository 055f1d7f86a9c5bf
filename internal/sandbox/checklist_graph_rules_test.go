package sandbox

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestGraphChecklist4_Documented: enumerations by name, JSON types, RFC 3339; a
// long description is a warning in the journal only.
func TestGraphChecklist4_Documented(t *testing.T) {
	w := newGraphTwin(t)
	for name, v := range map[string]any{
		"tlpLevel": 2, "action": "Alert", "confidence": "75", "isActive": "true", "passiveOnly": 1, "severity": 1.5, "tags": "x", "killChain": []any{1}, "fileSize": "1",
		"networkPort": 3e10, "description": 5, "targetProduct": "minemeld", "diamondModel": "thing",
	} {
		if r := w.ti("POST", "", sentinelTi("a.example", props{name: v})); graphCode(r) != "400 BadRequest" || !strings.Contains(r.message(t), name) {
			t.Errorf("%s %v: %d %s", name, v, r.status, r.body)
		}
	}
	for _, at := range []string{"2023-02-16T12:38:43.057+0000", "2026-11-27", "2020-05-14 10:20:30", "2026-11-27T10:20:30", " 2027-04-08T15:20:20Z"} {
		if r := w.ti("POST", "", sentinelTi("a.example", props{"expirationDateTime": at})); graphCode(r) != "400 BadRequest" {
			t.Errorf("%s: %d %s", at, r.status, r.body)
		}
	}
	for at, want := range map[string]string{"2027-03-01T21:44:03.1668987+00:00": "2027-03-01T21:44:03.1668987Z", "2027-03-01T13:44:03-08:00": "2027-03-01T21:44:03Z"} {
		if m := w.ti("POST", "", sentinelTi("a.example", props{"expirationDateTime": at})).json(t); m["expirationDateTime"] != want {
			t.Errorf("%s: %v", at, m["expirationDateTime"])
		}
	}
	w.ResetJournal()
	w.create(sentinelTi("a.example", props{"description": strings.Repeat("é", 101)}))
	if e := w.Journal(Query{Op: "ti-create"}); len(e) != 1 || e[0].Items[0].Effect != "created" || !strings.Contains(e[0].Items[0].Reason, "101 characters") {
		t.Errorf("%+v", e)
	}
}

// TestGraphChecklist4_Observed: the spellings that the service was seen to take.
func TestGraphChecklist4_Observed(t *testing.T) {
	w := newGraphTwin(t, observed)
	for at, want := range map[string]string{
		"2027-02-16T12:38:43.057+0000": "2027-02-16T12:38:43.057Z", "2026-11-27": "2026-11-27T00:00:00Z", "2027-05-14 10:20:30": "2027-05-14T10:20:30Z",
		"2027-05-14T10:20:30.123456": "2027-05-14T10:20:30.123456Z", " 2027-04-08T15:20:20.6634453Z": "2027-04-08T15:20:20.6634453Z",
	} {
		if m := w.ti("POST", "", sentinelTi("a.example", props{"expirationDateTime": at})).json(t); m["expirationDateTime"] != want {
			t.Errorf("%s: %v", at, m)
		}
	}
	m := w.ti("POST", "", sentinelTi("", props{"tlpLevel": 2, "action": 3, "fileHashType": 2, "fileHashValue": "x", "confidence": "75", "isActive": "true", "passiveOnly": "False", "threatType": "malware", "diamondModel": "Victim", "fileSize": "9"})).json(t)
	for name, want := range map[string]any{"tlpLevel": "green", "action": "alert", "fileHashType": "sha256", "confidence": 75.0, "isActive": true, "passiveOnly": false, "threatType": "malware", "diamondModel": "victim", "fileSize": 9.0} {
		if m[name] != want {
			t.Errorf("%s = %v, want %v", name, m[name], want)
		}
	}
	if id, _ := m["id"].(string); len(id) != 64 || strings.Trim(id, "0123456789ABCDEF") != "" {
		t.Errorf("id %q", id)
	}
	for name, v := range map[string]any{"tlpLevel": 99, "confidence": "many", "isActive": "maybe", "expirationDateTime": "tomorrow", "targetProduct": nil} {
		if r := w.ti("POST", "", sentinelTi("a.example", props{name: v})); graphCode(r) != "400 BadRequest" {
			t.Errorf("%s %v: %d %s", name, v, r.status, r.body)
		}
	}
	req := w.request("GET", graphTiPath+"?$top=1", nil)
	req.Header.Set("Authorization", w.graphToken(testTenant, "g"))
	if r := w.send(req); r.status != 200 {
		t.Errorf("token without Bearer: %d %s", r.status, r.body)
	}
}

// TestGraphChecklist4_ResultCode: an integer as in the metadata, a text as a
// client compares it.
func TestGraphChecklist4_ResultCode(t *testing.T) {
	w := newGraphTwin(t)
	if _, got := w.bulk("deleteTiIndicators", []string{w.create(sentinelTi("a.example", nil))}); got[0]["code"] != 204.0 {
		t.Errorf("%v", got)
	}
	if err := w.SetSwitch("graph_result_code", "string"); err != nil {
		t.Fatal(err)
	}
	if _, got := w.bulk("deleteTiIndicators", []string{w.create(sentinelTi("a.example", nil))}); got[0]["code"] != "204" {
		t.Errorf("%v", got)
	}
}

// TestGraphDefaults: §1.3, what an answer has for what was not sent; unknown
// properties come back.
func TestGraphDefaults(t *testing.T) {
	w := newGraphTwin(t)
	m := w.ti("POST", "", sentinelTi("a.example", props{"indicatorRequestHash": "77", "extra": props{"a": []int{1}}, "id": "mine", "azureTenantId": "mine", "severity": 0})).json(t)
	want := props{"url": nil, "tags": []any{}, "killChain": []any{}, "confidence": 0.0, "severity": 0.0, "isActive": true, "passiveOnly": false, "azureTenantId": testTenant,
		"ingestedDateTime": "2026-11-22T06:00:00.0000000Z", "indicatorRequestHash": "77", "extra": map[string]any{"a": []any{1.0}}, "networkPort": nil, "tlpLevel": "amber"}
	for name, v := range want {
		if fmt.Sprint(m[name]) != fmt.Sprint(v) {
			t.Errorf("%s = %v, want %v", name, m[name], v)
		}
		if _, ok := m[name]; !ok {
			t.Errorf("%s is absent", name)
		}
	}
	if m := w.ti("POST", "", sentinelTi("b.example", nil)).json(t); m["severity"] != 3.0 {
		t.Errorf("severity = %v", m["severity"])
	}
	if m["id"] == "mine" || len(m) != 58+2+2 {
		t.Errorf("%d properties: %v", len(m), m)
	}
}

// TestGraphRequired: §1.3 and §2.4, what each product and profile asks for: of a
// single call a 400, of a bulk call an item's error.
func TestGraphRequired(t *testing.T) {
	type answer struct{ documented, observed string }
	hash := strings.Repeat("0aF1", 16)
	for _, c := range []struct {
		name string
		sent props
		want answer
	}{
		{"no action", sentinelTi("a.example", props{"action": nil}), answer{"InvalidInput", ""}},
		{"no description", sentinelTi("a.example", props{"description": nil}), answer{"InvalidInput", ""}},
		{"no expiry", sentinelTi("a.example", props{"expirationDateTime": nil}), answer{"InvalidInput", ""}},
		{"no threatType", sentinelTi("a.example", props{"threatType": ""}), answer{"InvalidInput", ""}},
		{"no tlpLevel", defenderTi("a.example", props{"tlpLevel": nil}), answer{"InvalidInput", ""}},
		{"no observable", sentinelTi("", nil), answer{"InvalidInput", "InvalidInput"}},
		{"empty observables", sentinelTi("", props{"networkIPv4": "", "url": ""}), answer{"InvalidInput", "InvalidInput"}},
		{"e-mail", sentinelTi("", props{"emailSubject": "Invoice"}), answer{}},
		{"user agent", sentinelTi("", props{"userAgent": "curl/7"}), answer{}},
		{"e-mail at Defender", defenderTi("", props{"emailSubject": "Invoice"}), answer{"InvalidInput", "InvalidInput"}},
		{"address at Sentinel", sentinelTi("", props{"networkIPv4": "192.0.2.1"}), answer{}},
		{"address at Defender", defenderTi("", props{"networkIPv4": "192.0.2.1"}), answer{"InvalidInput", "InvalidInput"}},
		{"destination at Defender", defenderTi("", props{"networkDestinationIPv4": "192.0.2.1"}), answer{"", "InvalidInput"}},
		{"both at Defender", defenderTi("", props{"networkDestinationIPv4": "192.0.2.1", "networkIPv4": "192.0.2.1"}), answer{}},
		{"both of IPv6 at Defender", defenderTi("", props{"networkDestinationIPv6": "2001:db8::1", "networkIPv6": "2001:db8::1"}), answer{}},
		{"CIDR as address", sentinelTi("", props{"networkIPv4": "51.158.66.18/32"}), answer{"InvalidInput", "InvalidInput"}},
		{"IPv6 as IPv4", sentinelTi("", props{"networkIPv4": "2001:db8::1"}), answer{"InvalidInput", "InvalidInput"}},
		{"address as CIDR", sentinelTi("", props{"networkCidrBlock": "192.0.2.1"}), answer{"InvalidInput", "InvalidInput"}},
		{"hash without type", defenderTi("", props{"fileHashValue": hash}), answer{"InvalidInput", "InvalidInput"}},
		{"hash", defenderTi("", props{"fileHashValue": hash, "fileHashType": "sha256"}), answer{}},
		{"hash of another length", defenderTi("", props{"fileHashValue": hash, "fileHashType": "md5"}), answer{"InvalidHashValue", "InvalidHashValue"}},
		{"ctph at Defender", defenderTi("", props{"fileHashValue": hash, "fileHashType": "ctph"}), answer{"InvalidInput", "InvalidInput"}},
		{"ctph at Sentinel", sentinelTi("", props{"fileHashValue": "3:AXGBicFlgVNhBGcL6wCrFQEv:x", "fileHashType": "ctph"}), answer{}},
		{"confidence 101", sentinelTi("a.example", props{"confidence": 101}), answer{"InvalidInput", ""}},
		{"severity 6", sentinelTi("a.example", props{"severity": 6}), answer{"InvalidInput", ""}},
		{"threatType", sentinelTi("a.example", props{"threatType": "Bot net"}), answer{"InvalidInput", "InvalidInput"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for profile, want := range map[string]string{"documented": c.want.documented, "observed": c.want.observed} {
				w := newGraphTwin(t, func(o *Options) { o.Switches.GraphProfile = profile })
				status := "201"
				if want != "" {
					status = "400 " + want
				}
				if r := w.ti("POST", "", c.sent); graphCode(r) != status {
					t.Errorf("%s: %d %s, want %s", profile, r.status, r.body, status)
				}
				code, items := w.bulk("submitTiIndicators", []props{c.sent})
				text, _ := items[0]["Error"].(string)
				var inner struct {
					Error struct{ Code, Message, Target string }
				}
				_ = json.Unmarshal([]byte(text), &inner)
				if want == "" && (code != 200 || text != "") {
					t.Errorf("%s in bulk: %d %v", profile, code, items)
				}
				if want != "" && (code != 206 || inner.Error.Code != want || inner.Error.Message == "" || inner.Error.Target == "" || items[0]["id"] != "Failed to create, check Error element for reason" || items[0]["externalId"] != c.sent["externalId"]) {
					t.Errorf("%s in bulk: %d %v", profile, code, items)
				}
			}
		})
	}
}

// TestGraphEditable: §1.3, what an update needs and may change, by product.
func TestGraphEditable(t *testing.T) {
	w := newGraphTwin(t)
	base := func(product string, edit props) props {
		return change(props{"targetProduct": product, "expirationDateTime": "2027-01-01T00:00:00Z"}, edit)
	}
	id := map[string]string{"Azure Sentinel": w.create(sentinelTi("a.example", nil)), "Microsoft Defender ATP": w.create(defenderTi("a.example", nil))}
	for _, c := range []struct{ product, name, want string }{
		{"Azure Sentinel", "severity", "204"}, {"Azure Sentinel", "tags", "204"}, {"Azure Sentinel", "tlpLevel", "204"}, {"Azure Sentinel", "externalId", "204"},
		{"Azure Sentinel", "threatType", "400 InvalidInput"}, {"Azure Sentinel", "domainName", "400 InvalidInput"}, {"Azure Sentinel", "url", "400 InvalidInput"},
		{"Microsoft Defender ATP", "severity", "204"}, {"Microsoft Defender ATP", "description", "204"},
		{"Microsoft Defender ATP", "tags", "400 InvalidInput"}, {"Microsoft Defender ATP", "action", "400 InvalidInput"}, {"Microsoft Defender ATP", "externalId", "400 InvalidInput"},
	} {
		v := map[string]any{"severity": 1, "tags": []string{"x"}, "tlpLevel": "red", "threatType": "C2", "action": "allow"}[c.name]
		if v == nil {
			v = "new"
		}
		if r := w.ti("PATCH", "/"+id[c.product], base(c.product, props{c.name: v})); graphCode(r) != c.want {
			t.Errorf("%s %s: %d %s", c.product, c.name, r.status, r.body)
		}
	}
	sentinel := "/" + id["Azure Sentinel"]
	for name, body := range map[string]props{
		"no expiry": base("Azure Sentinel", props{"expirationDateTime": nil}), "no product": base("Azure Sentinel", props{"targetProduct": nil}),
		"other product": base("Microsoft Defender ATP", nil), "severity": base("Azure Sentinel", props{"severity": 9}),
	} {
		if r := w.ti("PATCH", sentinel, body); graphCode(r) != "400 InvalidInput" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	// What does not change may be repeated; a null takes a property away.
	if r := w.ti("PATCH", sentinel, base("Azure Sentinel", props{"domainName": "a.example", "tlpLevel": json.RawMessage("null"), "tags": json.RawMessage("null"), "more": 1})); r.status != 204 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if m := w.ti("GET", sentinel, nil).json(t); m["tlpLevel"] != nil || fmt.Sprint(m["tags"]) != "[]" || m["more"] != 1.0 || m["externalId"] != "new" {
		t.Errorf("%v", m)
	}
	if r := w.ti("PATCH", sentinel, base("Azure Sentinel", props{"externalId": "again"})); r.status != 204 {
		t.Errorf("%d", r.status)
	}
	if status, got := w.bulk("deleteTiIndicatorsByExternalId", []string{"new", "again"}); status != 206 || got[0]["code"] != 404.0 || got[1]["code"] != 204.0 {
		t.Errorf("%d %v", status, got)
	}
	_ = w.SetSwitch("graph_profile", "observed")
	if r := w.ti("PATCH", "/"+id["Microsoft Defender ATP"], props{"description": "d2", "domainName": "b.example"}, "Prefer", "return=representation"); r.status != 200 || r.json(t)["description"] != "d2" || r.json(t)["domainName"] != "a.example" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestGraphBulkAtDefender: §1.3, bulk updates and deletes are not supported there
// by the page.
func TestGraphBulkAtDefender(t *testing.T) {
	for profile, code := range map[string]float64{"documented": 400, "observed": 204} {
		w := newGraphTwin(t, func(o *Options) { o.Switches.GraphProfile = profile })
		id := w.create(defenderTi("a.example", nil))
		want := 206
		if code == 204 {
			want = 200
		}
		status, got := w.bulk("updateTiIndicators", []props{{"id": id, "targetProduct": "Microsoft Defender ATP", "expirationDateTime": "2027-01-01T00:00:00Z"}})
		if failed := got[0]["Error"] != nil; status != want || failed != (code == 400) || got[0]["id"] != id {
			t.Errorf("%s update: %d %v", profile, status, got)
		}
		if status, got := w.bulk("deleteTiIndicators", []string{id}); status != want || got[0]["code"] != code {
			t.Errorf("%s delete: %d %v", profile, status, got)
		}
	}
}

// TestGraphExpiry: an indicator past its expiry is hidden and frees its slot; one
// that arrives so is taken or refused.
func TestGraphExpiry(t *testing.T) {
	w := newGraphTwin(t, func(o *Options) { o.TokenLifetime = 1000 * time.Hour })
	w.create(sentinelTi("a.example", nil))
	w.Clock().Set(time.Date(2026, 12, 22, 5, 59, 59, 0, time.UTC))
	if len(w.tis("")) != 1 {
		t.Error("gone too early")
	}
	w.Clock().Advance(time.Second)
	if len(w.tis("")) != 0 || len(w.Journal(Query{Effect: "expired"})) != 1 {
		t.Error("still there")
	}
	if w.create(sentinelTi("a.example", nil)); len(w.tis("")) != 0 {
		t.Error("a late one is listed")
	}
	_ = w.SetSwitch("graph_past_expiry", "reject")
	if r := w.ti("POST", "", sentinelTi("a.example", nil)); graphCode(r) != "400 InvalidInput" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestGraphSameExternalID: at Sentinel the same externalId again is another row,
// and a delete by it takes all.
func TestGraphSameExternalID(t *testing.T) {
	w := newGraphTwin(t)
	two := props{"externalId": "x"}
	a, b := w.create(sentinelTi("a.example", two)), w.create(sentinelTi("b.example", two))
	if a == b || len(w.tis("")) != 2 {
		t.Error("replaced")
	}
	if _, got := w.bulk("deleteTiIndicatorsByExternalId", []string{"x"}); got[0]["code"] != 204.0 || len(w.tis("")) != 0 {
		t.Errorf("%v", got)
	}
	w.ti("DELETE", "/"+w.create(sentinelTi("a.example", two)), nil)
	w.create(sentinelTi("b.example", two))
	w.ti("DELETE", "/"+w.create(sentinelTi("c.example", two)), nil)
	w.ResetJournal()
	w.bulk("deleteTiIndicatorsByExternalId", []string{"x"})
	if e := w.Journal(Query{Op: "ti-delete-external"}); len(e) != 1 || len(e[0].Items) != 1 || e[0].Items[0].Value != "b.example" {
		t.Errorf("what was deleted before was deleted again: %+v", e)
	}
	_ = w.SetSwitch("graph_same_external_id", "update")
	if a, b := w.create(sentinelTi("a.example", two)), w.create(sentinelTi("b.example", two)); a != b || w.tis("")[0]["domainName"] != "b.example" {
		t.Error("not replaced")
	}
}

// TestGraphSamples: the requests of the pages and of public reports are taken.
func TestGraphSamples(t *testing.T) {
	w := newGraphTwin(t, observed)
	read := func(name string) string {
		raw, ok := reference(t, filepath.Join("..", "msgraph", "samples", name))
		if !ok {
			t.Skip("reference data is absent: sample requests not sent")
		}
		return string(raw)
	}
	for _, name := range []string{"tiindicators-post.1.request.json", "observed/tiindicator-create-lenient-types.request.json", "observed/tiindicator-create-sentinel.request.json"} {
		body := strings.Replace(read(name), `"networkIPv4": "Redacted"`, `"networkIPv4": "192.0.2.1"`, 1)
		if r := w.ti("POST", "", body); r.status != 201 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if r := w.ti("POST", "/submitTiIndicators", read("tiindicator-submittiindicators.1.request.json")); r.status != 200 || strings.Count(string(r.body), `"action":null`) != 2 {
		t.Errorf("submit: %d %s", r.status, r.body)
	}
	id := w.create(sentinelTi("a.example", nil))
	for _, name := range []string{"tiindicator-update.1.request.json", "tiindicator-update.2.request.json"} {
		if r := w.ti("PATCH", "/"+id, read(name)); r.status != 204 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for action, name := range map[string]string{"updateTiIndicators": "tiindicator-updatetiindicators", "deleteTiIndicators": "tiindicator-deletetiindicators", "deleteTiIndicatorsByExternalId": "tiindicator-deletetiindicatorsbyexternalid"} {
		if r := w.ti("POST", "/"+action, read(name+".1.request.json")); r.status != 206 {
			t.Errorf("%s: %d %s", action, r.status, r.body)
		}
	}
}
