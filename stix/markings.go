package stix

import (
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
)

// TLPVersion says in which edition of the Traffic Light Protocol objects are marked.
type TLPVersion uint8

// The editions. TLP1 is the zero value: its four markings are part of the STIX
// specification and the only ones Microsoft Sentinel shows.
const (
	TLP1 TLPVersion = iota
	TLP2
)

// tlpExtension is the extension definition of the markings of TLP 2.0.
const tlpExtension = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

const markingPrefix = "marking-definition--"

// tlpIDs are the identifiers of the markings. TLP 1.0 has no amber+strict and its
// nearest is amber, which shares more: who must not widen it asks for TLP2.
var tlpIDs = map[TLPVersion]map[indicator.TLP]string{
	TLP1: {
		indicator.Clear:       "613f2e26-407d-48c7-9eca-b8e91df99dc9",
		indicator.Green:       "34098fce-860f-48ae-8e50-ebd3cc5e41da",
		indicator.Amber:       "f88d31f6-486f-44da-b317-01333bde0b82",
		indicator.AmberStrict: "f88d31f6-486f-44da-b317-01333bde0b82",
		indicator.Red:         "5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
	},
	TLP2: {
		indicator.Clear:       "94868c89-83c2-464b-929b-a1a8aa3c8487",
		indicator.Green:       "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
		indicator.Amber:       "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
		indicator.AmberStrict: "939a9414-2ddd-4d32-a0cd-375ea402b003",
		indicator.Red:         "e828b379-4e03-4974-9ac4-e53a884c97c1",
	},
}

// tlpByID is the way back, with the amber+strict that OpenCTI made before there
// was an official one.
var tlpByID = func() map[string]indicator.TLP {
	m := map[string]indicator.TLP{"826578e1-40ad-459f-bc73-ede076f81f37": indicator.AmberStrict}
	for _, version := range []TLPVersion{TLP2, TLP1} {
		for label, id := range tlpIDs[version] {
			if label != indicator.AmberStrict || version == TLP2 {
				m[id] = label
			}
		}
	}
	return m
}()

// MarkingID returns the identifier of the marking for a label; "" for Unlabelled.
// In TLP1, amber+strict is marked amber.
func MarkingID(label indicator.TLP, v TLPVersion) string {
	id := tlpIDs[v][label]
	if id == "" {
		return ""
	}
	return markingPrefix + id
}

// MarkingTLP returns the label of a marking by its identifier, of either edition;
// false for a marking that is not of TLP.
func MarkingTLP(id string) (indicator.TLP, bool) {
	label, ok := tlpByID[strings.ToLower(strings.TrimPrefix(id, markingPrefix))]
	return label, ok
}

// TLPMarking returns the marking of a label exactly as it is published; nil for
// Unlabelled.
func TLPMarking(label indicator.TLP, v TLPVersion) *MarkingDefinition {
	id := MarkingID(label, v)
	if id == "" {
		return nil
	}
	m := &MarkingDefinition{Common: Common{Type: "marking-definition", SpecVersion: V21.String(), ID: id}}
	if v == TLP2 {
		m.Created = At(time.Date(2022, 10, 1, 0, 0, 0, 0, time.UTC))
		m.Name = "TLP:" + strings.ToUpper(label.String())
		m.Extensions = map[string]any{tlpExtension: map[string]any{
			"extension_type": "property-extension", "tlp_2_0": label.String(),
		}}
		return m
	}
	name, _ := MarkingTLP(id)
	word := name.String()
	if name == indicator.Clear {
		word = "white"
	}
	m.Created = At(time.Date(2017, 1, 20, 0, 0, 0, 0, time.UTC))
	m.Name, m.DefinitionType = "TLP:"+strings.ToUpper(word), "tlp"
	m.Definition = map[string]any{"tlp": word}
	return m
}

// LabelOf returns the label that the markings of an object give it: the strictest
// of those it names. defined are the markings of the document by identifier, for
// those that are not the published ones but say tlp; it may be nil.
func LabelOf(refs []string, defined map[string]*MarkingDefinition) indicator.TLP {
	label := indicator.Unlabelled
	for _, ref := range refs {
		found, ok := MarkingTLP(ref)
		if m := defined[ref]; !ok && m != nil {
			found = m.label()
		}
		label = max(label, found)
	}
	return label
}

// label reads a marking by what it says rather than by its identifier.
func (m *MarkingDefinition) label() indicator.TLP {
	text, _ := m.Definition["tlp"].(string)
	if extension, ok := m.Extensions[tlpExtension].(map[string]any); ok {
		text, _ = extension["tlp_2_0"].(string)
	}
	if text == "" && strings.HasPrefix(strings.ToUpper(m.Name), "TLP:") {
		text = m.Name
	}
	label, _ := indicator.ParseTLP(text)
	return label
}
