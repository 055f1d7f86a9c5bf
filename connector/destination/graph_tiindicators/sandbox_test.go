package graphti

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/testroom"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"

	api "github.com/remeld/remeld/internal/microsoft/graph"
)

func open(t *testing.T, change func(*Config)) (*sandbox.Sandbox, sdk.Target, *bytes.Buffer) {
	t.Helper()
	room := testroom.Open(t, sandbox.Options{})
	cfg := defaults()
	if change != nil {
		change(&cfg)
	}
	target, err := build(cfg, room.Env("graph"))
	if err != nil {
		t.Fatal(err)
	}
	return room.Sandbox, target, room.Log
}

func list(t *testing.T, target sdk.Target) map[string]sdk.Remote {
	t.Helper()
	rows := map[string]sdk.Remote{}
	l, err := target.List(t.Context(), testroom.Free, func(r sdk.Remote) error { rows[r.Identity] = r; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if l.Count != len(rows) || !l.OwnOnly {
		t.Errorf("%+v of %d rows", l, len(rows))
	}
	return rows
}

func sendItems(t *testing.T, target sdk.Target, texts map[indicator.Kind]string) []sdk.SendItem {
	t.Helper()
	var out []sdk.SendItem
	for kind, text := range texts {
		objects, unfit := target.Map(fullRecord(t, kind, text))
		if unfit != nil {
			t.Fatalf("%s: %+v", text, unfit)
		}
		for _, o := range objects {
			out = append(out, sdk.SendItem{Object: o, Mark: "soc-1", Expires: time.Now().Add(24 * time.Hour)})
		}
	}
	return out
}

var (
	atBoth = map[indicator.Kind]string{
		indicator.Domain: "bad.example", indicator.IPv4: "8.8.4.0-8.8.4.6", indicator.IPv6: "2001:4860:4860::8888",
		indicator.URL: "https://bad.example/A+b?c=%2B", indicator.SHA256: strings.Repeat("ab", 32),
		indicator.SHA1: strings.Repeat("ab", 20), indicator.MD5: strings.Repeat("ef", 16),
	}
	atSentinel = map[indicator.Kind]string{
		indicator.Email: "a@bad.example", indicator.EmailSubject: "Invoice", indicator.UserAgent: "bad/1.0",
		indicator.FileName: "bad.exe", indicator.FilePath: `C:\bad.exe`, indicator.Mutex: "bad",
	}
)

// TestLifeOfAnObject: for both products, in order and out of it, with codes as numbers
// and as text: created, listed as sent, updated under the same id, deleted.
func TestLifeOfAnObject(t *testing.T) {
	t.Parallel()
	for name, product := range map[string]string{"sentinel": api.Sentinel, "defender": api.Defender, "sentinel reversed": api.Sentinel,
		"sentinel as observed": api.Sentinel, "defender as observed": api.Defender,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sb, target, _ := open(t, func(c *Config) { c.Product = product })
			if strings.Contains(name, "observed") {
				testroom.Set(t, sb, "graph_profile", "observed")
			}
			if strings.Contains(name, "reversed") {
				testroom.Set(t, sb, "graph_bulk_order", "reversed")
				testroom.Set(t, sb, "graph_result_code", "string")
			}
			items := sendItems(t, target, atBoth)
			if product == api.Sentinel {
				items = append(items, sendItems(t, target, atSentinel)...)
			}
			for i, o := range testroom.Send(t, target, sdk.OpUpsert, items) {
				if o.Status != sdk.Accepted || o.RemoteID == "" {
					t.Fatalf("%s: %+v", items[i].Object.Identity, o)
				}
				items[i].RemoteID = o.RemoteID
			}
			checkListed(t, target, items)
			for i := range items {
				items[i].Expires = items[i].Expires.Add(time.Hour)
			}
			for i, o := range testroom.Send(t, target, sdk.OpUpdate, items) {
				if o.Status != sdk.Accepted || o.RemoteID != items[i].RemoteID {
					t.Errorf("update: %+v", o)
				}
			}
			checkListed(t, target, items)
			for i, o := range testroom.Send(t, target, sdk.OpDelete, items) {
				if o.Status != sdk.Accepted || o.RemoteID != items[i].RemoteID {
					t.Errorf("delete: %+v", o)
				}
			}
			for _, o := range testroom.Send(t, target, sdk.OpDelete, items[:1]) {
				if o.Status != sdk.Accepted {
					t.Errorf("a second delete: %+v", o)
				}
			}
			testroom.Set(t, sb, "graph_empty_list", "404")
			if rows := list(t, target); len(rows) != 0 {
				t.Errorf("%d rows left", len(rows))
			}
		})
	}
}

