package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type recorded struct {
	Client   string
	Requests []struct {
		Method, Host, Path string
		Headers            map[string]string
		Body               string
		BodyJSON           json.RawMessage `json:"body_json"`
	}
}

// expected is what each client needs to read, in the order of its requests;
// the text after the status must be in the body.
var expected = map[string][]string{
	"thehive": {
		`200 "access_token"`, `200 "action":"Block"`, `200 "access_token"`, `200 "action":"Audit"`, `200 "access_token"`, `200 "action":"Allowed"`,
		`200 "access_token"`, `200 "action":"Warn"`, `200 "access_token"`, `200 "action":"BlockAndRemediate"`,
	},
	// The empty import is a probe for permission: 400 is "may write".
	"opencti-mde-synchronizer": {`200 "expires_in":3599`, `200 "value":[`, `400 InvalidInput`, `200 "value":[`, `200 "isFailed":false`, `204 `},
	// The last row withdraws by an expiry in 1970, which fails the whole call today.
	"minemeld-wd-atp": {`200 "expires_in":"3599"`, `400 Indicator evil2.example is inactive.`},
	"misp2defender":   {`200 "access_token"`, `200 "value":[`, `200 "access_token"`, `200 generateAlert must be true`},
	"sekoia":          {`200 "expires_in":"3599"`, `200 "value":[]`, `200 "failureReason":null`},
	"azidentity-go":   {`200 "token_endpoint":"https://localhost:35443/`, `200 "expires_in":3599`},
	"azidentity-js":   {`200 "issuer":"https://localhost:35443/`, `200 "expires_in":3599`},
}

func clients(t *testing.T) []recorded {
	t.Helper()
	raw, ok := reference(t, "recorded-client-requests.json")
	if !ok {
		t.Skip("reference data is absent: recorded client requests not replayed")
	}
	var all []recorded
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRecordedClients sends every recorded request as it was, with the token the
// sandbox gave before, under the host the client used.
func TestRecordedClients(t *testing.T) {
	for _, c := range clients(t) {
		t.Run(c.Client, func(t *testing.T) {
			w := newTwin(t, func(o *Options) {
				o.Resources = []string{"http://127.0.0.1:35080"}
				o.Tenants[0].Apps[0].Roles = []string{"Ti.ReadWrite.All"}
			})
			if c.Client == "opencti-mde-synchronizer" { // it deletes rows 1 and 2
				if _, err := w.SeedForeign(testTenant, Author{}, 2); err != nil {
					t.Fatal(err)
				}
			}
			want := expected[c.Client]
			if len(want) != len(c.Requests) {
				t.Fatalf("%d requests, %d expectations", len(c.Requests), len(want))
			}
			token := ""
			for i, q := range c.Requests {
				body := q.Body
				if q.BodyJSON != nil {
					body = string(q.BodyJSON)
				}
				status, text, _ := strings.Cut(want[i], " ")
				r := w.replay(q.Method, q.Host, q.Path, q.Headers, body, token)
				if status != strconv.Itoa(r.status) || !strings.Contains(string(r.body), text) {
					t.Errorf("request %d %s %s: %d %s, want %s", i+1, q.Method, q.Path, r.status, r.body, want[i])
				}
				if m := map[string]any{}; json.Unmarshal(r.body, &m) == nil && m["access_token"] != nil {
					token = m["access_token"].(string)
				}
			}
		})
	}
}

func (w *twin) replay(method, host, path string, headers map[string]string, body, token string) reply {
	w.t.Helper()
	// The path is sent byte for byte, as the client wrote it.
	req, err := http.NewRequestWithContext(w.t.Context(), method, "https://"+host+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		req.Body = io.NopCloser(strings.NewReader(body))
		req.ContentLength = int64(len(body))
	}
	for k, v := range headers {
		if k != "Content-Length" && k != "Accept-Encoding" {
			req.Header.Set(k, strings.Replace(v, "<token>", token, 1))
		}
	}
	return w.send(req)
}

// TestRecordedMineMeldContext: MineMeld aborts on any other context.
func TestRecordedMineMeldContext(t *testing.T) {
	all := clients(t)
	i := slices.IndexFunc(all, func(c recorded) bool { return c.Client == "minemeld-wd-atp" })
	q := all[i].Requests[1]
	w := newTwin(t, func(o *Options) { o.Switches.PastExpiry = "fail_item" })
	r := w.replay(q.Method, q.Host, q.Path, q.Headers, string(q.BodyJSON), w.token(testTenant, "a"))
	m := r.json(t)
	if m["@odata.context"] != "https://api.securitycenter.windows.com/api/$metadata#Collection(microsoft.windowsDefenderATP.api.ImportIndicatorResult)" {
		t.Errorf("%v", m["@odata.context"])
	}
	failed := 0
	for _, v := range m["value"].([]any) {
		if v.(map[string]any)["isFailed"] == true {
			failed++
		}
	}
	if failed != 1 || len(w.list("?$filter=action+eq+'Audit'")) != 6 {
		t.Errorf("%d failed: %s", failed, r.body)
	}
}
