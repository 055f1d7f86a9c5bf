package format

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// The reasons this package adds to the indicator's own.
const (
	ReasonLineTooLong  indicator.Reason = "line_too_long" // beyond MaxLine
	ReasonNoMatch      indicator.Reason = "no_match"      // a line that line: does not match
	ReasonNoValue      indicator.Reason = "no_value"      // a row or item without the value it should hold
	ReasonBadRow       indicator.Reason = "bad_row"       // a row or item that is no valid CSV or JSON
	ReasonBadAttribute indicator.Reason = "bad_attribute" // the indicator is kept, its attribute is dropped or clamped
)

// values turns texts into keys and hands them to a sink: one for each goroutine.
type values struct {
	kind      indicator.Kind
	refang    bool
	splitPort bool
	out       sdk.Sink
	tally     *tally

	key   []byte
	ports indicator.Attributes // of a value that carries nothing but its port
	n     Result
	first *indicator.Refusal
	line  int
}

// flush reports what was counted since the last flush.
func (v *values) flush() error {
	err := v.tally.add(v.n, v.first, v.line)
	v.n, v.first = Result{}, nil
	return err
}

func (v *values) refuse(line int, why *indicator.Refusal) {
	v.n.Refused++
	if v.first == nil {
		v.first, v.line = why, line
	}
	v.out.Refuse(line, why)
}

// refuseText refuses what never came to be parsed as an indicator.
func (v *values) refuseText(line int, text []byte, why indicator.Reason, detail string) {
	text = text[:min(len(text), 200)]
	v.refuse(line, &indicator.Refusal{Text: strings.ToValidUTF8(string(text), "\uFFFD"), Kind: v.kind, Reason: why, Detail: detail})
}

// add hands on text if it is an indicator of kind. attrs may be nil.
func (v *values) add(line int, kind indicator.Kind, text []byte, attrs *indicator.Attributes) error {
	key, bad := indicator.AppendKey(v.key[:0], kind, text)
	if bad != nil {
		var port uint16
		if key, port = v.repaired(kind, text); key == nil {
			v.refuse(line, bad)
			return nil
		}
		attrs = v.withPort(attrs, port)
	}
	v.key = key
	v.n.Added++
	return v.out.Add(key, attrs)
}

// repaired tries the spellings of feeds that strict parsing refuses; nil if none
// helps.
func (v *values) repaired(kind indicator.Kind, text []byte) (key []byte, port uint16) {
	text = bytes.TrimSpace(text)
	if v.refang {
		if plain := indicator.Refang(string(text)); plain != string(text) {
			text = []byte(plain)
			if key, bad := indicator.AppendKey(v.key[:0], kind, text); bad == nil {
				return key, 0
			}
		}
	}
	if kind != indicator.Unknown && kind != indicator.Domain && !kind.In(indicator.IP) {
		return nil, 0
	}
	// A host written with the slash of a URL without path, or with a port.
	text = bytes.TrimSuffix(text, []byte("/"))
	if v.splitPort {
		text, port = cutPort(text)
	}
	key, bad := indicator.AppendKey(v.key[:0], kind, text)
	if bad != nil {
		return nil, 0
	}
	return key, port
}

// cutPort splits host:port and [v6]:port; a text without a port comes back whole.
func cutPort(text []byte) ([]byte, uint16) {
	colon := bytes.LastIndexByte(text, ':')
	if colon <= 0 {
		return text, 0
	}
	n, err := strconv.ParseUint(string(text[colon+1:]), 10, 16)
	host := text[:colon]
	if err != nil || n == 0 {
		return text, 0
	}
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1], uint16(n)
	}
	if bytes.IndexByte(host, ':') >= 0 {
		return text, 0 // a bare IPv6 address
	}
	return host, uint16(n)
}

func (v *values) withPort(attrs *indicator.Attributes, port uint16) *indicator.Attributes {
	switch {
	case port == 0:
		return attrs
	case attrs == nil:
		v.ports = indicator.Attributes{Port: port}
		return &v.ports
	case attrs.Port == 0:
		v.ports = *attrs // the sink copies; the row's other values keep theirs
		v.ports.Port = port
		return &v.ports
	}
	return attrs
}

// attribute sets one attribute; what does not fit is told, and costs the row
// nothing but it.
func (v *values) attribute(line int, attrs *indicator.Attributes, name string, value any) {
	if text, ok := value.(string); ok {
		if text == "" {
			return
		}
		if n, ok := plainInteger(text); ok && !known[name] {
			value = n
		}
	}
	if err := attrs.Set(name, value); err != nil {
		v.out.Refuse(line, &indicator.Refusal{Text: name, Kind: v.kind, Reason: ReasonBadAttribute, Detail: err.Error()})
	}
}

// known holds the attributes that have a type of their own.
var known = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range indicator.AttributeNames() {
		m[n] = true
	}
	return m
}()

// plainInteger reads a number that prints back as the same text, so that an id
// with leading zeros stays text.
func plainInteger(s string) (int64, bool) {
	if len(s) == 0 || len(s) > 19 || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != s {
		return 0, false
	}
	return n, true
}
