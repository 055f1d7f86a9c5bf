package stix

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/stix/pattern"
)

// Undeliverable is the error of a STIX indicator that is not a list of plain values:
// its pattern says more than an indicator of ours can. Such an indicator is for
// systems that match patterns.
type Undeliverable struct {
	// Reason is a stable code; Detail says what it was.
	Reason UndeliverableReason
	Detail string
}

func (e *Undeliverable) Error() string {
	return "not deliverable (" + string(e.Reason) + "): " + e.Detail
}

// UndeliverableReason is the code of why a pattern gives no indicators.
type UndeliverableReason string

// The reasons.
const (
	ReasonPatternType UndeliverableReason = "pattern_type" // not a STIX pattern: snort, yara…
	ReasonSyntax      UndeliverableReason = "bad_pattern"  // the pattern cannot be read
	ReasonCombination UndeliverableReason = "combination"  // AND, OR, FOLLOWEDBY of observations, AND of comparisons
	ReasonQualifier   UndeliverableReason = "qualifier"    // WITHIN, REPEATS, START … STOP
	ReasonOperator    UndeliverableReason = "operator"     // anything but equality
	ReasonTypes       UndeliverableReason = "mixed_types"  // an OR over objects of different types
	ReasonPath        UndeliverableReason = "object_path"  // a property that is no indicator of ours
	ReasonValue       UndeliverableReason = "bad_value"    // not a value of the kind
)

// pathKinds are the object paths that are read, in the printer's form, with names of
// hashes folded: those that are written and others in use. Hash means by length.
var pathKinds = func() map[string]indicator.Kind {
	m := map[string]indicator.Kind{
		"network-traffic:src_ref.value": indicator.Unknown, "network-traffic:dst_ref.value": indicator.Unknown,
		"domain-name:resolves_to_refs[*].value": indicator.IP,
		"email-message:from_ref.value":          indicator.Email, "email-message:sender_ref.value": indicator.Email,
		"win-registry-key:key": indicator.RegistryKey, "windows-registry-key:values[*].name": indicator.RegistryValue,
		"file:x_misp_fullpath": indicator.FilePath, "dns:value": indicator.Domain, "domain:value": indicator.Domain,
		"ipv4addr:value": indicator.IPv4, "ipv6addr:value": indicator.IPv6, "emailaddr:value": indicator.Email,
		"ip-addr:value": indicator.IP, "user-agent:value": indicator.UserAgent,
	}
	for kind, path := range keyPaths {
		m[foldPath(path)] = kind
	}
	for _, object := range []string{"file", "artifact", "process:binary_ref", "process:image_ref"} {
		sep := ":"
		if strings.Contains(object, ":") {
			sep = "."
		}
		for name, kind := range map[string]indicator.Kind{
			"md5": indicator.MD5, "sha1": indicator.SHA1, "sha256": indicator.SHA256, "sha512": indicator.SHA512, "ssdeep": indicator.SSDeep,
		} {
			m[object+sep+"hashes."+name] = kind
		}
	}
	return m
}()

// foldPath makes one spelling of the names of hashes: MD5, 'SHA-256', SHA256.
func foldPath(path string) string {
	before, name, ok := strings.Cut(path, ":hashes.")
	if !ok {
		if before, name, ok = strings.Cut(path, ".hashes."); ok {
			return before + ".hashes." + foldHash(name)
		}
		return path
	}
	return before + ":hashes." + foldHash(name)
}

func foldHash(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "'", "", "_", "").Replace(name))
}

// ValuesOf returns the indicators that a STIX pattern is a list of: a comparison for
// equality gives one, an OR of such over one type of object gives several. Any other
// pattern is an *Undeliverable.
func ValuesOf(text string) ([]indicator.Indicator, error) {
	p, err := pattern.Parse(text)
	if err != nil {
		if older, errOlder := pattern.ParseVersion(text, pattern.V20); errOlder == nil {
			p, err = older, nil
		}
	}
	if err != nil {
		return nil, &Undeliverable{ReasonSyntax, err.Error()}
	}
	switch root := p.Root(); root.Form() {
	case pattern.Qualified:
		return nil, &Undeliverable{ReasonQualifier, "a qualifier (" + root.Qualifier().Kind.String() + ") narrows what is observed"}
	case pattern.Test:
		return valuesOf(root.Arg())
	default:
		return nil, &Undeliverable{ReasonCombination, "observations joined by " + root.Joint().String()}
	}
}

