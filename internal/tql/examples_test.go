package tql

import (
	"errors"
	"strings"
	"testing"
)

// examples are the conformance queries of the reference, by its numbers. wrong is
// empty where a query means something over our records, else what its error must
// name: a query may not be read as something it does not say.
var examples = []struct {
	id, query, wrong string
}{
	{"1", `typeName in ("Address", "Host")`, ""},
	{"2", `abuseIpdbConfidenceScore>=50`, "abuseIpdbConfidenceScore"},
	{"3", `threatAssessLastUpdated>"TODAY()" and threatAssessScore>=500`, "threatAssessLastUpdated"},
	{"4", `typeName in ("Adversary") and tag in ("hacker")`, `"Adversary"`},
	{"5", `caseOpenTime GEQ "2023-02-01" and caseOpenTime LEQ "2023-02-28"`, "caseOpenTime"},
	{"6", `dateAdded GEQ "2023-01-01" and dateAdded LEQ "2023-01-08"`, ""},
	{"7", `techniqueId startswith "T1001"`, "techniqueId"},
	{"8", `techniqueId is not null and associatedGroup EQ 11`, "techniqueId"},
	{"9", `techniqueId is null`, "techniqueId"},
	{"10", `associatedIndicatorSource="API"`, "associatedIndicatorSource"},
	{"11", `rating >= 4`, ""},
	{"12", `rating GEQ 4`, ""},
	{"13", `hasGroup(id in (10,15)) AND associable=true`, "hasGroup"},
	{"14", `completedTime > "NOW() - 1 HOUR"`, "completedTime"},
	{"15", `jobId = 12345`, "jobId"},
	{"16", `playbookXid = "GiTVUWaN"`, "playbookXid"},
	{"17", `name = "Send IR Results to SIEM"`, `"name"`},
	{"18", `normalized EQ true`, "normalized"},
	{"19", `hasCommonGroup(typeName in ("Adversary", "Intrusion Set", "Threat"))`, "hasCommonGroup"},
	{"20", `typeName in ("Vulnerability") and hasCommonGroup (cvss_score_v2>7.0 OR cvss_score_v3>7.0 OR cvss_score_v3_1>7.0 OR cvss_score_v4>7.0)`, `"Vulnerability"`},
	{"21", `hasThreatActorProfile(mitre_id="G0112")`, "hasThreatActorProfile"},
	{"22", `associatedType EQ "Case"`, "associatedType"},
	{"23", `intelReqId=1`, "intelReqId"},
	{"24", `id = 12345`, `"id"`},
	{"25", `typeName in ("Address", "EmailAddress", "File", "Host", "URL", "ASN", "CIDR", "Mutex", "Registry Key", "User Agent") and (rating = 3 and summary NE 'bad.com') or (confidence < 20 and addressCIDR not in '192.168.1.1/8')`, ""},
	{"26", `typeName = "Adversary"`, `"Adversary"`},
	{"27", `typeName != "Adversary"`, `"Adversary"`},
	{"28", `dateAdded > "2023-12-31"`, ""},
	{"29", `dateAdded <= "2023-12-31"`, ""},
	{"30", `typeName IN ("Host", "URL")`, ""},
	{"31", `typeName LIKE ("Email%")`, ""},
	{"32", `summary CONTAINS "bad"`, ""},
	{"33", `summary STARTSWITH "CVE-"`, ""},
	{"34", `summary ENDSWITH ".com"`, ""},
	{"35", `typeName in ("Host", "Address", "EmailAddress", "File", "URL") and (summary like "%example%" or tag like "%example%") and (ownerName EQ "TCI")`, ""},
	{"36", `id!=7 AND hasGroup(typename="all" AND isGroup = false AND hasIndicator(id=7))`, `"id"`},
	{"37", `tag = "test_indicator_get_many"`, ""},
	{"38", `summary IN ("1.1.1.1","1.1.1.2","1.1.1.3")`, ""},
	{"39", `id IN (4,5,6)`, `"id"`},
	{"40", `ownerName IN ("Org A","Org B") and typeName IN ("Address","File") and hasTag(name IN ("a","b")) and rating >= 3 and confidence >= 50 and threatAssessScore >= 500 and falsePositiveCount <= 2 and lastModified > "2026-10-23 04:50:44"`, "threatAssessScore"},
	{"40 without CAL", `ownerName IN ("Org A","Org B") and typeName IN ("Address","File") and hasTag(name IN ("a","b")) and rating >= 3 and confidence >= 50 and falsePositiveCount <= 2 and lastModified > "2026-10-23 04:50:44"`, ""},
	{"41", `hasAttribute(typeName = "Phase of Intrusion" and text = "C2")`, "hasAttribute"},
	{"42", `indicatorActive = True`, ""},
	{"43", `Invalid TQL`, "operator"},
	{"44", `typeName EQ "Address" AND (ownerName="A" OR ownerName="B") AND (summary="1.1.1.1" OR summary="1.1.1.2") AND (rating > 3) AND (confidence > "50")`, ""},
	{"45", `indicatorActive EQ True AND confidence GT 50 AND threatAssessScore GT 300 AND typeName IN ("URL","File")`, "threatAssessScore"},
	{"46", `tag LIKE "%x%"`, ""},
	{"47", `securityLabel like "%TLP:AMBER%"`, ""},
	{"48", `status EQ "Open"`, "status"},
	{"49", `(ownerName="A" OR ownerName="B" ) AND (tag="x" OR tag="y" ) AND (dateAdded > "2024-01-01T00:00:00Z") AND indicatorActive EQ True AND confidence GT 50 AND threatAssessScore GT 300 AND typeName IN ("URL","File")`, "threatAssessScore"},
	{"50", `typeName in ("Address") and dateAdded >= "NOW() - 1 DAY" and NOT hasTag(summary in ("SOAR Indicator PB")) and ownerName in ("HTOC Org")`, ""},
	{"51", `typeName in ("Address") and rating >= 1 and (confidence = 0 or confidence is null)`, ""},
	{"52", `typeName = "Report" and dateAdded > "NOW() - 24 hours" and hasGroup(typeName = "Intrusion Set")`, `"Report"`},
	{"53", `typeName="Attack Pattern" and hasGroup(id in (123))`, `"Attack Pattern"`},
	{"54", `typeName in ("Attack Pattern", "Adversary", "Malware", "Vulnerability") AND ownerName="Feedly" AND attribute1130 in ("x")`, `"Attack Pattern"`},
	{"55", `attributeTargeting_Status like "Available"`, "attributeTargeting_Status"},
	{"56", `tag like "Observed"`, ""},
	{"57", `tag like "Customer1%"`, ""},
	{"58", `lastObserved >= "2026-01-01T00:00:00Z"`, "lastObserved"},
	{"59", `typeName EQ "Email Address"`, ""},
	{"60", `(rating > 2) AND lastModified GEQ "2024-01-01 00:00:00" AND lastModified LT "2024-01-02 00:00:00"`, ""},
	{"61", `NOT (typeName = "File" OR typeName = "URL")`, ""},
	{"62", `NOT NOT active = true`, `"active"`},
	{"63", `summary = "a\"b"`, ""},
	{"64", `summary = 'it\'s'`, ""},
	{"65", `summary = "C:\\x"`, ""},
	{"66", `rating > 2.5`, ""},
	{"67", `rating is null`, ""},
	{"68", `hasTag(name = "a") and hasTag(name = "b")`, ""},
	{"69", `hasAllTags(name in ("a","b"))`, ""},
	{"70", `hasTag(name = "a" and name = "b")`, ""},
	{"71", `typeName not in ("File") or rating = 5 and confidence = 100`, ""},
	{"72", `(rating = 5)`, ""},
	{"73a", `rating = `, "value is missing"},
	{"73b", `rating 5`, "operator is missing"},
	{"73c", `("a")`, "parameter name"},
	{"73d", `hasTag()`, "without a condition"},
	{"73e", `tag in ()`, "empty list"},
	{"74", `hasSecurityLabel(name = "TLP:RED")`, ""},
	{"75", `hasIndicator(typeName = "Host" and hasTag(summary = "APT28"))`, "hasIndicator"},
	{"76", `tag NOT LIKE "%test%"`, ""},
	{"77", `threatAssessScore >= "500"`, "threatAssessScore"},
}

