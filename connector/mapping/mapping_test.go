package mapping

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/defender"
	"github.com/remeld/remeld/internal/microsoft/graph"
)

// everything are records that together know all there is to know, of every kind.
func everything() []*indicator.Record {
	values := map[indicator.Kind][]string{
		indicator.IPv4: {"8.8.4.4", "8.8.4.0/24"}, indicator.IPv6: {"2001:4860:4860::8888"}, indicator.Domain: {"bad.example"},
		indicator.URL: {"https://bad.example/a"}, indicator.Email: {"a@bad.example"}, indicator.EmailSubject: {"Invoice"},
		indicator.UserAgent: {"bad/1.0"}, indicator.MD5: {strings.Repeat("ab", 16)}, indicator.SHA256: {strings.Repeat("ab", 32)},
		indicator.FileName: {"bad.exe"}, indicator.FilePath: {"/bad"}, indicator.Mutex: {"bad"},
	}
	seen := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	var out []*indicator.Record
	for kind, list := range values {
		for _, value := range list {
			out = append(out, &indicator.Record{Indicator: indicator.Indicator{Kind: kind, Value: value}, Attrs: indicator.Attributes{
				Confidence: indicator.Known(74), Severity: indicator.Known(4), TLP: indicator.Red, Port: 443, Protocol: "tcp",
				ThreatType: "malware", Description: "text", ExternalID: "x1", Owner: "ACME", Tags: []string{"rat", "T1566"}, KillChain: []string{"delivery"},
				References: []string{"https://ti.example/1"}, Sources: []string{"feed"}, FirstSeen: seen, LastSeen: seen, FalsePositives: 2,
				Extra: extras(),
			}})
		}
	}
	return out
}

// extras has every free attribute that a row names.
func extras() map[string]any {
	out := map[string]any{"is_active": false, "diamond_model": "victim"}
	for _, v := range Views() {
		for _, l := range v.Lines {
			for word := range strings.FieldsFuncSeq(l.From, func(r rune) bool { return r == ',' || r == ' ' }) {
				name, ok := strings.CutPrefix(word, extraPrefix)
				if _, set := out[name]; ok && !set {
					out[name] = "7"
				}
			}
		}
	}
	return out
}

// filled are the properties of O's JSON that a row fills, over all records and both
// products.
func filled[O any](t *testing.T, row *Row[O]) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, product := range []string{graph.Sentinel, graph.Defender} {
		records := everything()
		for i, rec := range slices.Concat(records, records) {
			action := DefenderAudit
			if i >= len(records) {
				action = "Block"
			}
			var empty, full O
			row.Set(&In{Rec: rec, Value: rec.Value, Action: action, Say: &Say{
				Product: product, Title: "{value}", Recommend: "look", ThreatType: "WatchList", EducateURL: "https://help.example",
				Groups: []string{"servers"}, Techniques: true, Category: true,
			}}, &full)
			before, after := properties(t, &empty), properties(t, &full)
			for name := range after {
				if string(before[name]) != string(after[name]) {
					out[name] = true
				}
			}
		}
	}
	return out
}

func properties(t *testing.T, o any) map[string]json.RawMessage {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRowsFillWhatTheySay: the table cannot describe one property and fill another,
// nor name one twice, nor leave one undescribed.
func TestRowsFillWhatTheySay(t *testing.T) {
	t.Parallel()
	t.Run("defender", func(t *testing.T) { t.Parallel(); checkTable(t, &Defender) })
	t.Run("graph", func(t *testing.T) { t.Parallel(); checkTable(t, &Graph) })
	t.Run("sentinel", func(t *testing.T) { t.Parallel(); checkTable(t, &Sentinel) })
}

func checkTable[O any](t *testing.T, table *Table[O]) {
	t.Helper()
	seen := map[string]bool{}
	for i := range table.Rows {
		row := &table.Rows[i]
		if row.How == "" || row.Property == "" && (row.From == "" || row.Set != nil) || row.Property != "" && seen[row.Property] {
			t.Errorf("row %q from %q: incomplete or twice", row.Property, row.From)
		}
		seen[row.Property] = true
		if row.Set == nil {
			continue
		}
		if got := slices.Sorted(maps.Keys(filled(t, row))); !slices.Equal(got, []string{row.Property}) {
			t.Errorf("the row of %q fills %q", row.Property, got)
		}
	}
}

// TestGraphHasEveryProperty: the table has each property that the resource has but
// those the service stamps.
func TestGraphHasEveryProperty(t *testing.T) {
	t.Parallel()
	const file = "../../../shared/data/msgraph/tiindicator.csdl.xml"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("the metadata is not here: %v", err)
	}
	_, entity, _ := strings.Cut(string(data), `EntityType Name="tiIndicator"`)
	entity, _, _ = strings.Cut(entity, "</EntityType>")
	n := 0
	for part := range strings.SplitSeq(entity, `<Property Name="`) {
		name, _, _ := strings.Cut(part, `"`)
		if strings.TrimSpace(name) == "" || strings.Contains(name, " ") || strings.Contains(name, "\n") {
			continue
		}
		n++
		if name != "azureTenantId" && name != "ingestedDateTime" && !slices.ContainsFunc(Graph.Rows, func(r Row[graph.Indicator]) bool { return r.Property == name }) {
			t.Errorf("%s is not in the table", name)
		}
	}
	if n < 58 {
		t.Errorf("%d properties were read from %s", n, file)
	}
}

