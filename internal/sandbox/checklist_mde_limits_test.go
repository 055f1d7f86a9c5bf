package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestChecklist21_PastExpiryFailsTheCall(t *testing.T) {
	w := newTwin(t)
	past := domain("203.0.113.1", props{"indicatorType": "IpAddress", "expirationTime": "2026-11-22T06:00:00Z"})
	const words = "Indicator 203.0.113.1 is inactive. (Expiration time should be set to a future date time)"
	for path, body := range map[string]any{"/api/indicators": past, "/api/indicators/import": props{"Indicators": []props{domain("a.example", nil), past}}} {
		if r := w.call("POST", path, body); r.code() != "400 BadRequest" || r.message(t) != words {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if n := len(w.list("")); n != 0 {
		t.Errorf("%d rows were written", n)
	}
	if err := w.SetSwitch("past_expiry", "fail_item"); err != nil {
		t.Fatal(err)
	}
	if res := w.imports(domain("a.example", nil), past); res[0].IsFailed || !res[1].IsFailed || *res[1].FailureReason != words {
		t.Errorf("%+v", res)
	}
	for sent, want := range map[string]string{
		"2026-12-22T05:02:26.211160+00:00": "2026-12-22T05:02:26Z", "2026-12-22T07:02:26+02:00": "2026-12-22T05:02:26Z", "2027-11-22T05:16:19.686459Z": "2027-11-22T05:16:19Z",
	} {
		if m := w.call("POST", "/api/indicators", domain("x.example", props{"expirationTime": sent})).json(t); m["expirationTime"] != want {
			t.Errorf("%s: %v", sent, m["expirationTime"])
		}
	}
}

func TestChecklist22_Capacity(t *testing.T) {
	w := newTwin(t)
	if _, err := w.SeedForeign(testTenant, Author{App: "other", Name: "Other"}, 14_999); err != nil {
		t.Fatal(err)
	}
	res := w.imports(domain("a.example", nil), domain("b.example", nil), domain("a.example", props{"title": "new"}))
	const words = "Max capacity exceeded. Current Total: 15000, Limit: 15000 (Parameter 'Capacity: 15000/15000')"
	if res[0].IsFailed || !res[1].IsFailed || *res[1].FailureReason != words || res[2].IsFailed || *res[2].ID != *res[0].ID {
		t.Errorf("%+v", res)
	}
	if r := w.call("POST", "/api/indicators", domain("b.example", nil)); r.status != 400 || r.message(t) != words {
		t.Errorf("%d %s", r.status, r.body)
	}
	if _, err := w.SeedForeign(testTenant, Author{}, 1); err == nil {
		t.Error("seeded beyond capacity")
	}
}

func TestChecklist23_ExpiryFreesASlot(t *testing.T) {
	w := newTwin(t, func(o *Options) { o.Switches.Capacity = 1; o.TokenLifetime = 48 * time.Hour })
	w.imports(domain("a.example", props{"expirationTime": start.Add(24 * time.Hour)}))
	w.Clock().Advance(24*time.Hour - time.Second)
	if res := w.imports(domain("b.example", nil)); !res[0].IsFailed {
		t.Fatalf("%+v", res)
	}
	w.Clock().Advance(time.Second)
	if rows := w.list(""); len(rows) != 0 {
		t.Errorf("%v", rows)
	}
	if res := w.imports(domain("b.example", nil)); res[0].IsFailed {
		t.Errorf("%+v", res)
	}
	if n := len(w.Journal(Query{Effect: "expired"})); n != 1 {
		t.Errorf("%d calls saw the expiry", n)
	}
}

func TestChecklist24_TopAndSkip(t *testing.T) {
	w := newTwin(t)
	w.imports(many(5)...)
	for query, want := range map[string]int{"?$top=0": 0, "?%24top=1": 1, "?$top=10000": 5, "?$top=2&$skip=4": 1, "?$skip=5": 0, "?$skip=10000": 0, "?ignored=1": 5} {
		if got := len(w.list(query)); got != want {
			t.Errorf("%s: %d rows, want %d", query, got, want)
		}
	}
	if r := w.call("GET", "/api/indicators?$skip=99", nil); !strings.Contains(string(r.body), `"value":[]`) {
		t.Errorf("%s", r.body)
	}
	for _, query := range []string{"?$top=10001", "?$top=-1", "?$top=x", "?$skip=-1", "?$orderby=id", "?$top=1&$top=2", "?$top=%zz"} {
		if r := w.call("GET", "/api/indicators"+query, nil); r.code() != "400 ODataError" {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
	if err := w.SetSwitch("top_over_max", "cap"); err != nil {
		t.Fatal(err)
	}
	if got := len(w.list("?$top=10001")); got != 5 {
		t.Errorf("capped: %d", got)
	}
}

func TestChecklist25_TenThousandAndNoNextLink(t *testing.T) {
	w := newTwin(t)
	if _, err := w.SeedForeign(testTenant, Author{}, 10_001); err != nil {
		t.Fatal(err)
	}
	r := w.call("GET", "/api/indicators", nil)
	m := r.json(t)
	if n := len(m["value"].([]any)); n != 10_000 || m["@odata.nextLink"] != nil {
		t.Errorf("%d rows, next link %v", n, m["@odata.nextLink"])
	}
	if rest := w.list("?$skip=10000"); len(rest) != 1 || rest[0]["id"] != "10001" {
		t.Errorf("%v", rest)
	}
}

func TestChecklist26_Filters(t *testing.T) {
	w := newTwin(t)
	w.imports(
		domain("old.example", props{"application": "Remeld", "expirationTime": "2026-12-01T00:00:00Z"}),
		domain("http://e.example/a'b", props{"indicatorType": "Url", "title": "O'Neil", "rbacGroupNames": []string{"servers"}}),
		domain("new.example", props{"action": "Audit", "generateAlert": true, "severity": "High", "expirationTime": "2027-06-01T00:00:00Z"}),
	)
	for filter, want := range map[string]string{
		"action+eq+'Block'": "1 2", "indicatorType+eq+'Url'+and+indicatorValue+eq+'http://e.example/a''b'": "2",
		"contains(title,'Neil')": "2", "contains(indicatorValue,'.example')": "1 2 3", "startswith(indicatorValue,'old')": "1", "endswith(indicatorValue,'w.example')": "3",
		"expirationTime+le+2027-01-01T00:00:00Z": "1", "expirationTime+eq+null": "2", "expirationTime+gt+2027-01-01T00:00:00.5%2B00:00": "3",
		"indicatorValue+in+%5B'old.example'%5D": "1", "indicatorValue+in+('old.example','new.example')": "1 3",
		"not+(action+eq+'Block'+or+severity+eq+'High')": "", "generateAlert+eq+true": "3", "generateAlert": "3", "application+ne+'Remeld'": "2 3",
		"rbacGroupNames/any(g:+g+eq+'servers')": "2", "creationTimeDateTimeUtc+ge+2026-11-22": "1 2 3", "tolower(title)+eq+'o''neil'": "2",
		"createdBy+eq+'a'+and+createdByDisplayName+eq+'App+A'": "1 2 3",
	} {
		var got []string
		for _, row := range w.list("?$filter=" + filter) {
			got = append(got, row["id"].(string))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %q", filter, got, want)
		}
	}
	for _, filter := range []string{"indicatorValue+eq+'it's'", "indicatorValue+eq+'open", "IndicatorValue+eq+'a'", "externalId+eq+'a'", "action", "", "action+eq",
		"expirationTime+le+'2027-01-01'", "contains(expirationTime,'a')", "(action+eq+'Block'", "indicatorValue+in+[", "title+like+'x'"} {
		if r := w.call("GET", "/api/indicators?$filter="+filter, nil); r.code() != "400 ODataError" {
			t.Errorf("%q: %d %s", filter, r.status, r.body)
		}
	}
	r := w.call("GET", "/api/indicators?$filter=indicatorValue+eq+'open", nil)
	if !strings.Contains(r.message(t), "unterminated string literal") {
		t.Errorf("%s", r.body)
	}
}

func TestChecklist27_OwnRowsOnly(t *testing.T) {
	w := newTwin(t)
	w.imports(domain("theirs.example", nil))
	if r := w.as("own", "POST", "/api/indicators", domain("mine.example", nil)); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	m := w.as("own", "GET", "/api/indicators", nil).json(t)["value"].([]any)
	if len(m) != 1 || m[0].(map[string]any)["id"] != "2" {
		t.Errorf("%v", m)
	}
	for _, r := range []reply{w.as("own", "GET", "/api/indicators/1", nil), w.as("own", "DELETE", "/api/indicators/1", nil),
		w.as("own", "POST", "/api/indicators/BatchDelete", props{"IndicatorIds": []string{"1", "2"}})} {
		if r.code() != "404 ResourceNotFound" {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	foreign := domain("theirs.example", props{"title": "taken"})
	if r := w.as("own", "POST", "/api/indicators", foreign); r.code() != "403 DisallowedOperation" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if err := w.SetSwitch("own_scope_conflict", "update"); err != nil {
		t.Fatal(err)
	}
	if r := w.as("own", "POST", "/api/indicators", foreign); r.status != 200 || r.json(t)["id"] != "1" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestChecklist28_BatchDelete(t *testing.T) {
	w := newTwin(t)
	w.imports(many(4)...)
	post := func(ids ...string) reply {
		return w.call("POST", "/api/indicators/BatchDelete", props{"IndicatorIds": append([]string{}, ids...)})
	}
	if r := post(); r.code() != "400 InvalidInput" {
		t.Errorf("empty: %d %s", r.status, r.body)
	}
	if r := post(slices.Repeat([]string{"1"}, 501)...); r.message(t) != "Maximum batch size exceeded. Received: 501, allowed: 500." {
		t.Errorf("501: %d %s", r.status, r.body)
	}
	if r := post("1", "a-guid"); r.code() != "400 InvalidInput" {
		t.Errorf("malformed: %d %s", r.status, r.body)
	}
	if r := post("1", "99"); r.code() != "404 ResourceNotFound" || len(w.list("")) != 4 {
		t.Errorf("unknown: %d %s, %d rows left", r.status, r.body, len(w.list("")))
	}
	r := post("1", "2", "1")
	if _, has := r.header["Content-Length"]; r.status != 204 || len(r.body) != 0 || has {
		t.Errorf("%d %q %v", r.status, r.body, r.header)
	}
	if err := w.SetSwitch("batch_delete_missing", "ignore"); err != nil {
		t.Fatal(err)
	}
	if r := post("3", "99"); r.status != 204 || len(w.list("")) != 1 {
		t.Errorf("ignore: %d, %d rows left", r.status, len(w.list("")))
	}
}

func TestChecklist29_DeleteTwice(t *testing.T) {
	w := newTwin(t)
	w.imports(domain("a.example", nil))
	if r := w.call("GET", "/api/indicators/1", nil); r.status != 200 || r.json(t)["id"] != "1" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := w.call("DELETE", "/api/indicators/1", nil); r.status != 204 {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, method := range []string{"DELETE", "GET"} {
		if r := w.call(method, "/api/indicators/1", nil); r.code() != "404 ResourceNotFound" {
			t.Errorf("%s: %d %s", method, r.status, r.body)
		}
	}
}

func TestChecklist30_MinuteWindow(t *testing.T) {
	w := newTwin(t)
	for i := range 30 {
		w.imports(domain("a.example", nil))
		if i == 0 {
			w.Clock().Advance(40 * time.Second)
		}
	}
	body := props{"Indicators": []props{domain("a.example", nil)}}
	r := w.call("POST", "/api/v1.0/indicators/import", body)
	if r.status != 429 || r.header.Get("Retry-After") != "20" || r.code() != "429 429" ||
		r.message(t) != "API calls quota exceeded! Maximum allowed 30 per 00:01:00 for the key Destination+TenantID+AppID. You can send requests again in 20 seconds." {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := w.as("b", "POST", "/api/indicators/import", body); r.status != 200 {
		t.Errorf("another app: %d", r.status)
	}
	if r := w.in(otherTenant, "a", "POST", "/api/indicators/import", body); r.status != 200 {
		t.Errorf("another tenant: %d", r.status)
	}
	if r := w.call("GET", "/api/indicators", nil); r.status != 200 {
		t.Errorf("another path: %d", r.status)
	}
	for shape, want := range map[string]string{"2021": "429 API calls quota exceeded! maximum allowed 30 per 00:01:00", "documented": "TooManyRequests Response represents"} {
		if err := w.SetSwitch("throttle_shape", shape); err != nil {
			t.Fatal(err)
		}
		if r := w.call("POST", "/api/indicators/import", body); !strings.HasPrefix(strings.TrimPrefix(r.code(), "429 ")+" "+r.message(t), want) {
			t.Errorf("%s: %s", shape, r.body)
		}
	}
	// The window slides: one call has left it after 20 s, the other 29 have not.
	w.Clock().Advance(20 * time.Second)
	if r := w.call("POST", "/api/indicators/import", body); r.status != 200 {
		t.Errorf("after the wait: %d %s", r.status, r.body)
	}
	if r := w.call("POST", "/api/indicators/import", body); r.status != 429 {
		t.Errorf("second after the wait: %d", r.status)
	}
}

func TestChecklist31_HourWindowIsItsOwn(t *testing.T) {
	w := newTwin(t, func(o *Options) { o.Limits = map[string]Limit{"list": {PerMinute: 2, PerHour: 5}} })
	get := func() reply { return w.call("GET", "/api/indicators", nil) }
	for range 2 {
		for range 2 {
			if r := get(); r.status != 200 {
				t.Fatalf("%d %s", r.status, r.body)
			}
		}
		if r := get(); r.header.Get("Retry-After") != "60" {
			t.Errorf("minute: %d %v", r.status, r.header)
		}
		w.Clock().Advance(time.Minute)
	}
	if r := get(); r.status != 200 {
		t.Fatalf("fifth: %d", r.status)
	}
	if r := get(); r.status != 429 || !strings.Contains(r.message(t), "Maximum allowed 5 per 01:00:00") || r.header.Get("Retry-After") != "3480" {
		t.Errorf("hour: %d %s %v", r.status, r.body, r.header)
	}
	w.Clock().Advance(58 * time.Minute)
	w.tokens = map[string]string{}
	if r := get(); r.status != 200 {
		t.Errorf("after the hour: %d %s", r.status, r.body)
	}
}

func TestChecklist32_WrongMethod(t *testing.T) {
	w := newTwin(t)
	for _, c := range [][3]string{
		{"GET", "/api/indicators/import", "POST"}, {"PUT", "/api/indicators/BatchDelete", "POST"},
		{"PATCH", "/api/indicators/1", "DELETE, GET"}, {"DELETE", "/api/indicators", "GET, POST"},
	} {
		r := w.call(c[0], c[1], nil)
		if r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != c[2] || len(r.body) != 0 {
			t.Errorf("%s %s: %d %q %q", c[0], c[1], r.status, r.header.Get("Allow"), r.body)
		}
	}
}

func TestChecklist33_Gzip(t *testing.T) {
	w := newTwin(t)
	send := func() reply {
		raw, err := json.Marshal(props{"Indicators": many(3)})
		if err != nil {
			t.Fatal(err)
		}
		req := w.request("POST", "/api/indicators/import", string(pack(t, raw)))
		req.Header.Set("Content-Encoding", "gzip")
		req.Header.Set("Authorization", "Bearer "+w.token(testTenant, "a"))
		return w.send(req)
	}
	if r := send(); r.status != 200 || len(w.list("")) != 3 {
		t.Errorf("accept: %d %s", r.status, r.body)
	}
	if err := w.SetSwitch("gzip_requests", "reject"); err != nil {
		t.Fatal(err)
	}
	if r := send(); r.status != http.StatusUnsupportedMediaType {
		t.Errorf("reject: %d %s", r.status, r.body)
	}
	req := w.request("GET", "/api/indicators", nil)
	req.Header.Set("Authorization", "Bearer "+w.token(testTenant, "a"))
	req.Header.Set("Accept-Encoding", "gzip, deflate")
	r := w.send(req)
	if r.header.Get("Content-Encoding") != "gzip" || !strings.Contains(string(unpack(t, r.body)), "d00001.example") {
		t.Errorf("answer: %v", r.header)
	}
	if r := w.call("GET", "/api/indicators", nil); r.header.Get("Content-Encoding") != "" {
		t.Errorf("packed without being asked: %v", r.header)
	}
}

func TestDocumentedLimitsAreTheDefaults(t *testing.T) {
	raw, ok := reference(t, "limits.json")
	if !ok {
		t.Skip("reference data is absent: limits not compared")
	}
	var doc struct {
		ActiveIndicatorsPerTenant int
		Calls                     []struct {
			Call               string
			PerMinute, PerHour int
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	w := newTwin(t)
	names := map[string]string{"GET /api/indicators": "list", "POST /api/indicators": "create", "POST /api/indicators/import": "import",
		"DELETE /api/indicators/{id}": "delete", "POST /api/indicators/BatchDelete": "batch_delete"}
	for _, c := range doc.Calls {
		if got := w.mde.Limits()[names[c.Call]]; got != (Limit{PerMinute: c.PerMinute, PerHour: c.PerHour}) {
			t.Errorf("%s: %+v", c.Call, got)
		}
	}
	if w.Switches().Capacity != doc.ActiveIndicatorsPerTenant {
		t.Errorf("capacity %d", w.Switches().Capacity)
	}
}
