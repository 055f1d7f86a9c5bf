package stix_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/stix"
)

const md5 = "d41d8cd98f00b204e9800998ecf8427e"

// TestValuesOf: which patterns are lists of values, and why the others are not.
func TestValuesOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[ipv4-addr:value = '198.51.100.5']":                                                           "ipv4 198.51.100.5",
		"[ipv4-addr:value ISSUBSET '10.0.0.0/8']":                                                      "ipv4 10.0.0.0/8",
		"[ipv4-addr:value = '10.0.0.1' OR ipv4-addr:value = '10.0.0.2']":                               "ipv4 10.0.0.1, ipv4 10.0.0.2",
		"[(ipv4-addr:value = '10.0.0.1' OR ipv4-addr:value = '10.0.0.1')]":                             "ipv4 10.0.0.1",
		"[ipv4-addr:value IN ('10.0.0.1', '10.0.0.2')]":                                                "ipv4 10.0.0.1, ipv4 10.0.0.2",
		"[network-traffic:dst_ref.value = '2001:db8::1']":                                              "ipv6 2001:db8::1",
		"[network-traffic:dst_ref.value = 'Example.COM']":                                              "domain example.com",
		"[domain-name:value = 'Example.COM']":                                                          "domain example.com",
		"[url:value = 'http://EXAMPLE.com']":                                                           "url http://example.com/",
		"[email-message:from_ref.value = 'a@example.com']":                                             "email a@example.com",
		"[file:hashes.md5 = '" + strings.ToUpper(md5) + "']":                                           "md5 " + md5,
		"[file:hashes.'MD5' = '" + md5 + "']":                                                          "md5 " + md5,
		"[file:hashes.SHA1 = '" + strings.Repeat("ab", 20) + "']":                                      "sha1 " + strings.Repeat("ab", 20),
		"[artifact:hashes.'SHA-256' = '" + strings.Repeat("ab", 32) + "']":                             "sha256 " + strings.Repeat("ab", 32),
		"[file:hashes.MD5 = '" + md5 + "' OR file:hashes.'SHA-1' = '" + strings.Repeat("a", 40) + "']": "md5 " + md5 + ", sha1 " + strings.Repeat("a", 40),
		"[autonomous-system:number = 15139]":                                                           "asn AS15139",
		"[win-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\x']":                                           `registry_key HKEY_LOCAL_MACHINE\x`,

		"[ipv4-addr:value = '10.0.0.1' OR domain-name:value = 'example.com']": "!mixed_types",
		"[file:name = 'a' AND file:size = 5]":                                 "!combination",
		"[file:name = 'a' OR (file:name = 'b' AND file:size = 5)]":            "!combination",
		"[ipv4-addr:value = '10.0.0.1'] AND [ipv4-addr:value = '10.0.0.2']":   "!combination",
		"[ipv4-addr:value = '10.0.0.1'] OR [ipv4-addr:value = '10.0.0.2']":    "!combination",
		"[ipv4-addr:value = '10.0.0.1'] WITHIN 5 SECONDS":                     "!qualifier",
		"[ipv4-addr:value != '10.0.0.1']":                                     "!operator",
		"[ipv4-addr:value NOT = '10.0.0.1']":                                  "!operator",
		"[domain-name:value LIKE '%.example.com']":                            "!operator",
		"[email-message:subject MATCHES 'x']":                                 "!operator",
		"[file:name ISSUBSET '10.0.0.0/8']":                                   "!operator",
		"[EXISTS file:name]":                                                  "!operator",
		"[ipv4-addr:value IN ()]":                                             "!operator",
		"[file:size = 5]":                                                     "!object_path",
		"[ipv4-addr:value = '10.0.0.300']":                                    "!bad_value",
		"[domain-name:value = 'evil[.]example.com']":                          "!bad_value",
		"[ipv4-addr:value = 5]":                                               "!bad_value",
		"[ipv4-addr:value = ":                                                 "!bad_pattern",
		"alert tcp any any":                                                   "!bad_pattern",
	} {
		list, err := stix.ValuesOf(text)
		var got []string
		for _, i := range list {
			got = append(got, i.Kind.String()+" "+i.Value)
		}
		var no *stix.Undeliverable
		if errors.As(err, &no) {
			got = []string{"!" + string(no.Reason)}
		}
		if joined := strings.Join(got, ", "); joined != want {
			t.Errorf("%s: %s (%v), want %s", text, joined, err, want)
		}
	}
}

func TestToRecordsReadsTheMarkingsOfTheDocument(t *testing.T) {
	t.Parallel()
	objects, err := stix.Decode([]byte(`{"type":"bundle","id":"bundle--1","objects":[
 {"type":"marking-definition","spec_version":"2.1","id":"marking-definition--own","created":"2020-01-01T00:00:00Z","definition_type":"tlp","definition":{"tlp":"red"}},
 {"type":"indicator","spec_version":"2.1","id":"indicator--775e","created":"2020-01-01T00:00:00Z","modified":"2020-01-01T00:00:00.123456Z","valid_from":"2020-01-01T01:00:00+01:00",
  "pattern":"[domain-name:value = 'example.com']","pattern_type":"stix","labels":["benign"],"object_marking_refs":["marking-definition--own"],"confidence":120,"x_own":{"a":1}},
 {"type":"indicator","id":"indicator--2","pattern":"alert tcp","pattern_type":"snort","valid_from":"2020-01-01T00:00:00Z"},
 {"type":"x-own","id":"x-own--1","size":5}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defined := map[string]*stix.MarkingDefinition{objects[0].Head().ID: objects[0].(*stix.MarkingDefinition)}
	s := objects[1].(*stix.Indicator)
	records, err := stix.ToRecords(s, defined)
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	want := indicator.Attributes{Confidence: indicator.Known(100), TLP: indicator.Red, ThreatType: "benign", FirstSeen: stix.At(s.ValidFrom.Time).Time}
	if diff := cmp.Diff(want, records[0].Attrs); diff != "" || s.Modified.String() != "2020-01-01T00:00:00.123456Z" || s.ValidFrom.String() != "2020-01-01T00:00:00.000Z" {
		t.Errorf("%s\n%+v", diff, s)
	}
	var no *stix.Undeliverable
	if _, err := stix.ToRecords(objects[2].(*stix.Indicator), nil); !errors.As(err, &no) || no.Reason != stix.ReasonPatternType {
		t.Error(err)
	}
	raw, err := stix.Encode(objects[3])
	if err != nil || string(raw) != `{"id":"x-own--1","size":5,"type":"x-own"}` {
		t.Errorf("%s, %v", raw, err)
	}
}
