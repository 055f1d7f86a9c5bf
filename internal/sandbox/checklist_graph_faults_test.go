package sandbox

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

func tiRows(n int) []props {
	var out []props
	for i := range n {
		out = append(out, sentinelTi(fmt.Sprintf("d%03d.example", i), nil))
	}
	return out
}

// TestGraphChecklist5_Statuses: 429 with every Retry-After, 5xx, UnknownError,
// before and after the effect.
func TestGraphChecklist5_Statuses(t *testing.T) {
	w := newGraphTwin(t)
	const unknown = `{"error":{"code":"UnknownError","message":"","innerError":{"date":"2020-10-02T01:11:33","request-id":"x","client-request-id":"x"}}}`
	for _, c := range []struct {
		action Action
		rows   int
	}{
		{Action{Status: 429, RetryAfter: "8"}, 0}, {Action{Status: 429, RetryAfter: "2.128"}, 0}, {Action{Status: 429, RetryAfter: "Sun, 22 Nov 2026 06:00:08 GMT"}, 0}, {Action{Status: 429}, 0},
		{Action{Status: 503, RetryAfter: "1"}, 0}, {Action{Status: 504}, 0}, {Action{Status: 500, Body: unknown}, 0},
		{Action{Status: 500, Body: unknown, When: "after"}, 1},
	} {
		w.Reset()
		w.fault(Rule{Op: "ti-create", Count: 1, Action: c.action})
		r := w.ti("POST", "", sentinelTi("a.example", nil))
		if r.status != c.action.Status || r.header.Get("Retry-After") != c.action.RetryAfter || string(r.body) != c.action.Body {
			t.Errorf("%+v: %d %v %s", c.action, r.status, r.header, r.body)
		}
		if rows, _ := w.TiRows("t"); len(rows) != c.rows {
			t.Errorf("%+v: %d rows", c.action, len(rows))
		}
	}
}

// TestGraphChecklist5_ChosenItems: 206 with the items that a rule refuses, or a
// 400 of the whole call; with 200 too, and in another order.
func TestGraphChecklist5_ChosenItems(t *testing.T) {
	w := newGraphTwin(t)
	id := w.fault(Rule{Op: "ti-submit", Action: Action{Refuse: []Refusal{{Match: "^d00[13]", Reason: "not today", Code: "Tired"}}}})
	status, got := w.bulk("submitTiIndicators", tiRows(5))
	var failed []string
	for i, v := range got {
		if strings.Contains(fmt.Sprint(v["Error"]), `"code":"Tired","message":"not today"`) {
			failed = append(failed, fmt.Sprintf("%d %v", i, v["domainName"]))
		}
	}
	if status != 206 || !slices.Equal(failed, []string{"1 d001.example", "3 d003.example"}) {
		t.Errorf("%d %v", status, got)
	}
	for name, v := range map[string]string{"graph_partial_status": "200", "graph_bulk_order": "reversed"} {
		if err := w.SetSwitch(name, v); err != nil {
			t.Fatal(err)
		}
	}
	if status, got := w.bulk("submitTiIndicators", tiRows(2)); status != 200 || got[0]["externalId"] != "ext-d001.example" || got[0]["Error"] == nil || got[1]["Error"] != nil {
		t.Errorf("%d %v", status, got)
	}
	w.RemoveFault(id)
	w.fault(Rule{Op: "ti-submit", Action: Action{Refuse: []Refusal{{Value: "d001.example", Reason: "no", FailCall: true}}}})
	w.ResetJournal()
	if r := w.ti("POST", "/submitTiIndicators", props{"value": tiRows(3)}); graphCode(r) != "400 InvalidInput" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if n := len(w.Journal(Query{Effect: "created"})); n != 0 {
		t.Error("a refused call wrote rows")
	}
	w.fault(Rule{Op: "ti-delete-external", Action: Action{Refuse: []Refusal{{Value: "d000.example", Reason: "no"}}}})
	if status, got := w.bulk("deleteTiIndicatorsByExternalId", []string{"ext-d000.example"}); status != 200 || got[0]["code"] != 400.0 {
		t.Errorf("%d %v", status, got)
	}
}

