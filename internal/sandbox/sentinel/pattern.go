package sentinel

import (
	"regexp"
	"strings"
)

// comparison is a pattern of one equality test: [path = 'text'] or [path = 17].
var comparison = regexp.MustCompile(`^\s*\[\s*([a-z0-9-]+:[^\s='"\[\]]+(?:'[^']*'[^\s='"]*)*(?:\[[0-9*]+\][^\s='"]*)*)\s*=\s*(?:'((?:[^'\\]|\\['\\])*)'|([0-9.]+))\s*\]\s*$`)

var unescape = strings.NewReplacer(`\'`, `'`, `\\`, `\`)

// Observable returns what the table shows of a STIX pattern: the object path as
// it was written and the value. Both are empty for any pattern but a single
// comparison by equality, which is why rules never match those.
func Observable(pattern string) (key, value string) {
	m := comparison.FindStringSubmatch(pattern)
	if m == nil {
		return "", ""
	}
	if m[3] != "" {
		return m[1], m[3]
	}
	return m[1], unescape.Replace(m[2])
}
