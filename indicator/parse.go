package indicator

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// Limits in bytes.
const (
	maxText  = 4096 // free-text kinds
	maxEmail = 254  // RFC 5321 section 4.5.3.1
	maxLocal = 64
)

// Parse reads text as an indicator of kind and returns its canonical form. White
// space around it is dropped. kind may be a family, or Unknown to detect the
// kind by the look of the text. Parse is strict: defanged text is refused (call
// Refang first), and so is every spelling that readers take differently. The
// error is a *Refusal.
func Parse(kind Kind, text string) (Indicator, error) {
	i, fault := parse(kind, text)
	if fault != nil {
		return Indicator{}, fault
	}
	return i, nil
}

func parse(kind Kind, text string) (Indicator, *Refusal) {
	s := strings.TrimSpace(text)
	var i Indicator
	var fault *Refusal
	switch {
	case s == "":
		fault = refuse(ReasonEmpty, "no value")
	case kind == Unknown:
		i, fault = detect(s)
	case kind.In(IP):
		i, fault = parseIP(kind, s)
	case kind == Hash:
		i, fault = parseAnyHash(s)
	default:
		i.Kind = kind
		i.Value, fault = parseValue(kind, s)
	}
	if fault != nil {
		return Indicator{}, fault.of(kind, text)
	}
	// A value must not keep a whole feed line alive.
	i.Value = strings.Clone(i.Value)
	return i, nil
}

func parseValue(kind Kind, s string) (string, *Refusal) {
	switch kind {
	case Domain:
		return parseDomain(s)
	case URL:
		return parseURL(s)
	case Email:
		return parseEmail(s)
	case MD5, SHA1, SHA256, SHA512, JA3:
		return parseHash(kind, s)
	case Certificate:
		return parseThumbprint(s)
	case SSDeep:
		return parseSSDeep(s)
	case ASN:
		return parseASN(s)
	case EmailSubject, UserAgent, FileName, FilePath, Mutex, RegistryKey, RegistryValue, CommandLine:
		return parseText(s)
	}
	return "", refuse(ReasonUnknownKind, "no such kind")
}

// parseIP reads an address, CIDR or range. A v4-mapped IPv6 value is IPv4.
func parseIP(kind Kind, s string) (Indicator, *Refusal) {
	sp, fault := parseSpan(s)
	if fault != nil {
		return Indicator{}, fault
	}
	i := sp.indicator()
	if !i.Kind.In(kind) {
		return Indicator{}, refuse(ReasonWrongKind, "an "+i.Kind.String()+" value; "+kind.String()+" is wanted")
	}
	return i, nil
}

// hashBytes is the size of a kind's raw digest, 0 for kinds that are no digest.
var hashBytes = [lastKind + 1]int{MD5: 16, SHA1: 20, SHA256: 32, SHA512: 64, Certificate: 20, JA3: 16}

func parseAnyHash(s string) (Indicator, *Refusal) {
	kind := hashByLength(len(s))
	if kind == Unknown {
		return Indicator{}, refuse(ReasonHashLength, "not as long as an MD5, SHA-1, SHA-256 or SHA-512")
	}
	v, fault := parseHash(kind, s)
	return Indicator{kind, v}, fault
}

func hashByLength(n int) Kind {
	switch n {
	case 32:
		return MD5
	case 40:
		return SHA1
	case 64:
		return SHA256
	case 128:
		return SHA512
	}
	return Unknown
}

func parseHash(kind Kind, s string) (string, *Refusal) {
	if len(s) != 2*hashBytes[kind] {
		return "", refuse(ReasonHashLength, "not as long as "+kind.String()+" is")
	}
	if _, err := hex.DecodeString(s); err != nil {
		return "", refuse(ReasonNotHex, "a character that is no hexadecimal digit")
	}
	return strings.ToLower(s), nil
}

// parseThumbprint takes the colons, spaces and hyphens that certificate viewers
// put between the bytes.
func parseThumbprint(s string) (string, *Refusal) {
	if len(s) > maxText {
		return "", refuse(ReasonHashLength, "not as long as a SHA-1 thumbprint is")
	}
	return parseHash(Certificate, strings.NewReplacer(":", "", " ", "", "-", "").Replace(s))
}

// parseSSDeep checks blocksize:hash:hash. Case has meaning in it.
func parseSSDeep(s string) (string, *Refusal) {
	parts := strings.Split(s, ":")
	if len(s) > 256 || len(parts) != 3 || !isDigits(parts[0]) || len(parts[1]) > 64 || len(parts[2]) > 64 {
		return "", refuse(ReasonSSDeep, "not of the form blocksize:hash:hash")
	}
	for _, c := range []byte(parts[1] + parts[2]) {
		if nameByte[c] == 0 && c != '+' && c != '/' || c == '-' || c == '_' {
			return "", refuse(ReasonSSDeep, "a character outside base64")
		}
	}
	return s, nil
}

// parseASN reads 64500, AS64500, ASN64500 and RFC 5396 asdot 1.10 into AS64500.
func parseASN(s string) (string, *Refusal) {
	bad := refuse(ReasonASN, "not AS and a number from 0 to 4294967295")
	digits := strings.TrimSpace(trimPrefixFold(trimPrefixFold(s, "as"), "n"))
	if high, low, dotted := strings.Cut(digits, "."); dotted {
		h, okHigh := number(high, 1<<16-1)
		l, okLow := number(low, 1<<16-1)
		if !okHigh || !okLow {
			return "", bad
		}
		return "AS" + decimal(h<<16|l), nil
	}
	n, ok := number(digits, 1<<32-1)
	if !ok {
		return "", bad
	}
	return "AS" + decimal(n), nil
}

func parseText(s string) (string, *Refusal) {
	if len(s) > maxText {
		return "", refuse(ReasonTooLong, "longer than 4096 bytes")
	}
	if !utf8.ValidString(s) {
		return "", refuse(ReasonUTF8, "not valid UTF-8")
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7F {
			return "", refuse(ReasonControl, "a control character inside")
		}
	}
	return s, nil
}

// parseEmail lower-cases the domain and leaves the local part, which is the
// receiving host's to interpret, as it is.
func parseEmail(s string) (string, *Refusal) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return "", refuse(ReasonNotEmail, "no @ inside")
	}
	local := s[:at]
	if fault := checkLocal(local); fault != nil {
		return "", fault
	}
	domain, fault := parseDomain(s[at+1:])
	if fault != nil {
		return "", fault
	}
	if len(local)+1+len(domain) > maxEmail {
		return "", refuse(ReasonTooLong, "an e-mail address longer than 254 bytes")
	}
	return local + "@" + domain, nil
}

// checkLocal takes an unquoted local part (RFC 5321, RFC 6531), dots anywhere:
// addresses with two in a row exist and receive mail.
func checkLocal(s string) *Refusal {
	switch {
	case s == "" || len(s) > maxLocal:
		return refuse(ReasonLocalPart, "nothing, or more than 64 bytes, before the @")
	case !utf8.ValidString(s):
		return refuse(ReasonUTF8, "not valid UTF-8")
	case strings.ContainsAny(s, "[]()"):
		return refuse(ReasonDefanged, "a bracket before the @; refang it first")
	}
	for i := range len(s) {
		if c := s[i]; c < 0x80 && nameByte[c] == 0 && strings.IndexByte("!#$%&'*+/=?^`{|}~.", c) < 0 {
			return refuse(ReasonLocalPart, "a character that unquoted local parts do not have")
		}
	}
	return nil
}
