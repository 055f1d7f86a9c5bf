package sandbox

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTC_Fixture is the reference's worked sample (section 2.10), key by key; what is
// made up there by the documentation's authors, ids and scores, is left out.
func TestTC_Fixture(t *testing.T) {
	in := newInstance(t)
	rating, confidence, score := 4.0, 74, 273
	added := time.Date(2023, 1, 26, 20, 7, 35, 0, time.UTC)
	flagged := time.Date(2023, 1, 27, 0, 0, 0, 0, time.UTC)
	in.seed(TCIndicator{
		Type: "Address", Summary: "203.0.113.7", Rating: &rating, Confidence: &confidence, Score: &score, Added: added,
		Modified: time.Date(2023, 1, 27, 18, 20, 51, 0, time.UTC), Tags: []string{"Ransomware"}, Labels: []string{"TLP:AMBER"},
		Attributes: []TCAttribute{{Type: "Description", Value: "Bad address", Default: true}, {Type: "Phase of Intrusion", Value: "C2"}},
		FalseCount: 1, LastFalse: flagged, Observed: 2, LastObserve: flagged,
	})
	r := in.tc("GET", "/api/v3/indicators?fields=tags,securityLabels&fields=attributes&fields=threatAssess&fields=falsePositives&fields=observations", nil)
	if !strings.Contains(string(r.body), `"rating":4.00,`) {
		t.Errorf("a rating has two decimals: %s", r.body)
	}
	got := readPage(t, r).Data[0]
	want := map[string]any{
		"id": 1.0, "dateAdded": "2023-01-26T20:07:35Z", "ownerId": 1.0, "ownerName": "Demo Organization", "type": "Address",
		"webLink": "https://app.threatconnect.com/#/details/indicators/1/overview", "lastModified": "2023-01-27T18:20:51Z",
		"rating": 4.0, "confidence": 74.0, "description": "Bad address", "summary": "203.0.113.7", "observations": 2.0, "lastObserved": "2023-01-27T00:00:00Z",
		"threatAssessScore": 273.0, "threatAssessScoreObserved": 0.0, "threatAssessScoreFalsePositive": 0.0,
		"falsePositives": 1.0, "lastFalsePositive": "2023-01-27T00:00:00Z", "falsePositiveReportedByUser": false,
		"privateFlag": false, "active": true, "activeLocked": false, "ip": "203.0.113.7",
		"legacyLink": "https://app.threatconnect.com/auth/indicators/details/address.xhtml?address=203.0.113.7&owner=Demo+Organization",
	}
	for _, list := range []string{"tags", "securityLabels", "attributes"} {
		if data, _ := got[list].(map[string]any)["data"].([]any); len(data) == 0 {
			t.Errorf("%s: %v", list, got[list])
		}
		delete(got, list)
	}
	for _, scored := range []string{"threatAssessRating", "threatAssessConfidence", "calScore"} {
		if got[scored] == nil {
			t.Errorf("%s is missing", scored)
		}
		delete(got, scored)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	bare := in.ask("").Data[0]
	for _, asked := range []string{"tags", "securityLabels", "attributes", "threatAssessScore", "falsePositives", "observations"} {
		if bare[asked] != nil {
			t.Errorf("%s came unasked", asked)
		}
	}
}

// TestTC_Types: each type carries its own keys (section 2.5).
func TestTC_Types(t *testing.T) {
	in := newInstance(t)
	for typ, c := range map[string]struct{ summary, keys string }{
		"EmailAddress":  {"bad@bad.example", `{"address":"bad@bad.example"}`},
		"File":          {strings.Repeat("A", 32) + " : " + strings.Repeat("B", 64), `{"md5":"` + strings.Repeat("A", 32) + `","sha256":"` + strings.Repeat("B", 64) + `"}`},
		"Host":          {"bad.example", `{"hostName":"bad.example"}`},
		"URL":           {"http://bad.example/x", `{"text":"http://bad.example/x"}`},
		"ASN":           {"ASN64496", `{"AS Number":"ASN64496"}`},
		"CIDR":          {"198.51.100.0/24", `{"Block":"198.51.100.0/24"}`},
		"Email Subject": {"You won", `{"Subject":"You won"}`},
		"Hashtag":       {"#x", `{"Hashtag":"#x"}`},
		"Mutex":         {`Global\x`, `{"Mutex":"Global\\x"}`},
		"Registry Key":  {`HKEY_LOCAL_MACHINE\X : Run : REG_SZ`, `{"Key Name":"HKEY_LOCAL_MACHINE\\X","Value Name":"Run","Value Type":"REG_SZ"}`},
		"User Agent":    {"Mozilla/5.0", `{"User Agent String":"Mozilla/5.0"}`},
	} {
		in.seed(TCIndicator{Type: typ, Summary: c.summary})
		got := in.ask("tql=" + url.QueryEscape(fmt.Sprintf("typeName = %q", typ))).Data
		var want map[string]any
		if err := json.Unmarshal([]byte(c.keys), &want); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0]["summary"] != c.summary {
			t.Errorf("%s: %v", typ, got)
			continue
		}
		for k, v := range want {
			if got[0][k] != v {
				t.Errorf("%s: %s is %v", typ, k, got[0][k])
			}
		}
	}
	if r := in.tc("GET", "/api/v3/indicators?tql="+url.QueryEscape(`typeName = "ASN"`)+"&fields=genericCustomIndicatorValues", nil); !strings.Contains(string(r.body), `"value1":"ASN64496"`) {
		t.Errorf("%s", r.body)
	}
}

