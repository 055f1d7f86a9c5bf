package sandbox

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestControl_Workspaces(t *testing.T) {
	w := newSentinel(t)
	object := `{"type":"indicator","id":"` + stixID(1) + `","modified":"2026-01-01T00:00:00Z","pattern":"[url:value = 'x']"}`
	id := url.PathEscape("b3RoZXI=---" + stixID(1))
	for _, s := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "workspaces", "", 200, `"id":"` + socID + `"`},
		{"PUT", "workspaces/" + testTenant, `{"tenant":"t","subscription":"s","resource_group":"g","name":"new","cloud":"usgov"}`, 204, ""},
		{"PUT", "workspaces/" + otherTenant, `{"tenant":"t","subscription":"s","resource_group":"g","name":"new"}`, 400, "is already workspace"},
		{"PUT", "workspaces/new", `{"tenant":"t","subscription":"s","resource_group":"g","name":"new"}`, 400, "not a GUID"},
		{"PUT", "workspaces/" + otherTenant, `{"tenant":"t","name":"new"}`, 400, "resource_group"},
		{"PUT", "workspaces/" + otherTenant, `{"tenant":"t","subscription":"s","resource_group":"g","name":"x","cloud":"mars"}`, 400, "none of public"},
		{"PUT", "workspaces/" + otherTenant, `{"id":"x"}`, 400, "is not the path's"},
		{"POST", "workspaces/soc/objects", `{"source":"other","by":"them","objects":[` + object + `]}`, 200, `"ids":["b3RoZXI=---` + stixID(1)},
		{"POST", "workspaces/soc/objects", `{"source":"other","objects":[{"type":"indicator"}]}`, 400, "id and type"},
		{"POST", "workspaces/soc/objects", `{"source":"many","generate":3}`, 200, `"ids":["bWFueQ==---indicator--`},
		{"POST", "workspaces/soc/objects", `{}`, 400, "either"},
		{"GET", "workspaces/" + socID + "/objects", "", 200, `"observable_value":"x"`},
		{"PATCH", "workspaces/soc/objects/" + id, `{"confidence":10,"name":"edited"}`, 204, ""},
		{"PATCH", "workspaces/soc/objects/" + stixID(1), `{"id":"identity--1"}`, 400, "cannot be changed"},
		{"GET", "workspaces/soc/objects", "", 200, `"label":"edited"`},
		{"DELETE", "workspaces/soc/objects/" + id, "", 204, ""},
		{"DELETE", "workspaces/soc/objects/" + id, "", 400, "has no object"},
		{"GET", "workspaces/soc/table?name=ThreatIntelIndicators", "", 200, `"IsDeleted":true`},
		{"GET", "workspaces/soc/table?name=ThreatIntelObjects", "", 200, `null`},
		{"GET", "workspaces/soc/bill", "", 200, `{"rows":6,`},
		{"GET", "workspaces/none/objects", "", 400, "there is no workspace"},
		{"GET", "limits", "", 200, `"upload":{"per_minute":100,"per_hour":0}`},
		{"PATCH", "limits", `{"upload":{"per_minute":1}}`, 200, `"upload":{"per_minute":1,`},
		{"GET", "tenants", "", 200, `"role":"Microsoft Sentinel Contributor"`},
		{"POST", "reset", "", 204, ""},
		{"GET", "workspaces/soc/objects", "", 200, `null`},
		{"GET", "workspaces", "", 200, `"name":"new"`},
	} {
		var body any
		if s.body != "" {
			body = s.body
		}
		if r := w.control(s.method, s.path, body); r.status != s.status || !strings.Contains(string(r.body), s.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", s.method, s.path, s.body, r.status, r.body, s.status, s.want)
		}
	}
	w.uploaded("src", ioc(1, nil))
	if r := w.upload("src", ioc(2, nil)); r.status != 429 {
		t.Errorf("the limit that was set: %d %s", r.status, r.body)
	}
}

