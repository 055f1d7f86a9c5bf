package sandbox

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTC_NarrowedQueries: what the twin looks at before it judges changes no answer. A
// double negation says the same and keeps it from looking.
func TestTC_NarrowedQueries(t *testing.T) {
	in := newInstance(t, func(o *Options) { o.ThreatConnect.Size = 3_000 })
	in.Clock().Advance(10 * 24 * time.Hour)
	all := in.ask("resultLimit=10000").Data
	pick := func(typ string, n int) string {
		for _, d := range all {
			if d["type"] == typ {
				if n--; n < 0 {
					return d["summary"].(string)
				}
			}
		}
		t.Fatalf("there are too few of type %s", typ)
		return ""
	}
	file, renamed := pick("File", 3), int64(all[40]["id"].(float64))
	in.seed(TCIndicator{Type: "URL", Summary: "http://x.example/" + strings.ToLower(file)}, host(pick("Host", 5)), host("Straße.example"))
	if err := in.EditThreatConnect(renamed, func(i *TCIndicator) { i.Type, i.Summary = "Host", "renamed.example" }); err != nil {
		t.Fatal(err)
	}
	if err := in.DeleteThreatConnect(int64(all[7]["id"].(float64))); err != nil {
		t.Fatal(err)
	}
	hash, _, _ := strings.Cut(file, " : ")
	for _, q := range []string{
		`summary = "` + strings.ToUpper(pick("Host", 5)) + `"`,
		fmt.Sprintf(`summary IN (%q, %q, "renamed.example", %q)`, pick("Host", 1), pick("Address", 2), file),
		`summary = "` + hash + `"`, `summary = "` + all[40]["summary"].(string) + `"`, `summary = "` + all[7]["summary"].(string) + `"`,
		fmt.Sprintf(`summary CONTAINS (%q, "%s")`, hash, strings.Repeat("0", 40)), `summary CONTAINS ("straße.example")`, `summary CONTAINS "h1"`,
		`summary CONTAINS "renamed.example" and typeName = "host"`,
		`typeName IN ("Email Address", "CIDR")`, `typeName = "Host" and typeName = "URL"`, `ownerName IN ("demo organization")`,
		`ownerName = "Common Community" and ownerName = "Demo Organization"`,
		fmt.Sprintf(`lastModified >= %q`, in.Now().Add(-48*time.Hour).Format(time.RFC3339)), `lastModified > "NOW() - 3 DAYS"`,
		fmt.Sprintf(`lastModified > %q and indicatorActive = false`, in.Now().Add(-9*24*time.Hour).Format(time.RFC3339)),
		`(typeName IN ("File", "Host") and confidence > 50) and id > 300`, `id > 5000 and id > 300 and typeName = "URL"`, `id > 99999999999999999999`,
		`typeName = "Host" or summary = "renamed.example"`,
	} {
		ids := func(q string) []string {
			var out []string
			for _, d := range in.ask("resultLimit=10000&tql=" + url.QueryEscape(q)).Data {
				out = append(out, fmt.Sprint(d["id"], d["summary"]))
			}
			return out
		}
		plain := "not (not (" + q + "))"
		if strings.Contains(q, "indicatorActive") {
			plain += " and indicatorActive in (true, false)"
		}
		got, want := ids(q), ids(plain)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d found, want %d\n%v\n%v", q, len(got), len(want), got, want)
		}
	}
	// What a person calls by name is found the same way.
	owner := url.QueryEscape(all[40]["ownerName"].(string))
	if r := in.tc("GET", "/api/v3/indicators/RENAMED.example?owner="+owner, nil); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}
