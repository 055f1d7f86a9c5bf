package tql

import (
	"cmp"
	"strings"

	"github.com/remeld/remeld/internal/diag"
)

// Order reads a sorting of ThreatConnect's API, as "ownerName asc confidence desc":
// names, each with asc (unless it says so), desc, nullsfirst or nullslast behind it.
// What is not known comes last unless it says otherwise. It returns a function that
// compares two subjects of the schema, as slices.SortFunc takes it.
func (s *Schema) Order(sorting string) (func(a, b any) int, error) {
	var keys []sortKey
	for offset, word := range words(sorting) {
		switch lower := strings.ToLower(word); {
		case len(keys) > 0 && (lower == "asc" || lower == "desc"):
			keys[len(keys)-1].descending = lower == "desc"
		case len(keys) > 0 && (lower == "nullsfirst" || lower == "nullslast"):
			keys[len(keys)-1].unknownFirst = lower == "nullsfirst"
		default:
			p := s.params[plain(word)]
			if p == nil {
				return nil, errorAt(sorting, offset, diag.DidYouMean(word, s.Names()), "cannot sort by unknown parameter %q", word)
			}
			if p.Each != nil || p.Texts != nil || p.Type == Net {
				return nil, errorAt(sorting, offset, "", "cannot sort by %s, which has no single value", p.Name)
			}
			keys = append(keys, sortKey{param: p})
		}
	}
	return func(a, b any) int {
		for _, k := range keys {
			if c := k.compare(a, b); c != 0 {
				return c
			}
		}
		return 0
	}, nil
}

// words yields the words of a text with their offsets.
func words(text string) func(func(int, string) bool) {
	return func(yield func(int, string) bool) {
		at := 0
		for _, word := range strings.Fields(text) {
			at += strings.Index(text[at:], word)
			if !yield(at, word) {
				return
			}
			at += len(word)
		}
	}
}

type sortKey struct {
	param                    *Param
	descending, unknownFirst bool
}

func (k sortKey) compare(a, b any) int {
	knownA, knownB := k.param.has(a), k.param.has(b)
	if !knownA || !knownB {
		c := cmp.Compare(boolNumber(knownB), boolNumber(knownA))
		if k.unknownFirst {
			c = -c
		}
		return c
	}
	c := k.param.compare(a, b)
	if k.descending {
		c = -c
	}
	return c
}

// compare orders two subjects by a parameter that both have.
func (p *Param) compare(a, b any) int {
	switch {
	case p.Number != nil:
		x, _ := p.Number(a)
		y, _ := p.Number(b)
		return cmp.Compare(x, y)
	case p.Bool != nil:
		x, _ := p.Bool(a)
		y, _ := p.Bool(b)
		return cmp.Compare(boolNumber(x), boolNumber(y))
	case p.Date != nil:
		return p.Date(a).Compare(p.Date(b))
	case p.Enum != nil:
		x, _ := p.Enum(a)
		y, _ := p.Enum(b)
		return cmp.Compare(p.Names.Values[x], p.Names.Values[y])
	default:
		x, _ := p.Text(a)
		y, _ := p.Text(b)
		return cmp.Compare(strings.ToLower(x), strings.ToLower(y))
	}
}

func boolNumber(b bool) int {
	if b {
		return 1
	}
	return 0
}
