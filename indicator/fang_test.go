package indicator

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRefang(t *testing.T) {
	for in, want := range map[string]string{
		"hxxp://example[.]com/a":        "http://example.com/a",
		"HXXPS://example(.)com":         "https://example.com",
		"hxxps[:]//www[.]example[.]com": "https://www.example.com",
		"hxxp[://]example[.]com":        "http://example.com",
		"http[:]//example.com":          "http://example.com",
		"h**p://example{.}com":          "http://example.com",
		"hXXp:\\\\example.com":          "http://example.com",
		"fxp://example[dot]com":         "ftp://example.com",
		"example[DOT]com":               "example.com",
		"example(dot)com":               "example.com",
		"example{dot}com":               "example.com",
		"example[.com":                  "example.com",
		"example.]com":                  "example.com",
		"example\\.com":                 "example.com",
		"example<.>com":                 "example.com",
		"user[at]example[.]com":         "user@example.com",
		"user(@)example.com":            "user@example.com",
		"1[.]2[.]3[.]4":                 "1.2.3.4",
		"1.2.3[.]4[:]8080":              "1.2.3.4:8080",
		"2001[:]db8[:][:]1":             "2001:db8::1",
		"http://[2001:db8::1]/x":        "http://[2001:db8::1]/x",
		"example[/]com":                 "example/com",
		"example.com":                   "example.com",
		"":                              "",
		"[":                             "[", "[[.]]": "[.]",
	} {
		if got := Refang(in); got != want {
			t.Errorf("Refang(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestRefangUndoesDefang(t *testing.T) {
	check(t, func(t *rapid.T) {
		i := genIndicator(t)
		if i.Kind > Email {
			return
		}
		defanged := Defang(i)
		if back, err := Parse(i.Kind, Refang(defanged)); err != nil || back != i {
			t.Fatalf("%v: %q refangs to %q: %v, %v", i, defanged, Refang(defanged), back, err)
		}
		if _, err := Parse(i.Kind, defanged); err == nil && defanged != i.Value {
			t.Fatalf("defanged %q still parses as it is", defanged)
		}
	})
}

func FuzzRefang(f *testing.F) {
	for _, s := range []string{"hxxp://a[.]b", "[.", ".]", "\\.", "a[at]b(dot)c", "http://[::1]/", "hxxps[:]//x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := Refang(s); len(got) > len(s)+8 {
			t.Fatalf("%q grew to %q", s, got)
		}
	})
}
