package sentinel

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Properties are those of an indicator in the management plane.
type Properties struct {
	Source                 string            `json:"source"`
	DisplayName            string            `json:"displayName"`
	Description            string            `json:"description,omitempty"`
	Pattern                string            `json:"pattern"`
	PatternType            string            `json:"patternType"`
	PatternVersion         string            `json:"patternVersion,omitempty"`
	ParsedPattern          []parsedPattern   `json:"parsedPattern,omitempty"`
	ThreatTypes            []string          `json:"threatTypes"`
	IndicatorTypes         []string          `json:"indicatorTypes,omitempty"`
	Confidence             *int              `json:"confidence,omitempty"`
	Created                string            `json:"created"`
	CreatedByRef           string            `json:"createdByRef,omitempty"`
	ExternalID             string            `json:"externalId"`
	ExternalReferences     []json.RawMessage `json:"externalReferences"`
	GranularMarkings       []json.RawMessage `json:"granularMarkings"`
	KillChainPhases        []killChainPhase  `json:"killChainPhases"`
	Labels                 []string          `json:"labels,omitempty"`
	Language               string            `json:"language,omitempty"`
	LastUpdated            string            `json:"lastUpdatedTimeUtc"`
	Modified               string            `json:"modified,omitempty"`
	ObjectMarkingRefs      []string          `json:"objectMarkingRefs,omitempty"`
	Revoked                bool              `json:"revoked"`
	Defanged               *bool             `json:"defanged,omitempty"`
	ThreatIntelligenceTags []string          `json:"threatIntelligenceTags"`
	ValidFrom              string            `json:"validFrom"`
	ValidUntil             string            `json:"validUntil,omitempty"`
}

type killChainPhase struct {
	Chain string `json:"killChainName"`
	Phase string `json:"phaseName"`
}

type parsedPattern struct {
	Key    string         `json:"patternTypeKey"`
	Values []patternValue `json:"patternTypeValues"`
}

type patternValue struct {
	Value string `json:"value"`
	Type  string `json:"valueType"`
}

// entity is an indicator as the management plane returns it.
type entity struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	ETag       string      `json:"etag"`
	Type       string      `json:"type"`
	Kind       string      `json:"kind"`
	Properties *Properties `json:"properties"`
}

func newETag() string { return `"` + uuid.NewString() + `"` }

func (c *call) entity(o *Object) entity {
	return entity{
		ID:   c.store.Path() + "/providers/Microsoft.SecurityInsights/ThreatIntelligence/" + o.Name,
		Name: o.Name, ETag: o.ETag, Type: "Microsoft.SecurityInsights/ThreatIntelligence", Kind: "indicator", Properties: o.properties(),
	}
}

// properties are those the management plane shows: its own, or a view of what
// was uploaded.
func (o *Object) properties() *Properties {
	if o.props != nil {
		return o.props
	}
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(ticks) + "Z"
	}
	var m fields
	_ = json.Unmarshal(o.Data, &m) // it was read before
	p := &Properties{
		Source: o.Source, DisplayName: o.Label, Description: m.text("description"), Pattern: o.Pattern, PatternType: observableClass(o.ObservableKey),
		Confidence: o.Confidence, Created: stamp(o.Created), CreatedByRef: m.text("created_by_ref"), ExternalID: o.StixID, LastUpdated: stamp(o.LastIngested),
		Modified: stamp(o.Modified), Revoked: o.Revoked, ThreatIntelligenceTags: o.Tags, ValidFrom: stamp(o.ValidFrom), ValidUntil: stamp(o.ValidUntil),
	}
	_ = json.Unmarshal(m["indicator_types"], &p.ThreatTypes) // absent is none
	p.fill()
	return p
}

// observableClass is the management plane's patternType of an observable key.
func observableClass(key string) string {
	class, _, _ := strings.Cut(key, ":")
	return class
}

// fill puts empty lists where the wire has [] and parses the pattern.
func (p *Properties) fill() {
	for _, l := range []*[]string{&p.ThreatTypes, &p.ThreatIntelligenceTags} {
		if *l == nil {
			*l = []string{}
		}
	}
	for _, l := range []*[]json.RawMessage{&p.ExternalReferences, &p.GranularMarkings} {
		if *l == nil {
			*l = []json.RawMessage{}
		}
	}
	if p.KillChainPhases == nil {
		p.KillChainPhases = []killChainPhase{}
	}
	p.ParsedPattern = nil
	if key, value := Observable(p.Pattern); key != "" {
		class := observableClass(key)
		p.ParsedPattern = []parsedPattern{{Key: class, Values: []patternValue{{Value: value, Type: class}}}}
	}
}

