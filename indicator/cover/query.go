package cover

import (
	"net/netip"

	"go4.org/netipx"

	"github.com/remeld/remeld/indicator"
)

// Covering returns a value of the set that covers i: i itself if it is there,
// else the nearest, a range only where no CIDR covers.
func (s *Set) Covering(i indicator.Indicator) (Entry, bool) {
	switch {
	case i.Kind == indicator.Domain:
		return s.names.nearest(i.Value).entry()
	case i.Kind.In(indicator.IP):
		return s.aroundIP(i)
	}
	if h := s.exact[i]; h != nil || i.Kind != indicator.URL {
		return h.entry()
	}
	name, addr := i.Host()
	if !addr.IsValid() {
		return s.names.nearest(name).entry()
	}
	return s.around(addr, addr, hostPrefix(addr))
}

func (s *Set) aroundIP(i indicator.Indicator) (Entry, bool) {
	if p, ok := i.Prefix(); ok {
		return s.around(p.Addr(), netipx.PrefixLastIP(p), p)
	}
	if h := s.exact[i]; h != nil {
		return h.entry()
	}
	from, to, ok := i.Addrs()
	if !ok {
		return Entry{}, false
	}
	return s.around(from, to, commonPrefix(from, to))
}

// around finds what holds from..to, whose smallest common prefix is p.
func (s *Set) around(from, to netip.Addr, p netip.Prefix) (Entry, bool) {
	if h, ok := s.prefixes.LookupPrefix(p); ok {
		return h.entry()
	}
	return s.intervals().around(from, to).entry()
}

// Inside returns a value of the set that i covers: i itself if it is there, else
// the first that lies inside. It is the question to ask of a CIDR around a
// protected address or the parent domain of a protected host (SEMANTICS D7).
func (s *Set) Inside(i indicator.Indicator) (Entry, bool) {
	if h := s.exact[i]; h != nil {
		return h.entry()
	}
	switch {
	case i.Kind == indicator.Domain:
		return s.names.find(i.Value).first().entry()
	case i.Kind.In(indicator.IP):
		return s.insideAddrs(i)
	}
	return Entry{}, false
}

func (s *Set) insideAddrs(i indicator.Indicator) (Entry, bool) {
	from, to, ok := i.Addrs()
	if !ok {
		return Entry{}, false
	}
	if p, ok := i.Prefix(); ok {
		if h := s.insidePrefix(p); h != nil {
			return h.entry()
		}
	} else {
		// A prefix inside a range is inside one of the range's own prefixes.
		for _, p := range netipx.IPRangeFrom(from, to).Prefixes() {
			if h := s.insidePrefix(p); h != nil {
				return h.entry()
			}
		}
	}
	return s.intervals().inside(from, to).entry()
}

func (s *Set) insidePrefix(p netip.Prefix) *holding {
	for _, h := range s.prefixes.Subnets(p) {
		return h
	}
	for _, urls := range s.hosts.Subnets(p) {
		return urls[0]
	}
	return nil
}

// commonPrefix returns the smallest prefix that holds both ends.
func commonPrefix(from, to netip.Addr) netip.Prefix {
	a, b := from.As16(), to.As16()
	skip := 128 - from.BitLen()
	n := skip
	for n < 128 && (a[n/8]^b[n/8])&(0x80>>(n%8)) == 0 {
		n++
	}
	return netip.PrefixFrom(from, n-skip).Masked()
}
