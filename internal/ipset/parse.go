package ipset

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Reasons why a line is refused.
const (
	reasonAddress  = "not an address, CIDR or range"
	reasonZeros    = "leading zero in an IPv4 address (octal or decimal?)"
	reasonPrefix   = "prefix length out of range"
	reasonMask     = "netmask with holes"
	reasonReversed = "range ends before it begins"
	reasonFamilies = "range from one address family to the other"
	reasonZone     = "address with a zone"
	reasonLong     = "line too long"
)

// addLine adds what one line says; the reason is "" if it was added or there is
// nothing on it. Host bits of a CIDR are masked.
func (b *Builder) addLine(line []byte) (reason string) {
	// The common line is an IPv4 address alone.
	from, n := parse4(line)
	if n == len(line) && n > 0 {
		b.add4(from, from)
		return ""
	}
	if i := bytes.IndexAny(line, "#;"); i >= 0 {
		line = line[:i]
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return ""
	}
	from, n = parse4(line)
	if n <= 0 {
		if n < 0 {
			return reasonZeros
		}
		return b.addLineSlow(line)
	}
	rest := bytes.TrimLeft(line[n:], " \t")
	if len(rest) == 0 {
		b.add4(from, from)
		return ""
	}
	switch rest[0] {
	case '/':
		return b.addCIDR4(from, rest[1:])
	case '-':
		return b.addRange4(from, bytes.TrimLeft(rest[1:], " \t"))
	}
	return reasonAddress
}

func (b *Builder) addCIDR4(addr uint32, length []byte) string {
	var mask uint32
	n, ok := parseLength(length)
	switch {
	case ok && n > 32:
		return reasonPrefix
	case ok:
		mask = ^uint32(0) << (32 - n)
	default:
		m, used := parse4(length)
		if used != len(length) || used == 0 {
			return reasonAddress
		}
		if bits.LeadingZeros32(^m)+bits.TrailingZeros32(m) < 32 {
			return reasonMask
		}
		mask = m
	}
	b.add4(addr&mask, addr|^mask)
	return ""
}

func (b *Builder) addRange4(from uint32, text []byte) string {
	to, n := parse4(text)
	switch {
	case n < 0:
		return reasonZeros
	case n == 0 && bytes.IndexByte(text, ':') >= 0:
		return reasonFamilies
	case n != len(text) || n == 0:
		return reasonAddress
	case to < from:
		return reasonReversed
	}
	b.add4(from, to)
	return ""
}

// addLineSlow handles what does not begin with an IPv4 address.
func (b *Builder) addLineSlow(line []byte) string {
	if first, last, ok := bytes.Cut(line, []byte("-")); ok {
		from, r1 := parseAddr(bytes.TrimSpace(first))
		to, r2 := parseAddr(bytes.TrimSpace(last))
		switch {
		case r1 != "":
			return r1
		case r2 != "":
			return r2
		case from.Is4() != to.Is4():
			return reasonFamilies
		case !b.Add(from, to):
			return reasonReversed
		}
		return ""
	}
	text, length, cidr := bytes.Cut(line, []byte("/"))
	addr, reason := parseAddr(text)
	if reason != "" {
		return reason
	}
	host := 0
	if cidr {
		n, ok := parseLength(length)
		if !ok || n > 128 {
			return reasonPrefix
		}
		host = 128 - n
	}
	u, _ := number(addr)
	from := u.withoutLowOnes(host)
	b.v6 = append(b.v6, range6{from, from.withLowOnes(host)})
	return ""
}

// parseAddr parses an IPv6 address, or an IPv4 one in a place where that is rare.
func parseAddr(text []byte) (netip.Addr, string) {
	a, err := netip.ParseAddr(string(text))
	switch {
	case err != nil:
		return a, reasonAddress
	case a.Zone() != "":
		return a, reasonZone
	}
	return a, ""
}

// parse4 parses the IPv4 address that b begins with. n is its length in bytes, 0
// if there is none, -1 if a part of it has a leading zero.
func parse4(b []byte) (addr uint32, n int) {
	for part := range 4 {
		if part > 0 {
			if n >= len(b) || b[n] != '.' {
				return 0, 0
			}
			n++
		}
		begin, v := n, uint32(0)
		for n < len(b) && b[n]-'0' <= 9 {
			v = v*10 + uint32(b[n]-'0')
			if n++; n-begin > 3 {
				return 0, 0
			}
		}
		switch {
		case n == begin || v > 255, part == 0 && (n == len(b) || b[n] != '.'):
			return 0, 0 // 010::1 is IPv6, not a zero in front
		case b[begin] == '0' && n-begin > 1:
			return 0, -1
		}
		addr = addr<<8 | v
	}
	return addr, n
}

// parseLength parses a prefix length without sign or leading zero.
func parseLength(b []byte) (n int, ok bool) {
	if len(b) == 0 || len(b) > 3 || (b[0] == '0' && len(b) > 1) {
		return 0, false
	}
	for _, c := range b {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// append4 appends an IPv4 address in dotted form.
func append4(dst []byte, addr uint32) []byte {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], addr)
	for i, v := range b {
		if i > 0 {
			dst = append(dst, '.')
		}
		if v >= 100 {
			dst = append(dst, '0'+v/100)
		}
		if v >= 10 {
			dst = append(dst, '0'+v/10%10)
		}
		dst = append(dst, '0'+v%10)
	}
	return dst
}
