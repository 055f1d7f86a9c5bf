package mde

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

const testAudience = "https://api.example"

func testService() *Service {
	return New(Config{Resources: []string{testAudience}, Own: func(*wire.Request) []string { return nil }, Switches: switches.Defaults})
}

func testCall(method, path, query string, body []byte) Call {
	r, _ := Match(method, path)
	q, err := url.ParseQuery(query)
	return Call{
		Route: r, Who: &entra.Principal{Tenant: "t", App: "a", Roles: []string{"Ti.ReadWrite.All"}, Audience: testAudience},
		Req: &wire.Request{Method: method, Scheme: "https", Host: "h", Path: path, Query: q, QueryErr: err, Header: http.Header{}, Body: body, Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
}

// FuzzBody: whatever the body, the answer is a documented status in valid JSON.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"Indicators":[{"indicatorValue":"a.example","indicatorType":"DomainName","action":"Block","title":"t","description":"d","rbacGroupIds":[1,"2"],"category":"Malware","expirationTime":"2027-01-01T00:00:00.5+00:00"}]}`,
		`{"indicatorValue":"a.example","indicatorType":"Url","action":"Audit","generateAlert":true,"title":"t","description":"d"}`,
		`{"IndicatorIds":["1","x"]}`, `{"IndicatorIds":[1]}`, `null`, `{"Indicators":null}`, `{"Indicators":[null]}`, "\xff", `{"indicatorValue":"http://[::1","indicatorType":"Url","action":"Block","title":"t","description":"d"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := testService()
		for _, path := range []string{"/api/indicators", "/api/indicators/import", "/api/indicators/BatchDelete"} {
			reply, _ := s.Serve(testCall("POST", path, "", body))
			switch {
			case reply.Status != 200 && reply.Status != 204 && reply.Status != 400 && reply.Status != 404:
				t.Fatalf("%s: status %d", path, reply.Status)
			case reply.Status != 204 && !json.Valid(reply.Body):
				t.Fatalf("%s: answer %q", path, reply.Body)
			}
		}
		if reply, _ := s.Serve(testCall("GET", "/api/indicators", "", nil)); !json.Valid(reply.Body) {
			t.Fatalf("list: %q", reply.Body)
		}
	})
}

func BenchmarkList(b *testing.B) {
	s := testService()
	if _, err := s.Seed("t", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Author{}, Foreign(1, 15_000)); err != nil {
		b.Fatal(err)
	}
	for name, query := range map[string]string{"all": "", "filter": "$filter=contains(indicatorValue,'row-0149')"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				reply, _ := s.Serve(testCall("GET", "/api/indicators", query, nil))
				b.SetBytes(int64(len(reply.Body)))
			}
		})
	}
}

func BenchmarkImport(b *testing.B) {
	s := testService()
	var rows []map[string]any
	for i := range maxBatch {
		rows = append(rows, map[string]any{"indicatorValue": fmt.Sprintf("d%d.example", i), "indicatorType": "DomainName", "action": "Block", "title": "t", "description": "d"})
	}
	body, err := json.Marshal(map[string]any{"Indicators": rows})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s.Serve(testCall("POST", "/api/indicators/import", "", body))
	}
}
