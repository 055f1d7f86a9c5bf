package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestGraphOperations: msgraph.md §2, the table of operations with its statuses
// and contexts.
func TestGraphOperations(t *testing.T) {
	w := newGraphTwin(t)
	r := w.ti("POST", "", sentinelTi("a.example", nil))
	m := r.json(t)
	id, _ := m["id"].(string)
	if r.status != 201 || m["@odata.context"] != w.URL()+"/beta/$metadata#security/tiIndicators/$entity" || id == "" {
		t.Fatalf("create: %d %s", r.status, r.body)
	}
	if r := w.ti("GET", "/"+id, nil); r.status != 200 || r.json(t)["domainName"] != "a.example" {
		t.Errorf("get: %d %s", r.status, r.body)
	}
	r = w.ti("GET", "", nil)
	if m := r.json(t); r.status != 200 || m["@odata.context"] != w.URL()+"/beta/$metadata#security/tiIndicators" || len(m["value"].([]any)) != 1 {
		t.Errorf("list: %d %s", r.status, r.body)
	}
	edit := props{"targetProduct": "Azure Sentinel", "expirationDateTime": "2027-01-01T00:00:00Z", "severity": 5}
	if r := w.ti("PATCH", "/"+id, edit); r.status != 204 || len(r.body) != 0 {
		t.Errorf("update: %d %s", r.status, r.body)
	}
	edit["severity"] = 1
	if r := w.ti("PATCH", "/"+id, edit, "Prefer", "return=representation"); r.status != 200 || r.json(t)["severity"] != 1.0 || r.json(t)["expirationDateTime"] != "2027-01-01T00:00:00Z" {
		t.Errorf("update with Prefer: %d %s", r.status, r.body)
	}
	if r := w.ti("DELETE", "/"+id, nil); r.status != 204 || len(r.body) != 0 {
		t.Errorf("delete: %d %s", r.status, r.body)
	}
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		if r := w.ti(method, "/"+id, edit); graphCode(r) != "404 ResourceNotFound" {
			t.Errorf("%s after delete: %d %s", method, r.status, r.body)
		}
	}
}

// TestGraphBulkOperations: the four actions, also in the namespaced spelling.
func TestGraphBulkOperations(t *testing.T) {
	w := newGraphTwin(t)
	status, made := w.bulk("submitTiIndicators", []props{sentinelTi("a.example", nil), sentinelTi("b.example", nil), sentinelTi("c.example", nil)})
	if status != 200 || len(made) != 3 || made[1]["externalId"] != "ext-b.example" || made[0]["@odata.type"] != "#microsoft.graph.tiIndicator" || made[0]["Error"] != nil {
		t.Fatalf("submit: %d %v", status, made)
	}
	status, got := w.bulk("microsoft.graph.updateTiIndicators", []props{
		{"id": made[0]["id"], "targetProduct": "Azure Sentinel", "expirationDateTime": "2027-01-01T00:00:00Z", "confidence": 42},
		{"id": "none", "targetProduct": "Azure Sentinel", "expirationDateTime": "2027-01-01T00:00:00Z"},
	})
	if status != 206 || got[0]["confidence"] != 42.0 || got[0]["Error"] != nil || !strings.Contains(fmt.Sprint(got[1]["Error"]), "ResourceNotFound") {
		t.Errorf("update: %d %v", status, got)
	}
	status, got = w.bulk("deleteTiIndicators", []any{made[0]["id"], "none"})
	if status != 206 || got[0]["code"] != 204.0 || got[1]["code"] != 404.0 || got[1]["subcode"] != 0.0 {
		t.Errorf("delete: %d %v", status, got)
	}
	status, got = w.bulk("deleteTiIndicatorsByExternalId", []string{"ext-b.example", "ext-c.example"})
	if status != 200 || got[0]["code"] != 204.0 || !strings.HasPrefix(fmt.Sprint(got[0]["message"]), "ext-b.example ") {
		t.Errorf("delete by external id: %d %v", status, got)
	}
	if rows, err := w.TiRows(testTenant); err != nil || len(rows) != 0 {
		t.Errorf("left: %v %v", rows, err)
	}
	var ops []string
	for _, e := range w.Journal(Query{App: "g"}) {
		ops = append(ops, fmt.Sprint(e.Op, " ", e.Status, " ", len(e.Items)))
	}
	if want := []string{"token 200 0", "ti-submit 200 3", "ti-update-many 206 2", "ti-delete-many 206 2", "ti-delete-external 200 2"}; !slices.Equal(ops, want) {
		t.Errorf("journal %q", ops)
	}
}

