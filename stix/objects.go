package stix

// Object is any object of STIX that this package has a type for, or *Other.
type Object interface {
	// Head returns what every object has, to be read or set.
	Head() *Common
}

// Common is what every object has. Lists that are empty and texts that are "" are
// left out when written: STIX has no empty lists.
type Common struct {
	Type               string              `json:"type"`
	SpecVersion        string              `json:"spec_version,omitempty"`
	ID                 string              `json:"id"`
	CreatedByRef       string              `json:"created_by_ref,omitempty"`
	Created            Time                `json:"created,omitzero"`
	Modified           Time                `json:"modified,omitzero"`
	Revoked            bool                `json:"revoked,omitzero"`
	Labels             []string            `json:"labels,omitempty"`
	Confidence         *int                `json:"confidence,omitempty"` // 0–100
	Lang               string              `json:"lang,omitempty"`
	ExternalReferences []ExternalReference `json:"external_references,omitempty"`
	ObjectMarkingRefs  []string            `json:"object_marking_refs,omitempty"`
	Extensions         map[string]any      `json:"extensions,omitempty"`
}

// Head implements Object.
func (c *Common) Head() *Common { return c }

// ExternalReference points to something outside of STIX. SourceName is required,
// and one of the others.
type ExternalReference struct {
	SourceName  string `json:"source_name"`
	Description string `json:"description,omitempty"`
	URL         string `json:"url,omitempty"`
	ExternalID  string `json:"external_id,omitempty"`
}

// KillChainPhase is a phase in a kill chain.
type KillChainPhase struct {
	KillChainName string `json:"kill_chain_name"`
	PhaseName     string `json:"phase_name"`
}

// Indicator is an indicator of STIX: a pattern and for how long it is of use.
type Indicator struct {
	Common
	Name            string           `json:"name,omitempty"`
	Description     string           `json:"description,omitempty"`
	IndicatorTypes  []string         `json:"indicator_types,omitempty"` // not in 2.0
	Pattern         string           `json:"pattern"`
	PatternType     string           `json:"pattern_type,omitempty"` // not in 2.0
	PatternVersion  string           `json:"pattern_version,omitempty"`
	ValidFrom       Time             `json:"valid_from"`
	ValidUntil      Time             `json:"valid_until,omitzero"`
	KillChainPhases []KillChainPhase `json:"kill_chain_phases,omitempty"`
}

// Identity is a person, organisation or system.
type Identity struct {
	Common
	Name          string   `json:"name"`
	Description   string   `json:"description,omitempty"`
	Roles         []string `json:"roles,omitempty"`
	IdentityClass string   `json:"identity_class,omitempty"`
	Sectors       []string `json:"sectors,omitempty"`
}

// MarkingDefinition is a marking: one of TLP (see TLPMarking), or a statement.
type MarkingDefinition struct {
	Common
	Name           string         `json:"name,omitempty"`
	DefinitionType string         `json:"definition_type,omitempty"`
	Definition     map[string]any `json:"definition,omitempty"`
}

// Relationship links two objects.
type Relationship struct {
	Common
	RelationshipType string `json:"relationship_type"`
	Description      string `json:"description,omitempty"`
	SourceRef        string `json:"source_ref"`
	TargetRef        string `json:"target_ref"`
	StartTime        Time   `json:"start_time,omitzero"`
	StopTime         Time   `json:"stop_time,omitzero"`
}

// AttackPattern is a technique of attack.
type AttackPattern struct {
	Common
	Name            string           `json:"name"`
	Description     string           `json:"description,omitempty"`
	Aliases         []string         `json:"aliases,omitempty"`
	KillChainPhases []KillChainPhase `json:"kill_chain_phases,omitempty"`
}

// ThreatActor is who attacks.
type ThreatActor struct {
	Common
	Name             string   `json:"name"`
	Description      string   `json:"description,omitempty"`
	ThreatActorTypes []string `json:"threat_actor_types,omitempty"`
	Aliases          []string `json:"aliases,omitempty"`
}

// Malware is a malware instance or, with IsFamily, a family.
type Malware struct {
	Common
	Name            string           `json:"name,omitempty"`
	Description     string           `json:"description,omitempty"`
	MalwareTypes    []string         `json:"malware_types,omitempty"`
	IsFamily        bool             `json:"is_family"`
	Aliases         []string         `json:"aliases,omitempty"`
	KillChainPhases []KillChainPhase `json:"kill_chain_phases,omitempty"`
}

// ObservedData says what was seen and how often. 2.1 names the objects; 2.0 holds
// them, by keys that their references use.
type ObservedData struct {
	Common
	FirstObserved  Time                      `json:"first_observed"`
	LastObserved   Time                      `json:"last_observed"`
	NumberObserved int                       `json:"number_observed"`
	ObjectRefs     []string                  `json:"object_refs,omitempty"`
	Objects        map[string]map[string]any `json:"objects,omitempty"`
}

// Other is an object of a type that has none of its own here: all observables, and
// whatever else a document holds. Properties are all of it, the common ones too.
type Other struct {
	Common
	Properties map[string]any
}