func TestSentinel_OtherWriters(t *testing.T) {
	w := newSentinel(t)
	if _, err := w.SeedObjects("soc", "", "feed", json.RawMessage(`{"type":"indicator","id":"`+stixID(1)+`","modified":"2026-01-01T00:00:00.000Z","created":"2026-01-01T00:00:00.000Z","name":"n"}`)); err != nil {
		t.Fatal(err)
	}
	if o := w.one(stixID(1)); o.CreatedBy != "analyst@sandbox.example" || o.Source != "feed" {
		t.Errorf("%+v", o)
	}
	w.Clock().Advance(time.Hour)
	if err := w.EditObject("soc", stixID(1), map[string]any{"name": nil, "revoked": true}); err != nil {
		t.Fatal(err)
	}
	if o := w.one(stixID(1)); o.Label != "" || !o.Revoked || !o.Modified.Equal(w.Now()) || o.Method != "Portal" || !o.FirstIngested.Equal(start) {
		t.Errorf("%+v", o)
	}
	w.uploaded("feed2", ioc(1, nil))
	if err := w.DeleteObject("soc", stixID(1)); err == nil || !strings.Contains(err.Error(), "two sources") {
		t.Errorf("%v", err)
	}
	made := w.create(managed(nil))
	id := made["properties"].(map[string]any)["externalId"].(string)
	if err := w.EditObject("soc", id, nil); err == nil || !strings.Contains(err.Error(), "management plane") {
		t.Errorf("%v", err)
	}
	if _, err := w.SeedForeignObjects("soc", "", "x", 0); err == nil {
		t.Error("no objects were seeded without an error")
	}
}

func TestSentinel_Faults(t *testing.T) {
	w := newSentinel(t)
	add := func(r Rule) {
		t.Helper()
		w.ClearFaults()
		if _, err := w.AddFault(r); err != nil {
			t.Fatal(err)
		}
	}
	add(Rule{Op: "upload", Action: Action{Refuse: []Refusal{{Value: "198.51.100.2", Reason: "not today"}, {Match: stixID(3), Reason: "nor this"}}}})
	if r := w.upload("src", iocs(1, 3)...); r.status != 200 || string(r.body) != `{"errors":[{"errorMessages":["not today"],"recordIndex":1},{"errorMessages":["nor this"],"recordIndex":2}]}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	add(Rule{Op: "upload", Action: Action{Refuse: []Refusal{{Value: "198.51.100.5", Reason: "poison", Code: "Bad", FailCall: true}}}})
	if r := w.upload("src", iocs(4, 2)...); r.status != 400 || !strings.Contains(string(r.body), `"code":"Bad","message":"poison"`) || len(w.stixObjects()) != 1 {
		t.Errorf("%d %s", r.status, r.body)
	}
	add(Rule{Op: "upload", Count: 1, Action: Action{Status: 500, When: "after"}})
	if r := w.upload("src", ioc(6, nil)); r.status != 500 || w.one(stixID(6)).Source != "src" {
		t.Errorf("%d %s", r.status, r.body)
	}
	add(Rule{Op: "sentinel-create", Action: Action{Refuse: []Refusal{{Match: "a.b", Reason: "no"}}}})
	if r := w.azure("a", "POST", socARM+"main/createIndicator"+armV, managed(nil)); r.status != 400 {
		t.Errorf("%d %s", r.status, r.body)
	}
	add(Rule{Op: "sentinel-query", Action: Action{Status: 503, RetryAfter: "7"}})
	if r := w.azure("a", "POST", socARM+"main/query"+queryV, props{}); r.status != 503 || r.header.Get("Retry-After") != "7" {
		t.Errorf("%d %v", r.status, r.header)
	}
}

// TestSentinel_ValidUntil: the other way to withdraw (§4.4): an object whose end
// has passed stays, but is not live.
func TestSentinel_ValidUntil(t *testing.T) {
	w := newSentinel(t)
	w.uploaded("src", ioc(1, nil))
	w.uploaded("src", ioc(1, props{"modified": stamp(time.Second), "valid_until": stamp(time.Minute)}))
	listed := func(disabled bool) int {
		return len(w.value("POST", socARM+"main/queryIndicators"+armV, props{"includeDisabled": disabled}))
	}
	for after, want := range map[time.Duration]bool{59 * time.Second: true, time.Minute: false} {
		w.Clock().Set(start.Add(after))
		rows, err := w.TableRows("soc", "")
		if o := w.one(stixID(1)); err != nil || o.Live(w.Now()) != want || rows[1].IsActive != want || (listed(false) == 1) != want || listed(true) != 1 || len(w.find()) != 1 {
			t.Errorf("after %v: %v %+v", after, err, o)
		}
	}
	w.uploaded("src", ioc(1, props{"modified": stamp(time.Hour)})) // not for ever
	if o := w.one(stixID(1)); !o.Live(w.Now()) {
		t.Errorf("%+v", o)
	}
}
