package pattern

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// predicate tells whether one value that a path leads to satisfies a comparison. The
// value is string, bool, json.Number, nil, a list, a map, or []byte for what a
// property with a name in _hex or _bin holds.
type predicate func(value any) (bool, error)

// predicateOf compiles a comparison but for its NOT.
func predicateOf(c Comparison) (predicate, error) {
	value := c.Value()
	switch c.Op() {
	case Exists:
		return func(any) (bool, error) { return true, nil }, nil
	case Like:
		return like(value.Text), nil
	case Matches:
		return matches(value.Text)
	case IsSubset, IsSuperset:
		return networks(c.Op(), value.Text)
	case In:
		return memberOf(slices.Collect(c.Values()))
	}
	v, err := literalOf(value)
	if err != nil {
		return nil, err
	}
	return relationTo(c.Op(), v), nil
}

// relationTo compares with one constant. Values of other types are unequal, and in
// no order.
func relationTo(op Operator, v literal) predicate {
	return func(value any) (bool, error) {
		order, ok, err := v.compare(value)
		if err != nil {
			return false, err
		}
		switch op {
		case Equal:
			return ok && order == 0, nil
		case NotEqual:
			return !ok || order != 0, nil
		case Less:
			return ok && order < 0, nil
		case LessEqual:
			return ok && order <= 0, nil
		case Greater:
			return ok && order > 0, nil
		}
		return ok && order >= 0, nil
	}
}

func memberOf(values []Constant) (predicate, error) {
	set := make([]literal, len(values))
	for i, c := range values {
		v, err := literalOf(c)
		if err != nil {
			return nil, err
		}
		if i > 0 && !v.like(set[0]) {
			return nil, fmt.Errorf("a set holds constants of one type, and this one holds a %s and a %s", set[0].kind, v.kind)
		}
		set[i] = v
	}
	return func(value any) (bool, error) {
		for _, v := range set {
			if order, ok, err := v.compare(value); err != nil || ok && order == 0 {
				return err == nil, err
			}
		}
		return false, nil
	}, nil
}

// literal is a constant as a value of Go.
type literal struct {
	kind  ConstantKind
	text  string
	whole int64
	// big: an integer beyond 64 bits, compared as a float.
	big   bool
	float float64
	truth bool
	raw   []byte
	at    time.Time
}

func literalOf(c Constant) (literal, error) {
	v := literal{kind: c.Kind, text: c.Text}
	var err error
	switch c.Kind {
	case Int:
		v.whole, err = strconv.ParseInt(c.Text, 10, 64)
		v.big = err != nil
		v.float, err = strconv.ParseFloat(c.Text, 64)
	case Float:
		v.float, err = strconv.ParseFloat(c.Text, 64)
	case Bool:
		v.truth = c.Text == "true"
	case Binary:
		v.raw, err = base64.StdEncoding.DecodeString(c.Text)
	case Hex:
		v.raw, err = hex.DecodeString(c.Text)
	case Timestamp:
		v.at, err = instant(c.Text)
	}
	if err != nil {
		return v, fmt.Errorf("the %s %s: %w", c.Kind, c.Text, err)
	}
	return v, nil
}

// like tells whether two constants may stand in one set: integers and floats may,
// and the two spellings of bytes.
func (v literal) like(other literal) bool {
	family := func(k ConstantKind) ConstantKind {
		switch k {
		case Float:
			return Int
		case Hex:
			return Binary
		}
		return k
	}
	return family(v.kind) == family(other.kind)
}

// compare orders value relative to v; not ok where their types do not compare. A text
// that is compared with a timestamp and is none is an error: it would go unnoticed.
func (v literal) compare(value any) (order int, ok bool, err error) {
	switch v.kind {
	case String:
		return v.compareText(value)
	case Int, Float:
		n, isNumber := value.(json.Number)
		if !isNumber {
			return 0, false, nil
		}
		order, ok = v.compareNumber(n)
		return order, ok, nil
	case Bool:
		b, isBool := value.(bool)
		if b != v.truth {
			order = 1
		}
		return order, isBool, nil
	case Binary, Hex:
		raw, isBytes := bytesOf(value)
		return bytes.Compare(raw, v.raw), isBytes, nil
	case Timestamp:
		text, isText := value.(string)
		if !isText {
			return 0, false, nil
		}
		at, err := instant(text)
		if err != nil {
			return 0, false, fmt.Errorf("compared with a timestamp: %w", err)
		}
		return at.Compare(v.at), true, nil
	}
	return 0, false, nil
}