// valuesOf reads the condition of a test.
func valuesOf(c pattern.Expr) ([]indicator.Indicator, error) {
	list := []pattern.Expr{c}
	if c.Form() == pattern.Joined {
		if c.Joint() != pattern.Or {
			return nil, &Undeliverable{ReasonCombination, "comparisons joined by " + c.Joint().String() + " must hold together"}
		}
		list = slices.Collect(c.Args())
	}
	var out []indicator.Indicator
	seen := map[indicator.Indicator]bool{}
	objectType := ""
	for _, arg := range list {
		if arg.Form() != pattern.Compared {
			return nil, &Undeliverable{ReasonCombination, "comparisons joined by AND must hold together"}
		}
		one := arg.Comparison()
		last := objectType
		if objectType = one.Path().Type(); last != "" && objectType != last {
			return nil, &Undeliverable{ReasonTypes, "an OR over " + last + " and " + objectType}
		}
		found, err := compared(one)
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			if !seen[i] {
				seen[i] = true
				out = append(out, i)
			}
		}
	}
	return out, nil
}

// compared reads the values of one comparison.
func compared(c pattern.Comparison) ([]indicator.Indicator, error) {
	path, op := c.Path().String(), c.Op()
	kind, known := pathKinds[foldPath(path)]
	network := kind.In(indicator.IP) || kind == indicator.Unknown
	switch {
	case c.Not():
		return nil, &Undeliverable{ReasonOperator, "NOT " + op.String()}
	case op != pattern.Equal && op != pattern.In && (op != pattern.IsSubset || !network):
		return nil, &Undeliverable{ReasonOperator, op.String() + " is no list of values"}
	case !known:
		return nil, &Undeliverable{ReasonPath, path + " is no indicator that can be delivered"}
	case c.Len() == 0:
		return nil, &Undeliverable{ReasonOperator, "an empty set holds nothing"}
	}
	out := make([]indicator.Indicator, 0, c.Len())
	for v := range c.Values() {
		if v.Kind != pattern.String && (v.Kind != pattern.Int || kind != indicator.ASN) {
			return nil, &Undeliverable{ReasonValue, fmt.Sprintf("a %s where a text is expected", v.Kind)}
		}
		i, err := indicator.Parse(kind, v.Text)
		if err != nil {
			return nil, &Undeliverable{ReasonValue, fmt.Sprintf("%q: %v", v.Text, err)}
		}
		out = append(out, i)
	}
	return out, nil
}

// ToRecords returns our indicators of a STIX indicator, each with all it says. The
// label is that of its markings; defined are the markings of the document, and may
// be nil. An indicator that gives none is an *Undeliverable.
func ToRecords(s *Indicator, defined map[string]*MarkingDefinition) ([]indicator.Record, error) {
	if s.PatternType != "" && s.PatternType != "stix" {
		return nil, &Undeliverable{ReasonPatternType, "a pattern of " + s.PatternType}
	}
	values, err := ValuesOf(s.Pattern)
	if err != nil {
		return nil, err
	}
	attrs := s.attributes(defined)
	out := make([]indicator.Record, len(values))
	for n, i := range values {
		out[n] = indicator.Record{Indicator: i, Attrs: attrs.Clone()}
	}
	return out, nil
}

func (s *Indicator) attributes(defined map[string]*MarkingDefinition) indicator.Attributes {
	a := indicator.Attributes{
		Description: s.Description, TLP: LabelOf(s.ObjectMarkingRefs, defined), KillChain: phaseTexts(s.KillChainPhases),
		FirstSeen: At(s.ValidFrom.Time).Time, ValidUntil: At(s.ValidUntil.Time).Time,
	}
	if s.Confidence != nil {
		a.Confidence = indicator.Known(max(0, min(*s.Confidence, 100)))
	}
	types := s.IndicatorTypes
	for _, label := range s.Labels {
		if s.IndicatorTypes == nil && labels20[label] {
			types = append(types, label) // 2.0 says the type in its labels
			continue
		}
		a.Tags = append(a.Tags, label)
	}
	for _, t := range types {
		if t != typeUnknown && a.ThreatType == "" {
			a.ThreatType = t
		}
	}
	for _, r := range s.ExternalReferences {
		switch {
		case r.URL != "":
			a.References = append(a.References, r.URL)
		case numbered(r.ExternalID) != nil:
			a.References = append(a.References, r.ExternalID)
		case r.ExternalID != "" && a.ExternalID == "":
			a.ExternalID, a.Owner = r.ExternalID, r.SourceName
		case r.Description != "":
			a.References = append(a.References, r.Description)
		}
	}
	return a
}

// labels20 is the vocabulary of labels in 2.0.
var labels20 = map[string]bool{
	typeAnomalous: true, typeAnonymous: true, typeBenign: true, typeCompromised: true, typeMalicious: true, typeAttribution: true,
	"compromised-host": true,
}
