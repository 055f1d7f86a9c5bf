package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is the clock of the tests: before the expiries of the recorded requests.
var start = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

const (
	testTenant  = "11111111-1111-1111-1111-111111111111"
	otherTenant = "22222222-2222-2222-2222-222222222222"
	resource    = "https://api.securitycenter.microsoft.com"
)

func testTenants() []Tenant {
	return []Tenant{
		{ID: testTenant, Domains: []string{"t", "contoso.example"}, Apps: []App{
			{ID: "a", Name: "App A", Secrets: []Secret{{Value: "s"}}, Roles: []string{"Ti.ReadWrite.All", "Score.Read.All"}},
			{ID: "b", Name: "App B", Secrets: []Secret{{Value: "s"}}, Roles: []string{"Ti.ReadWrite.All"}},
			{ID: "own", Name: "Own only", Secrets: []Secret{{Value: "s"}}, Roles: []string{"Ti.ReadWrite"}},
			{ID: "none", Name: "No role", Secrets: []Secret{{Value: "s"}}},
			{ID: "off", Name: "Disabled", Secrets: []Secret{{Value: "s"}}, Disabled: true},
			{ID: "late", Name: "Late", Secrets: []Secret{{Value: "s", Expires: start.Add(time.Hour)}}, Roles: []string{"Ti.ReadWrite.All"}},
		}},
		{ID: otherTenant, Apps: []App{{ID: "a", Name: "App A", Secrets: []Secret{{Value: "s"}}, Roles: []string{"Ti.ReadWrite.All"}}}},
	}
}

// twin is a sandbox under test with a client that trusts it.
type twin struct {
	*Sandbox
	t      *testing.T
	client *http.Client
	tokens map[string]string
}

func newTwin(t *testing.T, edit ...func(*Options)) *twin {
	t.Helper()
	opts := Options{Start: start, Frozen: true, Tenants: testTenants(), Groups: []string{"servers"}}
	for _, e := range edit {
		e(&opts)
	}
	s, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	tr := transport(s)
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &twin{Sandbox: s, t: t, client: &http.Client{Transport: tr}, tokens: map[string]string{}}
}

// answer is a reply read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(r.body, &m); err != nil {
		t.Fatalf("body %q: %v", r.body, err)
	}
	return m
}

// code returns "status code" of the API's error envelope.
func (r reply) code() string {
	var e struct {
		Error struct{ Code, Target string }
	}
	_ = json.Unmarshal(r.body, &e)
	if r.status >= 400 && e.Error.Target == "" {
		return fmt.Sprintf("%d no envelope", r.status)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", r.status, e.Error.Code))
}

func (r reply) message(t *testing.T) string {
	t.Helper()
	var e struct{ Error struct{ Message string } }
	if err := json.Unmarshal(r.body, &e); err != nil {
		t.Fatalf("body %q: %v", r.body, err)
	}
	return e.Error.Message
}

func (w *twin) send(req *http.Request) reply {
	w.t.Helper()
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("read body: %v", err)
	}
	return reply{resp.StatusCode, resp.Header, body}
}

func (w *twin) request(method, url string, body any) *http.Request {
	w.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		enc, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		in = bytes.NewReader(enc)
	}
	if !strings.HasPrefix(url, "http") {
		url = w.URL() + url
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, in)
	if err != nil {
		w.t.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

func (w *twin) form(path string, kv ...string) reply {
	w.t.Helper()
	v := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	req := w.request("POST", path, v.Encode())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.send(req)
}

func (w *twin) token(tenant, app string) string {
	w.t.Helper()
	key := tenant + "/" + app
	if w.tokens[key] == "" {
		r := w.form("/"+tenant+"/oauth2/v2.0/token", "grant_type", "client_credentials", "client_id", app, "client_secret", "s", "scope", resource+"/.default")
		tok, _ := r.json(w.t)["access_token"].(string)
		if tok == "" {
			w.t.Fatalf("token: %d %s", r.status, r.body)
		}
		w.tokens[key] = tok
	}
	return w.tokens[key]
}

// as calls the API as an app of the test tenant.
func (w *twin) as(app, method, path string, body any) reply {
	w.t.Helper()
	return w.in(testTenant, app, method, path, body)
}

func (w *twin) in(tenant, app, method, path string, body any) reply {
	w.t.Helper()
	req := w.request(method, path, body)
	req.Header.Set("Authorization", "Bearer "+w.token(tenant, app))
	return w.send(req)
}

// call calls the API as app a.
func (w *twin) call(method, path string, body any) reply {
	w.t.Helper()
	return w.as("a", method, path, body)
}

type props map[string]any

// domain is a valid indicator with changes.
func domain(value string, edit props) props {
	p := props{"indicatorValue": value, "indicatorType": "DomainName", "action": "Block", "title": "t", "description": "d"}
	for k, v := range edit {
		p[k] = v
		if v == nil {
			delete(p, k)
		}
	}
	return p
}

type result struct {
	ID            *string
	Indicator     string
	IsFailed      bool
	FailureReason *string
}

func (w *twin) imports(rows ...props) []result {
	w.t.Helper()
	r := w.call("POST", "/api/indicators/import", props{"Indicators": rows})
	if r.status != 200 {
		w.t.Fatalf("import: %d %s", r.status, r.body)
	}
	var out struct{ Value []result }
	if err := json.Unmarshal(r.body, &out); err != nil {
		w.t.Fatal(err)
	}
	return out.Value
}

func (w *twin) list(query string) []map[string]any {
	w.t.Helper()
	r := w.call("GET", "/api/indicators"+query, nil)
	if r.status != 200 {
		w.t.Fatalf("list%s: %d %s", query, r.status, r.body)
	}
	var out struct{ Value []map[string]any }
	if err := json.Unmarshal(r.body, &out); err != nil {
		w.t.Fatal(err)
	}
	return out.Value
}