func TestExamplesOfTheReference(t *testing.T) {
	for _, e := range examples {
		t.Run(e.id, func(t *testing.T) {
			f, err := Compile(e.query, Options{})
			if e.wrong == "" {
				if err != nil {
					t.Fatalf("%s: %v", e.query, err)
				}
				again, err := Compile(f.String(), Options{})
				if err != nil || again.String() != f.String() {
					t.Fatalf("%s\nprinted %s\nread again: %v, %v", e.query, f, again, err)
				}
				return
			}
			var te *Error
			if !errors.As(err, &te) || !strings.Contains(te.Msg, e.wrong) {
				t.Fatalf("%s: error %v, want one that names %s", e.query, err, e.wrong)
			}
			// Whatever a query means, everything but 43, 62 and 73 is grammar.
			if _, err := parse(e.query); err != nil && e.id != "43" && !strings.HasPrefix(e.id, "73") {
				t.Errorf("%s does not even parse: %v", e.query, err)
			}
		})
	}
}

// TestExamples_FreeAttributes: names that are no parameter are attributes a feed
// brought along, where that is allowed.
func TestExamples_FreeAttributes(t *testing.T) {
	for _, q := range []string{`threatAssessScore >= "500"`, `abuseIpdbConfidenceScore>=50`, `attributeTargeting_Status like "Available"`, `lastObserved >= "2026-01-01T00:00:00Z"`} {
		f, err := Compile(q, Options{AllowExtra: true})
		if err != nil {
			t.Errorf("%s: %v", q, err)
			continue
		}
		if got := f.Match(sampleRecord(), nil); got != Null {
			t.Errorf("%s over a record without it: %v", q, got)
		}
	}
}