func (v literal) compareText(value any) (order int, ok bool, err error) {
	switch value := value.(type) {
	case string:
		return strings.Compare(value, v.text), true, nil
	case []byte:
		raw, ok := latin1(v.text)
		return bytes.Compare(value, raw), ok, nil
	}
	return 0, false, nil
}

func (v literal) compareNumber(n json.Number) (order int, ok bool) {
	if whole, err := n.Int64(); err == nil && v.kind == Int && !v.big {
		return cmp.Compare(whole, v.whole), true
	}
	f, err := n.Float64()
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return cmp.Compare(f, v.float), true
}

// bytesOf is a value as bytes: of a text, each character below 256 is one.
func bytesOf(value any) ([]byte, bool) {
	switch value := value.(type) {
	case []byte:
		return value, true
	case string:
		return latin1(value)
	}
	return nil, false
}

func latin1(s string) ([]byte, bool) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xFF {
			return nil, false
		}
		out = append(out, byte(r))
	}
	return out, true
}

// fromLatin1 is the way back, which lets a regular expression see single bytes.
func fromLatin1(raw []byte) string {
	var b strings.Builder
	for _, c := range raw {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// like is LIKE of SQL: % is any text, _ any one character, and both sides are
// normalised (NFC). It looks at the whole of a text.
func like(text string) predicate {
	want := []rune(norm.NFC.String(text))
	return func(value any) (bool, error) {
		switch value := value.(type) {
		case string:
			return wild(want, []rune(norm.NFC.String(value))), nil
		case []byte:
			return utf8.Valid(value) && wild(want, []rune(norm.NFC.String(string(value)))), nil
		}
		return false, nil
	}
}

// wild matches with one place to go back to, so it takes no more than the product of
// the lengths.
func wild(want, have []rune) bool {
	w, h, star, mark := 0, 0, -1, 0
	for h < len(have) {
		switch {
		case w < len(want) && want[w] == '%':
			star, mark = w, h
			w++
		case w < len(want) && (want[w] == '_' || want[w] == have[h]):
			w, h = w+1, h+1
		case star >= 0:
			mark++
			w, h = star+1, mark
		default:
			return false
		}
	}
	for w < len(want) && want[w] == '%' {
		w++
	}
	return w == len(want)
}

// matches looks for a regular expression anywhere in a text (normalised as the
// expression is), or in bytes, where each is a character.
func matches(text string) (predicate, error) {
	expression := norm.NFC.String(text)
	re, err := regexp.Compile(goSyntax(expression))
	if err != nil {
		return nil, fmt.Errorf("this regular expression cannot be matched here (RE2 takes no look-around, back references or possessive repeats): %w", err)
	}
	_, single := latin1(expression)
	return func(value any) (bool, error) {
		switch value := value.(type) {
		case string:
			return re.MatchString(norm.NFC.String(value)), nil
		case []byte:
			return single && re.MatchString(fromLatin1(value)), nil
		}
		return false, nil
	}, nil
}

// goSyntax writes what PCRE has and Go spells in another way: \Z, \h, \R and \e.
func goSyntax(expression string) string {
	if !strings.Contains(expression, `\`) {
		return expression
	}
	var b strings.Builder
	inClass := false
	for i := 0; i < len(expression); i++ {
		c := expression[i]
		if c != '\\' || i+1 == len(expression) {
			inClass = c == '[' || inClass && c != ']'
			b.WriteByte(c)
			continue
		}
		i++
		switch next := expression[i]; {
		case next == 'e':
			b.WriteString(`\x1b`)
		case next == 'h' && inClass:
			b.WriteString(`\t `)
		case next == 'h':
			b.WriteString(`[\t ]`)
		case next == 'R' && !inClass:
			b.WriteString(`(?:\r\n|[\n\v\f\r])`)
		case next == 'Z' && !inClass:
			b.WriteString(`(?:\n?\z)`)
		default:
			b.WriteByte('\\')
			b.WriteByte(next)
		}
	}
	return b.String()
}

// networks is ISSUBSET and ISSUPERSET: addresses and CIDRs, IPv4 and IPv6, an address
// being the CIDR of itself.
func networks(op Operator, text string) (predicate, error) {
	of, ok := network(text)
	if !ok {
		return nil, fmt.Errorf("%s needs an address or a CIDR, and %q is none", op, text)
	}
	return func(value any) (bool, error) {
		s, isText := value.(string)
		have, ok := network(s)
		if !isText || !ok {
			return false, nil
		}
		outer, inner := of, have
		if op == IsSuperset {
			outer, inner = have, of
		}
		return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr()), nil
	}, nil
}

// network reads an address or a CIDR, which may have host bits.
func network(text string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err == nil
}
