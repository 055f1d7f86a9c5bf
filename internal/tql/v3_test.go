package tql

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
)

// v3Objects are indicators of every type, as the v3 API answers them.
func v3Objects(tb testing.TB) (out []*Object) {
	tb.Helper()
	data, err := os.ReadFile("testdata/v3.ndjson")
	if err != nil {
		tb.Fatal(err)
	}
	err = ReadObjects(bytes.NewReader(data), func(_ []byte, o *Object) error { out = append(out, o); return nil })
	if err != nil || len(out) != 12 {
		tb.Fatalf("%d objects, %v", len(out), err)
	}
	return out
}

func v3Compile(tb testing.TB, query string) *Filter {
	tb.Helper()
	f, err := Compile(query, Options{Schema: V3Indicators})
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return f
}

// v3Matches are the ids of the objects the filter is true for.
func v3Matches(f *Filter, objects []*Object) string {
	var ids []string
	for _, o := range objects {
		if f.MatchAny(o, &Env{Now: now}) == True {
			id, _ := o.Number("id")
			ids = append(ids, strconv.Itoa(int(id)))
		}
	}
	return strings.Join(ids, " ")
}

func TestV3_Matches(t *testing.T) {
	objects := v3Objects(t)
	for query, want := range map[string]string{
		// fields and their absence
		`id = 5`: "5", `id in (1, "3")`: "1 3", `id in (1,2,3,4,5,6,7,8,99,100)`: "1 2 3 4 5 6 7 8", `id not in (1,2,3,4,5,6,7,8,99,100)`: "10 11 12", `owner = 2`: "2", `ownerName = "ORG A" and type is null and rating >= 3`: "1 3",
		`rating is null`: "2 6 7 10 12", `rating = 0`: "11", `rating != 4`: "3 4 5 8 11", `not rating = 4`: "3 4 5 8 11", `rating > 2.5`: "1 3 4",
		`rating not in (4, 5)`: "3 5 8 11", `confidence = 0 or confidence is null`: "2 6 7 10 11",
		`description contains "Bob"`: "1", `not description contains "Bob"`: "3", `source like "own%"`: "1",
		`calScore < 301`: "1", `fileSize > 50000`: "5", `hostDnsActive = true`: "3", `hostWhoisActive != true`: "3",
		`activeLocked in (true, false)`: "1", `observationCount >= 2 and lastObserved < "2026-02-01"`: "1", `lastFalsePositive is not null`: "1",
		`falsePositiveCount <= 1`: "1 4", `firstSeen < "2026-01-02" and lastSeen > "NOW() - 3 DAYS"`: "1", `threatAssessScore >= "500"`: "1 4",
		`threatAssessLastUpdated > "TODAY()"`: "1", `commonId = 1`: "", `value1 = "asn12345"`: "11", `value2 startswith "ev" and value3 = "REG_SZ"`: "10",
		`abuseIpdbConfidenceScore>=50`: "1", `vtMaliciousCount < 10`: "", `dtOverallScore is null and id = 1`: "1", `addressCountryCode = "de"`: "1", `addressAsn = 64496`: "1",
		// only active ones, unless the query speaks of it; what does not say is active
		`typeName = "Host"`: "3", `typeName = "Host" and indicatorActive in (true, false)`: "3 9", `indicatorActive = false`: "9",
		`indicator_active = true and typeName = "host"`: "3", `indicatorActive is null`: "12", `hasIndicator(indicatorActive is null)`: "1 3",
		// types
		`typeName LIKE ("Email%")`: "6 7", `typeName = "email address"`: "6", `typeName in ("Adversary")`: "", `typeName not in ("Address", "Host", "ASN", "Email Subject")`: "4 5 6 8 10",
		`kind = "ip"`: "1 2 8 12", `kind = "hash"`: "5", `kind in ("domain", "email")`: "3 6",
		// text
		`summary = "badguy@bad.EXAMPLE"`: "6", `summary = "You \"won\" it's"`: "7", `summary endswith '" it\'s'`: "7", "summary = `192.0.2.7`": "1",
		`summary contains "\\run"`: "10", `summary startswith "D41D8"`: "5", `summary like "http://%.com/_%"`: "", `summary like "%/a?b=c"`: "4", `value = "10.1.1.1"`: "12",
		// addresses: only those of type Address
		`addressCidr = "192.0.2.0/24"`: "1", `addressCIDR in ("10.0.0.0/8", "2001:db8::/32")`: "2 12", `addressCidr not in '192.0.2.99/24'`: "2 12",
		`not addressCidr in "192.0.2.0/24"`: "2 3 4 5 6 7 8 10 11 12", `addressIsIpv6 = true`: "2", `addressIsIpv6 = false`: "1 12", `addressIpVal = 3221225991`: "1",
		// several values
		`tag = "hacker"`: "1", `tag in ("A", "x")`: "4 5", `tag != "a" and typeName in ("URL", "File", "Host")`: "3", `tag not like "%test%" and typeName = "Host"`: "",
		`tag is null`: "2 7 8 10 11 12", `tags is not null and not tag contains "e"`: "4 5", `attackTag = "data obfuscation"`: "1", `attackTag = "C2"`: "", `tagOwnerName = "x"`: "",
		`securityLabel like "%TLP:AMBER%"`: "1", `securityLabel = "internal"`: "3", `tlp = "red"`: "3", `tlp <= "amber"`: "1", `associatedGroup EQ 11`: "1", `associatedGroup not in (11) and id < 3`: "2",
		// nested tables
		`hasTag(name = "C2")`: "1", `hasTag(name = "c2")`: "3", `hasTag(summary = "C2")`: "1 3", `hasTag(techniqueId startswith "T1001")`: "1", `not hasTag(techniqueId is null) and rating > 0`: "8",
		// what is unknown of a thing does not make the thing unknown, as with EXISTS in SQL
		`not hasTag(techniqueId = "T1001") and id in (1, 3, 4)`: "3 4", `not hasIndicator(rating > 3) and typeName = "Host"`: "3", `tagOwnerName != "x" and id = 3`: "",
		`hasTag(name = "a") and hasTag(name = "b")`: "4", `hasAllTags(name in ("a","b"))`: "4", `hasTag(name = "a" and name = "b")`: "", `hasTag(id = 2)`: "1 4", `hasTag = 2`: "1 4",
		`hasSecurityLabel(name = "tlp:red")`: "3", `hasSecurityLabel(ownerName = "system" and color = "ffc000")`: "1",
		`hasAttribute(typeName = "Phase of Intrusion" and text = "c2")`: "1", `hasAttribute(intVal > 41 and typeName = "score")`: "1", `hasAttribute(pinned = true and user startswith "1111")`: "1",
		`hasAttribute(indicatorId = 1 and ownerName = "Org A" and dateAdded < "2026-02-01")`: "1", `hasAttribute(text = "C2" and typeName = "Score")`: "",
		`attributeTargeting_Status like "avail%"`: "1", `attributeScore > 41`: "1", `attributeScore > 42`: "", `attributeScore is null and id <= 2`: "2", `attribute1130 in ("x")`: "", `not attribute1130 in ("x")`: "",
		`hasGroup(typeName = "Intrusion Set" and summary like "apt%")`: "1", `hasGroup(tag = "russia")`: "1", `hasGroup(hasTag(name = "Russia"))`: "1", `hasGroup(id in (11, 99))`: "1", `hasGroup in (12)`: "1", `not hasGroup = 12 and id = 1`: "",
		`hasGroup(summary = "APT28" and typeName = "Report")`: "", `hasIndicator(typeName = "Host" and hasTag(summary = "apt28"))`: "1", `hasIndicator = 1`: "3", `hasIndicator(hasIndicator(id = 1))`: "",
		`not hasIndicator(id > 0) and id in (1, 2)`: "2", `hasVictim(name = "x") or not hasVictim(name = "x")`: "", `hasCase(status = "Open")`: "", `not hasCase(status = "Open") and id = 2`: "2",
		// dates
		`dateAdded GEQ "2023-01-01" and dateAdded LEQ "2023-01-08"`: "5", `dateAdded = "2023-12-31"`: "4", `dateAdded > "2023-12-31" and dateAdded < "2025-01-01"`: "3", `lastModified >= "NOW() - 15 MINUTES"`: "2",
		`dateAdded >= "NOW() - 1 DAY"`: "1 2", `dateAdded > "now()-1 month" and dateAdded < today()`: "1", `dateAdded > "2024-05-31T23:59:59+00:00" and dateAdded <= "2024-06-01 00:00:00"`: "3",
		// our own names
		`severity >= 4`: "1 4", `md5 = "d41d8cd98f00b204e9800998ecf8427e"`: "5", `fileName endswith ".EXE"`: "5", `threatAssessRating > 3.5`: "1", `privateFlag = true`: "3", `dateadded is null`: "12",
	} {
		f := v3Compile(t, query)
		if got := v3Matches(f, objects); got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
		if again := v3Compile(t, f.String()); v3Matches(again, objects) != want || again.String() != f.String() {
			t.Errorf("%s\nprints as %s, which is not the same", query, f)
		}
	}
}

