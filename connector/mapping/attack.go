package mapping

import (
	"regexp"
	"slices"
	"strings"

	"github.com/remeld/remeld/indicator"
)

var technique = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)

// categories are the phases of kill chains (Lockheed Martin's, ATT&CK's) that have an
// alert category of the portal's import file.
var categories = map[string]string{
	"reconnaissance": "Reconnaissance", "weaponization": "Weaponization", "delivery": "Delivery", "exploitation": "Exploit",
	"installation": "Installation", "command-and-control": "CommandAndControl", "actions-on-objectives": "Exfiltration",
	"initial-access": "InitialAccess", "execution": "Execution", "persistence": "Persistence", "privilege-escalation": "PrivilegeEscalation",
	"defense-evasion": "DefenseEvasion", "credential-access": "CredentialAccess", "discovery": "Discovery", "lateral-movement": "LateralMovement",
	"collection": "Collection", "exfiltration": "Exfiltration",
}

// techniques are the ATT&CK ids among phases and tags, sorted.
func techniques(a *indicator.Attributes) []string {
	var out []string
	for _, text := range slices.Concat(a.KillChain, a.Tags) {
		// "mitre-attack:T1566" and "T1566 - Phishing" are seen as well.
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" :\"=", r) }) {
			if word = strings.ToUpper(word); technique.MatchString(word) {
				out = append(out, word)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// phaseOf is a phase without the name of its chain, in one spelling.
func phaseOf(text string) string {
	if i := strings.LastIndexAny(text, ":/"); i >= 0 {
		text = text[i+1:]
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '_' {
			return '-'
		}
		return r
	}, strings.ToLower(strings.TrimSpace(text)))
}

// category is the alert category of the first phase that has one, "" if none has.
func category(a *indicator.Attributes) string {
	for _, phase := range a.KillChain {
		if c := categories[phaseOf(phase)]; c != "" {
			return c
		}
	}
	return ""
}
