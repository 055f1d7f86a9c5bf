package tql

import (
	"strings"

	"github.com/remeld/remeld/indicator"
)

// unasked are fields of an indicator that no server can be asked for.
var unasked = []field{
	{"threatAssessRating", Number, "", "ThreatAssess rating", "threatAssess"},
	{"threatAssessConfidence", Number, "", "ThreatAssess confidence", "threatAssess"},
	{"threatAssessScoreObserved", Number, "", "part of the score from observations", "threatAssess"},
	{"threatAssessScoreFalsePositive", Number, "", "part of the score from false positives", "threatAssess"},
	{"falsePositiveReportedByUser", Bool, "", "this user reported a false positive today", "falsePositives"},
	{"privateFlag", Bool, "", "private", ""},
	{"md5", Text, "", "MD5 of the file", ""},
	{"sha1", Text, "", "SHA-1 of the file", ""},
	{"sha256", Text, "", "SHA-256 of the file", ""},
	{"webLink", Text, "", "link to the indicator", ""},
	{"legacyLink", Text, "", "link of older versions", ""},
}

// addOurs adds our own names for what an indicator also has.
func (s *Schema) addOurs() {
	for _, r := range unasked {
		p := r.param()
		p.Ours = true
		s.Add(p)
	}
	p, _ := each(field{"fileName", Text, "", "name under which the file was seen", ""}, collection("", nil, "fileOccurrences", ""))
	p.Ours = true
	s.Add(p)
	s.Add(Param{Name: "kind", Type: Enum, Ours: true, Names: kindNames(), Doc: "our kind: ip, domain, url, hash …", Enum: func(s any) (int, bool) {
		text, ok := object(s).Summary()
		typeName, _ := object(s).Text("type")
		k := tcKind(typeName, text)
		return int(k), ok && k != indicator.Unknown
	}})
	s.Add(Param{
		Name: "tlp", Type: Number, Ours: true, Field: "securityLabels", Literal: tlpLiteral, Literals: tlpNames(),
		Doc: "the strictest TLP label", Number: func(s any) (float64, bool) {
			highest := indicator.Unlabelled
			for _, label := range object(s).lists["securityLabels"] {
				name, _ := label.Text("name")
				if t, ok := indicator.ParseTLP(name); ok {
					highest = max(highest, t)
				}
			}
			return float64(highest), highest != indicator.Unlabelled
		},
	})
}

// tcKinds are our kinds of ThreatConnect's types that have one each.
var tcKinds = map[string]indicator.Kind{
	"asn": indicator.ASN, "emailaddress": indicator.Email, "email subject": indicator.EmailSubject, "host": indicator.Domain,
	"mutex": indicator.Mutex, "registry key": indicator.RegistryKey, "user agent": indicator.UserAgent, "url": indicator.URL,
}

// hashKinds are the kinds of a file by the length of its first hash.
var hashKinds = map[int]indicator.Kind{32: indicator.MD5, 40: indicator.SHA1, 64: indicator.SHA256}

// tcKind is our kind of an indicator of a ThreatConnect type.
func tcKind(typeName, text string) indicator.Kind {
	switch name := strings.ToLower(typeName); name {
	case "address", "cidr":
		if strings.Contains(text, ":") {
			return indicator.IPv6
		}
		return indicator.IPv4
	case "file":
		first, _, _ := strings.Cut(text, " ")
		return hashKinds[len(first)]
	default:
		return tcKinds[name]
	}
}