func checkListed(t *testing.T, target sdk.Target, items []sdk.SendItem) {
	t.Helper()
	rows := list(t, target)
	if len(rows) != len(items) {
		t.Errorf("%d rows of %d", len(rows), len(items))
	}
	for _, item := range items {
		r := rows[item.Object.Identity]
		if r.ID != item.RemoteID || r.Mark != "soc-1" || r.Hash != item.Object.Hash || r.Slot != item.Object.Slot ||
			r.App != sandbox.DemoApp || !r.Expires.Equal(item.Expires.Truncate(time.Second)) {
			t.Errorf("%s: sent as %s, listed %+v", item.Object.Identity, item.RemoteID, r)
		}
	}
}

// TestD18_WhatIsNoLongerSaidIsTakenBack: an update says it where a property is to be as
// if it had never been said, or the row would stay as it was and look edited for ever.
func TestD18_WhatIsNoLongerSaidIsTakenBack(t *testing.T) {
	t.Parallel()
	_, target, _ := open(t, nil)
	rec := fullRecord(t, indicator.Domain, "bad.example")
	rec.Attrs.Extra = map[string]any{"is_active": false, "diamond_model": "victim", "web_link": "https://tc.example/1"}
	write := func(op sdk.OpName, id string) (sdk.Object, string) {
		objects, unfit := target.Map(rec)
		if unfit != nil {
			t.Fatalf("%+v", unfit)
		}
		out := testroom.Send(t, target, op, []sdk.SendItem{{Object: objects[0], RemoteID: id, Mark: "soc-1", Expires: time.Now().Add(time.Hour)}})
		if out[0].Status != sdk.Accepted {
			t.Fatalf("%+v", out[0])
		}
		return objects[0], out[0].RemoteID
	}
	said, id := write(sdk.OpUpsert, "")
	rec.Attrs = indicator.Attributes{TLP: rec.Attrs.TLP}
	unsaid, _ := write(sdk.OpUpdate, id)
	row := list(t, target)[said.Identity]
	if row.ID != id || unsaid.Hash == said.Hash || row.Hash != unsaid.Hash {
		t.Errorf("said %s, unsaid %s, listed %+v %s", said.Hash, unsaid.Hash, row, row.Raw)
	}
	var left api.Indicator
	if err := json.Unmarshal(row.Raw, &left); err != nil || left.IsActive == nil || !*left.IsActive || left.Confidence == nil || *left.Confidence != 0 {
		t.Errorf("%s, %v", row.Raw, err)
	}
}

// TestD11_DeleteByExternalID: an object whose id a lost answer hid is deleted by the
// id that is ours.
func TestD11_DeleteByExternalID(t *testing.T) {
	t.Parallel()
	_, target, _ := open(t, nil)
	items := sendItems(t, target, atBoth)
	testroom.Send(t, target, sdk.OpUpsert, items)
	for _, o := range testroom.Send(t, target, sdk.OpDelete, items) {
		if o.Status != sdk.Accepted {
			t.Errorf("%+v", o)
		}
	}
	if rows := list(t, target); len(rows) != 0 {
		t.Errorf("%d rows left", len(rows))
	}
}

// TestPages: more rows than a page, others' products and apps among them.
func TestPages(t *testing.T) {
	t.Parallel()
	sb, target, _ := open(t, nil)
	var rows []map[string]any
	for i := range 2500 {
		rows = append(rows, map[string]any{
			"targetProduct": []string{api.Sentinel, api.Defender}[i%2], "action": "alert", "description": "x", "threatType": "WatchList", "tlpLevel": "amber",
			"domainName": fmt.Sprintf("h%d.example", i), "expirationDateTime": time.Now().Add(time.Hour).Format(time.RFC3339),
		})
	}
	for _, app := range []string{sandbox.DemoApp, ""} {
		if _, err := sb.SeedTi(sandbox.DemoTenant, app, rows); err != nil {
			t.Fatal(err)
		}
	}
	got := list(t, target)
	if len(got) != 1250 {
		t.Errorf("%d rows", len(got))
	}
	for _, r := range got {
		if r.Mark != "" {
			t.Fatalf("a mark on %+v", r)
		}
	}
}

