package stix_test

import (
	"errors"
	"testing"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/stix"
)

// TestObservableIDs: the identifiers that OASIS's library computes (STIX 2.1 section 2.9).
func TestObservableIDs(t *testing.T) {
	t.Parallel()
	var oracle struct {
		Vectors []struct {
			Type       string         `json:"type"`
			Properties map[string]any `json:"properties"`
			ID         string         `json:"id"`
		} `json:"vectors"`
	}
	readJSON(t, official(t, "sco-deterministic-ids.json"), &oracle)
	if len(oracle.Vectors) < 28 {
		t.Fatalf("%d vectors", len(oracle.Vectors))
	}
	for _, v := range oracle.Vectors {
		if id, err := stix.ObservableID(v.Type, v.Properties); err != nil || id != v.ID {
			t.Errorf("%s %v: %s, %v, want %s", v.Type, v.Properties, id, err, v.ID)
		}
	}
}

func TestObservableWithoutIdentity(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"process", "x-own", "file"} {
		if id, err := stix.ObservableID(name, map[string]any{"pid": 5}); !errors.Is(err, stix.ErrNoIdentity) {
			t.Errorf("%s: %s, %v", name, id, err)
		}
	}
	o, err := stix.Observable("domain-name", map[string]any{"value": "example.com"})
	if err != nil || o.ID != "domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7" {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestIndicatorIDs (D19): the same each time, another for another generation; and
// frozen, for tenants know objects by them.
func TestIndicatorIDs(t *testing.T) {
	t.Parallel()
	plain := stix.IndicatorID("acme", indicator.Domain, "evil.example.com", 0)
	if want := "indicator--c7c781b9-61e1-5064-9dc4-25f5f00717c3"; plain != want {
		t.Errorf("%s, want %s", plain, want)
	}
	seen := map[string]string{}
	for name, id := range map[string]string{
		"plain": plain, "again": stix.IndicatorID("acme", indicator.Domain, "evil.example.com", 1),
		"twice again": stix.IndicatorID("acme", indicator.Domain, "evil.example.com", 2), "other source": stix.IndicatorID("acmf", indicator.Domain, "evil.example.com", 0),
		"other kind": stix.IndicatorID("acme", indicator.URL, "evil.example.com", 0), "other value": stix.IndicatorID("acme", indicator.Domain, "evil.example.com1", 0),
	} {
		if seen[id] != "" {
			t.Errorf("%s and %s have one identifier", name, seen[id])
		}
		seen[id] = name
	}
	if again := stix.IndicatorID("acme", indicator.Domain, "evil.example.com", 0); again != plain {
		t.Errorf("%s, then %s", plain, again)
	}
}