// TestGraphOtherWriters: rows of other apps are seeded, edited and deleted from
// outside, over the control API too, and are invisible to the app.
func TestGraphOtherWriters(t *testing.T) {
	w := newGraphTwin(t)
	ids, err := w.SeedTi("t", "other", []map[string]any{{"url": "http://x.example/", "action": 3, "tlpLevel": "red"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.EditTi("t", ids[0], map[string]any{"severity": 5, "tlpLevel": nil}); err != nil {
		t.Fatal(err)
	}
	r := w.send(w.request("POST", "/_sandbox/tenants/t/ti-indicators", props{"generate": 2, "app": "g"}))
	if r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	rows, err := w.TiRows("t")
	if err != nil || len(rows) != 3 || rows[0].App != "other" || rows[0].Text("action") != "alert" || rows[0].Properties["severity"] != 5.0 || rows[0].Properties["tlpLevel"] != nil {
		t.Fatalf("%v %v", rows, err)
	}
	if got := w.tis(""); len(got) != 2 {
		t.Errorf("the app sees %v", got)
	}
	w.send(w.request("PATCH", "/_sandbox/tenants/t/ti-indicators/"+rows[1].ID, props{"description": "new"}))
	if got := w.tis("?$filter=description+eq+'new'"); len(got) != 1 || got[0]["id"] != rows[1].ID {
		t.Errorf("edited: %v", got)
	}
	w.send(w.request("DELETE", "/_sandbox/tenants/t/ti-indicators/"+rows[1].ID, nil))
	if err := w.DeleteTi("t", ids[0]); err != nil {
		t.Fatal(err)
	}
	if r := w.send(w.request("GET", "/_sandbox/tenants/t/ti-indicators", nil)); strings.Count(string(r.body), `"app":`) != 1 {
		t.Errorf("%s", r.body)
	}
	for _, body := range []any{props{}, props{"generate": -1}, props{"indicators": []props{{"targetProduct": "x"}}}} {
		if r := w.send(w.request("POST", "/_sandbox/tenants/t/ti-indicators", body)); r.status != 400 {
			t.Errorf("%v: %d %s", body, r.status, r.body)
		}
	}
	w.Reset()
	if rows, _ := w.TiRows("t"); len(rows) != 0 {
		t.Errorf("after reset: %v", rows)
	}
}

// TestGraphReadLag: a write is invisible to reads until the lag has passed, and
// real to writes at once.
func TestGraphReadLag(t *testing.T) {
	w := newGraphTwin(t, func(o *Options) { o.Switches.ReadLag = 20 * time.Second })
	id := w.create(sentinelTi("a.example", nil))
	if r := w.ti("GET", "/"+id, nil); r.status != 404 || len(w.tis("")) != 0 {
		t.Errorf("visible at once: %d", r.status)
	}
	if r := w.ti("PATCH", "/"+id, props{"targetProduct": "Azure Sentinel", "expirationDateTime": "2027-01-01T00:00:00Z"}); r.status != 204 {
		t.Errorf("%d %s", r.status, r.body)
	}
	w.Clock().Advance(20 * time.Second)
	if got := w.tis(""); len(got) != 1 {
		t.Errorf("%v", got)
	}
	w.ti("DELETE", "/"+id, nil)
	if len(w.tis("")) != 1 {
		t.Error("the deletion is visible at once")
	}
	w.Clock().Advance(20 * time.Second)
	if len(w.tis("")) != 0 {
		t.Error("the deletion stays invisible")
	}
}

// TestGraphDefenderIdentity: §1.3, the same value, type and action is not created
// twice; the observed store keeps little and gives a description of its own.
func TestGraphDefenderIdentity(t *testing.T) {
	w := newGraphTwin(t, observed)
	_, got := w.bulk("submitTiIndicators", []props{defenderTi("a.example", nil), defenderTi("A.example", props{"severity": 2}), defenderTi("a.example", props{"action": "allow"})})
	if got[0]["id"] != "1" || got[1]["id"] != "1" || got[2]["id"] != "2" {
		t.Errorf("%v", got)
	}
	row := w.tis("?$top=1")[0]
	want := props{"externalId": nil, "threatType": nil, "tlpLevel": nil, "confidence": nil, "severity": 2.0, "isActive": true,
		"description": "Title: Indicator A.example of type DomainName, Description: d"}
	for k, v := range want {
		if row[k] != v {
			t.Errorf("%s = %v, want %v", k, row[k], v)
		}
	}
	if status, got := w.bulk("deleteTiIndicatorsByExternalId", []string{"ext-a.example"}); status != 206 || got[0]["code"] != 404.0 {
		t.Errorf("found by external id: %d %v", status, got)
	}
}
