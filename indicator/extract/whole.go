package extract

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/remeld/remeld/indicator"
)

// whole tries a token without scheme as one thing and reports whether it was one,
// refused ones included.
func (f *finder) whole(text, plain string, col int, defanged bool) bool {
	switch {
	case digestKind(plain) != indicator.Unknown:
		return f.parsed(text, plain, col, digestKind(plain))
	case isThumbprint(plain):
		return f.parsed(text, plain, col, indicator.Certificate)
	case isSSDeep(plain):
		return f.parsed(text, plain, col, indicator.SSDeep)
	case isASN(plain):
		return f.parsed(text, plain, col, indicator.ASN)
	case looksIPv4(plain):
		return f.parsed(text, plain, col, indicator.IP)
	case looksIPv6(plain):
		return f.ipv6(text, plain, col)
	case strings.IndexByte(plain, '@') > 0:
		return f.email(text, plain, col)
	case strings.ContainsAny(plain, "/?"):
		return f.hostPath(text, plain, col)
	}
	return f.name(text, plain, col, defanged)
}

// parsed reports the indicator or why it is none.
func (f *finder) parsed(text, plain string, col int, kind indicator.Kind) bool {
	i, err := indicator.Parse(kind, plain)
	if err == nil {
		f.report(text, col, i)
		return true
	}
	var refusal *indicator.Refusal
	if !errors.As(err, &refusal) {
		return false
	}
	if refusal.Reason == indicator.ReasonPort {
		host, _, _ := strings.Cut(plain, ":")
		return f.parsed(text, host, col, kind)
	}
	if f.wants(kind) || kind == indicator.IP && (f.wants(indicator.IPv4) || f.wants(indicator.IPv6)) {
		f.refuse(col, refusal)
	}
	return true
}

func digestKind(s string) indicator.Kind {
	kind := indicator.Unknown
	switch len(s) {
	case 32:
		kind = indicator.MD5
	case 40:
		kind = indicator.SHA1
	case 64:
		kind = indicator.SHA256
	case 128:
		kind = indicator.SHA512
	}
	// A long decimal number is no digest: one of 32 digits by chance is one in
	// three million.
	if kind == indicator.Unknown || hexRun(s) != len(s) || strings.Trim(s, "0123456789") == "" {
		return indicator.Unknown
	}
	return kind
}

func hexRun(s string) int {
	n := 0
	for n < len(s) && (s[n]-'0' <= 9 || s[n]|0x20 >= 'a' && s[n]|0x20 <= 'f') {
		n++
	}
	return n
}

// isThumbprint: 20 pairs of hexadecimal digits with colons between.
func isThumbprint(s string) bool {
	if len(s) != 59 {
		return false
	}
	for n := range len(s) {
		if n%3 == 2 != (s[n] == ':') || n%3 < 2 && hexRun(s[n:n+1]) == 0 {
			return false
		}
	}
	return true
}

// isSSDeep: a block size that the algorithm has (3 times a power of two), and two
// hashes, of which the second is of half the blocks.
func isSSDeep(s string) bool {
	size, hashes, _ := strings.Cut(s, ":")
	long, short, ok := strings.Cut(hashes, ":")
	n, err := strconv.ParseUint(size, 10, 32)
	if !ok || err != nil || n < 3 || n%3 != 0 || bits.OnesCount64(n/3) != 1 {
		return false
	}
	return len(long) > 7 && len(long) <= 64 && len(short) > 3 && len(short) <= 64 && isBase64(long) && isBase64(short)
}

func isBase64(s string) bool {
	for n := range len(s) {
		if !isAlnum(s[n]) && s[n] != '+' && s[n] != '/' {
			return false
		}
	}
	return true
}

// isASN: AS and four digits or more; fewer are products (AS400) and words.
func isASN(s string) bool {
	return len(s) >= 6 && len(s) <= 12 && s[:2] == "AS" && s[2] != '0' && strings.Trim(s[2:], "0123456789") == ""
}

// looksIPv4: four numbers with dots between, bare or with a port, a prefix length
// or a second address. Three or five numbers are versions and object identifiers.
func looksIPv4(s string) bool {
	rest, ok := quad(s)
	if !ok {
		return false
	}
	if rest == "" {
		return true
	}
	tail := rest[1:]
	switch rest[0] {
	case '/':
		if after, mask := quad(tail); mask && after == "" {
			return true // a netmask, refused as such
		}
		fallthrough
	case ':':
		return tail != "" && len(tail) <= 5 && strings.Trim(tail, "0123456789") == ""
	case '-':
		rest, ok = quad(tail)
		return ok && rest == ""
	}
	return false
}

// quad cuts four numbers of up to four digits off the front.
func quad(s string) (rest string, ok bool) {
	for part := range 4 {
		n := 0
		for n < len(s) && s[n]-'0' <= 9 {
			n++
		}
		if n == 0 && len(s) == 0 || n == 0 || n > 4 {
			return "", false
		}
		if s = s[n:]; part < 3 {
			if s == "" || s[0] != '.' {
				return "", false
			}
			s = s[1:]
		}
	}
	return s, s == "" || s[0] != '.'
}

