package tql

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/remeld/remeld/indicator"
)

// plainIndicator are the parameters that are one field of an indicator.
var plainIndicator = []field{
	{"id", Number, "", "number of the indicator in its owner", ""},
	{"commonId", Number, "", "number that the same indicator shares in all owners", ""},
	{"type", Number, "typeId", "number of the type", ""},
	{"owner", Number, "ownerId", "number of the owner", ""},
	{"ownerName", Text, "ownerName", "name of the owner", ""},
	{"rating", Number, "", "threat rating 0–5, with decimals", ""},
	{"confidence", Number, "", "confidence 0–100", ""},
	{"source", Text, "", "default source", ""},
	{"dateAdded", Date, "", "when it was added", ""},
	{"lastModified", Date, "", "when it was last modified", ""},
	{"firstSeen", Date, "", "first seen", "sightings"},
	{"lastSeen", Date, "", "last seen", "sightings"},
	{"externalDateAdded", Date, "", "added, as an external system has it", "externalDates"},
	{"externalDateExpires", Date, "", "expires, as an external system has it", "externalDates"},
	{"externalLastModified", Date, "", "modified, as an external system has it", "externalDates"},
	{"activeLocked", Bool, "", "the status is locked", ""},
	{"hostDnsActive", Bool, "dnsActive", "DNS is looked up for the host", ""},
	{"hostWhoisActive", Bool, "whoisActive", "WHOIS is looked up for the host", ""},
	{"fileSize", Number, "size", "bytes of the file", ""},
	{"threatAssessScore", Number, "", "ThreatAssess score 0–1000", "threatAssess"},
	{"threatAssessLastUpdated", Date, "", "when the score was computed", "threatAssess"},
	{"calScore", Number, "", "CAL score", "threatAssess"},
	{"falsePositiveCount", Number, "falsePositives", "times reported as a false positive", "falsePositives"},
	{"lastFalsePositive", Date, "", "last reported as a false positive", "falsePositives"},
	{"observationCount", Number, "observations", "times observed", "observations"},
	{"lastObserved", Date, "", "last observed", "observations"},
	{"addressCity", Text, "geoLocation.city addressCity", "city", "geoLocation"},
	{"addressCountryCode", Text, "geoLocation.countryCode addressCountryCode", "country code", "geoLocation"},
	{"addressCountryName", Text, "geoLocation.countryName geoLocation.country addressCountryName", "country", "geoLocation"},
	{"addressRegisteringOrg", Text, "geoLocation.registeringOrg addressRegisteringOrg", "who registered the address", "geoLocation"},
	{"addressState", Text, "geoLocation.state addressState", "state", "geoLocation"},
	{"addressTimezone", Text, "geoLocation.timezone geoLocation.timeZone addressTimezone", "time zone", "geoLocation"},
}

// ourNames are our names of what is the same thing here.
var ourNames = map[string][]string{
	"rating": {"severity"}, "source": {"sources"}, "falsePositiveCount": {"false_positives"}, "externalDateExpires": {"valid_until"},
}

// enriched are the parameters that a service's enrichment answers.
var enriched = []struct {
	service string
	field
}{
	{"AbuseIPDB", field{"abuseIpdbConfidenceScore", Number, "confidenceScore", "AbuseIPDB's confidence", "enrichment"}},
	{"DomainTools", field{"dtLastUpdated", Date, "lastUpdated dtLastUpdated", "DomainTools' last look", "enrichment"}},
	{"DomainTools", field{"dtMalwareScore", Number, "malwareRiskScore", "DomainTools' malware score", "enrichment"}},
	{"DomainTools", field{"dtOverallScore", Number, "overallRiskScore", "DomainTools' overall score", "enrichment"}},
	{"DomainTools", field{"dtPhishingScore", Number, "phishingRiskScore", "DomainTools' phishing score", "enrichment"}},
	{"DomainTools", field{"dtSpamScore", Number, "spamRiskScore", "DomainTools' spam score", "enrichment"}},
	{"DomainTools", field{"dtStatus", Bool, "active", "DomainTools: the domain is active", "enrichment"}},
	{"RiskIQ", field{"riskIqClassification", Text, "classification riskIqClassification", "RiskIQ's classification", "enrichment"}},
	{"RiskIQ", field{"riskIqReputationScore", Number, "reputationScore riskIqReputationScore", "RiskIQ's reputation score", "enrichment"}},
	{"VirusTotal", field{"vtLastUpdated", Date, "lastUpdated vtLastUpdated", "VirusTotal's last look", "enrichment"}},
	{"VirusTotal", field{"vtMaliciousCount", Number, "vtMaliciousCount", "VirusTotal's detections", "enrichment"}},
}

