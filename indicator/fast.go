package indicator

import "bytes"

// AppendKey parses text as Parse does and appends the key of what it is: the way
// of bulk readers. dst grows by nothing when the value is refused. Addresses,
// plain ASCII domain names and digests cost no allocation beyond dst's own.
func AppendKey(dst []byte, kind Kind, text []byte) ([]byte, *Refusal) {
	switch kind {
	case Unknown:
		if out, ok := appendDetected(dst, text); ok {
			return out, nil
		}
	case IPv4, IPv6, IP:
		return appendAddrKey(dst, kind, text)
	case Domain:
		if out, ok := appendPlainDomain(dst, text); ok {
			return out, nil
		}
	case MD5, SHA1, SHA256, SHA512, JA3, Certificate:
		if out, ok := appendDigest(dst, kind, text); ok {
			return out, nil
		}
	case Hash:
		if out, ok := appendDigest(dst, hashByLength(len(text)), text); ok {
			return out, nil
		}
	}
	i, fault := parse(kind, string(text))
	if fault != nil {
		return dst, fault
	}
	return i.AppendKey(dst), nil
}

// appendAddrKey spares the way over the canonical text.
func appendAddrKey(dst []byte, kind Kind, text []byte) ([]byte, *Refusal) {
	if v, ok := plainIPv4(text); ok && kind != IPv6 {
		return appendIPv4Key(dst, v), nil
	}
	s, fault := parseSpan(string(bytes.TrimSpace(text)))
	is := s.kind()
	if fault != nil || !is.In(kind) {
		_, fault = parse(kind, string(text))
		return dst, fault
	}
	return s.appendKey(append(dst, byte(is))), nil
}

// appendDetected takes the three commonest looks in the order of detect.
func appendDetected(dst, text []byte) ([]byte, bool) {
	if kind := hashByLength(len(text)); kind != Unknown {
		if out, ok := appendDigest(dst, kind, text); ok {
			return out, true
		}
	}
	if len(text) == 0 {
		return dst, false
	}
	if text[len(text)-1]-'0' <= 9 {
		if v, ok := plainIPv4(text); ok {
			return appendIPv4Key(dst, v), true
		}
	}
	return appendPlainDomain(dst, text)
}

func appendIPv4Key(dst []byte, v uint32) []byte {
	return append(dst, byte(IPv4), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF,
		byte(v>>24), byte(v>>16), byte(v>>8), byte(v), 128)
}

func appendDigest(dst []byte, kind Kind, text []byte) ([]byte, bool) {
	n := 0
	if kind <= lastKind {
		n = hashBytes[kind]
	}
	if n == 0 || len(text) != 2*n {
		return dst, false
	}
	start := len(dst)
	dst = append(dst, byte(kind))
	for i := 0; i+1 < len(text); i += 2 {
		hi, lo := hexValue[text[i]], hexValue[text[i+1]]
		if hi|lo > 15 {
			return dst[:start], false
		}
		dst = append(dst, hi<<4|lo)
	}
	return dst, true
}

// appendPlainDomain handles a lower- or upper-case ASCII name that needs no
// mapping. It reports false for everything else, also for what is wrong.
func appendPlainDomain(dst, text []byte) ([]byte, bool) {
	start := len(dst)
	if len(text) > maxName {
		return dst, false
	}
	end := len(text)
	for end > 0 {
		dot := bytes.LastIndexByte(text[:end], '.')
		if dot < 0 && end == len(text) {
			return dst[:start], false
		}
		label := text[dot+1 : end]
		if !plainLabel(label) || end == len(text) && !plainTLD(label) {
			return dst[:start], false
		}
		if end == len(text) {
			dst = append(dst, byte(Domain))
		}
		for _, c := range label {
			dst = append(dst, nameByte[c])
		}
		dst = append(dst, '.')
		end = dot
	}
	if end == 0 {
		return dst[:start], false
	}
	return dst, true
}

func plainLabel(label []byte) bool {
	n := len(label)
	if n == 0 || n > maxLabel || label[0] == '-' || label[n-1] == '-' {
		return false
	}
	if n > 4 && label[2] == '-' && label[3] == '-' && hasACEPrefix(label, 2) {
		return false
	}
	for _, c := range label {
		if nameByte[c] == 0 {
			return false
		}
	}
	return true
}

// plainTLD passes what begins with a letter and has two bytes or more.
func plainTLD(label []byte) bool {
	return len(label) > 1 && label[0]|0x20 >= 'a' && label[0]|0x20 <= 'z' && bytes.IndexByte(label, '_') < 0
}