// TestGraphChecklist5_Connection: a cut body, a cut connection after the effect,
// a slow answer.
func TestGraphChecklist5_Connection(t *testing.T) {
	w := newGraphTwin(t)
	w.fault(Rule{Op: "ti-submit", Count: 1, Action: Action{Truncate: 40}})
	w.fault(Rule{Op: "ti-create", Count: 1, Action: Action{Reset: true, When: "after"}})
	w.fault(Rule{Op: "ti-list", Count: 1, Action: Action{Latency: Duration(time.Minute), LatencyMode: "advance"}})
	do := func(tail string, body any) error {
		req := w.request("POST", graphTiPath+tail, body)
		req.Header.Set("Authorization", "Bearer "+w.graphToken(testTenant, "g"))
		resp, err := w.client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		_, err = io.ReadAll(resp.Body)
		return err
	}
	if err := do("/submitTiIndicators", props{"value": tiRows(2)}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("truncated: %v", err)
	}
	if err := do("", sentinelTi("a.example", nil)); err == nil {
		t.Error("reset: no error")
	}
	before := w.Now()
	if got := w.tis(""); len(got) != 3 || w.Now().Sub(before) != time.Minute {
		t.Errorf("%v after %v", got, w.Now().Sub(before))
	}
}

// TestGraphChecklist5_PermissionRemoved: a token keeps the roles it was issued
// with; the next one has none.
func TestGraphChecklist5_PermissionRemoved(t *testing.T) {
	w := newGraphTwin(t)
	w.create(sentinelTi("a.example", nil))
	tenants := w.Tenants()
	for i := range tenants[0].Apps {
		if tenants[0].Apps[i].ID == "g" {
			tenants[0].Apps[i].Roles = nil
		}
	}
	if err := w.SetTenant(tenants[0]); err != nil {
		t.Fatal(err)
	}
	if r := w.ti("GET", "", nil); r.status != 200 {
		t.Errorf("old token: %d", r.status)
	}
	clear(w.tokens)
	if r := w.ti("GET", "", nil); graphCode(r) != "403 Forbidden" || !strings.Contains(r.message(t), "does not contain valid permissions") {
		t.Errorf("new token: %d %s", r.status, r.body)
	}
}