func (t *v3Tables) addIndicators() {
	s := t.indicators
	for _, r := range plainIndicator {
		s.Add(r.param(), ourNames[r.name]...)
	}
	s.addEnriched()
	s.addIndicatorText()
	s.addIndicatorAddress()
	s.Add(Param{Name: "indicatorActive", Type: Bool, Doc: "active; true is implied unless the query names it", Bool: func(s any) (value, known bool) {
		return object(s).boolean([]string{"active"})
	}})
	s.implied = s.params["indicatoractive"]
	t.addIndicatorLists()
	s.addOurs()
}

// addEnriched adds what a service answers; an object may also have it under the
// parameter's own name.
func (s *Schema) addEnriched() {
	for _, r := range enriched {
		p := Param{Name: r.name, Type: r.typ, Doc: r.doc, Field: r.from}
		p.read(func(s any) *Object {
			if _, ok := object(s).fields[r.name]; ok {
				return object(s)
			}
			return object(s).enrichment(r.service)
		}, append(strings.Fields(r.keys), r.name))
		s.Add(p)
	}
}

func (s *Schema) addIndicatorText() {
	s.Add(Param{
		Name: "summary", Type: Text, Doc: "the indicator's text; of a file all hashes, joined by \" : \"", Canonical: wholeSummary,
		Text: func(s any) (string, bool) { return object(s).Summary() },
	}, "value")
	s.Add(Param{Name: "description", Type: Text, Exact: true, Doc: "default description; case counts", Text: func(s any) (string, bool) {
		return object(s).Text("description")
	}})
	p := field{"typeName", Text, "type", "name of the type, as Address, Host, File", ""}.param()
	p.Canonical = knownNames("typeName", "indicator", tcNames, groupTypes, "a type of groups")
	s.Add(p)
	parts := map[string][3]string{
		"ASN": {"AS Number"}, "CIDR": {"Block"}, "Email Subject": {"Subject"}, "Hashtag": {"Hashtag"}, "Mutex": {"Mutex"},
		"User Agent": {"User Agent String"}, "Registry Key": {"Key Name", "Value Name", "Value Type"},
	}
	for i, name := range []string{"value1", "value2", "value3"} {
		s.Add(Param{Name: name, Type: Text, Doc: "part " + strconv.Itoa(i+1) + " of an indicator of a custom type", Text: func(s any) (string, bool) {
			o := object(s)
			typeName, _ := o.Text("type")
			return o.Text(name, parts[typeName][i])
		}})
	}
}

// wholeSummary warns of a hash that is compared with the text of a whole file.
func wholeSummary(text string) (string, string) {
	if _, err := hex.DecodeString(text); err == nil && hashKinds[len(text)] != indicator.Unknown {
		return text, fmt.Sprintf("the summary of a file with several hashes is all of them: summary CONTAINS %q finds such files too", text)
	}
	return text, ""
}

// addressOf is the address of an indicator of type Address.
func addressOf(s any) (netip.Addr, bool) {
	o := object(s)
	if typeName, known := o.Text("type"); known && !strings.EqualFold(typeName, "Address") {
		return netip.Addr{}, false
	}
	text, ok := o.Text("ip", "summary")
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap(), err == nil && a.Zone() == ""
}

func (s *Schema) addIndicatorAddress() {
	s.Add(Param{Name: "addressCidr", Type: Net, Doc: "the address lies inside the network", Net: func(s any) (from, to netip.Addr, ok bool) {
		a, ok := addressOf(s)
		return a, a, ok
	}})
	s.Add(Param{Name: "addressIpVal", Type: Number, Doc: "the IPv4 address as a number", Number: func(s any) (float64, bool) {
		a, ok := addressOf(s)
		if !ok || !a.Is4() {
			return 0, false
		}
		b := a.As4()
		return float64(binary.BigEndian.Uint32(b[:])), true
	}})
	s.Add(Param{Name: "addressIsIpv6", Type: Bool, Doc: "the address is IPv6", Bool: func(s any) (value, known bool) {
		a, ok := addressOf(s)
		return a.Is6(), ok
	}})
	s.Add(Param{Name: "addressAsn", Type: Number, Doc: "number of the autonomous system", Field: "geoLocation", Number: func(s any) (float64, bool) {
		text, _ := object(s).Text("geoLocation.asn", "whoIs.asn", "addressAsn")
		return parseNumber(strings.TrimPrefix(strings.ToUpper(text), "AS"))
	}})
}