func TestV3_Errors(t *testing.T) {
	for query, want := range map[string]string{
		`techniqueId = "T1"`: `hasTag(techniqueId`, `hasTag > 3`: `hasTag( … )`, `hasTag = "x"`: `hasTag( … )`, `ratingg = 3`: `"rating"`,
		`hasAllTags = 3`: `parentheses`, `hasTag(nam = "x")`: `"name"`, `rating like "3"`: `it takes`, `indicatorActive > true`: `it takes`,
		`type = "Host"`: ``, `foo = 1`: `docs/tql.md`, `attribute = "x"`: ``, `hasGroup(hasTag(hasIndicator(rat1ng = 1)))`: `"rating"`,
	} {
		_, err := Compile(query, Options{Schema: V3Indicators})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want advice %s", query, err, want)
		}
	}
}

func TestV3_Warnings(t *testing.T) {
	for query, want := range map[string]string{
		`tag != "x"`: "none of them", `not tag = "x"`: "", `attributeX not in ("y")`: "none of them", `typeName = "Hots"`: `did you mean "Host"`,
		`typeName = "Adversary"`: "a type of groups", `hasGroup(typeName = "Host")`: "a type of indicators", `typeName = "host"`: "",
		`summary = "d41d8cd98f00b204e9800998ecf8427e"`: "CONTAINS",
	} {
		if got := strings.Join(v3Compile(t, query).Warnings(), " "); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: warnings %q, want %q", query, got, want)
		}
	}
}

