package indicator

import "strings"

// detect tells the kind of a trimmed text by its look. Kinds that any text can be
// (subjects, file names, mutexes, command lines) are never detected.
func detect(s string) (Indicator, *Refusal) {
	kind := look(s)
	switch kind {
	case Unknown:
		return Indicator{}, refuse(ReasonUnknownKind, "not the look of any kind that can be told from text")
	case IP:
		return parseIP(IP, s)
	}
	v, fault := parseValue(kind, s)
	if fault != nil {
		fault.Kind = kind
	}
	if fault != nil && fault.Reason == ReasonNumericTLD {
		if trap := ipv4Fault(s); trap.Reason != ReasonNotAddress {
			fault, trap.Kind = trap, IPv4
		}
	}
	return Indicator{kind, v}, fault
}

func look(s string) Kind {
	switch {
	case strings.Contains(s, "://"):
		return URL
	case hashByLength(len(s)) != Unknown && isHex(s):
		return hashByLength(len(s))
	case looksLikeIP(s):
		return IP
	case hasPrefixFold(s, "HKEY_") || hasPrefixFold(s, `HKLM\`) || hasPrefixFold(s, `HKCU\`):
		return RegistryKey
	case strings.HasPrefix(s, `\\`) || len(s) > 2 && s[1:3] == `:\`:
		return FilePath
	case strings.ContainsAny(s, "/?#") && looksLikeHostPath(s):
		return URL
	case strings.IndexByte(s, '@') > 0:
		return Email
	case strings.Count(s, ":") == 2 && isDigits(s[:strings.IndexByte(s, ':')]):
		return SSDeep
	case hasPrefixFold(s, "as") && isDigits(trimPrefixFold(trimPrefixFold(s, "as"), "n")):
		return ASN
	case strings.IndexByte(s, '.') >= 0 && !strings.ContainsAny(s, ` /\"`):
		return Domain
	}
	return Unknown
}

func isHex(s string) bool {
	for i := range len(s) {
		if hexValue[s[i]] > 15 {
			return false
		}
	}
	return true
}

// looksLikeIP is generous, so that a bad address is refused as an address.
func looksLikeIP(s string) bool {
	digits, dots, colons := 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case hexValue[c] < 10:
			digits++
		case c == '.':
			dots++
		case c == ':':
			colons++
		case c == '/' || c == '-' || c == ' ':
		case hexValue[c] <= 15 && strings.IndexByte(s, ':') >= 0:
		case c|0x20 == 'x' && i > 0 && s[i-1] == '0':
		case c == '%' && colons > 1:
			return true
		default:
			return false
		}
	}
	return colons > 1 || dots > 0 && digits > 0
}

// looksLikeHostPath: a host of two labels or more, then a path.
func looksLikeHostPath(s string) bool {
	p, fault := splitURL(s)
	return fault == nil && p.scheme == "" && !p.hasUser && (p.addr.IsValid() || p.name != "")
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
