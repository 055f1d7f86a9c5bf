package indicator

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// span is an address, CIDR or range: both ends, of one family, v4-mapped IPv6
// already unmapped. bits is the prefix length in its family, -1 for a range that
// is no CIDR.
type span struct {
	from, to netip.Addr
	bits     int
}

// Addrs returns the first and the last address of an address kind; ok is false
// for every other kind.
func (i Indicator) Addrs() (from, to netip.Addr, ok bool) {
	s, ok := i.span()
	return s.from, s.to, ok
}

// Prefix returns the value as a prefix when it is one address (/32, /128) or a
// CIDR. A range that is no CIDR has none.
func (i Indicator) Prefix() (netip.Prefix, bool) {
	s, ok := i.span()
	if !ok || s.bits < 0 {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(s.from, s.bits), true
}

// FromAddrs returns the canonical indicator of the addresses from..to: the single
// address, the CIDR if they are exactly one, else the range. IPv4-mapped ends
// are unmapped. It returns the zero Indicator when an end is invalid, the ends
// are of different families or from is above to.
func FromAddrs(from, to netip.Addr) Indicator {
	s, fault := spanOf(from, to)
	if fault != nil {
		return Indicator{}
	}
	return s.indicator()
}

func (i Indicator) span() (span, bool) {
	if !i.Kind.In(IP) {
		return span{}, false
	}
	s, fault := parseSpan(i.Value)
	return s, fault == nil
}

func (s span) kind() Kind {
	if s.from.Is4() {
		return IPv4
	}
	return IPv6
}

func (s span) indicator() Indicator {
	kind := s.kind()
	switch {
	case s.bits == s.from.BitLen():
		return Indicator{kind, s.from.String()}
	case s.bits >= 0:
		return Indicator{kind, s.from.String() + "/" + strconv.Itoa(s.bits)}
	}
	return Indicator{kind, s.from.String() + "-" + s.to.String()}
}

// parseSpan reads "a", "a/n" and "a-b".
func parseSpan(text string) (span, *Refusal) {
	if a, n, ok := strings.Cut(text, "/"); ok {
		return parseCIDR(a, n)
	}
	if a, b, ok := strings.Cut(text, "-"); ok {
		from, fault := parseAddr(strings.TrimSpace(a))
		if fault != nil {
			return span{}, fault
		}
		to, fault := parseAddr(strings.TrimSpace(b))
		if fault != nil {
			return span{}, fault
		}
		return spanOf(from, to)
	}
	addr, fault := parseAddr(text)
	if fault != nil {
		return span{}, fault
	}
	addr = addr.Unmap()
	return span{addr, addr, addr.BitLen()}, nil
}

func parseCIDR(a, n string) (span, *Refusal) {
	addr, fault := parseAddr(a)
	if fault != nil {
		return span{}, fault
	}
	bits, err := strconv.Atoi(n)
	if err != nil || bits < 0 || bits > addr.BitLen() || strconv.Itoa(bits) != n {
		return span{}, refuse(ReasonPrefix, "prefix length is not a number from 0 to "+
			strconv.Itoa(addr.BitLen()))
	}
	return spanOfPrefix(addr, bits), nil
}

// spanOfPrefix masks the host bits; a prefix of mapped addresses only becomes the
// IPv4 prefix.
func spanOfPrefix(addr netip.Addr, bits int) span {
	if addr.Is4In6() && bits >= 96 {
		addr, bits = addr.Unmap(), bits-96
	}
	p := netip.PrefixFrom(addr, bits).Masked()
	return span{p.Addr(), lastOf(p), bits}
}

// spanOf joins two ends, recognising a CIDR.
func spanOf(from, to netip.Addr) (span, *Refusal) {
	if from.Zone() != "" || to.Zone() != "" {
		return span{}, refuse(ReasonZone, "a zone has meaning on one machine only")
	}
	if !from.IsValid() || !to.IsValid() {
		return span{}, refuse(ReasonNotAddress, "an end of the range is no address")
	}
	if a, b := from.Unmap(), to.Unmap(); a.Is4() && b.Is4() {
		from, to = a, b
	}
	if from.Is4() != to.Is4() {
		return span{}, refuse(ReasonMixedRange, "one end is IPv4, the other IPv6")
	}
	if to.Less(from) {
		return span{}, refuse(ReasonReversedRange, "the range ends before it starts")
	}
	s := span{from, to, -1}
	if p, ok := prefixOf(from, to); ok {
		s.bits = p.Bits()
	}
	return s, nil
}

// prefixOf returns the prefix that holds exactly from..to, if there is one.
func prefixOf(from, to netip.Addr) (netip.Prefix, bool) {
	a, b := from.As16(), to.As16()
	bits := from.BitLen()
	common := commonBits(a, b) - (128 - bits)
	p := netip.PrefixFrom(from, common).Masked()
	return p, p.Addr() == from && lastOf(p) == to
}

func commonBits(a, b [16]byte) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			n := i * 8
			for ; x&0x80 == 0; x <<= 1 {
				n++
			}
			return n
		}
	}
	return 128
}

