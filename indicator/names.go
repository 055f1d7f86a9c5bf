package indicator

import (
	"fmt"
	"strings"
)

// names are the spellings of Kind.String, frozen like the numbers.
var names = [...]string{
	Unknown: "unknown", IPv4: "ipv4", IPv6: "ipv6", Domain: "domain", URL: "url",
	Email: "email", MD5: "md5", SHA1: "sha1", SHA256: "sha256", Certificate: "certificate",
	SHA512: "sha512", SSDeep: "ssdeep", JA3: "ja3", EmailSubject: "email_subject",
	UserAgent: "user_agent", FileName: "file_name", FilePath: "file_path", Mutex: "mutex",
	RegistryKey: "registry_key", RegistryValue: "registry_value",
	CommandLine: "command_line", ASN: "asn",
}

// lastKind is the highest Kind an Indicator can have.
const lastKind = ASN

// String returns the kind's name, as ParseKind takes it.
func (k Kind) String() string {
	switch {
	case int(k) < len(names):
		return names[k]
	case k == IP:
		return "ip"
	case k == Hash:
		return "hash"
	}
	return "unknown"
}

// In reports whether k is family or one of its members.
func (k Kind) In(family Kind) bool {
	switch family {
	case k:
		return true
	case IP:
		return k == IPv4 || k == IPv6
	case Hash:
		return k == MD5 || k == SHA1 || k == SHA256 || k == SHA512
	}
	return false
}

// Kinds returns every kind an Indicator can have, in order.
func Kinds() []Kind {
	out := make([]Kind, 0, lastKind)
	for k := IPv4; k <= lastKind; k++ {
		out = append(out, k)
	}
	return out
}

// aliases are the names other systems use, folded by foldName: MISP attribute
// types, STIX object types, Defender, Graph, ThreatConnect and MineMeld types.
var aliases = map[string]Kind{
	"ip4": IPv4, "ipv4addr": IPv4, "ipv4address": IPv4,
	"ip6": IPv6, "ipv6addr": IPv6, "ipv6address": IPv6,
	"address": IP, "ipaddress": IP, "ipaddr": IP, "ipsrc": IP, "ipdst": IP, "cidr": IP,
	"ips": IP, "host": Domain, "hostname": Domain, "fqdn": Domain, "domainname": Domain,
	"domains": Domain, "uri": URL, "link": URL, "urls": URL,
	"emailaddress": Email, "emailaddr": Email, "emailsrc": Email, "emaildst": Email,
	"mail": Email, "filemd5": MD5, "filehashmd5": MD5, "hashmd5": MD5,
	"filesha1": SHA1, "filehashsha1": SHA1, "hashsha1": SHA1,
	"filesha256": SHA256, "filehashsha256": SHA256, "hashsha256": SHA256,
	"filesha512": SHA512, "filehashsha512": SHA512, "hashsha512": SHA512,
	"file": Hash, "filehash": Hash, "hashes": Hash,
	"certificatethumbprint": Certificate, "thumbprint": Certificate, "cert": Certificate,
	"certificatesha1": Certificate, "x509": Certificate, "x509fingerprintsha1": Certificate,
	"x509certificate": Certificate, "ja3fingerprintmd5": JA3, "ja3hash": JA3,
	"subject": EmailSubject, "httpuseragent": UserAgent, "filename": FileName,
	"path": FilePath, "mutant": Mutex, "regkey": RegistryKey,
	"windowsregistrykey": RegistryKey, "regkeyvalue": RegistryValue,
	"windowsregistryvalue": RegistryValue, "cmd": CommandLine, "cmdline": CommandLine,
	"process": CommandLine, "as": ASN, "asnumber": ASN, "autonomoussystem": ASN,
}

func init() {
	for k, name := range names {
		aliases[foldName(name)] = Kind(k)
	}
	delete(aliases, foldName(names[Unknown]))
	aliases["ip"], aliases["hash"] = IP, Hash
}

// foldName drops case and the separators that spellings of one name differ in.
func foldName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		case c == '_' || c == '-' || c == ' ' || c == ':' || c == '.':
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// MarshalText writes the kind by its name, so that JSON says "domain" and not a
// number that only this package knows.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (k *Kind) UnmarshalText(text []byte) error {
	parsed, ok := ParseKind(string(text))
	if !ok && string(text) != Unknown.String() {
		return fmt.Errorf("no kind is called %q", text)
	}
	*k = parsed
	return nil
}

// ParseKind reads a kind or family by its own name or by one that MISP, STIX,
// Defender, ThreatConnect or MineMeld use for it. Case and separators are free.
func ParseKind(s string) (Kind, bool) {
	k, ok := aliases[foldName(s)]
	return k, ok
}
