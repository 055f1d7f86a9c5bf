package feed

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/remeld/remeld/indicator"
)

// typeNames are MineMeld's names of the kinds.
var typeNames = map[indicator.Kind]string{
	indicator.IPv4: "IPv4", indicator.IPv6: "IPv6", indicator.Domain: "domain", indicator.URL: "URL",
	indicator.Email: "email-addr", indicator.MD5: "md5", indicator.SHA1: "sha1", indicator.SHA256: "sha256",
	indicator.SHA512: "sha512", indicator.SSDeep: "ssdeep", indicator.UserAgent: "user-agent.fragment",
	indicator.FileName: "file.name", indicator.FilePath: "file.path", indicator.Mutex: "mutex",
	indicator.RegistryKey: "windows-registry-key", indicator.RegistryValue: "windows-registry-value",
	indicator.CommandLine: "process.command_line", indicator.ASN: "autonomous-system",
	indicator.EmailSubject: "email-message.subject", indicator.Certificate: "certificate", indicator.JA3: "ja3",
}

// shareLevels are MineMeld's names of the labels. TLP 1.0, which it speaks, has no
// amber+strict of its own: there it is amber with a limit the source adds.
var shareLevels = [...]string{
	indicator.Clear: "white", indicator.Green: "green", indicator.Amber: "amber",
	indicator.AmberStrict: "amber", indicator.Red: "red",
}

// plainOrder is the order in which MineMeld prints the attributes that every
// indicator has; the rest follows by name.
var plainOrder = []string{"sources", "confidence", "first_seen", "type", "share_level", "last_seen"}

// ownNames are attributes of ours that MineMeld has no name for.
var ownNames = []string{
	"description", "external_id", "false_positives", "kill_chain", "owner", "port", "protocol",
	"references", "severity", "tags", "threat_type", "valid_until",
}

// attribute returns what is known under MineMeld's name: string, int, bool,
// float64 or []string, nil for nothing.
func attribute(kind indicator.Kind, a *indicator.Attributes, name string) any {
	switch name {
	case "type":
		return typeNames[kind]
	case "share_level":
		if a.TLP == indicator.Unlabelled {
			return nil
		}
		return shareLevels[a.TLP]
	case "sources", "confidence", "first_seen", "last_seen":
	default:
		if v, ok := a.Extra[name]; ok {
			return v
		}
		if !slices.Contains(ownNames, name) {
			return nil
		}
	}
	v, ok := a.Get(name)
	if !ok {
		return nil
	}
	if t, isTime := v.(time.Time); isTime {
		return int(t.UnixMilli())
	}
	return v
}

// appendValue appends what is known of an indicator as MineMeld's value object.
func appendValue(dst []byte, kind indicator.Kind, a *indicator.Attributes) []byte {
	dst = append(dst, '{')
	n := len(dst)
	add := func(name string) {
		v := attribute(kind, a, name)
		if v == nil {
			return
		}
		if len(dst) > n {
			dst = append(dst, ',')
		}
		dst = appendJSONString(dst, name, true)
		dst = appendJSONValue(append(dst, ':'), v)
	}
	for _, name := range plainOrder {
		add(name)
	}
	if len(a.Extra) == 0 {
		for _, name := range ownNames {
			add(name)
		}
		return append(dst, '}')
	}
	rest := slices.Concat(ownNames, slices.Collect(maps.Keys(a.Extra)))
	slices.Sort(rest)
	for _, name := range slices.Compact(rest) {
		if !slices.Contains(plainOrder, name) {
			add(name)
		}
	}
	return append(dst, '}')
}

func appendJSONValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendJSONString(dst, v, true)
	case []string:
		dst = append(dst, '[')
		for i, s := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONString(dst, s, true)
		}
		return append(dst, ']')
	case bool:
		return strconv.AppendBool(dst, v)
	case float64:
		return strconv.AppendFloat(dst, v, floatForm(v), -1, 64)
	default:
		return fmt.Append(dst, v)
	}
}

// floatForm is plain digits between the limits from which on Python writes an
// exponent.
func floatForm(f float64) byte {
	if a := math.Abs(f); a >= 1e16 || a != 0 && a < 1e-4 {
		return 'e'
	}
	return 'f'
}

const lowerHex = "0123456789abcdef"

// appendJSONString appends s in ASCII. Slashes are escaped inside value objects,
// where MineMeld's writer does so, and nowhere else. What is not UTF-8 becomes the
// replacement character.
func appendJSONString(dst []byte, s string, slashes bool) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			dst = appendJSONByte(dst, c, slashes)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r > 0xFFFF {
			r -= 0x10000
			dst = appendJSONUnit(dst, 0xD800+uint16(r>>10))
			r = 0xDC00 + r&0x3FF
		}
		dst = appendJSONUnit(dst, uint16(r))
	}
	return append(dst, '"')
}

func appendJSONByte(dst []byte, c byte, slashes bool) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '/':
		if slashes {
			dst = append(dst, '\\')
		}
		return append(dst, c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	if c < 0x20 || (c == 0x7f && !slashes) {
		return appendJSONUnit(dst, uint16(c))
	}
	return append(dst, c)
}

func appendJSONUnit(dst []byte, u uint16) []byte {
	return append(dst, '\\', 'u', lowerHex[u>>12], lowerHex[u>>8&15], lowerHex[u>>4&15], lowerHex[u&15])
}