// submission is the body of createIndicator, PUT and replaceTags.
type submission struct {
	Kind       string     `json:"kind"`
	ETag       string     `json:"etag"`
	Properties Properties `json:"properties"`
}

func (s *submission) check() *apiError {
	p := &s.Properties
	if !strings.EqualFold(s.Kind, "indicator") {
		return refuse(400, "BadRequest", "The kind '%s' is not indicator.", clip(s.Kind))
	}
	for _, need := range []struct {
		name, value string
	}{{"source", p.Source}, {"displayName", p.DisplayName}, {"pattern", p.Pattern}, {"patternType", p.PatternType}, {"validFrom", p.ValidFrom}} {
		if need.value == "" {
			return refuse(400, "BadRequest", "The property '%s' is required.", need.name)
		}
	}
	from, err := time.Parse(time.RFC3339Nano, p.ValidFrom)
	if err != nil {
		return refuse(400, "BadRequest", "The property 'validFrom' is not a timestamp.")
	}
	if p.ValidUntil != "" {
		if until, err := time.Parse(time.RFC3339Nano, p.ValidUntil); err != nil || !until.After(from) {
			return refuse(400, "BadRequest", "The property 'validUntil' is not a timestamp after validFrom.")
		}
	}
	switch {
	case len(p.ThreatTypes) == 0:
		return refuse(400, "BadRequest", "The property 'threatTypes' is required.")
	case p.Confidence != nil && (*p.Confidence < 0 || *p.Confidence > 100):
		return refuse(400, "BadRequest", "The property 'confidence' is not from 0 to 100.")
	}
	return nil
}

func (c *call) createIndicator() (wire.Reply, *apiError) {
	s := &submission{}
	if e := c.decode(s); e != nil {
		return wire.Reply{}, e
	}
	if e := s.check(); e != nil {
		return wire.Reply{}, e
	}
	o, e := c.submit(uuid.NewString(), nil, s.Properties)
	if e != nil {
		return wire.Reply{}, e
	}
	return wire.JSON(201, c.entity(o)), nil
}

func (c *call) updateIndicator() (wire.Reply, *apiError) {
	s := &submission{}
	if e := c.decode(s); e != nil {
		return wire.Reply{}, e
	}
	if e := s.check(); e != nil {
		return wire.Reply{}, e
	}
	old, status := c.store.managed(c.ID), 201
	if old != nil {
		status = 200
		if e := s.fresh(old); e != nil {
			return wire.Reply{}, e
		}
	}
	o, e := c.submit(c.ID, old, s.Properties)
	if e != nil {
		return wire.Reply{}, e
	}
	return wire.JSON(status, c.entity(o)), nil
}

// fresh compares the client's etag with the stored one, if it sent any.
func (s *submission) fresh(old *Object) *apiError {
	if s.ETag != "" && strings.Trim(s.ETag, `"`) != strings.Trim(old.ETag, `"`) {
		return refuse(409, "Conflict", "Newer instance of the indicator '%s' exists; etag does not match.", old.Name)
	}
	return nil
}

func (c *call) appendTags(o *Object) (wire.Reply, *apiError) {
	var in struct {
		Tags []string `json:"threatIntelligenceTags"`
	}
	if e := c.decode(&in); e != nil {
		return wire.Reply{}, e
	}
	p := *o.properties()
	p.ThreatIntelligenceTags = slices.Clone(p.ThreatIntelligenceTags)
	for _, t := range in.Tags {
		if !slices.Contains(p.ThreatIntelligenceTags, t) {
			p.ThreatIntelligenceTags = append(p.ThreatIntelligenceTags, t)
		}
	}
	if _, e := c.submit(o.Name, o, p); e != nil {
		return wire.Reply{}, e
	}
	return wire.Empty(200), nil
}

func (c *call) replaceTags(o *Object) (wire.Reply, *apiError) {
	s := &submission{}
	if e := c.decode(s); e != nil {
		return wire.Reply{}, e
	}
	if e := s.fresh(o); e != nil {
		return wire.Reply{}, e
	}
	p := *o.properties()
	p.ThreatIntelligenceTags = s.Properties.ThreatIntelligenceTags
	o, e := c.submit(o.Name, o, p)
	if e != nil {
		return wire.Reply{}, e
	}
	return wire.JSON(200, c.entity(o)), nil
}