func TestV3_Fields(t *testing.T) {
	f := v3Compile(t, `rating > 1 and tag = "x" and hasGroup(hasTag(name = "y") and hasIndicator(securityLabel = "z")) and falsePositiveCount < 2`)
	if got := strings.Join(f.Fields(), " "); got != "associatedGroups associatedGroups.associatedIndicators associatedGroups.associatedIndicators.securityLabels associatedGroups.tags falsePositives tags" {
		t.Error(got)
	}
}

func TestV3_Summary(t *testing.T) {
	for raw, want := range map[string]string{
		`{"ip":"192.0.2.1"}`: "192.0.2.1", `{"md5":"A","sha256":"B"}`: "A : B", `{"Key Name":"K","Value Name":" ","Value Type":"REG_SZ"}`: "K :   : REG_SZ",
		`{"text":"http://x/"}`: "http://x/", `{"id":1}`: "",
	} {
		o, err := DecodeObject([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := o.Summary(); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}

func TestExplain(t *testing.T) {
	f := v3Compile(t, `rating > 3 and not (tag = "x" or confidence > 5)`)
	o, _ := DecodeObject([]byte(`{"rating":4,"active":true}`))
	var lines []string
	for _, c := range f.Explain(o, nil) {
		lines = append(lines, strings.Repeat(" ", c.Depth)+c.Text+": "+c.Truth.String())
	}
	want := `AND: unknown
 indicatorActive = true (implied): true
 rating > 3: true
 NOT: unknown
  OR: unknown
   tag = "x": false
   confidence > 5: unknown`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestKeywords_AreThoseOfTheReference(t *testing.T) {
	var names []string
	for _, k := range V3Indicators.Keywords() {
		names = append(names, k.Keyword)
	}
	for _, want := range strings.Fields(`abuseIpdbConfidenceScore activeLocked addressAsn addressCidr addressCity addressCountryCode addressCountryName
		addressIpVal addressIsIpv6 addressRegisteringOrg addressState addressTimezone associatedGroup associatedGroupSource associatedIndicatorSource
		attackTag calScore commonId confidence dateAdded description dtLastUpdated dtMalwareScore dtOverallScore dtPhishingScore dtSpamScore dtStatus
		externalDateAdded externalDateExpires externalLastModified falsePositiveCount fileSize firstSeen hostDnsActive hostWhoisActive indicatorActive
		hasCustomAssociation lastFalsePositive lastModified lastObserved lastSeen observationCount owner ownerName rating riskIqClassification
		riskIqReputationScore securityLabel source summary tag tagOwner tagOwnerName threatAssessScore threatAssessLastUpdated type typeName value1
		value2 value3 vtLastUpdated vtMaliciousCount id hasAllTags hasArtifact hasAttribute hasCase hasGroup hasIndicator hasIntelRequirement
		hasSecurityLabel hasTag hasVictim hasVictimAsset`) {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+want+" ") {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestParams_AreAllDocumented(t *testing.T) {
	seen := map[*Schema]bool{}
	var check func(s *Schema)
	check = func(s *Schema) {
		if seen[s] {
			return
		}
		seen[s] = true
		for _, p := range s.Params() {
			if p.Doc == "" {
				t.Errorf("%s has no documentation", p.Name)
			}
		}
		for _, sub := range s.Subs() {
			if sub.Doc == "" {
				t.Errorf("%s has no documentation", sub.Name)
			}
			check(sub.Schema)
		}
	}
	check(Records)
	check(V3Indicators)
}
