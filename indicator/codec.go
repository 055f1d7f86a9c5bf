package indicator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// codecVersion is the first byte of encoded attributes. Empty attributes are no
// bytes at all.
const codecVersion = 1

// The fields in the order of their presence bits; frozen, new ones at the end.
const (
	fieldConfidence = iota
	fieldSeverity
	fieldTLP
	fieldPort
	fieldProtocol
	fieldThreatType
	fieldDescription
	fieldExternalID
	fieldOwner
	fieldTags
	fieldKillChain
	fieldReferences
	fieldSources
	fieldFirstSeen
	fieldLastSeen
	fieldValidUntil
	fieldFalsePositives
	fieldExtra
	fieldBacking
	fieldCount
)

// ErrCodec is what UnmarshalBinary wraps for bytes AppendBinary never made.
var ErrCodec = errors.New("not encoded attributes")

// AppendBinary appends the compact form: equal attributes give equal bytes. Tags,
// kill chain, references and sources are sets and are written sorted. Times are
// cut to milliseconds.
func (a *Attributes) AppendBinary(dst []byte) []byte {
	bits := a.present()
	if bits == 0 {
		return dst
	}
	dst = append(dst, codecVersion)
	dst = binary.AppendUvarint(dst, uint64(bits))
	for f := range fieldCount {
		if bits&(1<<f) != 0 {
			dst = a.appendField(dst, f)
		}
	}
	return dst
}

func (a *Attributes) present() (bits uint32) {
	for f, set := range [fieldCount]bool{
		a.Confidence != 0, a.Severity != 0, a.TLP != 0, a.Port != 0, a.Protocol != "",
		a.ThreatType != "", a.Description != "", a.ExternalID != "", a.Owner != "",
		len(a.Tags) > 0, len(a.KillChain) > 0, len(a.References) > 0, len(a.Sources) > 0,
		!a.FirstSeen.IsZero(), !a.LastSeen.IsZero(), !a.ValidUntil.IsZero(),
		a.FalsePositives != 0, len(a.Extra) > 0, len(a.Backing) > 0,
	} {
		if set {
			bits |= 1 << f
		}
	}
	return bits
}

func (a *Attributes) appendField(dst []byte, f int) []byte {
	switch f {
	case fieldConfidence:
		return append(dst, byte(a.Confidence))
	case fieldSeverity:
		return append(dst, byte(a.Severity))
	case fieldTLP:
		return append(dst, byte(a.TLP))
	case fieldPort:
		return binary.AppendUvarint(dst, uint64(a.Port))
	case fieldFalsePositives:
		return binary.AppendUvarint(dst, uint64(a.FalsePositives))
	case fieldExtra:
		return appendExtra(dst, a.Extra)
	case fieldBacking:
		return appendBacking(dst, a.Backing)
	}
	if s := a.textField(f); s != nil {
		return appendText(dst, *s)
	}
	if set := a.setField(f); set != nil {
		return appendSet(dst, *set)
	}
	return binary.AppendVarint(dst, a.timeField(f).UnixMilli())
}

// textField, setField and timeField address the field of a number, nil if it is
// of another type.
func (a *Attributes) textField(f int) *string {
	switch f {
	case fieldProtocol:
		return &a.Protocol
	case fieldThreatType:
		return &a.ThreatType
	case fieldDescription:
		return &a.Description
	case fieldExternalID:
		return &a.ExternalID
	case fieldOwner:
		return &a.Owner
	}
	return nil
}

func (a *Attributes) setField(f int) *[]string {
	switch f {
	case fieldTags:
		return &a.Tags
	case fieldKillChain:
		return &a.KillChain
	case fieldReferences:
		return &a.References
	case fieldSources:
		return &a.Sources
	}
	return nil
}

func (a *Attributes) timeField(f int) *time.Time {
	switch f {
	case fieldFirstSeen:
		return &a.FirstSeen
	case fieldLastSeen:
		return &a.LastSeen
	case fieldValidUntil:
		return &a.ValidUntil
	}
	return nil
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendSet(dst []byte, set []string) []byte {
	return appendList(dst, sortedSet(set))
}

func appendList(dst []byte, list []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = appendText(dst, s)
	}
	return dst
}

// sortedSet returns s sorted and without repeats, s itself when it already is.
func sortedSet(s []string) []string {
	for n := 1; n < len(s); n++ {
		if s[n-1] >= s[n] {
			return slices.Compact(slices.Sorted(slices.Values(s)))
		}
	}
	return s
}

// The types of an extra value.
const (
	extraText  = 's'
	extraFalse = '0'
	extraTrue  = '1'
	extraInt   = 'i'
	extraFloat = 'f'
	extraList  = 'l'
)

func appendExtra(dst []byte, extra map[string]any) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(extra)))
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		dst = appendExtraValue(appendText(dst, name), extra[name])
	}
	return dst
}

func appendExtraValue(dst []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return appendText(append(dst, extraText), v)
	case bool:
		if v {
			return append(dst, extraTrue)
		}
		return append(dst, extraFalse)
	case int64:
		return binary.AppendVarint(append(dst, extraInt), v)
	case float64:
		return binary.BigEndian.AppendUint64(append(dst, extraFloat), math.Float64bits(v))
	case []string:
		return appendList(append(dst, extraList), v)
	}
	// A type that Extra may not hold is kept as its text rather than lost.
	return appendText(append(dst, extraText), fmt.Sprint(value))
}

func appendBacking(dst []byte, backing map[string]Score) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(backing)))
	for _, name := range slices.Sorted(maps.Keys(backing)) {
		dst = append(appendText(dst, name), byte(backing[name]))
	}
	return dst
}
