package protect

import (
	"strings"
	"testing"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/warninglist"
	"github.com/remeld/remeld/internal/deliver/reason"
)

func ind(t *testing.T, value string) indicator.Indicator {
	t.Helper()
	i, err := indicator.Parse(indicator.Unknown, value)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func list(t *testing.T, text string) *warninglist.List {
	t.Helper()
	l, err := warninglist.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestD7_ProtectionActsBothWays(t *testing.T) {
	r := &Rules{
		Own: []Own{NewOwn("assets", []indicator.Indicator{ind(t, "host.corp.com"), ind(t, "9.9.9.9"), ind(t, "8.8.8.0/24")})},
		Warninglists: []Warninglist{
			{Name: "dns", List: list(t, `{"name":"dns","type":"cidr","list":["1.1.1.1/32"]}`)},
			{Name: "top", Rank: true, List: list(t, `{"name":"top","type":"hostname","list":["code.example.org"]}`)},
		},
	}
	for value, want := range map[string]reason.Code{
		"host.corp.com":                 "protected/assets",
		"a.host.corp.com":               "protected/assets",
		"corp.com":                      "protected/assets",
		"http://host.corp.com/x":        "protected/assets",
		"other.corp.com":                "",
		"9.9.9.9":                       "protected/assets",
		"9.9.9.0/24":                    "protected/assets",
		"8.8.8.8":                       "protected/assets",
		"http://8.8.8.8/x":              "protected/assets",
		"1.1.1.1":                       "warninglist/dns",
		"1.1.1.0/24":                    "warninglist/dns",
		"code.example.org":              "warninglist/top",
		"http://code.example.org/":      "warninglist/top",
		"http://code.example.org/x.exe": "",
		"10.1.2.3":                      reason.SpecialPurpose,
		"9.255.255.255-10.0.0.0":        reason.SpecialPurpose,
		"http://127.0.0.1/x":            reason.SpecialPurpose,
		"fe80::1":                       reason.SpecialPurpose,
		"co.uk":                         reason.PublicSuffix,
		"github.io":                     reason.PublicSuffix,
		"evil.github.io":                "",
		"20.0.0.0/15":                   reason.TooWide,
		"20.0.0.0/16":                   "",
		"20.0.255.0-21.0.0.1":           reason.TooWide,
		"2600::/31":                     reason.TooWide,
		"2600::/32":                     "",
		"evil.com":                      "",
	} {
		code, detail, held := r.Check(ind(t, value))
		if code != want || held != (want != "") {
			t.Errorf("%s: %q (%s), want %q", value, code, detail, want)
		}
		if held && code.Class() != reason.HeldOut {
			t.Errorf("%s: %s is of class %s", value, code, code.Class())
		}
	}
}
