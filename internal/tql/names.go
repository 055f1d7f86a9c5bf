package tql

import (
	"strings"

	"github.com/remeld/remeld/indicator"
)

// kindNames are the kinds and their families.
func kindNames() *Names {
	n := &Names{Values: make([]string, 64), Others: []string{"ip", "hash", "file"}}
	for _, k := range indicator.Kinds() {
		n.Values[k] = k.String()
	}
	n.Find = func(text string) (mask uint64, ok bool) {
		family, ok := indicator.ParseKind(text)
		if !ok {
			return 0, false
		}
		for _, k := range indicator.Kinds() {
			if k.In(family) {
				mask |= 1 << k
			}
		}
		return mask, true
	}
	return n
}

// tcType is one of ThreatConnect's indicator types.
type tcType int

const (
	tcAddress tcType = iota
	tcASN
	tcCIDR
	tcEmailAddress
	tcEmailSubject
	tcFile
	tcHashtag
	tcHost
	tcMutex
	tcRegistryKey
	tcUserAgent
	tcURL
)

// tcNames are spelt as in ThreatConnect's type enum.
var tcNames = []string{
	tcAddress: "Address", tcASN: "ASN", tcCIDR: "CIDR", tcEmailAddress: "EmailAddress",
	tcEmailSubject: "Email Subject", tcFile: "File", tcHashtag: "Hashtag", tcHost: "Host",
	tcMutex: "Mutex", tcRegistryKey: "Registry Key", tcUserAgent: "User Agent", tcURL: "URL",
}

// typeNames are ThreatConnect's types; blanks and case are free, so that "Email
// Address" of older templates is read.
func typeNames() *Names {
	return &Names{Values: tcNames, Find: func(text string) (uint64, bool) {
		for i, name := range tcNames {
			if strings.EqualFold(strings.ReplaceAll(name, " ", ""), strings.ReplaceAll(text, " ", "")) {
				return 1 << i, true
			}
		}
		return 0, false
	}}
}

// typeOf is the ThreatConnect type of a record, unknown for kinds that have none
// there. Addresses and networks are one kind here and two types there.
func typeOf(s any) (int, bool) {
	rec := record(s)
	t, ok := tcTypes[rec.Kind]
	if t == tcAddress && ok && strings.ContainsAny(rec.Value, "/-") {
		t = tcCIDR
	}
	return int(t), ok
}

var tcTypes = map[indicator.Kind]tcType{
	indicator.IPv4: tcAddress, indicator.IPv6: tcAddress, indicator.ASN: tcASN,
	indicator.Email: tcEmailAddress, indicator.EmailSubject: tcEmailSubject,
	indicator.MD5: tcFile, indicator.SHA1: tcFile, indicator.SHA256: tcFile, indicator.SHA512: tcFile,
	indicator.Domain: tcHost, indicator.Mutex: tcMutex, indicator.RegistryKey: tcRegistryKey,
	indicator.RegistryValue: tcRegistryKey, indicator.UserAgent: tcUserAgent, indicator.URL: tcURL,
}
