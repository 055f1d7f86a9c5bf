package indicator

import (
	"cmp"
	"slices"
)

// extra merges the free attributes name by name.
func (m *merger) extra() {
	for _, c := range m.in {
		for name := range c.Attrs.Extra {
			if _, done := m.out.Extra[name]; !done {
				m.extraNamed(name)
			}
		}
	}
}

func (m *merger) extraNamed(name string) {
	if m.out.Extra == nil {
		m.out.Extra = map[string]any{}
	}
	rule, ok := m.rules[name]
	if !ok {
		rule = Confident
	}
	if rule == Union {
		m.out.Extra[name] = m.extraUnion(name)
		return
	}
	var best candidate
	for _, c := range m.in {
		v, has := c.Attrs.Extra[name]
		if !has {
			continue
		}
		next := candidate{attrs: c.Attrs, order: c.Order, backed: backed(c.Attrs, name), f: fieldExtra, value: v}
		if best.attrs == nil || rule.better(&next, &best) {
			best = next
		}
	}
	m.out.Extra[name] = best.value
	m.keepBacking(rule, name, best.backed)
}

// extraUnion makes a sorted list of all values; a scalar is a list of one.
func (m *merger) extraUnion(name string) []string {
	var all []string
	for _, c := range m.in {
		if v, has := c.Attrs.Extra[name]; has {
			// Extra holds nothing that is no text or list of texts.
			list, _ := coerceList(v)
			all = append(all, list...)
		}
	}
	return slices.Clone(sortedSet(all))
}

// compareExtra orders numbers by size and above everything else, which is then
// told apart by its bytes.
func compareExtra(a, b any) int {
	x, okX := extraNumber(a)
	y, okY := extraNumber(b)
	switch {
	case okX && okY:
		return cmp.Compare(x, y)
	case okX:
		return 1
	case okY:
		return -1
	}
	return 0
}

func extraNumber(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}
