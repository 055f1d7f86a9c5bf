package mapping

import (
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/sentinel"
	"github.com/remeld/remeld/stix"
)

// SentinelKinds are the kinds whose pattern Sentinel reads into ObservableKey and
// ObservableValue. Others it stores, but no rule ever matches them.
var SentinelKinds = map[indicator.Kind]bool{
	indicator.IPv4: true, indicator.IPv6: true, indicator.Domain: true, indicator.URL: true, indicator.Email: true,
	indicator.MD5: true, indicator.SHA1: true, indicator.SHA256: true, indicator.Certificate: true,
}

// MarkSource is the source_name of the external reference that carries our mark.
const MarkSource = "remeld"

// express writes the indicator as STIX, once for all rows. The times are filled in
// when a call is written; a STIX indicator cannot be without, so that any will do.
func express(in *In) *stix.Indicator {
	if in.stix != nil {
		return in.stix
	}
	rec := *in.Rec
	rec.Attrs.ValidUntil = time.Time{}
	if rec.Attrs.ThreatType == "" {
		rec.Attrs.ThreatType = in.Say.ThreatType
	}
	if rec.Attrs.TLP == indicator.Unlabelled {
		rec.Attrs.TLP = in.Say.TLP
	}
	s, err := stix.FromRecord(rec, stix.Options{Created: time.Unix(0, 0)})
	if err != nil { // the class maps only what has a pattern
		s = &stix.Indicator{}
	}
	in.stix = s
	return s
}

// Sentinel is the mapping of class sentinel.
var Sentinel = Table[stix.Indicator]{
	Class: "sentinel", Object: "STIX 2.1 indicator of the upload API",
	Rows: []Row[stix.Indicator]{
		{Property: "type", How: "always indicator", Set: func(_ *In, out *stix.Indicator) { out.Type = "indicator" }},
		{Property: "spec_version", How: "always 2.1", Set: func(_ *In, out *stix.Indicator) { out.SpecVersion = stix.V21.String() }},
		{Property: "id", From: "source_system, kind, value, generation", How: "a UUIDv5: the same each time; the generation grows when a withdrawn value returns"},
		{Property: "created", From: "first sent", How: "kept for the life of the object"},
		{Property: "modified", From: "sent", How: "later than any before, by a millisecond at least"},
		{
			Property: "name", From: "value, config: name", How: "the template filled in; the value where that leaves nothing",
			Set: func(in *In, out *stix.Indicator) { out.Name = named(in.Say.Title, in, sentinel.MaxText) },
		},
		{
			Property: "description", From: "description, sources, tlp, threat_type, kill_chain, tags",
			How: "in one line of up to 1,000 characters, behind which Sentinel's tables cut; or the config's template",
			Set: func(in *In, out *stix.Indicator) { out.Description = describe(in, sentinel.MaxText) },
		},
		{
			Property: "pattern", From: "kind, value",
			How: "one comparison: ipv4-addr:value, ipv6-addr:value, domain-name:value, url:value, email-addr:value, file:hashes.MD5, file:hashes.'SHA-1', file:hashes.'SHA-256', x509-certificate:hashes.'SHA-1'; a range becomes its CIDRs, an object each",
			Set: func(in *In, out *stix.Indicator) { out.Pattern = express(in).Pattern },
		},
		{Property: "pattern_type", How: "always stix", Set: func(_ *In, out *stix.Indicator) { out.PatternType = "stix" }},
		{Property: "valid_from", From: "first sent", How: "as created"},
		{Property: "valid_until", From: fromExpiry, How: "the earlier of both: never absent, for Sentinel has no delete"},
		{Property: "revoked", From: "", How: "true when it is withdrawn, for good; valid_until is then over as well"},
		{
			Property: "indicator_types", From: "threat_type, config: threat_type", How: "STIX's word for it; unknown where nothing is said",
			Set: func(in *In, out *stix.Indicator) { out.IndicatorTypes = express(in).IndicatorTypes },
		},
		{
			Property: "confidence", From: "confidence", How: "0–100; unknown is left out",
			Set: func(in *In, out *stix.Indicator) { out.Confidence = express(in).Confidence },
		},
		{
			Property: "labels", From: "tags", How: "each a tag in Sentinel",
			Set: func(in *In, out *stix.Indicator) { out.Labels = express(in).Labels },
		},
		{
			Property: "kill_chain_phases", From: "kill_chain", How: "phases of the Lockheed Martin chain or of ATT&CK by their names",
			Set: func(in *In, out *stix.Indicator) { out.KillChainPhases = express(in).KillChainPhases },
		},
		{
			Property: "object_marking_refs", From: "tlp, config: default_tlp", How: "the marking of TLP 1.0, the only ones Sentinel shows: clear → white, amber+strict → amber",
			Set: func(in *In, out *stix.Indicator) { out.ObjectMarkingRefs = express(in).ObjectMarkingRefs },
		},
		{
			Property: "external_references", From: "references, external_id, owner; " + fromMark,
			How: "each by its own source; the mark and the generation are the one of source " + MarkSource,
			Set: func(in *In, out *stix.Indicator) { out.ExternalReferences = express(in).ExternalReferences },
		},
		{From: "severity, port, protocol, false_positives, last_seen", How: "not sent: STIX has no property for them"},
	},
}