// TestTC_Queries: conditions and sortings are those of the query language.
func TestTC_Queries(t *testing.T) {
	in := newInstance(t)
	low, high := 1.0, 4.5
	a, b, c := host("a.example", "x", "y"), host("b.example", "Y"), TCIndicator{Type: "Address", Summary: "198.18.0.9"}
	a.Rating, b.Rating = &high, &low
	a.Attributes = []TCAttribute{{Type: "Phase of Intrusion", Value: "C2"}}
	b.Owner, b.Labels = "Common Community", []string{"TLP:AMBER"}
	in.seed(a, b, c, at2("Common Community", a))
	for query, want := range map[string]string{
		`hasTag(name = "y")`: "a.example a.example", `tag = "y"`: "a.example b.example a.example", `rating >= 2`: "a.example a.example",
		`rating is null`: "198.18.0.9", `ownerName = "Common Community"`: "b.example a.example", `securityLabel like "TLP:%"`: "b.example",
		`hasAttribute(typeName = "Phase of Intrusion" and text = "C2")`: "a.example a.example", `addressCIDR in "198.18.0.0/24"`: "198.18.0.9",
		`lastModified > "NOW() - 1 HOUR" and typeName != "Host"`: "198.18.0.9", "": "a.example b.example 198.18.0.9 a.example",
	} {
		if got := in.summaries(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for sorting, want := range map[string]string{
		"id DESC": "a.example 198.18.0.9 b.example a.example", "summary asc": "198.18.0.9 a.example a.example b.example",
		"rating asc nullsfirst id desc": "198.18.0.9 b.example a.example a.example",
	} {
		if got := in.summaries("", "sorting="+url.QueryEscape(sorting)); got != want {
			t.Errorf("%s: %s, want %s", sorting, got, want)
		}
	}
	if got := in.summaries("", "owner=Common%20Community"); got != "b.example a.example" {
		t.Error(got)
	}
	shared := in.ask("tql=" + url.QueryEscape(`summary = "a.example"`)).Data
	if len(shared) != 2 || shared[0]["id"] == shared[1]["id"] {
		t.Errorf("one value in two owners has two ids: %v", shared)
	}
}

func at2(owner string, i TCIndicator) TCIndicator {
	i.Owner = owner
	return i
}

// TestTC_Deletions: records by owner, since a time, for as long as they are kept.
func TestTC_Deletions(t *testing.T) {
	in := newInstance(t)
	ids := in.seed(host("a.example"), at2("Common Community", host("b.example")), TCIndicator{Type: "URL", Summary: "http://c.example/"})
	for _, id := range ids {
		if err := in.DeleteThreatConnect(id); err != nil {
			t.Fatal(err)
		}
	}
	deleted := func(query string) string {
		p := readPage(t, in.tc("GET", "/api/v3/indicators/deleted"+query, nil))
		var out []string
		for _, d := range p.Data {
			if d["id"] != nil || d["dateAdded"] != "2026-11-22T06:00:00Z" {
				t.Errorf("%v", d)
			}
			out = append(out, d["summary"].(string))
		}
		if p.Count == nil {
			t.Error("the count is always there")
		}
		return strings.Join(out, " ")
	}
	for query, want := range map[string]string{
		"": "a.example http://c.example/", "?owner=Common+Community": "b.example", "?type=URL": "http://c.example/", "?resultLimit=1": "a.example",
		"?deletedSince=2026-11-22T06:00:00Z": "a.example http://c.example/", "?deletedSince=2026-11-22T06:00:01Z": "",
	} {
		if got := deleted(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	in.Clock().Advance(30*24*time.Hour + time.Second)
	if got := deleted(""); got != "" {
		t.Errorf("kept for ever: %s", got)
	}
}

// TestTC_DataSet: half a million rows cost nothing until they are read; all types and
// owners are there, values are safe ones, and the same seed makes the same.
func TestTC_DataSet(t *testing.T) {
	in := newInstance(t, func(o *Options) { o.ThreatConnect.Size = 500_000 })
	other := newInstance(t, func(o *Options) { o.ThreatConnect.Size = 500_000; o.ThreatConnect.Seed = 7 })
	query := "/api/v3/indicators?resultLimit=3000&fields=tags&fields=securityLabels&fields=attributes&fields=falsePositives&fields=sightings&tql=" +
		url.QueryEscape("indicatorActive IN (true, false) AND id > 0")
	first := in.tc("GET", query, nil)
	if again := in.tc("GET", query, nil); string(again.body) != string(first.body) {
		t.Error("two reads differ")
	}
	if string(other.tc("GET", query, nil).body) == string(first.body) {
		t.Error("two seeds do not differ")
	}
	seen := map[string]int{}
	owners := map[string]string{}
	for _, d := range readPage(t, first).Data {
		summary, typ := d["summary"].(string), d["type"].(string)
		safe(t, typ, summary)
		if owner, twice := owners[typ+summary]; twice {
			seen["twice"]++
			if owner == d["ownerName"] {
				t.Errorf("%s stands twice in %s", summary, owner)
			}
		}
		owners[typ+summary] = d["ownerName"].(string)
		seen[typ]++
		seen[d["ownerName"].(string)]++
		for _, part := range []string{"rating", "confidence", "description", "source", "firstSeen", "lastFalsePositive"} {
			if d[part] != nil {
				seen[part]++
			}
		}
		text, _ := json.Marshal(d)
		for _, mark := range []string{"techniqueId", "TLP:AMBER+STRICT", "Internal Use", "Phase of Intrusion", "Last Seen", "Network Protocol Analysis", "External ID", `"active":false`} {
			if strings.Contains(string(text), mark) {
				seen[mark]++
			}
		}
	}
	if len(seen) != 12+3+1+6+8 {
		t.Errorf("%d things seen: %v", len(seen), seen)
	}
}

// safe refuses values that somebody might own.
func safe(t *testing.T, typ, summary string) {
	t.Helper()
	switch typ {
	case "Address", "CIDR":
		text, _, _ := strings.Cut(summary, "/")
		a, err := netip.ParseAddr(text)
		if err != nil || !netip.MustParsePrefix("198.18.0.0/15").Contains(a) && !netip.MustParsePrefix("2001:db8::/32").Contains(a) {
			t.Errorf("%s %v", summary, err)
		}
	case "Host", "EmailAddress":
		if !strings.HasSuffix(summary, ".example") {
			t.Error(summary)
		}
	case "URL":
		if u, err := url.Parse(summary); err != nil || !strings.HasSuffix(u.Host, ".example") {
			t.Error(summary)
		}
	}
}

// TestTC_Life: as the clock goes on rows come, change, go inactive and go; a change of
// tags moves no lastModified; moved back, the clock shows what was.
func TestTC_Life(t *testing.T) {
	in := newInstance(t, func(o *Options) { o.ThreatConnect.Size = 2_000 })
	read := func() map[string]map[string]any {
		out := map[string]map[string]any{}
		for _, d := range in.ask("resultLimit=10000&fields=tags&fields=falsePositives&tql=" + url.QueryEscape("indicatorActive IN (true, false)")).Data {
			out[fmt.Sprint(d["id"])] = d
		}
		return out
	}
	before := read()
	in.Clock().Advance(30 * 24 * time.Hour)
	after := read()
	count := map[string]int{}
	for id, d := range after {
		old := before[id]
		switch {
		case old == nil:
			count["new"]++
		case old["active"] != d["active"]:
			count["deactivated"]++
		case fmt.Sprint(old["tags"]) != fmt.Sprint(d["tags"]):
			count["retagged"]++
			if old["lastModified"] != d["lastModified"] {
				t.Errorf("%v: lastModified moved with a tag", d)
			}
		case old["falsePositives"] != d["falsePositives"]:
			count["false positive"]++
		case old["rating"] != d["rating"]:
			count["rerated"]++
		}
	}
	deleted := 0
	for _, owner := range []string{"Demo Organization", "Common Community", "Technical Blogs and Reports"} {
		deleted += *readPage(t, in.tc("GET", "/api/v3/indicators/deleted?owner="+url.QueryEscape(owner), nil)).Count
	}
	if gone := len(before) + count["new"] - len(after); deleted != gone || gone < 20 || count["new"] != 600 {
		t.Errorf("%d records of %d deletions; %v", deleted, gone, count)
	}
	for _, what := range []string{"deactivated", "retagged", "false positive", "rerated"} {
		if count[what] < 10 {
			t.Errorf("%d %s: %v", count[what], what, count)
		}
	}
	in.Clock().Advance(-30 * 24 * time.Hour)
	if diff := cmp.Diff(before, read()); diff != "" {
		t.Error("the past is another")
	}
}

// TestTC_ControlAPI: an analyst's doings over the control API.
func TestTC_ControlAPI(t *testing.T) {
	in := newInstance(t)
	control := func(method, path string, body any) reply {
		return in.send(in.request(method, "/_sandbox/threatconnect/indicators"+path, body))
	}
	r := control("POST", "", `{"indicators":[{"type":"Host","summary":"a.example","tags":["x"]},{"type":"Host","summary":"b.example","owner":"Common Community"}]}`)
	if r.status != 200 || string(r.body) != `{"ids":[1,3]}`+"\n" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for _, step := range []struct {
		method, path, body string
		status             int
	}{
		{"PATCH", "/1", `{"tags":["y"],"rating":3}`, 204}, {"PATCH", "/1", `{"rating":9}`, 400}, {"PATCH", "/77", `{}`, 400}, {"PATCH", "/x", `{}`, 400},
		{"DELETE", "/3", "", 204}, {"DELETE", "/3", "", 400}, {"POST", "", `{"indicators":[{"type":"Nonsense","summary":"x"}]}`, 400},
		{"POST", "", `{"indicators":[{"type":"Host","summary":"x","owner":"Nobody"}]}`, 400},
	} {
		var body any
		if step.body != "" {
			body = step.body
		}
		if r := control(step.method, step.path, body); r.status != step.status {
			t.Errorf("%+v: %d %s", step, r.status, r.body)
		}
	}
	if r := control("GET", "/1", nil); !strings.Contains(string(r.body), `"tags":["y"]`) || !strings.Contains(string(r.body), `"rating":3`) {
		t.Errorf("%s", r.body)
	}
	in.Reset()
	if p := in.ask(""); len(p.Data) != 0 {
		t.Errorf("%v", p)
	}
}
