package stix

import (
	"fmt"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/stix/pattern"
)

// keyPaths are the object paths whose equality with a value is an indicator of a
// kind: the ones other products look for.
var keyPaths = map[indicator.Kind]string{
	indicator.IPv4:          "ipv4-addr:value",
	indicator.IPv6:          "ipv6-addr:value",
	indicator.Domain:        "domain-name:value",
	indicator.URL:           "url:value",
	indicator.Email:         "email-addr:value",
	indicator.MD5:           "file:hashes.MD5",
	indicator.SHA1:          "file:hashes.'SHA-1'",
	indicator.SHA256:        "file:hashes.'SHA-256'",
	indicator.SHA512:        "file:hashes.'SHA-512'",
	indicator.SSDeep:        "file:hashes.SSDEEP",
	indicator.Certificate:   "x509-certificate:hashes.'SHA-1'",
	indicator.EmailSubject:  "email-message:subject",
	indicator.UserAgent:     "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'",
	indicator.FileName:      "file:name",
	indicator.FilePath:      "file:x_path",
	indicator.Mutex:         "mutex:name",
	indicator.RegistryKey:   "windows-registry-key:key",
	indicator.RegistryValue: "windows-registry-key:values[*].data",
	indicator.CommandLine:   "process:command_line",
	indicator.ASN:           "autonomous-system:number",
	indicator.JA3:           "network-traffic:x_ja3",
}

// Networks says how a CIDR is written.
type Networks uint8

// The ways. AsValue is the zero value: an equality, which Sentinel reads. AsSubset
// is ISSUBSET, which says what is meant and matches by the specification.
const (
	AsValue Networks = iota
	AsSubset
)

// PatternOf returns the pattern of an indicator: one comparison with one constant.
// A range of addresses that is no CIDR has none; write its CIDRs one by one.
func PatternOf(i indicator.Indicator, n Networks) (string, error) {
	path, ok := keyPaths[i.Kind]
	if !ok {
		return "", fmt.Errorf("no STIX pattern is known for kind %s", i.Kind)
	}
	op, constant := "=", pattern.Quote(i.Value)
	switch {
	case i.Kind == indicator.ASN:
		constant = strings.TrimPrefix(i.Value, "AS")
	case i.Kind.In(indicator.IP):
		p, ok := i.Prefix()
		if !ok {
			return "", fmt.Errorf("%s is a range that is no CIDR, which no single comparison expresses: write its CIDRs one by one", i.Value)
		}
		if !p.IsSingleIP() && n == AsSubset {
			op = "ISSUBSET"
		}
	}
	return "[" + path + " " + op + " " + constant + "]", nil
}
