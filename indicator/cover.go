package indicator

import (
	"net/netip"
	"strings"
)

// KeyRange is a range of keys, [From, To).
type KeyRange struct{ From, To []byte }

// Covered returns the key ranges that hold everything i covers, itself included:
// for a domain it, its sub-domains and the URLs on them; for addresses the
// addresses, CIDRs and ranges that start inside and the URLs on such hosts; for
// anything else itself. An address range may hold values that reach beyond i:
// ask Covers of each.
func (i Indicator) Covered() []KeyRange {
	switch i.Kind {
	case Domain:
		key := i.AppendKey(nil)
		url := append([]byte(nil), key...)
		url[0] = byte(URL)
		return []KeyRange{prefixRange(key), prefixRange(url)}
	case IPv4, IPv6:
		s, ok := i.span()
		if !ok {
			return nil
		}
		return []KeyRange{
			s.keyRange([]byte{byte(i.Kind)}),
			s.keyRange([]byte{byte(URL), addrHost}),
		}
	}
	key := i.AppendKey(nil)
	return []KeyRange{{key, append(key[:len(key):len(key)], 0)}}
}

// keyRange returns the keys of prefix followed by an address of s.
func (s span) keyRange(prefix []byte) KeyRange {
	from, to := s.from.As16(), s.to.As16()
	last := append(prefix[:len(prefix):len(prefix)], to[:]...)
	return KeyRange{append(prefix[:len(prefix):len(prefix)], from[:]...), prefixRange(last).To}
}

// prefixRange returns the keys that begin with p.
func prefixRange(p []byte) KeyRange {
	to := append([]byte(nil), p...)
	for n := len(to) - 1; n >= 0; n-- {
		if to[n]++; to[n] != 0 {
			return KeyRange{p, to[:n+1]}
		}
	}
	return KeyRange{p, nil}
}

// Covers reports whether what is said of outer holds of inner: they are equal;
// outer's addresses hold all of inner's, or the address that is inner's URL host;
// outer is a domain and inner a sub-domain of it or a URL on it. E-mail addresses
// are covered by themselves only.
func Covers(outer, inner Indicator) bool {
	switch {
	case outer == inner:
		return true
	case outer.Kind == Domain && inner.Kind == Domain:
		return under(inner.Value, outer.Value)
	case outer.Kind == Domain && inner.Kind == URL:
		name, _ := inner.Host()
		return name == outer.Value || under(name, outer.Value)
	case outer.Kind.In(IP) && inner.Kind.In(IP):
		a, okA := outer.span()
		b, okB := inner.span()
		return okA && okB && a.from.Is4() == b.from.Is4() && a.holds(b)
	case outer.Kind.In(IP) && inner.Kind == URL:
		_, addr := inner.Host()
		a, ok := outer.span()
		return ok && addr.IsValid() && a.holds(span{from: addr, to: addr})
	}
	return false
}

func under(name, domain string) bool {
	cut := len(name) - len(domain)
	return cut > 0 && name[cut-1] == '.' && strings.HasSuffix(name, domain)
}

// holds compares within one family; addresses of different families never hold
// each other because IPv4 sorts before IPv6.
func (s span) holds(o span) bool {
	return s.from.Compare(o.from) <= 0 && o.to.Compare(s.to) <= 0
}

// Host returns the host of a URL: a name, or an address with v4-mapped IPv6
// unmapped. For every other kind both are zero.
func (i Indicator) Host() (name string, addr netip.Addr) {
	if i.Kind != URL {
		return "", netip.Addr{}
	}
	p, fault := splitURL(i.Value)
	if fault != nil {
		return "", netip.Addr{}
	}
	return p.name, p.addr.Unmap()
}