// addOurs adds our own names for what an indicator also has.
func (s *Schema) addOurs() {
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

// addIndicatorLists adds the nested tables, and the parameters that look into them
// without one.
func (t *v3Tables) addIndicatorLists() {
	s := t.indicators
	groups := collection("hasGroup", t.groups, "associatedGroups", "groups it is associated with")
	tags := collection("hasTag", t.tags, "tags", "its tags")
	all := tags
	all.Name, all.Every, all.Doc = "hasAllTags", true, "its tags: each value of one list must be there"
	labels := collection("hasSecurityLabel", t.labels, "securityLabels", "its security labels")
	for _, sub := range []Sub{
		tags, all, labels, groups,
		collection("hasIndicator", s, "associatedIndicators", "indicators it is associated with"),
		collection("hasCustomAssociation", s, "customAssociations", "indicators of a custom association"),
		collection("hasAttribute", t.attributes, "attributes", "its attributes"),
		collection("hasArtifact", t.artefacts, "associatedArtifacts", "artefacts it is associated with"),
		collection("hasCase", t.cases, "associatedCases", "cases it is associated with"),
		reported("hasIntelRequirement", t.requirements, "associatedIntelRequirements", "intelligence requirements"),
		reported("hasVictim", t.victims, "associatedVictims", "victims"),
		reported("hasVictimAsset", t.assets, "associatedVictimAssets", "assets of victims"),
	} {
		s.AddSub(sub)
	}
	s.addTagParams(tags)
	s.addEach(field{"securityLabel", Text, "name", "name of a security label", ""}, labels)
	s.addEach(field{"associatedGroup", Number, "id", "number of a group it is associated with", ""}, groups)
	s.addEach(field{"associatedGroupSource", Text, "associationSource", "how the association was made: UNKNOWN, MANUAL, API, TQL, DNS, EMAIL", ""}, groups)
	s.addEach(field{"associatedIndicatorSource", Text, "associationSource", "how the association was made: UNKNOWN, MANUAL, API, TQL, DNS, EMAIL", ""},
		collection("", s, "associatedIndicators", ""))
	s.Family = attributeParam
}

// addTagParams adds what asks for tags without a nested table.
func (s *Schema) addTagParams(tags Sub) {
	s.addEach(field{"tag", Text, "name", "name of a tag", ""}, tags, "tags")
	s.addEach(field{"tagOwner", Number, "ownerId", "number of a tag's owner", ""}, tags)
	s.addEach(field{"tagOwnerName", Text, "ownerName owner", "name of a tag's owner", ""}, tags)
	attack := filtered("tags", func(o *Object) bool { _, ok := o.Text("techniqueId"); return ok })
	attack.Field = "tags"
	s.addEach(field{"attackTag", Text, "name", "name of an ATT&CK tag", ""}, *attack)
}

// attributeParam is attributeNAME: the values of the attributes of one type, with
// what is no letter or digit left out of the name. attributeNUMBER names a type by
// its number, which objects do not carry: such an attribute is not known.
func attributeParam(name string) *Param {
	const prefix = "attribute"
	if len(name) <= len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
		return nil
	}
	wanted := letters(name[len(prefix):])
	if wanted == "" {
		return nil
	}
	_, err := strconv.Atoi(wanted)
	byNumber := err == nil
	of := filtered("attributes", func(o *Object) bool {
		typeName, _ := o.Text("type")
		number, known := o.Text("typeId")
		return letters(typeName) == wanted || known && number == wanted
	})
	of.Field = "attributes"
	if byNumber {
		of.Known = func(s any) bool { return of.Len(s) > 0 }
	}
	return &Param{Name: name, Type: Any, Each: of, Field: "attributes", Any: func(s any) any {
		if v, ok := object(s).Text("value", "text"); ok {
			return v
		}
		return nil
	}}
}

// letters is a name's letters and digits in lower case.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r < 0x80 && !isLetter(byte(r)) && !isDigit(byte(r)) {
			return -1
		}
		return r
	}, strings.ToLower(s))
}
