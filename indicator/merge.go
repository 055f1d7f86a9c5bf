package indicator

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rule says how what several say of one attribute becomes one value.
type Rule string

// The rules. All but First and Last do not depend on any order and give the same
// result however the contributions are grouped (SEMANTICS E8).
const (
	Max       Rule = "max"       // numbers, times, TLP
	Min       Rule = "min"       // numbers, times, TLP
	Strictest Rule = "strictest" // TLP: the least shareable
	Union     Rule = "union"     // sets, sorted
	Confident Rule = "confident" // the value with the highest confidence behind it, then the smallest bytes
	Longest   Rule = "longest"   // texts: the longest, then the smallest bytes
	Smallest  Rule = "smallest"  // the smallest bytes
	First     Rule = "first"     // of the input that stands first in the config
	Last      Rule = "last"      // of the input that stands last in the config
)

// Rules gives attributes a rule by name; names that are no attribute's are those
// of Extra. What is not named has the default: max of confidence, severity, last
// seen, valid until and false positives, min of first seen, the strictest TLP,
// the union of the sets, and confident for the rest.
type Rules map[string]Rule

// Contribution is what one input says. Order is the input's place in the config
// and is looked at by First and Last only.
type Contribution struct {
	Order int
	Attrs *Attributes
}

var defaultRules = [fieldExtra]Rule{
	fieldConfidence: Max, fieldSeverity: Max, fieldTLP: Strictest, fieldPort: Confident,
	fieldProtocol: Confident, fieldThreatType: Confident, fieldDescription: Confident,
	fieldExternalID: Confident, fieldOwner: Confident, fieldTags: Union, fieldKillChain: Union,
	fieldReferences: Union, fieldSources: Union, fieldFirstSeen: Min, fieldLastSeen: Max,
	fieldValidUntil: Max, fieldFalsePositives: Max,
}

// Validate reports every rule that does not exist or does not suit its attribute,
// in the order of the names.
func (r Rules) Validate() error {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if allowed := rulesFor(name); !slices.Contains(allowed, r[name]) {
			wrong = append(wrong, fmt.Sprintf("%s cannot be merged by %q; it can by %s", name, r[name], joinRules(allowed)))
		}
	}
	if wrong != nil {
		return fmt.Errorf("merge rules: %s", strings.Join(wrong, "; "))
	}
	return nil
}

