package feed

import (
	"encoding/json"
	updates "flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/stix"
)

var update = updates.Bool("update", false, "rewrite the golden files")

// mixed is a table of most kinds, with and without what is known.
func mixed() *table {
	tab := newTable(indicator.Unknown, "10.0.0.1", "10.0.1.0/24", "10.0.2.1-10.0.2.6", "10.0.2.2/31", "2001:db8::/64", "2001:db8:1::1-2001:db8:1::2",
		"a.example.com", "https://a.example.com:81/x?y='z'", "x@example.com", "d41d8cd98f00b204e9800998ecf8427e", "AS15139")
	seen := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range tab.rows {
		tab.rows[i].Changed = seen.Add(time.Duration(10-i) * time.Minute)
	}
	tab.rows[0].Attrs = &indicator.Attributes{
		Confidence: indicator.Known(80), TLP: indicator.AmberStrict, ThreatType: "botnet", Tags: []string{"c2"}, FirstSeen: seen,
		ValidUntil: seen.Add(24 * time.Hour), KillChain: []string{"delivery"}, References: []string{"https://example.com/report"},
	}
	tab.rows[2].Attrs = &indicator.Attributes{TLP: indicator.Green, FirstSeen: seen}
	return tab
}

func goldenBody(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-golden +now):\n%s", name, diff)
	}
}

func TestSTIX(t *testing.T) {
	for name, c := range map[string]struct {
		table *table
		query string
		off   bool
	}{
		"stix2.json": {mixed(), "v=stix2", false}, "stix2-tlp2.json": {mixed(), "v=stix2&tlp=2&s=1&n=2&d", false}, "stix2-bare.json": {mixed(), "v=stix2&n=3", true},
		"stix2-empty.json": {newTable(indicator.Domain), "v=stix2", false},
	} {
		w := get(serve(t, c.table, func(cfg *Config) { cfg.Values = !c.off }), "/feeds/edl?"+c.query)
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/stix+json;version=2.1" || w.Header().Get("Etag") == "" {
			t.Fatalf("%s: %d %v", c.query, w.Code, w.Header())
		}
		goldenBody(t, name, w.Body.String())
		checkBundle(t, w.Body.Bytes())
	}
	if w := get(serve(t, mixed(), nil), "/feeds/edl?v=stix2&tlp=3"); w.Code != 400 {
		t.Errorf("tlp=3: %d %s", w.Code, w.Body)
	}
}

// checkBundle: every reference is resolved, identifiers are unique, and OASIS's own
// schema takes the bundle.
func checkBundle(t *testing.T, body []byte) {
	t.Helper()
	objects, err := stix.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, o := range objects {
		if ids[o.Head().ID] {
			t.Errorf("%s is there twice", o.Head().ID)
		}
		ids[o.Head().ID] = true
	}
	for _, o := range objects {
		refs := slices.Clone(o.Head().ObjectMarkingRefs)
		if by := o.Head().CreatedByRef; by != "" {
			refs = append(refs, by)
		}
		for _, ref := range refs {
			if !ids[ref] {
				t.Errorf("%s names %s, which is not in the bundle", o.Head().ID, ref)
			}
		}
	}
	dir := filepath.Join("..", "..", "..", "..", "shared", "data", "stix", "schemas")
	if _, err := os.Stat(dir); err != nil {
		t.Log("no official schemas here: ../shared/data/stix is absent")
		return
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(schemas{dir})
	s, err := c.Compile("http://raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas/stix2.1/schemas/common/bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%v", err)
	}
}

// schemas resolves the schemas' own addresses to files.
type schemas struct{ dir string }

func (s schemas) Load(url string) (any, error) {
	_, path, _ := strings.Cut(url, "/schemas/")
	f, err := os.Open(filepath.Join(s.dir, filepath.FromSlash(path)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return jsonschema.UnmarshalJSON(f)
}

// TestSTIXIsTheSameAgain: what did not change has the same identifier and time in
// the next version, and the same body the same ETag.
func TestSTIXIsTheSameAgain(t *testing.T) {
	tab := mixed()
	h := serve(t, tab, nil)
	one := get(h, "/feeds/edl?v=stix2")
	if w := get(h, "/feeds/edl?v=stix2&tr=0", "If-None-Match", one.Header().Get("Etag")); w.Code != 304 {
		t.Errorf("status %d for the body it has", w.Code)
	}
	tab.rows[6].Changed = tab.rows[6].Changed.Add(time.Hour)
	tab.rows = slices.Delete(tab.rows, 0, 1)
	tab.version.Add(1)
	two := get(h, "/feeds/edl?v=stix2")
	if one.Header().Get("Etag") == two.Header().Get("Etag") {
		t.Error("one ETag for two bodies")
	}
	before, after := byID(t, one.Body.Bytes()), byID(t, two.Body.Bytes())
	changed, gone := 0, 0
	for id, text := range before {
		switch {
		case after[id] == "":
			gone++
		case after[id] != text:
			changed++
		}
	}
	if changed != 1 || gone != 2 || len(after) != len(before)-2 { // the indicator and its marking
		t.Errorf("%d changed, %d gone, %d then %d", changed, gone, len(before), len(after))
	}
}

func byID(t *testing.T, body []byte) map[string]string {
	t.Helper()
	var bundle struct{ Objects []json.RawMessage }
	if err := json.Unmarshal(body, &bundle); err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, raw := range bundle.Objects {
		var o struct{ ID string }
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		m[o.ID] = string(raw)
	}
	return m
}
