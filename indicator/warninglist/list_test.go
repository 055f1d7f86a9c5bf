package warninglist

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/sampledata"
)

func mustRead(t *testing.T, kind Type, attributes string, entries ...string) *List {
	t.Helper()
	l, err := Parse(strings.NewReader(document1(kind, attributes, entries...)))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func document1(kind Type, attributes string, entries ...string) string {
	quoted := make([]string, len(entries))
	for n, e := range entries {
		quoted[n] = fmt.Sprintf("%q", e)
	}
	return fmt.Sprintf(`{"name":"n","version":20260101,"type":%q,"list":[%s],"matching_attributes":[%s]}`,
		kind, strings.Join(quoted, ","), attributes)
}

func parse(t *testing.T, text string) indicator.Indicator {
	t.Helper()
	i, err := indicator.Parse(indicator.Unknown, text)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func expect(t *testing.T, l *List, match map[string]bool) {
	t.Helper()
	for text, want := range match {
		if entry, ok := l.Match(parse(t, text)); ok != want {
			t.Errorf("%s list: Match(%s) = %q, %v", l.Type, text, entry, ok)
		}
	}
}

func TestTypes(t *testing.T) {
	expect(t, mustRead(t, CIDR, `"ip-src","url"`, "10.0.0.0/8", "FE80::/10"), map[string]bool{
		"10.1.2.3": true, "10.0.0.0/9": true, "0.0.0.0/0": false, "fe80::1": true, "http://10.1.2.3/x": true, "11.0.0.1": false, "example.com": false,
	})
	expect(t, mustRead(t, Hostname, `"domain","url"`, ".Example.com", "lan"), map[string]bool{
		"example.com": true, "a.example.com": true, "http://a.example.com/x": true, "xexample.com": false, "host.lan": true, "http://host.lan/": true, "a@example.com": false,
	})
	expect(t, mustRead(t, Hostname, `"domain"`, "example.com"), map[string]bool{"a.example.com": true, "http://example.com/": false})
	expect(t, mustRead(t, String, `"domain","md5"`, "example.com", ".dotted.example", "COM", "D41D8CD98F00B204E9800998ECF8427E"), map[string]bool{
		"example.com": true, "a.example.com": false, "other.com": false, "a.dotted.example": true, "dotted.example": true, "d41d8cd98f00b204e9800998ecf8427e": true,
	})
	expect(t, mustRead(t, Substring, ``, "Evil"), map[string]bool{"notevil.com": true, "good.com": false})
	expect(t, mustRead(t, Regex, `"domain"`, `/^a[0-9]+\./i`, `b\.example$`), map[string]bool{"a12.example": true, "xa1.example": false, "b.example": true, "http://a1.example/": false})
}

func TestInside(t *testing.T) {
	cidr := mustRead(t, CIDR, `"ip-src"`, "10.1.0.0/16")
	if entry, ok := cidr.Inside(parse(t, "10.0.0.0/8")); !ok || entry != "10.1.0.0/16" {
		t.Errorf("Inside = %q, %v", entry, ok)
	}
	host := mustRead(t, Hostname, `"domain"`, "login.example.com")
	if _, ok := host.Inside(parse(t, "example.com")); !ok {
		t.Error("the parent domain of an entry is not seen")
	}
	if _, ok := mustRead(t, String, ``, "login.example.com").Inside(parse(t, "example.com")); ok {
		t.Error("a string list has an inside")
	}
}

func TestBadLists(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{document1(Regex, ``, "fine", "/bro(ken/i"), `"/bro(ken/i"`},
		{document1(Regex, ``, "/a/q"), "flags"},
		{document1(Regex, ``, "/a(?=b)/"), `entry 1 "/a(?=b)/"`},
		{document1(CIDR, ``, "10.0.0.0/8", "10.0.0.0/99"), `entry 2 "10.0.0.0/99"`},
		{document1(Substring, ``, ""), "every value"},
		{document1("fuzzy", ``, "a"), `"fuzzy"`},
		{`[1]`, "read warninglist"}, {`{}`, "MISP"}, {``, "read warninglist"},
	} {
		if _, err := Parse(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: error %v, want %s in it", c.text, err, c.want)
		}
	}
}

func shared(t *testing.T, name string) *List {
	t.Helper()
	file, err := os.Open(sampledata.Path(t, "feeds", "warninglists", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	l, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRealLists(t *testing.T) {
	for name, match := range map[string]map[string]bool{
		"tlds":                      {"example.com": false, "evil.zip": false},
		"second-level-tlds":         {"0.bg": true, "evil.0.bg": false, "evil.co.uk": false},
		"tranco10k":                 {"google.com": true, "www.google.com": true, "http://google.com/x": true, "notgoogle.com": false},
		"rfc1918":                   {"10.1.2.3": true, "192.168.0.0/24": true, "8.8.8.8": false},
		"ipv6-linklocal":            {"fe80::1": true, "2001:db8::1": false},
		"empty-hashes":              {"d41d8cd98f00b204e9800998ecf8427e": true},
		"public-dns-v4":             {"1.0.0.1": true},
		"google":                    {"www.google.ad": true, "xgoogle.ad": false},
		"common-ioc-false-positive": {"01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b": true},
		"dynamic-dns":               {"evil.0000004.xyz": true, "0000004.xyz": true},
		"url-shortener":             {"http://bit.ly/x": true},
	} {
		t.Run(name, func(t *testing.T) { expect(t, shared(t, name), match) })
	}
}

// Every shared list is read without an error.
func TestAllSharedListsAreRead(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(sampledata.Path(t, "feeds", "warninglists"), "*.json"))
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); name != "schema" {
			if l := shared(t, name); l.Len() == 0 || l.Name == "" {
				t.Errorf("%s is empty", name)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, k := range []Type{CIDR, Hostname, String, Substring, Regex} {
		f.Add(document1(k, `"domain|ip"`, "10.0.0.0/8", ".a.example", "/x/i"))
	}
	f.Add(`{"name":1}`)
	probes := []indicator.Indicator{{Kind: indicator.Domain, Value: "a.example"}, {Kind: indicator.IPv4, Value: "10.0.0.0/9"}, {Kind: indicator.URL, Value: "http://a.example/"}}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, i := range probes {
			l.Match(i)
			l.Inside(i)
		}
	})
}
