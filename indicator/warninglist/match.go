package warninglist

import (
	"strings"

	"github.com/remeld/remeld/indicator"
)

// Match returns the entry that names i, if i is of a kind the list is about. A
// cidr list matches by containment, a hostname list a name, its sub-domains and
// URLs on it, a string list the value alone.
func (l *List) Match(i indicator.Indicator) (entry string, ok bool) {
	if !l.about(i.Kind) {
		return "", false
	}
	switch l.Type {
	case CIDR:
		return l.covering(i)
	case Hostname:
		return l.matchHostname(i)
	case String:
		if entry, ok := l.exact[i.Value]; ok {
			return entry, true
		}
		return l.covering(i)
	case Substring:
		value := strings.ToLower(i.Value)
		for _, s := range l.substrings {
			if strings.Contains(value, s.folded) {
				return s.entry, true
			}
		}
	case Regex:
		for _, p := range l.patterns {
			if p.re.MatchString(i.Value) {
				return p.entry, true
			}
		}
	}
	return "", false
}

func (l *List) covering(i indicator.Indicator) (string, bool) {
	e, ok := l.cover.Covering(i)
	return e.Label, ok
}

func (l *List) matchHostname(i indicator.Indicator) (string, bool) {
	if entry, ok := l.covering(i); ok || len(l.exact) == 0 {
		return entry, ok
	}
	name := i.Value
	if i.Kind == indicator.URL {
		name, _ = i.Host()
	}
	// Only single labels are in exact: the last label decides.
	entry, ok := l.exact[name[strings.LastIndexByte(name, '.')+1:]]
	return entry, ok && (i.Kind == indicator.Domain || i.Kind == indicator.URL)
}

// Inside returns an entry of a cidr or hostname list that lies inside i: blocking
// i would block what the entry names. Lists of other types have none.
func (l *List) Inside(i indicator.Indicator) (entry string, ok bool) {
	if l.Type != CIDR && l.Type != Hostname || !l.about(i.Kind) {
		return "", false
	}
	e, ok := l.cover.Inside(i)
	return e.Label, ok
}

func (l *List) about(k indicator.Kind) bool { return l.kinds == nil || l.kinds[k] }

// kindsOf maps MISP attribute types to kinds. A list without types is about every
// kind.
func kindsOf(attributes []string) map[indicator.Kind]bool {
	if len(attributes) == 0 {
		return nil
	}
	kinds := map[indicator.Kind]bool{}
	for _, a := range attributes {
		for _, part := range strings.Split(a, "|") {
			family, ok := indicator.ParseKind(part)
			if !ok {
				continue
			}
			for _, k := range indicator.Kinds() {
				if k.In(family) {
					kinds[k] = true
				}
			}
		}
	}
	return kinds
}
