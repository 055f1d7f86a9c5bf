package indicator

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// attributeNames are the names of Get, Set, rules and JSON, in the order of the
// codec's fields.
var attributeNames = [...]string{
	fieldConfidence: "confidence", fieldSeverity: "severity", fieldTLP: "tlp", fieldPort: "port",
	fieldProtocol: "protocol", fieldThreatType: "threat_type", fieldDescription: "description",
	fieldExternalID: "external_id", fieldOwner: "owner", fieldTags: "tags",
	fieldKillChain: "kill_chain", fieldReferences: "references", fieldSources: "sources",
	fieldFirstSeen: "first_seen", fieldLastSeen: "last_seen", fieldValidUntil: "valid_until",
	fieldFalsePositives: "false_positives", fieldExtra: "extra",
}

// AttributeNames returns the names of the attributes that have a field of their
// own. Any other name is one of Extra.
func AttributeNames() []string { return slices.Clone(attributeNames[:fieldExtra]) }

var fieldByName = func() map[string]int {
	m := map[string]int{}
	for f, name := range attributeNames {
		m[name] = f
	}
	return m
}()

// Get returns an attribute by name and whether it is known: int64 for the
// numbers, string for texts and the TLP, []string for the sets, time.Time for
// the times. Any other name is looked up in Extra. The value is not a copy.
func (a *Attributes) Get(name string) (any, bool) {
	f, ok := fieldByName[name]
	if !ok {
		v, ok := a.Extra[name]
		return v, ok
	}
	switch f {
	case fieldConfidence:
		return a.Confidence.value()
	case fieldSeverity:
		return a.Severity.value()
	case fieldTLP:
		return a.TLP.String(), a.TLP != Unlabelled
	case fieldPort:
		return int64(a.Port), a.Port != 0
	case fieldFalsePositives:
		return int64(a.FalsePositives), a.FalsePositives != 0
	case fieldExtra:
		return a.Extra, len(a.Extra) > 0
	}
	if s := a.textField(f); s != nil {
		return *s, *s != ""
	}
	if set := a.setField(f); set != nil {
		return *set, len(*set) > 0
	}
	t := *a.timeField(f)
	return t, !t.IsZero()
}

func (s Score) value() (any, bool) {
	n, known := s.Get()
	return int64(n), known
}

// Clone returns a copy that shares no memory that can be written to.
func (a *Attributes) Clone() Attributes {
	c := *a
	for f := fieldTags; f <= fieldSources; f++ {
		set := c.setField(f)
		*set = slices.Clone(*set)
	}
	c.Extra, c.Backing = maps.Clone(a.Extra), maps.Clone(a.Backing)
	for name, v := range c.Extra {
		if list, ok := v.([]string); ok {
			c.Extra[name] = slices.Clone(list)
		}
	}
	return c
}

// Equal reports whether a and b say the same. The order of tags, kill chain,
// references and sources does not count, nor does time below a millisecond. Nil
// is no attributes.
func (a *Attributes) Equal(b *Attributes) bool {
	if a == nil || b == nil {
		return (a == nil || a.present() == 0) && (b == nil || b.present() == 0)
	}
	return string(a.AppendBinary(nil)) == string(b.AppendBinary(nil))
}

// ContentHash is over everything but LastSeen, which moves with every poll and is
// no change of content (SEMANTICS E5).
func (a *Attributes) ContentHash() [16]byte {
	c := *a
	c.LastSeen = time.Time{}
	var buf [512]byte
	sum := sha256.Sum256(c.AppendBinary(buf[:0]))
	return [16]byte(sum[:16])
}

// Set gives an attribute a value, coercing text, numbers and lists to its type;
// nil clears it. A number out of range is set to the nearest bound and reported
// as an error; a value of no use leaves the attribute as it was. A name that is
// no attribute's goes to Extra.
func (a *Attributes) Set(name string, value any) error {
	f, ok := fieldByName[name]
	if !ok {
		return a.setExtra(name, value)
	}
	if value == nil {
		a.clear(f)
		return nil
	}
	if err := a.setKnown(f, value); err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}

func (a *Attributes) clear(f int) {
	switch f {
	case fieldConfidence:
		a.Confidence = 0
	case fieldSeverity:
		a.Severity = 0
	case fieldTLP:
		a.TLP = Unlabelled
	case fieldPort:
		a.Port = 0
	case fieldFalsePositives:
		a.FalsePositives = 0
	case fieldExtra:
		a.Extra = nil
	default:
		if s := a.textField(f); s != nil {
			*s = ""
		} else if set := a.setField(f); set != nil {
			*set = nil
		} else {
			*a.timeField(f) = time.Time{}
		}
	}
}

func (a *Attributes) setKnown(f int, value any) error {
	switch f {
	case fieldTLP:
		return a.setTLP(value)
	case fieldExtra:
		return a.setAllExtra(value)
	case fieldConfidence, fieldSeverity, fieldPort, fieldFalsePositives:
		return a.setNumber(f, value)
	}
	if s := a.textField(f); s != nil {
		text, err := coerceText(value)
		if err == nil {
			*s = text
		}
		return err
	}
	if set := a.setField(f); set != nil {
		list, err := coerceList(value)
		if err == nil {
			*set = sortedSet(list)
		}
		return err
	}
	t, err := coerceTime(value)
	if err == nil {
		*a.timeField(f) = t
	}
	return err
}

func (a *Attributes) setTLP(value any) error {
	if t, ok := value.(TLP); ok && t <= Red {
		a.TLP = t
		return nil
	}
	text, _ := value.(string)
	t, ok := ParseTLP(text)
	if !ok && strings.TrimSpace(text) != "" || text == "" && value != "" {
		return fmt.Errorf("%v is no TLP label (clear, green, amber, amber+strict, red)", value)
	}
	a.TLP = t
	return nil
}

// The bounds of the numeric attributes.
const (
	maxConfidence = 100
	maxSeverity   = 5
)

func (a *Attributes) setNumber(f int, value any) error {
	bound := map[int]int64{
		fieldConfidence: maxConfidence, fieldSeverity: maxSeverity,
		fieldPort: 1<<16 - 1, fieldFalsePositives: 1<<32 - 1,
	}[f]
	n, err := coerceInt(value)
	if err != nil {
		return err
	}
	in := max(0, min(n, bound))
	switch f {
	case fieldConfidence:
		a.Confidence = Known(int(in))
	case fieldSeverity:
		a.Severity = Known(int(in))
	case fieldPort:
		a.Port = uint16(in)
	case fieldFalsePositives:
		a.FalsePositives = uint32(in)
	}
	if in != n {
		return fmt.Errorf("%d is outside 0 to %d; %d is taken", n, bound, in)
	}
	return nil
}

func (a *Attributes) setAllExtra(value any) error {
	m, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("%T is no map of names to values", value)
	}
	for name, v := range m {
		if err := a.setExtra(name, v); err != nil {
			return err
		}
	}
	return nil
}

func (a *Attributes) setExtra(name string, value any) error {
	if value == nil {
		delete(a.Extra, name)
		return nil
	}
	v, err := coerceExtra(value)
	if err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	if a.Extra == nil {
		a.Extra = map[string]any{}
	}
	a.Extra[name] = v
	return nil
}
