package sentinel

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/switches"
)

// separator stands between source and STIX id in a table Id.
const separator = "---"

// Object is a STIX object of a workspace. A stored object is never changed in
// place.
type Object struct {
	// ID is the table Id: base64 of the source, "---", STIX id.
	ID     string `json:"id"`
	Source string `json:"source"`
	StixID string `json:"stix_id"`
	Type   string `json:"type"`
	// Name is the object's name in the management plane, a GUID.
	Name string `json:"name"`
	// Managed: written by the management plane, whose calls reach no other objects.
	Managed bool   `json:"managed"`
	ETag    string `json:"etag"`

	Created    time.Time `json:"created"`
	Modified   time.Time `json:"modified"`
	ValidFrom  time.Time `json:"valid_from,omitzero"`
	ValidUntil time.Time `json:"valid_until,omitzero"` // zero: never ends
	Revoked    bool      `json:"revoked"`
	Confidence *int      `json:"confidence,omitempty"`
	Label      string    `json:"label,omitempty"` // the STIX name
	Pattern    string    `json:"pattern,omitempty"`
	// PatternType is what the writer said: "stix" by upload, an observable class by the management plane.
	PatternType     string   `json:"pattern_type,omitempty"`
	ObservableKey   string   `json:"observable_key"`
	ObservableValue string   `json:"observable_value"`
	Tags            []string `json:"tags,omitempty"`
	TLPLevel        string   `json:"tlp_level"`

	// Data is the STIX object.
	Data json.RawMessage `json:"data"`

	FirstIngested time.Time `json:"first_ingested"`
	LastIngested  time.Time `json:"last_ingested"`
	Method        string    `json:"last_update_method"`
	CreatedBy     string    `json:"created_by"` // app id, or a person's name
	ModifiedBy    string    `json:"modified_by"`

	props *Properties // of a managed indicator
}

// Live reports whether the object still counts at the time.
func (o *Object) Live(now time.Time) bool {
	return !o.Revoked && (o.ValidUntil.IsZero() || now.Before(o.ValidUntil))
}

// tableID is the identity of an object in the tables.
func tableID(source, stixID string, sw *switches.Set) string {
	enc := base64.StdEncoding
	if sw.SentinelID == "raw" {
		enc = base64.RawStdEncoding
	}
	return enc.EncodeToString([]byte(source)) + separator + stixID
}

// managementName is the GUID under which queryIndicators lists an uploaded object.
func managementName(id string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(id)).String()
}

// tlpLevels are the only markings the service understands: TLP 1.0.
var tlpLevels = map[string]string{
	"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "White",
	"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "Green",
	"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "Amber",
	"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "Red",
}

// tlp is the level of the first marking that is one; "unknown" where there are
// markings and none is, "" without markings.
func tlp(refs []string) string {
	for _, r := range refs {
		if level := tlpLevels[strings.ToLower(r)]; level != "" {
			return level
		}
	}
	if len(refs) > 0 {
		return "unknown"
	}
	return ""
}

// newObject reads a valid STIX object.
func newObject(source string, fields map[string]json.RawMessage, raw json.RawMessage, sw *switches.Set) *Object {
	o := &Object{Source: source, Data: raw}
	var refs []string
	for name, target := range map[string]any{
		"id": &o.StixID, "type": &o.Type, "created": &o.Created, "modified": &o.Modified, "valid_from": &o.ValidFrom,
		"valid_until": &o.ValidUntil, "revoked": &o.Revoked, "confidence": &o.Confidence, "name": &o.Label,
		"pattern": &o.Pattern, "pattern_type": &o.PatternType, "labels": &o.Tags, "object_marking_refs": &refs,
	} {
		if v, ok := fields[name]; ok {
			// A seed may have any type anywhere; what cannot be read is left out.
			_ = json.Unmarshal(v, target)
		}
	}
	o.TLPLevel = tlp(refs)
	if o.PatternType == "" || strings.EqualFold(o.PatternType, "stix") {
		o.ObservableKey, o.ObservableValue = Observable(o.Pattern)
	}
	o.ID = tableID(source, o.StixID, sw)
	o.Name = managementName(o.ID)
	return o
}

// item is the object in the journal.
func (o *Object) item(effect, reason string) journal.Item {
	it := journal.Item{ID: o.StixID, Type: o.Type, Value: o.ObservableValue, Effect: effect, Reason: reason}
	if it.Value == "" {
		it.Value = clip(o.Pattern)
	}
	if o.Revoked {
		it.Action = "revoke"
	}
	return it
}
