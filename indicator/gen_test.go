package indicator

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The generators draw from small alphabets, so that cover and collisions happen.

func genName(t *rapid.T) string {
	n := rapid.IntRange(1, 3).Draw(t, "labels")
	labels := []string{rapid.SampledFrom([]string{"com", "example", "co-x"}).Draw(t, "tld")}
	for range n {
		labels = append([]string{rapid.SampledFrom([]string{"a", "b", "a-", "_x", "xn--bcher-kva", "a0"}).Draw(t, "label")}, labels...)
	}
	return strings.ReplaceAll(strings.Join(labels, "."), "-.", "-z.")
}

func genAddr(t *rapid.T) netip.Addr {
	low := rapid.Byte().Draw(t, "low")
	if rapid.Bool().Draw(t, "v6") {
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: low & 3, 15: low})
	}
	return netip.AddrFrom4([4]byte{10, 0, low & 3, low})
}

func genIP(t *rapid.T) Indicator {
	a := genAddr(t)
	switch rapid.IntRange(0, 2).Draw(t, "form") {
	case 0:
		return FromAddrs(a, a)
	case 1:
		bits := rapid.IntRange(a.BitLen()-20, a.BitLen()).Draw(t, "bits")
		return spanOfPrefix(a, bits).indicator()
	}
	b := genAddr(t)
	if a.Is4() != b.Is4() {
		b = a
	}
	if b.Less(a) {
		a, b = b, a
	}
	return FromAddrs(a, b)
}

func genURL(t *rapid.T) string {
	host := genName(t)
	if rapid.Bool().Draw(t, "addr host") {
		if a := genAddr(t); a.Is4() {
			host = a.String()
		} else {
			host = "[" + a.String() + "]"
		}
	}
	return rapid.SampledFrom([]string{"http://", "https://", "tcp://", "http://u@", "ftp://:p@@", ""}).Draw(t, "scheme") + host +
		rapid.SampledFrom([]string{"", ":80", ":8080", ":"}).Draw(t, "port") +
		rapid.SampledFrom([]string{"/", "/a?b#c", "?x=/@:[]", "#", "/é/.."}).Draw(t, "rest")
}

func genIndicator(t *rapid.T) Indicator {
	var kind Kind
	var text string
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0, 1:
		return genIP(t)
	case 2:
		kind, text = Domain, genName(t)
	case 3:
		kind, text = URL, genURL(t)
	case 4:
		kind, text = Email, rapid.SampledFrom([]string{"a", "A.b", "é+x"}).Draw(t, "local")+"@"+genName(t)
	case 5:
		kind = rapid.SampledFrom([]Kind{MD5, SHA1, SHA256, SHA512, JA3, Certificate}).Draw(t, "digest")
		n := hashBytes[kind]
		text = fmt.Sprintf("%x", rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "bytes"))
	default:
		kind, text = rapid.SampledFrom([]Kind{FileName, UserAgent, Mutex}).Draw(t, "text kind"), rapid.StringMatching(`[ -~é]{1,20}`).Draw(t, "text")
	}
	i, err := Parse(kind, text)
	if err != nil {
		i, err = Parse(Domain, genName(t))
	}
	if err != nil {
		t.Fatal(err)
	}
	return i
}

var (
	genTime = rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMilli(rapid.Int64Range(1, 4e12).Draw(t, "ms")).UTC()
	})
	genText = rapid.SampledFrom([]string{"", "", "a", "b", "ab", "é"})
	genSet  = rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 4), func(s []string) []string {
		if len(s) == 0 {
			return nil
		}
		return s
	})
	genScore = rapid.SampledFrom([]Score{0, 0, Known(0), Known(2), Known(5)})
)

func genAttributes(t *rapid.T) *Attributes {
	a := &Attributes{
		Confidence: genScore.Draw(t, "confidence"), Severity: genScore.Draw(t, "severity"),
		TLP:        TLP(rapid.IntRange(0, int(Red)).Draw(t, "tlp")),
		Port:       uint16(rapid.SampledFrom([]int{0, 1, 65535}).Draw(t, "port")),
		Protocol:   genText.Draw(t, "protocol"),
		ThreatType: genText.Draw(t, "threat type"), Description: genText.Draw(t, "description"),
		ExternalID: genText.Draw(t, "external id"), Owner: genText.Draw(t, "owner"),
		Tags: genSet.Draw(t, "tags"), KillChain: genSet.Draw(t, "kill chain"), References: genSet.Draw(t, "references"),
		Sources:        genSet.Draw(t, "sources"),
		FalsePositives: uint32(rapid.SampledFrom([]int{0, 1, 1 << 31}).Draw(t, "fp")),
	}
	for _, at := range []*time.Time{&a.FirstSeen, &a.LastSeen, &a.ValidUntil} {
		if rapid.Bool().Draw(t, "timed") {
			*at = genTime.Draw(t, "time")
		}
	}
	for _, name := range []string{"n", "m"} {
		if rapid.Bool().Draw(t, "extra") {
			v := rapid.SampledFrom([]any{"s", "", true, false, int64(-5), int64(1 << 60), 1.5, -1e300, []string{"q", "p"}}).Draw(t, "value")
			if a.Extra == nil {
				a.Extra = map[string]any{}
			}
			a.Extra[name] = v
		}
	}
	return a
}

func check(t *testing.T, prop func(*rapid.T)) {
	t.Helper()
	rapid.Check(t, prop)
}
