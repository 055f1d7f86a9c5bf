package stix_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/stix"
)

// TestOfficialExamplesAreRead: every official document decodes, and each STIX
// indicator in it either gives indicators or says why not.
func TestOfficialExamplesAreRead(t *testing.T) {
	t.Parallel()
	indicators, delivered := 0, 0
	for _, folder := range []string{"examples", "elevator-2.1"} {
		files, err := filepath.Glob(filepath.Join(official(t, folder), "*.json"))
		if err != nil || len(files) < 10 {
			t.Fatal(files, err)
		}
		for _, path := range files {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := stix.Decode(raw)
			if err != nil || len(objects) == 0 {
				t.Errorf("%s: %d objects, %v", path, len(objects), err)
			}
			for _, o := range objects {
				if o.Head().Type == "" || o.Head().ID == "" {
					t.Errorf("%s: %+v", path, o)
				}
				if s, ok := o.(*stix.Indicator); ok {
					indicators++
					if records, err := stix.ToRecords(s, nil); err == nil && len(records) > 0 {
						delivered++
					}
				}
			}
		}
	}
	if indicators < 100 || delivered < 30 {
		t.Errorf("%d of %d indicators are deliverable", delivered, indicators)
	}
}

// TestBundleIsAcceptedByTheSchema writes one object of each type.
func TestBundleIsAcceptedByTheSchema(t *testing.T) {
	t.Parallel()
	head := func(objectType string) stix.Common {
		return stix.Common{Type: objectType, SpecVersion: "2.1", ID: stix.ObjectID(objectType, "test"), Created: stix.At(noon), Modified: stix.At(noon)}
	}
	s, err := stix.FromRecord(full(t), stix.Options{SourceSystem: "test", Modified: noon})
	if err != nil {
		t.Fatal(err)
	}
	domain, err := stix.Observable("domain-name", map[string]any{"value": "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	b := stix.NewBundle(stix.ObjectID("bundle", "test"), stix.V21,
		s, domain, stix.TLPMarking(indicator.Amber, stix.TLP1), stix.TLPMarking(indicator.AmberStrict, stix.TLP2),
		&stix.Identity{Common: head("identity"), Name: "ACME", IdentityClass: "organization"},
		&stix.AttackPattern{Common: head("attack-pattern"), Name: "Spearphishing"},
		&stix.ThreatActor{Common: head("threat-actor"), Name: "Bear", ThreatActorTypes: []string{"crime-syndicate"}},
		&stix.Malware{Common: head("malware"), Name: "Zeus", IsFamily: true, MalwareTypes: []string{"trojan"}},
		&stix.Relationship{Common: head("relationship"), RelationshipType: "indicates", SourceRef: s.ID, TargetRef: stix.ObjectID("malware", "test")},
		&stix.ObservedData{Common: head("observed-data"), FirstObserved: stix.At(noon), LastObserved: stix.At(noon), NumberObserved: 1, ObjectRefs: []string{domain.ID}},
	)
	raw, err := stix.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	checkSchema(t, schema(t, "common/bundle.json"), raw)
	read, err := stix.Decode(raw)
	if err != nil || len(read) != len(b.Objects) {
		t.Fatal(read, err)
	}
	again, err := stix.Encode(stix.NewBundle(b.ID, stix.V21, read...))
	if err != nil || string(again) != string(raw) {
		t.Errorf("written again it is\n%s\nnot\n%s\n%v", again, raw, err)
	}
}

func TestWhatIsNoSTIX(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "5", "[5]", `{"type":"bundle","objects":5}`, `{"objects":[{"id":"x"}]}`, `{"type":"indicator","created":"yesterday"}`, "{"} {
		if objects, err := stix.Decode([]byte(text)); err == nil {
			t.Errorf("%q: %v", text, objects)
		}
	}
	for _, text := range []string{`{"type":"bundle","id":"bundle--1"}`, `{"more":false}`, `[]`} {
		if objects, err := stix.Decode([]byte(text)); err != nil || len(objects) != 0 {
			t.Errorf("%q: %v, %v", text, objects, err)
		}
	}
}
