package sentinel

import (
	"encoding/json"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/journal"
)

// submit stores an indicator of the management plane; old is what it replaces.
func (c *call) submit(name string, old *Object, p Properties) (*Object, *apiError) {
	now := c.now.UTC().Format(ticks) + "Z"
	p.Created, p.LastUpdated, p.Modified = now, now, now
	if p.ExternalID == "" {
		p.ExternalID = "indicator--" + uuid.NewString()
	}
	if old != nil {
		p.Created, p.ExternalID, p.Source = old.properties().Created, old.StixID, old.Source
	}
	if p.CreatedByRef == "" {
		p.CreatedByRef = c.Who.App
	}
	p.fill()
	data, err := json.Marshal(p.stix())
	var m fields
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return nil, refuse(400, "BadRequest", "The request body is not valid: %s.", clip(err.Error()))
	}
	o := newObject(p.Source, m, data, &c.sw)
	o.Name, o.Managed, o.PatternType, o.props = name, true, p.PatternType, &p
	for i := range c.Refuse {
		if f := &c.Refuse[i]; f.Hits(o.ObservableValue) || f.Hits(o.StixID) {
			c.items = append(c.items, o.item(journal.Refused, f.Reason))
			return nil, refuse(400, "BadRequest", "%s", f.Reason)
		}
	}
	c.items = append(c.items, o.item(c.write(o, MethodManagement, c.Who.App), ""))
	return o, nil
}

// stix is the indicator as a STIX object, which query shows and the table has.
func (p *Properties) stix() map[string]any {
	out := map[string]any{
		"type": "indicator", "spec_version": "2.1", "id": p.ExternalID, "created": p.Created, "modified": p.Modified, "name": p.DisplayName,
		"pattern": p.Pattern, "pattern_type": "stix", "valid_from": p.ValidFrom, "revoked": p.Revoked,
	}
	for name, v := range map[string]string{"description": p.Description, "valid_until": p.ValidUntil} {
		if v != "" {
			out[name] = v
		}
	}
	for name, v := range map[string][]string{"labels": p.ThreatIntelligenceTags, "indicator_types": p.ThreatTypes, "object_marking_refs": p.ObjectMarkingRefs} {
		if len(v) > 0 {
			out[name] = v
		}
	}
	if p.Confidence != nil {
		out["confidence"] = *p.Confidence
	}
	return out
}
