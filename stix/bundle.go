package stix

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bundle is a document of objects.
type Bundle struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	// SpecVersion is of 2.0 alone: 2.1 has one in each object.
	SpecVersion string   `json:"spec_version,omitempty"`
	Objects     []Object `json:"objects,omitempty"`
}

// NewBundle returns a bundle of objects with the given identifier (see ObjectID).
func NewBundle(id string, v Version, objects ...Object) *Bundle {
	b := &Bundle{Type: "bundle", ID: id, Objects: objects}
	if v == V20 {
		b.SpecVersion = v.String()
	}
	return b
}

// Encode writes a bundle or any object as JSON in one line. Maps are written in the
// order of their keys, so equal objects have equal bytes. What is not UTF-8 becomes the
// replacement character.
func Encode(v any) ([]byte, error) {
	raw, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, fmt.Errorf("writing STIX: %w", err)
	}
	return raw, nil
}

// Decode reads the objects of a document: a bundle, a TAXII envelope, an array of
// objects, or a single object.
func Decode(data []byte) ([]Object, error) {
	raw := jsontext.Value(bytes.TrimSpace(data))
	switch raw.Kind() {
	case '[':
		return decodeList(raw)
	case '{':
	default:
		return nil, errors.New("reading STIX: a JSON object is wanted (a bundle, an envelope or one object)")
	}
	var outer struct {
		Type    string         `json:"type"`
		Objects jsontext.Value `json:"objects"`
	}
	if err := json.Unmarshal(raw, &outer); err != nil {
		return nil, fmt.Errorf("reading STIX: %w", err)
	}
	if outer.Type == "bundle" || outer.Type == "" {
		return decodeList(outer.Objects)
	}
	o, err := DecodeObject(raw)
	if err != nil {
		return nil, err
	}
	return []Object{o}, nil
}

func decodeList(raw jsontext.Value) ([]Object, error) {
	if len(raw) == 0 {
		return nil, nil // a bundle may have none
	}
	var parts []jsontext.Value
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, fmt.Errorf("reading STIX: the objects: %w", err)
	}
	out := make([]Object, len(parts))
	for i, part := range parts {
		o, err := DecodeObject(part)
		if err != nil {
			return nil, fmt.Errorf("object %d: %w", i+1, err)
		}
		out[i] = o
	}
	return out, nil
}

// newObject makes an empty object of a type, *Other for those without a type here.
func newObject(objectType string) Object {
	switch objectType {
	case "indicator":
		return &Indicator{}
	case "identity":
		return &Identity{}
	case "marking-definition":
		return &MarkingDefinition{}
	case "relationship":
		return &Relationship{}
	case "attack-pattern":
		return &AttackPattern{}
	case "threat-actor":
		return &ThreatActor{}
	case "malware":
		return &Malware{}
	case "observed-data":
		return &ObservedData{}
	}
	return &Other{}
}

// DecodeObject reads one object. Unknown properties of types that are known are
// dropped; identifiers are not checked, for official examples have some that their
// own schema refuses.
func DecodeObject(data []byte) (Object, error) {
	var head struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("reading STIX: %w", err)
	}
	if head.Type == "" {
		return nil, errors.New("reading STIX: an object without a type")
	}
	o := newObject(head.Type)
	if err := json.Unmarshal(data, o); err != nil {
		return nil, fmt.Errorf("reading %s (%s): %w", head.Type, head.ID, err)
	}
	return o, nil
}

// MarshalJSON writes all properties.
func (o *Other) MarshalJSON() ([]byte, error) {
	return json.Marshal(o.Properties, json.Deterministic(true))
}

// UnmarshalJSON reads all properties, and the common ones to where every object has
// them.
func (o *Other) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &o.Properties); err != nil {
		return err
	}
	return json.Unmarshal(data, &o.Common)
}

// Observable makes an observable with the identifier that its properties give it.
func Observable(observableType string, properties map[string]any) (*Other, error) {
	id, err := ObservableID(observableType, properties)
	if err != nil {
		return nil, err
	}
	o := &Other{
		Common:     Common{Type: observableType, SpecVersion: V21.String(), ID: id},
		Properties: map[string]any{"type": observableType, "spec_version": V21.String(), "id": id},
	}
	for name, value := range properties {
		if _, taken := o.Properties[name]; !taken {
			o.Properties[name] = value
		}
	}
	return o, nil
}
