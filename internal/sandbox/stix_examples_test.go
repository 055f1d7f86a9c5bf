package sandbox

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUpload_StixExamples: objects of the standard's own examples are taken,
// every one of a type the service takes.
func TestUpload_StixExamples(t *testing.T) {
	w := newSentinel(t, func(o *Options) { o.Limits = map[string]Limit{"upload": {}} })
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, sub := range []string{"examples", "elevator-2.1"} {
		found, err := filepath.Glob(filepath.Join(repository(dir), "..", "shared", "data", "stix", sub, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Skip("reference data is absent: STIX examples not uploaded")
	}
	types := map[string]bool{"indicator": true, "attack-pattern": true, "threat-actor": true, "identity": true, "relationship": true}
	sent := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct{ Objects []props }
		if json.Unmarshal(raw, &bundle) != nil {
			continue // a list or a single object
		}
		for _, o := range bundle.Objects {
			kind, _ := o["type"].(string)
			if !types[kind] {
				continue
			}
			sent++
			r := w.upload("examples", o)
			if kind == "relationship" && o["target_ref"] == nil { // the converter's, against the standard
				if !strings.Contains(string(r.body), "Property=target_ref") {
					t.Errorf("%s %v: %d %s", filepath.Base(file), o["id"], r.status, r.body)
				}
			} else if r.status != 200 || len(r.body) != 0 {
				t.Errorf("%s %v: %d %s", filepath.Base(file), o["id"], r.status, r.body)
			}
		}
	}
	if sent < 100 {
		t.Errorf("only %d objects were found", sent)
	}
	for _, o := range w.stixObjects() {
		single := strings.Count(o.Pattern, "[") == 1 && strings.HasSuffix(o.Pattern, "]") && !strings.ContainsAny(o.Pattern, "<>!") &&
			!strings.Contains(o.Pattern, " AND ") && !strings.Contains(o.Pattern, " OR ") && strings.Contains(o.Pattern, "=")
		if o.Type == "indicator" && single != (o.ObservableKey != "") {
			t.Errorf("%s: key %q", o.Pattern, o.ObservableKey)
		}
	}
}