// lastOf returns the highest address of p, whose host bits are zero.
func lastOf(p netip.Prefix) netip.Addr {
	if p.Addr().Is4() {
		b := p.Addr().As4()
		v := binary.BigEndian.Uint32(b[:]) | uint32(1<<(32-p.Bits())-1)
		binary.BigEndian.PutUint32(b[:], v)
		return netip.AddrFrom4(b)
	}
	b := p.Addr().As16()
	for n := p.Bits(); n < 128; n++ {
		b[n/8] |= 0x80 >> (n % 8)
	}
	return netip.AddrFrom16(b)
}

// parseAddr reads one address without prefix. IPv4 is taken only as four plain
// decimal numbers: every other spelling is another address to some reader.
func parseAddr(s string) (netip.Addr, *Refusal) {
	if strings.IndexByte(s, ':') < 0 {
		return parseIPv4(s)
	}
	if strings.IndexByte(s, '%') >= 0 {
		return netip.Addr{}, refuse(ReasonZone, "a zone has meaning on one machine only")
	}
	if host, port, ok := strings.Cut(s, ":"); ok && isDigits(port) && strings.Count(host, ".") == 3 {
		return netip.Addr{}, refuse(ReasonPort, "an address and a port; an address is wanted")
	}
	if strings.HasPrefix(s, "[") {
		return netip.Addr{}, refuse(ReasonNotAddress, "an address in brackets; write it without")
	}
	// An embedded IPv4 address has the same traps.
	if tail := s[strings.LastIndexByte(s, ':')+1:]; strings.IndexByte(tail, '.') >= 0 {
		if _, fault := parseIPv4(tail); fault != nil {
			return netip.Addr{}, fault
		}
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, refuse(ReasonNotAddress, "not an IPv6 address")
	}
	return addr, nil
}

func parseIPv4(s string) (netip.Addr, *Refusal) {
	if v, ok := plainIPv4(s); ok {
		return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), nil
	}
	return netip.Addr{}, ipv4Fault(s)
}

// plainIPv4 reads four decimal numbers without leading zeros.
func plainIPv4[T string | []byte](s T) (v uint32, ok bool) {
	if len(s) < 7 || len(s) > 15 {
		return 0, false
	}
	octet, digits, dots := uint32(0), 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c-'0' <= 9:
			if digits > 0 && octet == 0 {
				return 0, false
			}
			octet = octet*10 + uint32(c-'0')
			if digits++; octet > 255 {
				return 0, false
			}
		case c == '.' && digits > 0 && dots < 3:
			v, octet, digits = v<<8|octet, 0, 0
			dots++
		default:
			return 0, false
		}
	}
	return v<<8 | octet, dots == 3 && digits > 0
}

// ipv4Fault names what keeps s from being an IPv4 address. The order is that of
// what a reader should be told first.
func ipv4Fault(s string) *Refusal {
	if s == "" {
		return refuse(ReasonNotAddress, "no address")
	}
	parts := strings.Split(s, ".")
	if len(parts) > 4 || len(s) > 64 {
		return refuse(ReasonNotAddress, "not four numbers with dots between them")
	}
	var trap *Refusal
	for _, p := range parts {
		switch {
		case isHexNumber(p):
			trap = refuse(ReasonHex, "a hexadecimal part, which readers take differently")
		case !isDigits(p):
			return refuse(ReasonNotAddress, "not four numbers with dots between them")
		case trap == nil:
			trap = octetFault(p)
		}
	}
	if trap != nil {
		return trap
	}
	return refuse(ReasonShortForm, "fewer than four parts, which readers fill up differently")
}

func octetFault(p string) *Refusal {
	switch {
	case len(p) > 1 && p[0] == '0' && strings.Trim(p, "01234567") == "" && strings.Trim(p, "0") != "":
		return refuse(ReasonOctal, "a leading zero: some readers take the part as octal")
	case len(p) > 1 && p[0] == '0':
		return refuse(ReasonLeadingZero, "a part with a leading zero")
	case len(p) > 3 || (len(p) == 3 && p > "255"):
		return refuse(ReasonOctetRange, "a part above 255")
	}
	return nil
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}

func isHexNumber(s string) bool {
	if len(s) < 2 || s[0] != '0' || s[1]|0x20 != 'x' {
		return false
	}
	for i := 2; i < len(s); i++ {
		if hexValue[s[i]] > 15 {
			return false
		}
	}
	return true
}