// looksIPv6: groups of hexadecimal digits and colons, a digit among them, so that
// a::b of a program is none.
func looksIPv6(s string) bool {
	s = strings.TrimPrefix(s, "[")
	colons, digits := 0, 0
	for n := range len(s) {
		switch c := s[n]; {
		case c == ':':
			colons++
		case c-'0' <= 9:
			digits++
		case c|0x20 >= 'a' && c|0x20 <= 'f' || strings.IndexByte("./-%", c) >= 0:
		case c == ']':
			return colons > 1 && digits > 0
		default:
			return strings.IndexByte(s[:n], '%') > 0 && colons > 1
		}
	}
	return colons > 1 && digits > 0
}

// ipv6 reports an address; what is none (a time, a hardware address) is passed
// over, unless it is one with a zone.
func (f *finder) ipv6(text, plain string, col int) bool {
	if inner, ok := strings.CutPrefix(plain, "["); ok {
		plain, _, _ = strings.Cut(inner, "]")
	}
	i, err := indicator.Parse(indicator.IP, plain)
	if err == nil {
		f.report(text, col, i)
		return true
	}
	var refusal *indicator.Refusal
	if errors.As(err, &refusal) && refusal.Reason != indicator.ReasonNotAddress && strings.Contains(plain, "::") {
		f.refuse(col, refusal)
		return true
	}
	return false
}

func (f *finder) email(text, plain string, col int) bool {
	at := strings.LastIndexByte(plain, '@')
	if !plausible(plain[at+1:]) {
		return false
	}
	i, err := indicator.Parse(indicator.Email, plain)
	if err != nil {
		return false
	}
	f.report(text, col, i)
	return true
}

// hostPath reports host/path as a URL without scheme.
func (f *finder) hostPath(text, plain string, col int) bool {
	if looksCIDR6(plain) {
		return f.ipv6(text, plain, col)
	}
	end := strings.IndexAny(plain, "/?")
	host, _, _ := strings.Cut(plain[:end], ":")
	if rest, ok := quad(host); (!ok || rest != "") && !plausible(host) {
		return false
	}
	i, err := indicator.Parse(indicator.URL, trimURL(plain))
	if err != nil {
		return false
	}
	f.report(trimURL(text), col, i)
	return true
}

func looksCIDR6(s string) bool { return strings.Count(s, ":") > 1 && looksIPv6(s) }

// name reports a domain name, or a bad internationalised one.
func (f *finder) name(text, plain string, col int, defanged bool) bool {
	host, port, hasPort := strings.Cut(plain, ":")
	if hasPort && (port == "" || strings.Trim(port, "0123456789") != "") {
		return false
	}
	// Brackets around a dot are put there for one reason; "dot" is also a word.
	sure := defanged && strings.ContainsAny(text, "[({")
	if strings.IndexByte(host, '.') < 0 || !sure && !plausible(host) || !defanged && !hasPort && isFileName(host) {
		return false
	}
	i, err := indicator.Parse(indicator.Domain, host)
	if err == nil {
		f.report(text, col, i)
		return true
	}
	var refusal *indicator.Refusal
	if errors.As(err, &refusal) && refusal.Reason == indicator.ReasonIDN && strings.Contains(host, "xn--") && f.wants(indicator.Domain) {
		f.refuse(col, refusal)
		return true
	}
	return false
}

// plausible reports whether a host name ends in a public suffix of the ICANN list
// and is more than that suffix, so that invoice.pdf and e.g. are none.
func plausible(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	dot := strings.LastIndexByte(host, '.')
	if dot <= 0 {
		return false
	}
	if !isASCII(host) {
		i, err := indicator.Parse(indicator.Domain, host)
		if err != nil {
			return false
		}
		host = i.Value
	}
	if reserved[host[strings.LastIndexByte(host, '.')+1:]] { // the name may have become shorter
		return true
	}
	suffix, icann := publicsuffix.PublicSuffix(host)
	return (icann || strings.IndexByte(suffix, '.') > 0) && (!icann || len(suffix) < len(host))
}

// reserved are top-level domains outside the public suffix list that names in
// reports do have: those kept for examples (RFC 2606), hidden services, and the
// alternative roots that malware likes.
var reserved = map[string]bool{
	"example": true, "test": true, "invalid": true, "onion": true, "i2p": true,
	"bit": true, "bazar": true, "lib": true, "coin": true, "emc": true, "eth": true,
}

func isASCII(s string) bool {
	for n := range len(s) {
		if s[n] >= 0x80 {
			return false
		}
	}
	return true
}

// fileEndings are top-level domains that are endings of files far more often in
// text. Endings that are the domains of whole countries' ordinary names (.pl,
// .cc, .in) are not among them.
var fileEndings = map[string]bool{
	"zip": true, "mov": true, "sh": true, "py": true, "md": true, "rs": true, "so": true,
	"ps": true, "pm": true, "java": true, "inc": true, "cab": true,
}

// isFileName: one dot and a file's ending, as readme.md.
func isFileName(host string) bool {
	stem, ending, _ := strings.Cut(strings.ToLower(host), ".")
	return stem != "" && fileEndings[ending]
}

// digestRuns finds digests that are part of a longer word, as in a file name:
// runs of exactly the length with no letter or digit next to them.
func (f *finder) digestRuns(s string, col int) {
	for n := 0; n < len(s); {
		run := 0
		for n+run < len(s) && isAlnum(s[n+run]) {
			run++
		}
		if kind := digestKind(s[n : n+run]); kind != indicator.Unknown {
			f.parsed(s[n:n+run], s[n:n+run], col+n, kind)
		}
		n += max(run, 1)
	}
}
