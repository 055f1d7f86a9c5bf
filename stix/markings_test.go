package stix_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/stix"
)

// published are the identifiers of the markings (STIX 2.1 section 7.2.1.4; the
// extension definition of TLP 2.0).
var published = map[stix.TLPVersion]map[indicator.TLP]string{
	stix.TLP1: {
		indicator.Clear: "613f2e26-407d-48c7-9eca-b8e91df99dc9", indicator.Green: "34098fce-860f-48ae-8e50-ebd3cc5e41da",
		indicator.Amber: "f88d31f6-486f-44da-b317-01333bde0b82", indicator.AmberStrict: "f88d31f6-486f-44da-b317-01333bde0b82",
		indicator.Red: "5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
	},
	stix.TLP2: {
		indicator.Clear: "94868c89-83c2-464b-929b-a1a8aa3c8487", indicator.Green: "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
		indicator.Amber: "55d920b0-5e8b-4f79-9ee9-91f868d9b421", indicator.AmberStrict: "939a9414-2ddd-4d32-a0cd-375ea402b003",
		indicator.Red: "e828b379-4e03-4974-9ac4-e53a884c97c1",
	},
}

func TestMarkings(t *testing.T) {
	t.Parallel()
	s := schema(t, "common/marking-definition.json")
	for version, ids := range published {
		for label, id := range ids {
			m := stix.TLPMarking(label, version)
			if m == nil || m.ID != "marking-definition--"+id {
				t.Fatalf("%s: %+v", label, m)
			}
			raw, err := stix.Encode(m)
			if err != nil {
				t.Fatal(err)
			}
			checkSchema(t, s, raw)
			back, ok := stix.MarkingTLP(m.ID)
			if want := label; !ok || back != want && (version != stix.TLP1 || label != indicator.AmberStrict) {
				t.Errorf("%s: read as %s", m.ID, back)
			}
		}
	}
	if stix.TLPMarking(indicator.Unlabelled, stix.TLP1) != nil || stix.MarkingID(indicator.Unlabelled, stix.TLP2) != "" {
		t.Error("no label has a marking")
	}
	if label, ok := stix.MarkingTLP("marking-definition--826578e1-40ad-459f-bc73-ede076f81f37"); !ok || label != indicator.AmberStrict {
		t.Errorf("OpenCTI's amber+strict is read as %s", label)
	}
	if _, ok := stix.MarkingTLP("marking-definition--089a6ecb-0000-4000-8000-000000000000"); ok {
		t.Error("a marking that is none of TLP has a label")
	}
}

// TestMarkingsAreThePublishedObjects compares with the official files.
func TestMarkingsAreThePublishedObjects(t *testing.T) {
	t.Parallel()
	var bundle struct{ Objects []map[string]any }
	readJSON(t, official(t, "markings", "tlp2-amber-bundle.json"), &bundle)
	same(t, bundle.Objects[0], stix.TLPMarking(indicator.Amber, stix.TLP2))
	for _, name := range []string{"examples/using-marking-definitions.json", "taxii/medallion-default-data.json"} {
		raw, err := os.ReadFile(official(t, name))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`\{[^{}]*"definition": \{\s*"tlp": "\w+"\s*\}[^{}]*\}`).Find(raw)
		var o map[string]any
		if err := json.Unmarshal(m, &o); err != nil {
			t.Fatalf("%s: no marking of TLP 1.0: %v", name, err)
		}
		label, _ := stix.MarkingTLP(o["id"].(string))
		same(t, o, stix.TLPMarking(label, stix.TLP1))
	}
}

func same(t *testing.T, want map[string]any, m *stix.MarkingDefinition) {
	t.Helper()
	raw, err := stix.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-published +ours)\n%s", diff)
	}
}

func TestLabelOf(t *testing.T) {
	t.Parallel()
	custom := map[string]*stix.MarkingDefinition{
		"marking-definition--a": {DefinitionType: "tlp", Definition: map[string]any{"tlp": "red"}},
		"marking-definition--b": {Name: "TLP:GREEN"}, "marking-definition--c": {Name: "internal only"},
	}
	green, amber := stix.MarkingID(indicator.Green, stix.TLP1), stix.MarkingID(indicator.AmberStrict, stix.TLP2)
	for _, c := range []struct {
		refs []string
		want indicator.TLP
	}{
		{nil, indicator.Unlabelled}, {[]string{green}, indicator.Green}, {[]string{amber, green}, indicator.AmberStrict},
		{[]string{"marking-definition--a"}, indicator.Red}, {[]string{"marking-definition--b", "marking-definition--c"}, indicator.Green},
		{[]string{"marking-definition--c", "marking-definition--x"}, indicator.Unlabelled},
	} {
		if got := stix.LabelOf(c.refs, custom); got != c.want {
			t.Errorf("%v: %q, want %q", c.refs, got, c.want)
		}
	}
}