// TestPartialAnswers: 206 is read item by item, at Defender with its own words.
func TestPartialAnswers(t *testing.T) {
	t.Parallel()
	sb, target, _ := open(t, func(c *Config) { c.Product = api.Defender })
	testroom.Set(t, sb, "capacity", "2")
	if _, err := sb.AddFault(sandbox.Rule{Op: "ti-submit", Action: sandbox.Action{Refuse: []sandbox.Refusal{{Value: "bad.example", Reason: "we do not like it"}}}}); err != nil {
		t.Fatal(err)
	}
	items := sendItems(t, target, atBoth)
	got := map[sdk.Status]int{}
	for i, o := range testroom.Send(t, target, sdk.OpUpsert, items) {
		got[o.Status]++
		if o.Status == sdk.Rejected && (items[i].Object.Indicator.Value != "bad.example" || !strings.Contains(o.Reason, "do not like") || o.RemoteID != "") {
			t.Errorf("%s: %+v", items[i].Object.Identity, o)
		}
	}
	if got[sdk.Accepted] != 2 || got[sdk.Rejected] != 1 || got[sdk.Full] != len(items)-3 {
		t.Errorf("%v of %d", got, len(items))
	}
}

// TestD13_UnknownErrorIsDivisible: Graph's silence on a large batch is a refusal of
// the batch, which delivery halves; fewer pass.
func TestD13_UnknownErrorIsDivisible(t *testing.T) {
	t.Parallel()
	sb, target, log := open(t, nil)
	testroom.Set(t, sb, "graph_batch_limit", "5")
	items := sendItems(t, target, atBoth)
	body, err := target.Encode(sdk.OpUpsert, items)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Send(t.Context(), sdk.OpUpsert, body); sdk.FailureOf(err) != sdk.Refused {
		t.Errorf("%s: %v", sdk.FailureOf(err), err)
	}
	for _, o := range testroom.Send(t, target, sdk.OpUpsert, items[:5]) {
		if o.Status != sdk.Accepted {
			t.Errorf("%+v", o)
		}
	}
	if text := log.String(); strings.Contains(text, sandbox.DemoSecret) || strings.Contains(text, "eyJ") {
		t.Error("a secret or token shows in the log")
	}
}

// TestFailures: the classes of failure and the words for each.
func TestFailures(t *testing.T) {
	t.Parallel()
	sb, target, _ := open(t, nil)
	body, err := target.Encode(sdk.OpUpsert, sendItems(t, target, map[indicator.Kind]string{indicator.Domain: "bad.example"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		action sandbox.Action
		want   sdk.Failure
	}{
		{sandbox.Action{Reset: true, When: "after"}, sdk.InDoubt}, {sandbox.Action{Truncate: 10}, sdk.InDoubt},
		{sandbox.Action{Status: 503}, sdk.Unavailable}, {sandbox.Action{Status: 429, RetryAfter: "2.128"}, sdk.Throttled},
		{sandbox.Action{Status: 400}, sdk.Refused}, {sandbox.Action{Status: 403}, sdk.Forbidden},
	} {
		sb.ClearFaults()
		if _, err := sb.AddFault(sandbox.Rule{Op: "ti-submit", Count: 1, Action: test.action}); err != nil {
			t.Fatal(err)
		}
		_, err := target.Send(t.Context(), sdk.OpUpsert, body)
		if sdk.FailureOf(err) != test.want {
			t.Errorf("%+v: got %s: %v", test.action, sdk.FailureOf(err), err)
		}
		if test.want == sdk.Forbidden && !strings.Contains(err.Error(), "ThreatIndicators.ReadWrite.OwnedBy") {
			t.Errorf("%v does not name the role", err)
		}
	}
	sb.ClearFaults()
	testroom.Set(t, sb, "graph_ti_indicators", "removed")
	if _, err := target.Send(t.Context(), sdk.OpUpsert, body); sdk.FailureOf(err) != sdk.Permanent || !strings.Contains(err.Error(), "class sentinel or defender") {
		t.Errorf("after the removal: %v", err)
	}
}

// TestInfo: what is declared, for each product.
func TestInfo(t *testing.T) {
	t.Parallel()
	_, target, _ := open(t, nil)
	_, defender, _ := open(t, func(c *Config) { c.Product, c.Reserve, c.Action = api.Defender, 500, "block" })
	s, d := target.Info(), defender.Info()
	if s.Capacity != 0 || s.Ops[sdk.OpUpsert].Batch != 100 || s.Ops[sdk.OpUpsert].Idempotent || !s.Ops[sdk.OpUpdate].Idempotent || s.Ops[sdk.OpUpdate].Batch != 100 {
		t.Errorf("%+v", s)
	}
	if d.Capacity != 15_000 || d.Reserve != 500 || d.Quota != "defender/"+sandbox.DemoTenant || d.Domain == s.Domain || d.Ops[sdk.OpUpdate].Batch != 1 || d.Ops[sdk.OpDelete].Batch != 1 {
		t.Errorf("%+v", d)
	}
	if !strings.Contains(s.Deprecated, "2024-04-10") || !strings.Contains(s.Deprecated, "class sentinel") {
		t.Error(s.Deprecated)
	}
}
