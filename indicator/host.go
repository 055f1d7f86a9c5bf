package indicator

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Limits of names (RFC 1035 section 2.3.4), in bytes without the final dot.
const (
	maxName  = 253
	maxLabel = 63
)

// lookup maps a name the way browsers do before they look it up (UTS #46,
// non-transitional). Hyphens in places 3 and 4 and underscores are left to
// checkName: both occur in names that resolve.
var lookup = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.StrictDomainName(false),
	idna.CheckHyphens(false),
	idna.CheckJoiners(true),
	idna.BidiRule(),
	idna.VerifyDNSLength(false),
)

// parseDomain returns the canonical form of a host name of two labels or more.
func parseDomain(s string) (string, *Refusal) {
	if fault := notBareHost(s); fault != nil {
		return "", fault
	}
	name, fault := canonicalName(s)
	if fault != nil {
		return "", fault
	}
	if strings.IndexByte(name, '.') < 0 {
		return "", refuse(ReasonSingleLabel, "a name without a dot")
	}
	return name, nil
}

// notBareHost recognises what is more than a host name.
func notBareHost(s string) *Refusal {
	switch {
	case strings.Contains(s, "://"):
		return refuse(ReasonWrongKind, "a URL; a host name is wanted")
	case strings.ContainsAny(s, "/?#"):
		return refuse(ReasonHasPath, "a host with a path; a host name is wanted")
	case strings.IndexByte(s, '@') >= 0:
		return refuse(ReasonWrongKind, "an e-mail address; a host name is wanted")
	case strings.ContainsAny(s, "[]{}()"):
		return refuse(ReasonDefanged, "a bracket in the name; refang it first")
	case strings.HasPrefix(s, "*."):
		return refuse(ReasonWildcard, "a wildcard; the domain without it covers its sub-domains")
	}
	host, port, ok := strings.Cut(s, ":")
	switch {
	case ok && isDigits(port):
		return refuse(ReasonPort, "a host and a port; a host name is wanted")
	case ok && host != "":
		return refuse(ReasonLabel, "a colon in the name")
	}
	if _, ok := plainIPv4(s); ok {
		return refuse(ReasonWrongKind, "an address; a host name is wanted")
	}
	return nil
}

// canonicalName returns a host name in lower-case A-labels without the final dot.
// A single label passes.
func canonicalName(s string) (string, *Refusal) {
	if len(s) > 4*maxName {
		return "", refuse(ReasonTooLong, "a name longer than 253 bytes")
	}
	if !utf8.ValidString(s) {
		return "", refuse(ReasonUTF8, "not valid UTF-8")
	}
	if needsIDNA(s) {
		ascii, err := lookup.ToASCII(s)
		if err != nil {
			return "", refuse(ReasonIDN, "not a valid internationalised name")
		}
		s = ascii
	}
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	return s, checkName(s)
}

func needsIDNA(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return true
		}
		if s[i] == '-' && hasACEPrefix(s, i) {
			return true
		}
	}
	return false
}

// hasACEPrefix reports whether the hyphen at i is the first one of a label that
// begins with xn--.
func hasACEPrefix[T string | []byte](s T, i int) bool {
	return i >= 2 && i+1 < len(s) && s[i+1] == '-' && s[i-1]|0x20 == 'n' && s[i-2]|0x20 == 'x' &&
		(i == 2 || s[i-3] == '.')
}

// checkName applies the rules of labels to a lower-case ASCII name.
func checkName(s string) *Refusal {
	if s == "" {
		return refuse(ReasonEmptyLabel, "no name")
	}
	if len(s) > maxName {
		return refuse(ReasonTooLong, "a name longer than 253 bytes")
	}
	rest := s
	for rest != "" {
		label, after, more := strings.Cut(rest, ".")
		if fault := checkLabel(label); fault != nil {
			return fault
		}
		if more && after == "" {
			return refuse(ReasonEmptyLabel, "two dots in a row or a dot at the start")
		}
		rest = after
	}
	return checkTLD(s)
}

func checkLabel(label string) *Refusal {
	switch {
	case label == "":
		return refuse(ReasonEmptyLabel, "two dots in a row or a dot at the start")
	case len(label) > maxLabel:
		return refuse(ReasonLabelLong, "a label longer than 63 bytes")
	case label[0] == '-' || label[len(label)-1] == '-':
		return refuse(ReasonLabel, "a label that begins or ends with a hyphen")
	}
	for i := range len(label) {
		if nameByte[label[i]] == 0 {
			return refuse(ReasonLabel, "a character that host names do not have")
		}
	}
	return nil
}

// checkTLD looks at the last label: a number there makes the name an address to
// browsers (WHATWG URL, "ends in a number").
func checkTLD(s string) *Refusal {
	dot := strings.LastIndexByte(s, '.')
	tld := s[dot+1:]
	switch {
	case isDigits(tld) || isHexNumber(tld):
		return refuse(ReasonNumericTLD, "the last label is a number")
	case dot < 0:
		return nil
	case len(tld) < 2:
		return refuse(ReasonTLD, "a top-level domain of one letter")
	case strings.IndexByte(tld, '_') >= 0:
		return refuse(ReasonTLD, "an underscore in the top-level domain")
	}
	return nil
}

// nameByte maps a byte of a host name to its lower case, anything else to 0. The
// dot is not in it.
var nameByte = func() (t [256]byte) {
	for c := byte('a'); c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = c, c
	}
	for c := byte('0'); c <= '9'; c++ {
		t[c] = c
	}
	t['-'], t['_'] = '-', '_'
	return t
}()

// hexValue maps a hexadecimal digit to its value, anything else to 0xFF.
var hexValue = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xFF
	}
	for c := byte('0'); c <= '9'; c++ {
		t[c] = c - '0'
	}
	for c := byte('a'); c <= 'f'; c++ {
		t[c], t[c-'a'+'A'] = c-'a'+10, c-'a'+10
	}
	return t
}()