// TestGraphChecklist7_Bulk: 100 items a call; above what the service digests it
// is an UnknownError with an empty message and no effect, so that halving works.
func TestGraphChecklist7_Bulk(t *testing.T) {
	w := newGraphTwin(t)
	if status, got := w.bulk("submitTiIndicators", tiRows(100)); status != 200 || len(got) != 100 {
		t.Errorf("%d, %d items", status, len(got))
	}
	for action, body := range map[string]any{"submitTiIndicators": tiRows(101), "deleteTiIndicators": slices.Repeat([]string{"x"}, 101), "updateTiIndicators": slices.Repeat([]props{{"id": "x"}}, 101)} {
		if r := w.ti("POST", "/"+action, props{"value": body}); graphCode(r) != "400 BadRequest" {
			t.Errorf("%s: %d %s", action, r.status, r.body)
		}
	}
	for _, body := range []string{`{"value":[]}`, `{"value":null}`, `{}`, `[]`, `{"value":[1]}`, `{"value":[null]}`, `{"value":"x"}`, `{`, ``, `{"value":[{}]}`} {
		if r := w.ti("POST", "/submitTiIndicators", body, "Content-Type", "application/json"); graphCode(r) != "400 BadRequest" {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	// One body that cannot be read refuses them all.
	if r := w.ti("POST", "/submitTiIndicators", props{"value": []props{sentinelTi("new.example", nil), sentinelTi("b.example", props{"tlpLevel": "pink"})}}); graphCode(r) != "400 BadRequest" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if got := w.tis("?$filter=domainName+eq+'new.example'"); len(got) != 0 {
		t.Error("half of a refused call was written")
	}
	w.Reset()
	if err := w.SetSwitch("graph_batch_limit", "30"); err != nil {
		t.Fatal(err)
	}
	sizes, choked := []int{100}, 0
	for len(sizes) > 0 {
		n := sizes[0]
		sizes = sizes[1:]
		r := w.ti("POST", "/submitTiIndicators", props{"value": tiRows(n)})
		if got := graphCode(r); got == "500 UnknownError" && r.message(t) == "" {
			sizes = append(sizes, n/2, n-n/2)
			choked++
		} else if got != "200" {
			t.Fatalf("%d items: %d %s", n, r.status, r.body)
		}
	}
	if rows, _ := w.TiRows("t"); len(rows) != 100 || choked != 3 {
		t.Errorf("%d rows after halving %d times", len(rows), choked)
	}
}

// TestGraphChecklist7_Capacity: 15,000 indicators for Defender, without end for
// Sentinel; expiry and deletion free a slot.
func TestGraphChecklist7_Capacity(t *testing.T) {
	w := newGraphTwin(t)
	var rows []map[string]any
	for i := range 14_999 {
		rows = append(rows, map[string]any{"targetProduct": "Microsoft Defender ATP", "action": "block", "domainName": fmt.Sprintf("x%d.example", i)})
	}
	ids, err := w.SeedTi("t", "other", rows)
	if err != nil {
		t.Fatal(err)
	}
	const words = `Max capacity exceeded. Current Total: 15000, Limit: 15000 (Parameter 'Capacity: 15000/15000')`
	status, got := w.bulk("submitTiIndicators", []props{defenderTi("a.example", nil), defenderTi("b.example", nil), defenderTi("a.example", props{"severity": 1}), sentinelTi("c.example", nil)})
	if status != 206 || got[0]["Error"] != nil || !strings.Contains(fmt.Sprint(got[1]["Error"]), words) || got[2]["id"] != got[0]["id"] || got[3]["Error"] != nil {
		t.Errorf("%d %v", status, got)
	}
	if err := w.DeleteTi("t", ids[0]); err != nil {
		t.Fatal(err)
	}
	if r := w.ti("POST", "", defenderTi("b.example", nil)); r.status != 201 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := w.ti("POST", "", defenderTi("x7.example", nil)); graphCode(r) != "403 DisallowedOperation" {
		t.Errorf("another's indicator: %d %s", r.status, r.body)
	}
}

// TestGraphChecklist7_Throttle: 1,000 calls a minute for an app in a tenant over
// all operations, in a sliding window.
func TestGraphChecklist7_Throttle(t *testing.T) {
	w := newGraphTwin(t)
	for i := range 1000 {
		if i == 500 {
			w.Clock().Advance(20 * time.Second)
		}
		tail := []string{"?$top=1", "/none"}[i%2]
		if r := w.ti("GET", tail, nil); r.status == 429 {
			t.Fatalf("call %d: %s", i+1, r.body)
		}
	}
	r := w.ti("POST", "", sentinelTi("a.example", nil))
	if graphCode(r) != "429 TooManyRequests" || r.header.Get("Retry-After") != "40" || !strings.Contains(string(r.body), `"status":"429"`) {
		t.Fatalf("%d %v %s", r.status, r.header, r.body)
	}
	if r := w.by("h", "GET", graphTiPath, nil); r.status != 200 {
		t.Errorf("another app: %d", r.status)
	}
	req := w.request("GET", graphTiPath, nil)
	req.Header.Set("Authorization", "Bearer "+w.graphToken(otherTenant, "g"))
	if r := w.send(req); r.status != 200 {
		t.Errorf("another tenant: %d", r.status)
	}
	w.Clock().Advance(40 * time.Second)
	if r := w.ti("GET", "", nil); r.status != 200 {
		t.Errorf("after the wait: %d %s", r.status, r.body)
	}
	if err := w.SetLimits(map[string]Limit{"ti": {}}); err != nil {
		t.Fatal(err)
	}
}

// TestGraphChecklist7_LargeList: a long list without $top was seen to be an
// UnknownError, and an empty one a 404.
func TestGraphChecklist7_LargeList(t *testing.T) {
	w := newGraphTwin(t, observed)
	r := w.send(w.request("POST", "/_sandbox/tenants/t/ti-indicators", props{"generate": 1001, "app": "g"}))
	if r.status != 200 {
		t.Fatalf("%s", r.body)
	}
	if r := w.ti("GET", "", nil); graphCode(r) != "500 UnknownError" {
		t.Errorf("%d %.200s", r.status, r.body)
	}
	if got := w.tis("?$top=5000"); len(got) != 1000 {
		t.Errorf("%d rows on a page", len(got))
	}
	w.Reset()
	_ = w.SetSwitch("graph_empty_list", "404")
	if r := w.ti("GET", "?$top=1", nil); graphCode(r) != "404 ResourceNotFound" {
		t.Errorf("%d %s", r.status, r.body)
	}
}
