package stix

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/remeld/remeld/indicator"
)

// The words of the vocabulary of indicator types in 2.1.
const (
	typeAnomalous   = "anomalous-activity"
	typeAnonymous   = "anonymization"
	typeBenign      = "benign"
	typeCompromised = "compromised"
	typeMalicious   = "malicious-activity"
	typeAttribution = "attribution"
	typeUnknown     = "unknown"
)

// typeWords are words in a threat type and the indicator type they speak of, the
// first that is found. Anything else that is said is malicious activity.
var typeWords = []struct{ word, kind string }{
	{"benign", typeBenign}, {"compromised", typeCompromised}, {"attribution", typeAttribution}, {"unknown", typeUnknown},
	{"anonym", typeAnonymous}, {"proxy", typeAnonymous}, {"vpn", typeAnonymous}, {"tor exit", typeAnonymous}, {"darknet", typeAnonymous},
	{"anomal", typeAnomalous}, {"suspicious", typeAnomalous}, {"watchlist", typeAnomalous}, {"pua", typeAnomalous}, {"scan", typeAnomalous},
}

// indicatorType is the word for a threat type, which is free text: MISP's, Graph's
// and ThreatConnect's are all different.
func indicatorType(threatType string) string {
	text := strings.ToLower(strings.TrimSpace(threatType))
	if text == "" {
		return typeUnknown
	}
	for _, w := range typeWords {
		if strings.Contains(text, w.word) {
			return w.kind
		}
	}
	return typeMalicious
}

// The kill chains whose phases are known by name.
const (
	lockheed = "lockheed-martin-cyber-kill-chain"
	attack   = "mitre-attack"
)

var chains = []struct {
	name   string
	phases []string
}{
	{lockheed, []string{
		"reconnaissance", "weaponization", "delivery", "exploitation", "installation", "command-and-control", "actions-on-objectives",
	}},
	{attack, []string{
		"resource-development", "initial-access", "execution", "persistence", "privilege-escalation", "defense-evasion",
		"credential-access", "discovery", "lateral-movement", "collection", "exfiltration", "impact",
	}},
}

// phaseNames are other names of phases: Microsoft Graph's.
var phaseNames = map[string]string{"c2": "command-and-control", "actions": "actions-on-objectives"}

// otherChain stands for a kill chain that is not said.
const otherChain = "unspecified"

// phases writes kill chain phases. Ours are a phase alone or chain:phase.
func phases(list []string) []KillChainPhase {
	var out []KillChainPhase
	for _, text := range nonEmpty(list) {
		chain, phase, said := strings.Cut(text, ":")
		if !said || chain == "" || phase == "" {
			phase = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), " ", "-")
			if name, ok := phaseNames[phase]; ok {
				phase = name
			}
			chain = chainOf(phase)
		}
		if p := (KillChainPhase{chain, phase}); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

func chainOf(phase string) string {
	for _, c := range chains {
		if slices.Contains(c.phases, phase) {
			return c.name
		}
	}
	return otherChain
}

// phaseTexts is the way back: a phase alone where that says which chain it is of.
func phaseTexts(list []KillChainPhase) []string {
	var out []string
	for _, p := range list {
		text := p.KillChainName + ":" + p.PhaseName
		if chainOf(p.PhaseName) == p.KillChainName {
			text = p.PhaseName
		}
		out = append(out, text)
	}
	return out
}

var (
	cveID   = regexp.MustCompile(`^CVE-\d{4}-(0\d{3}|[1-9]\d{3,})$`)
	capecID = regexp.MustCompile(`^CAPEC-\d+$`)
	mitreID = regexp.MustCompile(`^(T\d{4}(\.\d{3})?|[GSMC]\d{4}|TA\d{4})$`)
)

// referenceSource names the source of a reference of which nothing else is known.
const referenceSource = "reference"

// references writes the external references: a CVE, CAPEC or ATT&CK number by its
// own name, an address as one, and the identifier that the owner gave.
func references(a *indicator.Attributes, sourceSystem string) []ExternalReference {
	var out []ExternalReference
	for _, text := range nonEmpty(a.References) {
		out = append(out, reference(text))
	}
	if a.ExternalID == "" {
		return out
	}
	own := numbered(a.ExternalID)
	if own == nil {
		own = &ExternalReference{SourceName: sourceOf(a.Owner, sourceSystem), ExternalID: a.ExternalID}
	}
	return append(out, *own)
}

// sourceOf is the first name that is given and is not one with rules of its own.
func sourceOf(names ...string) string {
	for _, name := range names {
		if name != "" && name != "cve" && name != "capec" {
			return name
		}
	}
	return referenceSource
}

func numbered(text string) *ExternalReference {
	switch {
	case cveID.MatchString(text):
		return &ExternalReference{SourceName: "cve", ExternalID: text}
	case capecID.MatchString(text):
		return &ExternalReference{SourceName: "capec", ExternalID: text}
	case mitreID.MatchString(text):
		return &ExternalReference{SourceName: attack, ExternalID: text}
	}
	return nil
}

func reference(text string) ExternalReference {
	if r := numbered(text); r != nil {
		return *r
	}
	if u, err := url.Parse(text); err == nil && u.Scheme != "" && u.Host != "" && u.String() == text {
		return ExternalReference{SourceName: sourceOf(u.Hostname()), URL: text}
	}
	return ExternalReference{SourceName: referenceSource, Description: text}
}
