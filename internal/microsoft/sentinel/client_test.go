package sentinel

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/remeld/remeld/sdk"
)

// fixed answers every request with one status and body, and keeps the last request.
type fixed struct {
	status int
	body   string
	got    *http.Request
	sent   []byte
}

func (f *fixed) Do(r *http.Request) (*http.Response, error) {
	f.got = r
	f.sent, _ = io.ReadAll(r.Body)
	return &http.Response{StatusCode: f.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f.body))}, nil
}

func (f *fixed) Token(context.Context, string) (string, bool, error) { return "token", true, nil }
func (f *fixed) Forget()                                             {}

// published reads an example of the service's own pages, which come with the project.
func published(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "data", "sentinel", name))
	if err != nil {
		t.Skipf("the examples are not here: %v", err)
	}
	return data
}

// TestPublishedPartialError: of an upload.
func TestPublishedPartialError(t *testing.T) {
	t.Parallel()
	f := &fixed{status: 200, body: string(published(t, "doc-upload-partial-error-response.json"))}
	refused, _, err := New("https://ti.example", "scope", "ws", STIX, f, f).Upload(t.Context(), []byte(`{}`))
	if err != nil || len(refused) != 1 || refused[0].Index != 3 || !strings.Contains(refused[0].Messages[0], "Required property is missing") {
		t.Errorf("%+v, %v", refused, err)
	}
	if f.got.URL.String() != "https://ti.example/workspaces/ws/threat-intelligence-stix-objects:upload?api-version=2024-02-01-preview" {
		t.Errorf("called %s", f.got.URL)
	}
}

// TestUploadAnswers: an empty body is success; words that are no JSON leave the call in
// doubt; both shapes of an error are read.
func TestUploadAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status  int
		body    string
		failure sdk.Failure // "" = none
		words   string
	}{
		"all taken":      {200, "", "", ""},
		"no JSON":        {200, "<html>", sdk.InDoubt, ""},
		"gateway's 401":  {401, `{"statusCode":401,"message":"Unauthorized. Access token is missing or invalid."}`, sdk.Unauthorized, "Access token is missing"},
		"body's 400":     {400, `{"error":{"code":"InvalidRequestBodyProperty(RequestBody)","message":"Body of the request is not in valid JSON format.","details":[],"target":null}}`, sdk.Refused, "not in valid JSON"},
		"gateway's 429":  {429, `{"statusCode":429,"message":"Rate limit is exceeded. Try again in 45 seconds."}`, sdk.Throttled, "45 seconds"},
		"missing role":   {403, ``, sdk.Forbidden, "Microsoft Sentinel Contributor"},
		"no such place":  {404, ``, sdk.Missing, ""},
		"error no index": {200, `{"errors":[{"errorMessages":["x"]}]}`, sdk.InDoubt, ""},
	} {
		f := &fixed{status: test.status, body: test.body}
		_, _, err := New("https://ti.example", "scope", "ws", STIX, f, f).Upload(t.Context(), []byte(`{}`))
		if test.failure == "" && err == nil {
			continue
		}
		if err == nil || sdk.FailureOf(err) != test.failure || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %s: %v", name, sdk.FailureOf(err), err)
		}
	}
}

// TestPublishedQuery: the management plane's own example is read, and what is not of
// our source is not ours.
func TestPublishedQuery(t *testing.T) {
	t.Parallel()
	var doc struct {
		Responses map[string]struct{ Body json.RawMessage }
	}
	if err := json.Unmarshal(published(t, "arm-2025-07-01-preview-Query.json"), &doc); err != nil {
		t.Fatal(err)
	}
	f := &fixed{status: 200, body: string(doc.Responses["200"].Body)}
	m := NewManager("https://arm.example", "scope", Place{"sub", "rg", "ws"}, f, f)
	page, _, err := m.Query(t.Context(), "mySource", "")
	if err != nil || page.Next != "" || len(page.Ours) != 1 || !bytes.Contains(page.Ours[0].Properties.Data, []byte("attack-pattern--fb6aa549")) {
		t.Errorf("%+v, %v", page, err)
	}
	if !bytes.Contains(f.sent, []byte(`"stixObjectType":"indicator"`)) || !strings.HasPrefix(f.got.URL.Path, "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/ws/") {
		t.Errorf("asked %s with %s", f.got.URL, f.sent)
	}
	if page, _, err = m.Query(t.Context(), "mysource", ""); err != nil || len(page.Ours) != 0 || page.Others != 1 {
		t.Errorf("another source's: %v, %v", page, err)
	}
}

// TestNextPageStaysAtTheHost: a link elsewhere does not get the token.
func TestNextPageStaysAtTheHost(t *testing.T) {
	t.Parallel()
	f := &fixed{status: 200, body: `{"value":[]}`}
	m := NewManager("https://arm.example", "scope", Place{"sub", "rg", "ws"}, f, f)
	if _, _, err := m.Query(t.Context(), "s", "https://evil.example/next"); sdk.FailureOf(err) != sdk.Permanent || f.got != nil {
		t.Errorf("followed: %v", err)
	}
}

func TestBodyRoundTrip(t *testing.T) {
	t.Parallel()
	for _, api := range []API{STIX, Legacy} {
		body, err := api.Body("Remeld", []json.RawMessage{[]byte(`{"id":"a"}`), []byte(`{"id":"b"}`)})
		if err != nil {
			t.Fatal(err)
		}
		objects, err := api.Objects(body)
		if err != nil || len(objects) != 2 || string(objects[1]) != `{"id":"b"}` {
			t.Errorf("%s: %s, %v", api, objects, err)
		}
	}
	if _, err := Legacy.Objects([]byte(`{"stixobjects":[]}`)); err == nil {
		t.Error("the other API's body was read")
	}
}

// FuzzAnswers: no answer of the service makes the client stumble, or an object count as
// refused that the answer does not name.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"errors":[]}`, `{"errors":[{"recordIndex":0,"errorMessages":["x"]}]}`,
		`{"errors":[{"recordIndex":-1,"validationErrorMessages":["x"]}]}`, `{"errors":[null]}`, `[]`, `{"errors":[{"recordIndex":null}]}`} {
		f.Add(200, seed)
		f.Add(400, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 100 || status > 599 {
			return
		}
		d := &fixed{status: status, body: body}
		refused, _, err := New("https://ti.example", "scope", "ws", STIX, d, d).Upload(t.Context(), []byte(`{}`))
		if err != nil && len(refused) > 0 {
			t.Errorf("both refused objects and an error: %v", err)
		}
		if slices.ContainsFunc(refused, func(r RecordError) bool { return !strings.Contains(strings.ToLower(body), "recordindex") }) {
			t.Errorf("%q refuses %v", body, refused)
		}
	})
}
