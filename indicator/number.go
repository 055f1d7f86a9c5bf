package indicator

import (
	"net/netip"
	"strconv"
	"strings"
)

// number reads plain digits up to limit.
func number(s string, limit uint64) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && isDigits(s) && n <= limit
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func trimPrefixFold(s, prefix string) string {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):]
	}
	return s
}

func addr4(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}
