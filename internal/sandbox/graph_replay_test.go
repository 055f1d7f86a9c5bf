package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// graphExpected is what each client needs to read, in the order of its requests:
// the status and, after it, texts that must be in the body.
var graphExpected = map[string][]string{
	// It keeps ids by a property of its own, which must come back, and deletes
	// what it no longer has; its path is in lower case.
	"misp": {
		`200 "access_token"`, `200 "indicatorRequestHash":"`, `200 "access_token"`, `200 "value":[{"id":"`, `200 "access_token"`, `200 "indicatorRequestHash":"`,
		`200 "code":204`, `200 "access_token"`, `200 "url":"http://new.example/"`,
	},
	// It stops at any other context and compares the code with a text.
	"minemeld": {
		`200 "expires_in":"3599"`,
		`206 "@odata.context":"https://graph.microsoft.com/beta/$metadata#Collection(microsoft.graph.ResultInfo)" "code":"404" "message":"domain:gone.example `,
		`200 "@odata.context":"https://graph.microsoft.com/beta/$metadata#Collection(tiIndicator)" "@odata.type":"#microsoft.graph.tiIndicator" "externalId":"IPv4:203.0.113.9" "indicator":"evil.example"`,
		`200 "expires_in":"3599"`, `200 "code":"204" "message":"domain:evil.example `,
	},
	// Its tokens come without Bearer, its booleans as texts, its score as a number.
	"opencti": {
		`200 "expires_in":3599`, `201 "additionalInformation":"70"`, `201 "domainName":"it's.evil.example"`, `201 "passiveOnly":false`, `201 "emailSenderAddress"`, `201 "fileHashType":"sha256"`, `201 "networkIPv6":"2001:db8::7"`,
		`200 "networkIPv4":"198.51.100.7"`, `204`, `200 "url":"http://evil.example/a?b=c\u0026d"`, `204`, `200 "fileHashValue":"abab`, `204`, `200 "value":[]`, `200 "value":[]`, `200 "value":[]`,
		`200 "emailSenderAddress":"bad@evil.example"`, `204`, `200 "networkIPv4":"198.51.100.7"`, `204`, `200 "domainName":"it's.evil.example"`, `404 "code":"ResourceNotFound"`,
	},
}

// TestGraphRecordedClients sends what other programs were recorded to send, with
// the ids and tokens that the sandbox gave before, under the host they used. The
// recordings were made of these programs at work against the sandbox.
func TestGraphRecordedClients(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "graph-recorded-requests.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != len(graphExpected) {
		t.Fatalf("%d clients", len(all))
	}
	for _, c := range all {
		t.Run(c.Client, func(t *testing.T) {
			w := newGraphTwin(t, observed, func(o *Options) {
				o.Tenants[0].Apps[0].Roles = []string{"ThreatIndicators.ReadWrite.OwnedBy"}
				if c.Client == "minemeld" {
					o.Switches.GraphResultCode = "string"
				}
			})
			want := graphExpected[c.Client]
			if len(want) != len(c.Requests) {
				t.Fatalf("%d requests, %d expectations", len(c.Requests), len(want))
			}
			var ids []string
			token := ""
			for i, q := range c.Requests {
				body := q.Body
				if q.BodyJSON != nil {
					body = string(q.BodyJSON)
				}
				r := w.replay(q.Method, q.Host, fill(q.Path, ids), q.Headers, fill(body, ids), token)
				checkReply(t, fmt.Sprint(i+1, " ", q.Method, " ", q.Path), r, want[i])
				ids = append(ids, created(q.Method, r)...)
				if m := map[string]any{}; json.Unmarshal(r.body, &m) == nil && m["access_token"] != nil {
					token = m["access_token"].(string)
				}
			}
			if len(ids) == 0 {
				t.Error("nothing was created")
			}
		})
	}
}

func checkReply(t *testing.T, name string, r reply, want string) {
	t.Helper()
	status, texts, _ := strings.Cut(want, " ")
	ok := status == strconv.Itoa(r.status) && !strings.Contains(string(r.body), `"Error":`)
	for text := range strings.SplitSeq(texts, ` "`) {
		ok = ok && strings.Contains(string(r.body), strings.TrimPrefix(text, `"`))
	}
	if !ok {
		t.Errorf("request %s: %d %s, want %s", name, r.status, r.body, want)
	}
}

// fill puts ids in the places that the recording has for them.
func fill(s string, ids []string) string {
	for i, id := range ids {
		s = strings.ReplaceAll(s, fmt.Sprintf("<id %d>", i+1), id)
	}
	return s
}

// created lists the ids of the indicators that an answer made.
func created(method string, r reply) []string {
	var out struct {
		ID    string
		Value []struct{ ID string }
	}
	if method != "POST" || json.Unmarshal(r.body, &out) != nil {
		return nil
	}
	if r.status == 201 {
		return []string{out.ID}
	}
	var ids []string
	for _, v := range out.Value {
		if v.ID != "" {
			ids = append(ids, v.ID)
		}
	}
	return ids
}
