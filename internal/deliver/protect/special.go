package protect

import (
	"net/netip"
	"strings"
)

// specialPurpose is the address space of the IANA special-purpose registries that
// is not globally reachable, and multicast.
var specialPurpose = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	"3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "ff00::/8",
)

func prefixes(text ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(text))
	for i, t := range text {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// special returns the special-purpose network that overlaps from..to.
func special(from, to netip.Addr) (netip.Prefix, bool) {
	for _, p := range specialPurpose {
		if p.Addr().Is4() != from.Is4() {
			continue
		}
		// A prefix and a range overlap when one holds the other's first address.
		first := p.Addr()
		if p.Contains(from) || !first.Less(from) && !to.Less(first) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// hasPath reports whether a canonical URL names more than its host.
func hasPath(url string) bool {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return false
	}
	_, path, ok := strings.Cut(rest, "/")
	return ok && path != ""
}