// TestGuidesTables: every line of the guides' tables is in ours, and no other.
func TestGuidesTables(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		view  View
		file  string
		lines int
		join  func(GuideLine) string
	}{
		// The tables of 2.0.x have lost the border between their columns.
		"2.0.x": {Graph.View(), "threatconnect-graph-app-2.0.txt", 22, func(l GuideLine) string { return "\n" + l.ThreatConnect + l.Graph + "\n" }},
		// Those of 3.0.0 have lost lists within cells; the names alone are looked for.
		"3.0.0": {Defender.View(), "threatconnect-defender-app-3.0.txt", 13, func(l GuideLine) string { return strings.TrimSpace("| " + l.ThreatConnect + " | " + l.Graph) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if len(test.view.Fields) != test.lines {
				t.Errorf("%d lines, the guide has %d", len(test.view.Fields), test.lines)
			}
			data, err := os.ReadFile(filepath.Join("../../../shared/reference/guides", test.file))
			if err != nil {
				t.Skipf("the guide is not here: %v", err)
			}
			text := strings.ReplaceAll(string(data), "\r", "")
			for _, l := range test.view.Fields {
				if !strings.Contains(text, test.join(l)) {
					t.Errorf("the guide has no line %q → %q", l.ThreatConnect, l.Graph)
				}
			}
		})
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	rec := &indicator.Record{Indicator: indicator.Indicator{Kind: indicator.SHA256, Value: "ab"}, Attrs: indicator.Attributes{
		Owner: "ACME", Sources: []string{"a", "b"}, Extra: map[string]any{"owner_id": int64(3507838)},
	}}
	in := &In{Rec: rec, Value: "AB"}
	for template, want := range map[string]string{
		"ThreatConnect {type} | Owner: {owner} | Id: {extra.owner_id}": "ThreatConnect File | Owner: ACME | Id: 3507838",
		"{kind} {value} {sources}{tags}":                               "sha256 AB a, b",
		"{not a name}":                                                 "{not a name}",
	} {
		if got := Text(template, in); got != want {
			t.Errorf("%q: %q, want %q", template, got, want)
		}
		if msg := CheckText(template); msg != "" {
			t.Errorf("%q: %s", template, msg)
		}
	}
	if CheckText("{ownre}") == "" {
		t.Error("a misspelt name was taken")
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		n    int
		want string
	}{
		{"äöüß", 3, "äöü"}, {"äöüß", 4, "äöüß"}, {"a b", 2, "a"}, {"", 0, ""},
		{"a😀b", 4, "a😀b"}, {"a😀b", 3, "a😀"}, {"a😀b", 2, "a"}, // services count UTF-16 units
	} {
		if got := Cut(test.text, test.n); got != test.want || Length(got) > test.n {
			t.Errorf("%q cut to %q, want %q", test.text, got, test.want)
		}
	}
}

// TestTemplatesThatLeaveNothing: the services refuse an object without a title, name or
// description, however little is known of an indicator.
func TestTemplatesThatLeaveNothing(t *testing.T) {
	t.Parallel()
	rec := &indicator.Record{Indicator: indicator.Indicator{Kind: indicator.Domain, Value: "bad.example"}}
	in := &In{Rec: rec, Value: rec.Value, Action: "Block", Say: &Say{Title: "{owner} ", Description: "{owner}", Product: graph.Sentinel}}
	d, s, g := Defender.Fill(in), Sentinel.Fill(in), Graph.Fill(in)
	if d.Title != "bad.example" || d.Description != nothingKnown || s.Name != "bad.example" || s.Description != nothingKnown || g.Description != nothingKnown {
		t.Errorf("%+v\n%+v\n%+v", d, s, g)
	}
	rec.Attrs.Owner = strings.Repeat("x", 5000)
	if got := Defender.Fill(in).Title; len(got) != defender.MaxTitle {
		t.Errorf("a title of %d characters", len(got))
	}
}

// TestKillChain: many spellings, in the order of the chain.
func TestKillChain(t *testing.T) {
	t.Parallel()
	got := killChain([]string{"Actions on Objectives", "C&C", "lockheed-martin-cyber-kill-chain:installation", "Weaponisation", "lateral-movement", "c2"})
	if want := []string{"Weaponization", "Installation", "C2", "Actions"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSeverityOfTheGuide: 0 and 1 informational, 2 low, 3 medium, 4 and 5 high.
func TestSeverityOfTheGuide(t *testing.T) {
	t.Parallel()
	want := []string{"Informational", "Informational", "Low", "Medium", "High", "High"}
	for n, word := range want {
		if got := severityWord(indicator.Known(n)); got != word {
			t.Errorf("%d: %s, want %s", n, got, word)
		}
	}
	if got := severityWord(0); got != "Medium" {
		t.Errorf("unknown: %s", got)
	}
}

// TestTLPOfTheGuide: the default where there is no label, 2.0's labels by their nearest,
// and the strictest of several, which merging keeps.
func TestTLPOfTheGuide(t *testing.T) {
	t.Parallel()
	level := func(l indicator.TLP) graph.TLPLevel {
		rec := &indicator.Record{Indicator: indicator.Indicator{Kind: indicator.Domain, Value: "bad.example"}, Attrs: indicator.Attributes{TLP: l}}
		return Graph.Fill(&In{Rec: rec, Value: rec.Value, Say: &Say{Product: graph.Sentinel, TLP: indicator.Green}}).TLPLevel
	}
	for l, want := range map[indicator.TLP]graph.TLPLevel{
		indicator.Unlabelled: "green", indicator.Clear: "white", indicator.Amber: "amber", indicator.AmberStrict: "amber", indicator.Red: "red",
	} {
		if got := level(l); got != want {
			t.Errorf("%s: %s, want %s", l, got, want)
		}
	}
	both := indicator.Merge(nil, []indicator.Contribution{{Attrs: &indicator.Attributes{TLP: indicator.Green}}, {Attrs: &indicator.Attributes{TLP: indicator.Amber}}})
	if got := level(both.TLP); got != "amber" {
		t.Errorf("of green and amber: %s", got)
	}
}
