package warninglist

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

func TestClass(t *testing.T) {
	sdktest.TestClass(t, sdktest.Class(t, sdk.RoleProcessor, "warninglist"))
}

func build(t *testing.T, c Config) *processor {
	t.Helper()
	if c.Action == "" {
		c.Action = drop
	}
	env := sdktest.Env(t)
	list := `{"name":"Top","version":1,"type":"string","matching_attributes":["domain","hostname"],"list":["example.com","co.uk"]}`
	if err := os.WriteFile(filepath.Join(env.BaseDir, "top.json"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	if errs := c.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	p, err := newProcessor(c, env)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func reduce(t *testing.T, p *processor, value string) sdk.Verdict {
	t.Helper()
	i, err := indicator.Parse(indicator.Unknown, value)
	if err != nil {
		t.Fatal(err)
	}
	return p.Reduce(i, []sdk.Contribution{{Attrs: &indicator.Attributes{Tags: []string{"z"}}}})
}

// D7: protection acts both ways.
func TestD7_ListedAndContainingValuesAreDropped(t *testing.T) {
	p := build(t, Config{Lists: []string{"microsoft", "public-dns", "special-purpose", "top.json"}})
	for value, want := range map[string]string{
		"8.8.8.8": ReasonListed, "8.8.8.0/24": ReasonHolds, "8.8.9.1": "", "10.1.1.0/24": ReasonListed, "dns.google": ReasonListed,
		"login.microsoftonline.com": ReasonListed, "https://outlook.com/x": ReasonListed, "windows.net": ReasonHolds,
		"evil.blob.core.windows.net": "", "example.com": ReasonListed, "sub.example.com": "", "evil.co.uk": "", "co.uk": ReasonListed,
		"d41d8cd98f00b204e9800998ecf8427e": "",
	} {
		if v := reduce(t, p, value); v.Reason != want || v.Drop != (want != "") {
			t.Errorf("%s: %+v, want %q", value, v, want)
		}
	}
	if v := reduce(t, p, "8.8.8.8"); v.Detail != "public-dns lists 8.8.8.8" {
		t.Error(v.Detail)
	}
}

func TestTagging(t *testing.T) {
	p := build(t, Config{Lists: []string{"top.json", "public-dns"}, Action: tag})
	if v := reduce(t, p, "example.com"); v.Drop || strings.Join(v.Attrs.Tags, ",") != "warninglist:top,z" {
		t.Errorf("%+v", v)
	}
	if v := reduce(t, p, "example.org"); strings.Join(v.Attrs.Tags, ",") != "z" {
		t.Errorf("%+v", v)
	}
}

func TestKinds(t *testing.T) {
	p := build(t, Config{Lists: []string{"public-dns"}, Kinds: []string{"domain"}})
	if v := reduce(t, p, "8.8.8.8"); v.Drop {
		t.Errorf("an address was dropped: %+v", v)
	}
	if v := reduce(t, p, "dns.google"); !v.Drop {
		t.Errorf("a domain was not: %+v", v)
	}
}

func TestMistakes(t *testing.T) {
	c := Config{Lists: []string{"micro", ""}, Action: "hold", Kinds: []string{"x"}}
	if errs := c.Validate(); len(errs) != 4 || !strings.HasPrefix(errs[0].Error(), "lists.0: no built-in list") {
		t.Error(errs)
	}
	env := sdktest.Env(t)
	if err := os.WriteFile(filepath.Join(env.BaseDir, "bad.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{"none.json", "bad.json"} {
		if _, err := newProcessor(Config{Lists: []string{l}}, env); err == nil || !strings.Contains(err.Error(), l) {
			t.Errorf("%s: %v", l, err)
		}
	}
}

func BenchmarkReduce(b *testing.B) {
	p, err := newProcessor(Config{Lists: []string{"microsoft", "public-dns", "special-purpose"}, Action: drop}, sdktest.Env(b))
	if err != nil {
		b.Fatal(err)
	}
	i, err := indicator.Parse(indicator.Domain, "www.some.evil.example.com")
	if err != nil {
		b.Fatal(err)
	}
	in := []sdk.Contribution{{Attrs: &indicator.Attributes{Confidence: indicator.Known(5)}}}
	b.ReportAllocs()
	for b.Loop() {
		p.Reduce(i, in)
	}
}
