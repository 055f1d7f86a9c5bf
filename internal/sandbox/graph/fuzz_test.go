package graph

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

func testService(profile string) *Service {
	return New(Config{
		Own: func(*wire.Request) []string { return nil }, PerMinute: func() int { return 0 },
		Switches: func() switches.Set {
			s := switches.Defaults()
			s.GraphProfile = profile
			return s
		},
	})
}

func testCall(method, path, query string, body []byte) Call {
	r, _ := Match(method, path)
	q, err := url.ParseQuery(query)
	return Call{
		Route: r, Who: &entra.Principal{Tenant: "t", App: "a", Roles: []string{RoleOwned}, Audience: AppID},
		Req: &wire.Request{Method: method, Scheme: "https", Host: "h", Path: path, Query: q, QueryErr: err, Body: body,
			Header: http.Header{"Content-Type": {"application/json"}}, Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
}

// FuzzBody: whatever the body, the answer is a documented status in valid JSON,
// and what was stored can be listed.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"targetProduct":"Azure Sentinel","action":3,"domainName":"a.example","description":"d","threatType":"C2","tlpLevel":"red","expirationDateTime":"2027-01-01T00:00:00Z","x":{"y":[1]}}`,
		`{"value":[{"targetProduct":"Microsoft Defender ATP","action":"block","url":"http://a.example","id":"1","expirationDateTime":"2027-01-01 00:00:00"}]}`,
		`{"value":["1","x"]}`, `{"value":[1]}`, `null`, `{"value":null}`, `{"value":[null]}`, "\xff",
		`{"requests":[{"id":"1","method":"GET","url":"/security/tiIndicators?$top=1"},{"id":"2","method":"POST","url":"%","dependsOn":["1"],"body":{}}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, profile := range []string{"documented", "observed"} {
			s := testService(profile)
			for _, c := range []struct{ method, path string }{
				{"POST", "/beta/security/tiIndicators"}, {"POST", "/beta/security/tiIndicators/submitTiIndicators"}, {"POST", "/beta/security/tiIndicators/updateTiIndicators"},
				{"PATCH", "/beta/security/tiIndicators/1"}, {"POST", "/beta/$batch"}, {"POST", "/beta/security/tiIndicators/deleteTiIndicatorsByExternalId"}, {"GET", "/beta/security/tiIndicators"},
			} {
				reply, _ := s.Serve(testCall(c.method, c.path, "$top=10", body))
				switch reply.Status {
				case 204:
				case 200, 201, 206, 400, 404:
					if !json.Valid(reply.Body) {
						t.Fatalf("%s %s: answer %q", c.method, c.path, reply.Body)
					}
				default:
					t.Fatalf("%s %s: status %d", c.method, c.path, reply.Status)
				}
			}
		}
	})
}

// FuzzQuery: whatever the query, the list answers 200 or 400 in valid JSON.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"$filter=severity gt 1&$orderby=url desc,id", "$select=id,*&$count=true", "$skiptoken=YWZ0ZXI6MQ", "$top=9223372036854775807&$skip=1", "$skiptoken=c2tpcDo5"} {
		f.Add(s)
	}
	s := testService("documented")
	if _, err := s.Seed("t", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "a", Foreign(3)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string) {
		reply, _ := s.Serve(testCall("GET", "/beta/security/tiIndicators", query, nil))
		if reply.Status != 200 && reply.Status != 400 || !json.Valid(reply.Body) {
			t.Fatalf("%d %s", reply.Status, reply.Body)
		}
	})
}

func BenchmarkList(b *testing.B) {
	s := testService("documented")
	if _, err := s.Seed("t", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "a", Foreign(15_000)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		reply, _ := s.Serve(testCall("GET", "/beta/security/tiIndicators", "$top=1000", nil))
		b.SetBytes(int64(len(reply.Body)))
	}
}
