package graph

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/sdk"
)

const samples = "../../../../shared/data/msgraph/samples"

// TestPublishedAnswers: every tiIndicator of the pages and of the issues is read.
func TestPublishedAnswers(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob(filepath.Join(samples, "*iindicator*.json")) // a good pattern
	observed, _ := filepath.Glob(filepath.Join(samples, "observed", "*iindicator*.json"))
	files = append(files, observed...)
	if len(files) == 0 {
		t.Skip("the examples are not here")
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var list struct {
			Value json.RawMessage `json:"value"`
		}
		if err := json.Unmarshal(data, &list); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		switch {
		case strings.Contains(file, "delete") && strings.Contains(file, "00") || strings.Contains(file, "delete") && strings.Contains(file, "response"):
			var results []Result
			err = json.Unmarshal(list.Value, &results)
		case strings.Contains(file, "unknownerror"), strings.Contains(file, "delete"), strings.Contains(file, "lenient"):
			continue // refusals and requests of others
		case len(list.Value) > 0 && list.Value[0] == '[':
			var items []Item
			err = json.Unmarshal(list.Value, &items)
		case len(list.Value) > 0: // a single one in value
			err = json.Unmarshal(list.Value, new(Item))
		default:
			err = json.Unmarshal(data, new(Item))
		}
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
}

// TestLenientTypes: numbers and texts stand for each other in what the service was seen
// to write.
func TestLenientTypes(t *testing.T) {
	t.Parallel()
	var i Item
	if err := json.Unmarshal([]byte(`{"action":2,"tlpLevel":"3","fileHashType":"sha256","diamondModel":127,"confidence":"75","severity":null}`), &i); err != nil {
		t.Fatal(err)
	}
	if i.Action != Block || i.TLPLevel != "amber" || i.FileHashType != "sha256" || i.DiamondModel != "unknownFutureValue" || *i.Confidence != 75 || i.Severity != nil {
		t.Errorf("%+v", i.Indicator)
	}
	var r []Result
	if err := json.Unmarshal([]byte(`[{"code":"204","message":"x"},{"code":404}]`), &r); err != nil || r[0].Code != 204 || r[1].Code != 404 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []string{`{"action":9}`, `{"confidence":"much"}`} {
		if json.Unmarshal([]byte(bad), &i) == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"id":"17"}`: "",
		`{"id":"Failed to create, check Error element for reason","Error":"{\"error\":{\"code\":\"InvalidInput\",\"message\":\"Missing indicators value\"}}"}`: "InvalidInput: Missing indicators value",
		`{"id":"17","Error":"in words"}`: ": in words",
		`{}`:                             "no_id: the service gave no id: ",
	} {
		var i Item
		if err := json.Unmarshal([]byte(body), &i); err != nil {
			t.Fatal(err)
		}
		code, message, refused := i.Refusal()
		if got := code + ": " + message; refused != (want != "") || refused && got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// fixed answers every request with one status and body.
type fixed struct {
	status int
	body   string
}

func (f fixed) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: f.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f.body))}, nil
}

func (f fixed) Token(context.Context, string) (string, bool, error) { return "fake", true, nil }
func (f fixed) Forget()                                             {}

// TestD3_AListingThatIsNotWholeIsAFailure: only the first page may be none at all.
func TestD3_AListingThatIsNotWholeIsAFailure(t *testing.T) {
	t.Parallel()
	const next = "https://graph.example/beta/security/tiIndicators?$skiptoken=1"
	gone := `{"error":{"code":"ResourceNotFound","message":"gone"}}`
	for _, test := range []struct {
		f    fixed
		next string
		want sdk.Failure // "" = whole
	}{
		{fixed{404, gone}, "", ""},
		{fixed{404, gone}, next, sdk.Missing},
		{fixed{200, `{"value":[]}`}, next, ""},
		{fixed{200, `{"value":[],"@odata.nextLink":"` + next + `"}`}, next, sdk.Unavailable},
		{fixed{206, `{"value":[]}`}, "", sdk.Unavailable},
		{fixed{200, `{}`}, "", sdk.Unavailable},
		{fixed{500, `{"error":{"code":"UnknownError","message":""}}`}, "", sdk.Unavailable},
	} {
		_, _, _, err := New("https://graph.example", "scope", test.f, test.f).List(t.Context(), test.next)
		if (err == nil) != (test.want == "") || err != nil && sdk.FailureOf(err) != test.want {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// TestD13_UnknownErrorDividesABatchAndParksNobody: of a single item it is a failure of
// the service, not of the item.
func TestD13_UnknownErrorDividesABatchAndParksNobody(t *testing.T) {
	t.Parallel()
	f := fixed{500, `{"error":{"code":"UnknownError","message":""}}`}
	for n, want := range map[int]sdk.Failure{1: sdk.Unavailable, 2: sdk.Refused} {
		body, err := Bulk(make([]Indicator, n))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := New("https://graph.example", "scope", f, f).Submit(t.Context(), body); sdk.FailureOf(err) != want {
			t.Errorf("%d: %s, %v", n, sdk.FailureOf(err), err)
		}
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 2, 9, 1, 0, 0, 5e8, time.FixedZone("", 3600))
	if got := Time(at); got != "2026-02-09T00:00:00Z" {
		t.Error(got)
	}
}

// FuzzItem: what is read can be written and read again as the same.
func FuzzItem(f *testing.F) {
	f.Add(`{"id":"1","action":"alert","tags":["a"],"severity":3}`)
	f.Add(`{"id":"1","Error":"{\"error\":{}}","action":3,"confidence":"75"}`)
	f.Add(`{"tlpLevel":null,"passiveOnly":true,"fileSize":-1}`)
	f.Fuzz(func(t *testing.T, body string) {
		var a, b Item
		if json.Unmarshal([]byte(body), &a) != nil {
			return
		}
		a.Refusal()
		data, err := json.Marshal(a.Indicator)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &b); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		again, err := json.Marshal(b.Indicator)
		if err != nil || string(again) != string(data) {
			t.Errorf("%s became %s (%v)", data, again, err)
		}
	})
}
