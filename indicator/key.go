package indicator

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
)

// The key encoding (SEMANTICS E9) is frozen: it is the on-disk order. The first
// byte is the Kind. Then:
//
//	addresses   16 bytes (IPv4 as ::ffff:a.b.c.d), 1 byte prefix length of 128;
//	            a range that is no CIDR: 16 bytes first, 0xFF, 16 bytes last
//	domain      the labels from the last to the first, each with a dot behind it
//	url         the host as in domain, or 0x01 and 16 bytes; the rest from the
//	            path on; 0x00; "[" if the host is v4-mapped; scheme; ":" port;
//	            "@" user information
//	email       the domain as in domain, "@", the local part
//	digests     the raw bytes
//	others      the text
const (
	rangeMark   = 0xFF
	addrHost    = 0x01
	urlTail     = 0x00
	mappedMark  = '['
	v4InV6Bits  = 96
	addrKeyLen  = 1 + 16 + 1
	rangeKeyLen = addrKeyLen + 16
)

// KeyKind returns the kind of a key, Unknown for none.
func KeyKind(key []byte) Kind {
	if len(key) == 0 || Kind(key[0]) > lastKind {
		return Unknown
	}
	return Kind(key[0])
}

// AppendKey appends the sort key of a canonical indicator. An indicator that
// Parse did not make has no meaningful key.
func (i Indicator) AppendKey(dst []byte) []byte {
	dst = append(dst, byte(i.Kind))
	switch i.Kind {
	case IPv4, IPv6:
		s, ok := i.span()
		if !ok {
			return append(dst, i.Value...)
		}
		return s.appendKey(dst)
	case Domain:
		return appendReversed(dst, i.Value)
	case URL:
		return appendURLKey(dst, i.Value)
	case Email:
		at := strings.LastIndexByte(i.Value, '@')
		dst = appendReversed(dst, i.Value[at+1:])
		return append(append(dst, '@'), i.Value[:max(at, 0)]...)
	case MD5, SHA1, SHA256, SHA512, JA3, Certificate:
		return appendHex(dst, i.Value)
	}
	return append(dst, i.Value...)
}

func (s span) appendKey(dst []byte) []byte {
	from := s.from.As16()
	dst = append(dst, from[:]...)
	if s.bits < 0 {
		to := s.to.As16()
		dst = append(dst, rangeMark)
		return append(dst, to[:]...)
	}
	return append(dst, byte(s.bits+128-s.from.BitLen()))
}

func appendReversed(dst []byte, name string) []byte {
	for name != "" {
		dot := strings.LastIndexByte(name, '.')
		dst = append(append(dst, name[dot+1:]...), '.')
		name = name[:max(dot, 0)]
	}
	return dst
}

func appendURLKey(dst []byte, url string) []byte {
	p, fault := splitURL(url)
	if fault != nil {
		return append(dst, url...)
	}
	if p.addr.IsValid() {
		host := p.addr.As16()
		dst = append(append(dst, addrHost), host[:]...)
	} else {
		dst = appendReversed(dst, p.name)
	}
	dst = append(append(dst, p.rest...), urlTail)
	if p.addr.Is4In6() {
		dst = append(dst, mappedMark)
	}
	dst = append(dst, p.scheme...)
	if p.port != "" {
		dst = append(append(dst, ':'), p.port...)
	}
	if p.hasUser {
		dst = append(append(dst, '@'), p.user...)
	}
	return dst
}

func appendHex(dst []byte, s string) []byte {
	for n := 0; n+1 < len(s); n += 2 {
		dst = append(dst, hexValue[s[n]]<<4|hexValue[s[n+1]])
	}
	return dst
}

// FromKey returns the indicator of a key that AppendKey made. Other bytes give a
// *Refusal, never a panic.
func FromKey(key []byte) (Indicator, error) {
	kind := KeyKind(key)
	if kind == Unknown {
		return Indicator{}, refuse(ReasonKey, "a key without a known kind")
	}
	i, ok := fromKey(kind, key)
	if !ok {
		return Indicator{}, refuse(ReasonKey, "not a key of its kind").of(kind, hex.EncodeToString(key))
	}
	return i, nil
}

func fromKey(kind Kind, key []byte) (Indicator, bool) {
	body := key[1:]
	switch kind {
	case IPv4, IPv6:
		return addrFromKey(kind, key)
	case Domain:
		name, rest := unreverse(body)
		return Indicator{Domain, name}, name != "" && len(rest) == 0
	case URL:
		return urlFromKey(body)
	case Email:
		name, rest := unreverse(body)
		if len(rest) < 2 || rest[0] != '@' || name == "" {
			return Indicator{}, false
		}
		return Indicator{Email, string(rest[1:]) + "@" + name}, true
	case MD5, SHA1, SHA256, SHA512, JA3, Certificate:
		return Indicator{kind, hex.EncodeToString(body)}, len(body) == hashBytes[kind]
	}
	return Indicator{kind, string(body)}, len(body) > 0
}

func addrFromKey(kind Kind, key []byte) (Indicator, bool) {
	if len(key) != addrKeyLen && len(key) != rangeKeyLen {
		return Indicator{}, false
	}
	from := netip.AddrFrom16([16]byte(key[1:17]))
	if kind == IPv4 {
		from = from.Unmap()
	}
	bits := int(key[17]) - 128 + from.BitLen()
	s := span{from: from, bits: bits}
	switch {
	case len(key) == rangeKeyLen:
		s.to, s.bits = netip.AddrFrom16([16]byte(key[18:34])), -1
		if kind == IPv4 {
			s.to = s.to.Unmap()
		}
		canonical, fault := spanOf(s.from, s.to)
		if key[17] != rangeMark || fault != nil || canonical != s {
			return Indicator{}, false
		}
	case bits < 0 || bits > from.BitLen() || spanOfPrefix(from, bits).from != from:
		return Indicator{}, false
	}
	i := s.indicator()
	return i, i.Kind == kind
}

// unreverse reads reversed labels up to the first byte no label has and returns
// the name and what follows it.
func unreverse(b []byte) (name string, rest []byte) {
	n := 0
	for n < len(b) && (nameByte[b[n]] != 0 || b[n] == '.') {
		n++
	}
	if n == 0 || b[n-1] != '.' {
		return "", b
	}
	out := make([]byte, 0, n-1)
	for labels := b[:n-1]; ; {
		dot := bytes.LastIndexByte(labels, '.')
		out = append(out, labels[dot+1:]...)
		if dot < 0 {
			return string(out), b[n:]
		}
		out, labels = append(out, '.'), labels[:dot]
	}
}

func urlFromKey(b []byte) (Indicator, bool) {
	var p urlParts
	if len(b) > 17 && b[0] == addrHost {
		p.addr, b = netip.AddrFrom16([16]byte(b[1:17])), b[17:]
	} else {
		p.name, b = unreverse(b)
	}
	rest, tail, ok := strings.Cut(string(b), string([]byte{urlTail}))
	if !ok || !p.addr.IsValid() && p.name == "" {
		return Indicator{}, false
	}
	p.rest = rest
	tail, mapped := strings.CutPrefix(tail, string(mappedMark))
	if !mapped && p.addr.IsValid() {
		p.addr = p.addr.Unmap()
	}
	tail, p.user, p.hasUser = strings.Cut(tail, "@")
	p.scheme, p.port, _ = strings.Cut(tail, ":")
	return Indicator{URL, p.String()}, true
}
