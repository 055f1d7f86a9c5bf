package tql

import (
	"encoding/hex"
	"fmt"
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
