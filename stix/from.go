package stix

import (
	"errors"
	"time"

	"github.com/remeld/remeld/indicator"
)

// Options say how FromRecord writes an indicator. The zero value is STIX 2.1 with
// the markings of TLP 1.0.
type Options struct {
	// SourceSystem and Generation are part of the identifier; see IndicatorID.
	SourceSystem string
	Generation   uint32
	// ID is used instead of a computed identifier where it is given.
	ID           string
	Version      Version
	TLP          TLPVersion
	Networks     Networks
	CreatedByRef string
	// Created and Modified are the times of the object. Zero ones are taken from
	// what is known: created from when the indicator was first seen, modified from
	// created.
	Created, Modified time.Time
	// Revoked writes the object as withdrawn.
	Revoked bool
}

// ErrNoTime is what FromRecord returns for a record of which no time is known.
var ErrNoTime = errors.New("a STIX indicator needs a time, and none is known: give Created")

// FromRecord writes an indicator as a STIX indicator of one comparison. What has no
// place in STIX (severity, port, protocol, counts of false positives, Extra) is left
// out: the specification forbids or does not know these properties.
//
// The times are made to fit: modified is not before created, and valid_until is
// after valid_from, which is moved back for an indicator that is over already.
func FromRecord(r indicator.Record, o Options) (*Indicator, error) {
	text, err := PatternOf(r.Indicator, o.Networks)
	if err != nil {
		return nil, err
	}
	s := &Indicator{
		Common: Common{
			Type: "indicator", SpecVersion: o.Version.String(), ID: o.ID, CreatedByRef: o.CreatedByRef, Revoked: o.Revoked,
			Labels: nonEmpty(r.Attrs.Tags), ExternalReferences: references(&r.Attrs, o.SourceSystem),
		},
		Name: r.Value, Description: r.Attrs.Description, Pattern: text, PatternType: "stix",
		KillChainPhases: phases(r.Attrs.KillChain), IndicatorTypes: []string{indicatorType(r.Attrs.ThreatType)},
	}
	if s.ID == "" {
		s.ID = IndicatorID(o.SourceSystem, r.Kind, r.Value, o.Generation)
	}
	if n, known := r.Attrs.Confidence.Get(); known {
		s.Confidence = &n
	}
	if id := MarkingID(r.Attrs.TLP, o.TLP); id != "" {
		s.ObjectMarkingRefs = []string{id}
	}
	if err := s.setTimes(&r.Attrs, o); err != nil {
		return nil, err
	}
	if o.Version == V20 {
		s.to20()
	}
	return s, nil
}

// setTimes fills the times in.
func (s *Indicator) setTimes(a *indicator.Attributes, o Options) error {
	first := a.FirstSeen
	if first.IsZero() {
		first = o.Created
	}
	s.Created, s.Modified = At(o.Created), At(o.Modified)
	if s.Created.IsZero() {
		s.Created = At(first)
	}
	if s.Created.IsZero() {
		s.Created = s.Modified
	}
	if s.Created.IsZero() {
		return ErrNoTime
	}
	if s.Modified.Before(s.Created.Time) {
		s.Modified = s.Created
	}
	s.ValidFrom = At(first)
	if s.ValidFrom.IsZero() {
		s.ValidFrom = s.Created
	}
	if !a.ValidUntil.IsZero() {
		s.ValidUntil = At(a.ValidUntil)
		if !s.ValidFrom.Before(s.ValidUntil.Time) {
			s.ValidFrom = At(s.ValidUntil.Add(-time.Millisecond))
		}
	}
	return nil
}

// to20 turns an indicator of 2.1 into one of 2.0, which has no types, pattern type
// and confidence, but labels that say what the types do.
func (s *Indicator) to20() {
	kind := s.IndicatorTypes[0]
	if kind == typeUnknown { // not in the vocabulary of 2.0
		kind = typeMalicious
	}
	s.Labels = append([]string{kind}, s.Labels...)
	s.SpecVersion, s.PatternType, s.IndicatorTypes, s.Confidence = "", "", nil, nil
}

// nonEmpty drops empty texts and turns an empty list into none.
func nonEmpty(list []string) []string {
	var out []string
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