func joinRules(rules []Rule) string {
	var names []string
	for _, r := range rules {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

func rulesFor(name string) []Rule {
	f, known := fieldByName[name]
	switch {
	case !known:
		return []Rule{Confident, Smallest, Max, Min, Union, Longest, First, Last}
	case f == fieldExtra:
		return nil
	case f == fieldTLP:
		return []Rule{Strictest, Max, Min, Confident, First, Last}
	case (&Attributes{}).setField(f) != nil:
		return []Rule{Union, First, Last}
	case (&Attributes{}).textField(f) != nil:
		return []Rule{Confident, Smallest, Longest, First, Last}
	case f == fieldConfidence:
		return []Rule{Max, Min, First, Last}
	}
	return []Rule{Max, Min, Confident, First, Last}
}

// Merge makes one of what in says, which is neither changed nor shared. Merging
// is commutative, associative and idempotent, so that a shuffled feed or another
// grouping of the inputs is not a change; First and Last excepted, which look at
// Order (SEMANTICS E8).
func Merge(rules Rules, in []Contribution) Attributes {
	if len(in) == 1 && len(rules) == 0 {
		return in[0].Attrs.Clone()
	}
	m := merger{rules: rules, in: in, present: make([]uint32, len(in))}
	for n, c := range in {
		m.present[n] = c.Attrs.present()
	}
	for f := fieldConfidence; f < fieldExtra; f++ {
		m.field(f)
	}
	m.extra()
	for name, s := range m.backing {
		if s != m.out.Confidence {
			if m.out.Backing == nil {
				m.out.Backing = map[string]Score{}
			}
			m.out.Backing[name] = s
		}
	}
	return m.out.Clone()
}

type merger struct {
	rules   Rules
	in      []Contribution
	present []uint32 // of each of in
	out     Attributes
	backing map[string]Score
}

func (m *merger) field(f int) {
	name := attributeNames[f]
	rule, ok := m.rules[name]
	if !ok {
		rule = defaultRules[f]
	}
	if rule == Union {
		set := m.out.setField(f)
		for _, c := range m.in {
			*set = append(*set, *c.Attrs.setField(f)...)
		}
		*set = sortedSet(*set)
		return
	}
	var best candidate
	for n, c := range m.in {
		if m.present[n]&(1<<f) == 0 {
			continue
		}
		next := candidate{attrs: c.Attrs, order: c.Order, backed: backed(c.Attrs, name), f: f}
		if best.attrs == nil || rule.better(&next, &best) {
			best = next
		}
	}
	if best.attrs == nil {
		return
	}
	m.out.copyField(best.attrs, f)
	m.keepBacking(rule, name, best.backed)
}

func (m *merger) keepBacking(rule Rule, name string, s Score) {
	if rule != Confident {
		return
	}
	if m.backing == nil {
		m.backing = map[string]Score{}
	}
	m.backing[name] = s
}

// backed returns the confidence behind an attribute of a.
func backed(a *Attributes, name string) Score {
	if s, ok := a.Backing[name]; ok {
		return s
	}
	return a.Confidence
}

// candidate is one value that may win.
type candidate struct {
	attrs  *Attributes
	order  int
	backed Score
	f      int
	value  any // of an extra attribute
}

// bytes is what ties are broken by; it is seldom asked for.
func (c *candidate) bytes() []byte {
	if c.f == fieldExtra {
		return appendExtraValue(nil, c.value)
	}
	return c.attrs.appendField(nil, c.f)
}

// better reports whether a wins over b under r. It is a total order up to equal
// values.
func (r Rule) better(a, b *candidate) bool {
	c := 0
	switch r {
	case Max, Strictest:
		c = b.compare(a)
	case Min:
		c = a.compare(b)
	case Confident:
		c = cmp.Compare(b.backed, a.backed)
	case Longest:
		c = cmp.Compare(len(b.bytes()), len(a.bytes()))
	case First:
		c = cmp.Compare(a.order, b.order)
	case Last:
		c = cmp.Compare(b.order, a.order)
	}
	if c == 0 {
		c = bytes.Compare(a.bytes(), b.bytes())
	}
	return c < 0
}

// compare orders by value.
func (c *candidate) compare(o *candidate) int {
	if c.f == fieldExtra {
		return compareExtra(c.value, o.value)
	}
	a, b := c.attrs, o.attrs
	switch c.f {
	case fieldConfidence:
		return cmp.Compare(a.Confidence, b.Confidence)
	case fieldSeverity:
		return cmp.Compare(a.Severity, b.Severity)
	case fieldTLP:
		return cmp.Compare(a.TLP, b.TLP)
	case fieldPort:
		return cmp.Compare(a.Port, b.Port)
	case fieldFalsePositives:
		return cmp.Compare(a.FalsePositives, b.FalsePositives)
	}
	return a.timeField(c.f).Compare(*b.timeField(c.f))
}

func (a *Attributes) copyField(from *Attributes, f int) {
	switch f {
	case fieldConfidence:
		a.Confidence = from.Confidence
	case fieldSeverity:
		a.Severity = from.Severity
	case fieldTLP:
		a.TLP = from.TLP
	case fieldPort:
		a.Port = from.Port
	case fieldFalsePositives:
		a.FalsePositives = from.FalsePositives
	default:
		if s := a.textField(f); s != nil {
			*s = *from.textField(f)
		} else if set := a.setField(f); set != nil {
			*set = *from.setField(f)
		} else {
			*a.timeField(f) = *from.timeField(f)
		}
	}
}
