package sentinel

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

const testWorkspace = "a1111111-1111-4111-8111-111111111111"

var testTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func testService(tb testing.TB) *Service {
	tb.Helper()
	s, err := New(Config{
		Workspaces: []Workspace{{Tenant: "t", ID: testWorkspace, Subscription: "s", Group: "g", Name: "w"}}, Switches: switches.Defaults,
		Own: func(*wire.Request) []string { return nil },
		Assignments: func(string, string) []entra.Assignment {
			return []entra.Assignment{{Role: RoleContributor, Scope: testWorkspace}}
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func testCall(method, target string, body []byte) Call {
	path, query, _ := strings.Cut(target, "?")
	r, _ := Match(method, path)
	q, err := url.ParseQuery(query)
	return Call{
		Route: r, Who: &entra.Principal{Tenant: "t", App: "a", Audience: "https://management.azure.com"},
		Req: &wire.Request{Method: method, Scheme: "https", Host: "h", Path: path, Query: q, QueryErr: err, Header: http.Header{}, Body: body, Now: testTime},
	}
}

const (
	testUpload = "/workspaces/" + testWorkspace + "/threat-intelligence-stix-objects:upload?api-version=2024-02-01-preview"
	testARM    = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/providers/Microsoft.SecurityInsights/threatIntelligence/main/"
)

// FuzzBody: whatever the body, the answer is a documented status in valid JSON.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"sourcesystem":"s","stixobjects":[{"type":"indicator","id":"indicator--00000000-0000-4000-8000-000000000000","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","pattern":"[url:value = 'x']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","confidence":5.0}]}`,
		`{"sourcesystem":"s","stixobjects":[null,1,"x",{},{"type":1},{"type":"identity","id":null}]}`, `null`, "\xff",
		`{"condition":{"clauses":[{"field":"validUntil","operator":"AfterRelative","values":["P99999999999999999999D"]}]},"sortBy":{"field":"confidence"}}`,
		`{"kind":"indicator","properties":{"source":"s","displayName":"n","pattern":"[url:value = 'x']","patternType":"url","validFrom":"2026-01-01T00:00:00Z","threatTypes":["x"]}}`,
		`{"pageSize":-1,"sortBy":[{"itemKey":"name","sortOrder":"descending"}],"keywords":[""],"skipToken":"eyJpIjoieCIsImIiOnt9fQ"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := testService(t)
		for _, path := range []string{
			testUpload, testARM + "createIndicator?api-version=2025-09-01", testARM + "query?api-version=" + queryVersion, testARM + "count?api-version=" + queryVersion,
			testARM + "queryIndicators?api-version=2025-09-01", testARM + "metrics?api-version=2025-09-01",
		} {
			method := http.MethodPost
			if strings.Contains(path, "metrics") {
				method = http.MethodGet
			}
			reply, _ := s.Serve(testCall(method, path, body))
			switch {
			case reply.Status != 200 && reply.Status != 201 && reply.Status != 400:
				t.Fatalf("%s: status %d", path, reply.Status)
			case len(reply.Body) > 0 && !json.Valid(reply.Body):
				t.Fatalf("%s: answer %q", path, reply.Body)
			}
		}
	})
}

// FuzzObservable: parsing ends and gives both parts or none.
func FuzzObservable(f *testing.F) {
	f.Add("[file:hashes.'SHA-256' = 'ab\\'c']")
	f.Add("[a:b = 'c' AND d:e = 'f']")
	f.Fuzz(func(t *testing.T, pattern string) {
		if key, value := Observable(pattern); key == "" && value != "" {
			t.Fatalf("%q: a value %q without key", pattern, value)
		}
	})
}

// TestObservableInvertsQuoting: what is quoted as STIX has it is read back.
func TestObservableInvertsQuoting(t *testing.T) {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringOf(rapid.RuneFrom([]rune(`ab'\[]= AND"é/:.`))).Draw(t, "value")
		if key, got := Observable("[url:value = '" + quote.Replace(value) + "']"); key != "url:value" || got != value {
			t.Fatalf("%q was read as %q", value, got)
		}
	})
}

// TestCover: an assignment reaches what its scope covers and nothing beside it.
func TestCover(t *testing.T) {
	w := Workspace{ID: testWorkspace, Subscription: "S", Group: "g", Name: "w"}
	for scope, want := range map[string]bool{
		testWorkspace: true, strings.ToUpper(testWorkspace): true, "/subscriptions/s": true, "/subscriptions/s/": true, "/subscriptions/s/resourcegroups/G": true, w.Path(): true,
		"": false, "/": false, "w": false, "/subscriptions": false, "/subscriptions/": false, "/subscriptions/s2": false, "/subscriptions/s/resourceGroups/g2": false,
		w.Path() + "2": false, strings.TrimSuffix(w.Path(), "w"): false, w.Path() + "/x": false,
	} {
		if got := w.covers(scope); got != want {
			t.Errorf("%q: %v", scope, got)
		}
	}
}

func BenchmarkUpload(b *testing.B) {
	s := testService(b)
	n := 0
	for b.Loop() {
		rows := make([]map[string]any, maxObjects)
		for i := range rows {
			n++
			rows[i] = map[string]any{
				"type": "indicator", "spec_version": "2.1", "id": fmt.Sprintf("indicator--%08x-0000-4000-8000-000000000000", n), "created": "2026-01-01T00:00:00.000Z",
				"modified": "2026-01-01T00:00:00.000Z", "pattern": "[url:value = 'x']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
			}
		}
		body, err := json.Marshal(map[string]any{"sourcesystem": "s", "stixobjects": rows})
		if err != nil {
			b.Fatal(err)
		}
		if reply, _ := s.Serve(testCall("POST", testUpload, body)); reply.Status != 200 || len(reply.Body) > 0 {
			b.Fatalf("%d %s", reply.Status, reply.Body)
		}
	}
}

// BenchmarkQuery reads 100,000 objects of one source page by page.
func BenchmarkQuery(b *testing.B) {
	s := testService(b)
	if _, err := s.Seed("w", testTime, "x", "src", Foreign(100_000, testTime)); err != nil {
		b.Fatal(err)
	}
	body := []byte(`{"maxPageSize":1000,"condition":{"clauses":[{"field":"source","operator":"Equals","values":["src"]}]}}`)
	for b.Loop() {
		target, seen := testARM+"query?api-version="+queryVersion, 0
		for target != "" {
			reply, _ := s.Serve(testCall("POST", target, body))
			var page struct {
				Value    []json.RawMessage
				NextLink string
			}
			if err := json.Unmarshal(reply.Body, &page); err != nil {
				b.Fatal(err)
			}
			seen += len(page.Value)
			target = strings.TrimPrefix(page.NextLink, "https://h")
		}
		if seen != 100_000 {
			b.Fatalf("%d objects", seen)
		}
	}
}
