package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/remeld/remeld/indicator"
)

// placeholder is {name} in a template.
var placeholder = regexp.MustCompile(`\{([a-z0-9_.]+)\}`)

// extraPrefix names a free attribute in a template, as in a query.
const extraPrefix = "extra."

// Text fills a template: {value} as the target spells it, {kind}, {type} (the word
// of ThreatConnect: Address, File, Host …), and any attribute by its name; sets are
// joined by commas, what is not known is left out.
func Text(template string, in *In) string {
	return placeholder.ReplaceAllStringFunc(template, func(m string) string {
		switch name := m[1 : len(m)-1]; name {
		case "value":
			return in.Value
		case "kind":
			return in.Rec.Kind.String()
		case "type":
			return TypeName(in.Rec.Kind)
		default:
			v, _ := in.Rec.Attrs.Get(strings.TrimPrefix(name, extraPrefix))
			return plain(v)
		}
	})
}

func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []string:
		return strings.Join(v, ", ")
	case time.Time:
		return v.Format(time.RFC3339)
	}
	return fmt.Sprint(v)
}

// CheckText says what is wrong with a template, "" if nothing.
func CheckText(template string) string {
	names := append(indicator.AttributeNames(), "value", "kind", "type")
	for _, m := range placeholder.FindAllStringSubmatch(template, -1) {
		if !slices.Contains(names, m[1]) && !strings.HasPrefix(m[1], extraPrefix) {
			return fmt.Sprintf("{%s} is not known: use {value}, {kind}, {type}, an attribute, or {extra.NAME}", m[1])
		}
	}
	return ""
}

// typeNames are ThreatConnect's words.
var typeNames = map[indicator.Kind]string{
	indicator.IPv4: "Address", indicator.IPv6: "Address", indicator.Domain: "Host", indicator.URL: "URL",
	indicator.Email: "EmailAddress", indicator.MD5: "File", indicator.SHA1: "File", indicator.SHA256: "File",
	indicator.EmailSubject: "Email Subject", indicator.UserAgent: "User Agent", indicator.ASN: "ASN",
	indicator.Mutex: "Mutex", indicator.RegistryKey: "Registry Key",
}

// TypeName returns ThreatConnect's word for a kind, our own where it has none.
func TypeName(k indicator.Kind) string {
	if name, ok := typeNames[k]; ok {
		return name
	}
	return k.String()
}

// nothingKnown describes an indicator of which nothing is known; services refuse an
// empty description.
const nothingKnown = "threat indicator"

// named fills the template of a name. Services refuse an empty one, and a template of
// attributes may leave nothing: the value then stands for itself.
func named(template string, in *In, most int) string {
	text := Cut(Text(template, in), most)
	if strings.TrimSpace(text) == "" {
		return Cut(in.Value, most)
	}
	return text
}

// describe writes what is known in one line, or the node's template, in at most most
// characters.
func describe(in *In, most int) string {
	a := &in.Rec.Attrs
	if text := Cut(Text(in.Say.Description, in), most); strings.TrimSpace(text) != "" {
		return text
	}
	if in.Say.Description != "" {
		return nothingKnown
	}
	var parts []string
	add := func(label, text string) {
		if text != "" {
			parts = append(parts, label+text)
		}
	}
	add("", a.Description)
	add("sources: ", strings.Join(a.Sources, ", "))
	add("TLP:", strings.ToUpper(a.TLP.String()))
	add("threat: ", a.ThreatType)
	add("phase: ", strings.Join(a.KillChain, ", "))
	add("tags: ", strings.Join(a.Tags, ", "))
	if len(parts) == 0 {
		return nothingKnown
	}
	return Cut(strings.Join(parts, "; "), most)
}

// Length is how long Microsoft's services count a text: in UTF-16 units, where a
// character beyond the basic plane is two.
func Length(text string) int {
	n := 0
	for _, r := range text {
		n += unitsOf(r)
	}
	return n
}

func unitsOf(r rune) int { return max(utf16.RuneLen(r), 1) } // what is no character becomes one

// Cut shortens text to at most n UTF-16 units, between characters.
func Cut(text string, n int) string {
	for at, r := range text {
		if n -= unitsOf(r); n < 0 {
			return strings.TrimSpace(text[:at])
		}
	}
	return text
}

// owner mark and expiry are no attributes: delivery hands them in when a call is
// written.
const (
	fromMark   = "owner mark"
	fromExpiry = "expiration, valid_until"
)
