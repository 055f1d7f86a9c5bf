package stix_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/stix"
	"github.com/remeld/remeld/stix/pattern"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// values is one value of each kind, with its pattern.
var values = []struct{ kind, value, pattern string }{
	{"ipv4", "198.51.100.5", `[ipv4-addr:value = '198.51.100.5']`},
	{"ipv4", "203.0.113.0/24", `[ipv4-addr:value = '203.0.113.0/24']`},
	{"ipv6", "2001:db8::5", `[ipv6-addr:value = '2001:db8::5']`},
	{"ipv6", "2001:db8::/32", `[ipv6-addr:value = '2001:db8::/32']`},
	{"domain", "evil.example.com", `[domain-name:value = 'evil.example.com']`},
	{"url", "https://e.example.com/a?b='c'", `[url:value = 'https://e.example.com/a?b=\'c\'']`},
	{"email", "a@b.example.com", `[email-addr:value = 'a@b.example.com']`},
	{"md5", "d41d8cd98f00b204e9800998ecf8427e", `[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']`},
	{"sha1", strings.Repeat("a1", 20), `[file:hashes.'SHA-1' = '` + strings.Repeat("a1", 20) + `']`},
	{"sha256", strings.Repeat("b2", 32), `[file:hashes.'SHA-256' = '` + strings.Repeat("b2", 32) + `']`},
	{"sha512", strings.Repeat("c3", 64), `[file:hashes.'SHA-512' = '` + strings.Repeat("c3", 64) + `']`},
	{"ssdeep", "3:AIO9AJraNvsgzsVqSwlIq:AeekB", `[file:hashes.SSDEEP = '3:AIO9AJraNvsgzsVqSwlIq:AeekB']`},
	{"certificate", strings.Repeat("d4", 20), `[x509-certificate:hashes.'SHA-1' = '` + strings.Repeat("d4", 20) + `']`},
	{"email_subject", "It's an invoice", `[email-message:subject = 'It\'s an invoice']`},
	{"user_agent", "Mozilla/5.0", `[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'Mozilla/5.0']`},
	{"file_name", "evil.exe", `[file:name = 'evil.exe']`},
	{"file_path", `C:\temp\evil.exe`, `[file:x_path = 'C:\\temp\\evil.exe']`},
	{"mutex", "__CLEANSWEEP__", `[mutex:name = '__CLEANSWEEP__']`},
	{"registry_key", `HKEY_LOCAL_MACHINE\foo\bar`, `[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\foo\\bar']`},
	{"registry_value", "Foo", `[windows-registry-key:values[*].data = 'Foo']`},
	{"command_line", `cmd /c "del *"`, `[process:command_line = 'cmd /c "del *"']`},
	{"asn", "AS15139", `[autonomous-system:number = 15139]`},
	{"ja3", "e7d705a3286e19ea42f587b344ee6865", `[network-traffic:x_ja3 = 'e7d705a3286e19ea42f587b344ee6865']`},
}

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func record(tb testing.TB, kind, value string) indicator.Record {
	tb.Helper()
	k, ok := indicator.ParseKind(kind)
	if !ok {
		tb.Fatalf("no kind %s", kind)
	}
	i, err := indicator.Parse(k, value)
	if err != nil {
		tb.Fatal(err)
	}
	return indicator.Record{Indicator: i}
}

// TestEveryKindThereAndBack: a value of each kind has one comparison, which the
// schema takes and which gives the value back.
func TestEveryKindThereAndBack(t *testing.T) {
	t.Parallel()
	kinds := map[indicator.Kind]bool{}
	for _, v := range values {
		r := record(t, v.kind, v.value)
		kinds[r.Kind] = true
		s, err := stix.FromRecord(r, stix.Options{SourceSystem: "test", Created: noon})
		if err != nil {
			t.Errorf("%s: %v", v.value, err)
			continue
		}
		if s.Pattern != v.pattern {
			t.Errorf("%s: %s, want %s", v.value, s.Pattern, v.pattern)
		}
		if p, err := pattern.Parse(s.Pattern); err != nil || p.Check() != nil || p.String() != s.Pattern {
			t.Errorf("%s: not the printer's form: %v", s.Pattern, err)
		}
		back, err := stix.ToRecords(s, nil)
		if err != nil || len(back) != 1 || back[0].Indicator != r.Indicator {
			t.Errorf("%s: read back as %v, %v", s.Pattern, back, err)
		}
	}
	for _, k := range indicator.Kinds() {
		if !kinds[k] {
			t.Errorf("no value of kind %s", k)
		}
	}
}

// full is a record with everything that STIX has a place for.
func full(tb testing.TB) indicator.Record {
	tb.Helper()
	r := record(tb, "domain", "evil.example.com")
	r.Attrs = indicator.Attributes{
		Confidence: indicator.Known(0), Severity: indicator.Known(4), TLP: indicator.AmberStrict, ThreatType: "Phishing",
		Description: "a <phishing> site", ExternalID: "4711", Owner: "ACME", Tags: []string{"apt", "", "x"},
		KillChain:  []string{"Delivery", "C2", "initial-access", "own:phase one", "strange"},
		References: []string{"https://acme.example/report?id=1", "CVE-2021-44228", "CAPEC-98", "T1566.002", "see page 5", "http://bad url"},
		FirstSeen:  noon.Add(-time.Hour), LastSeen: noon, ValidUntil: noon.Add(30 * 24 * time.Hour),
	}
	return r
}

func TestFullRecord(t *testing.T) {
	t.Parallel()
	s := schema(t, "sdos/indicator.json")
	for name, o := range map[string]stix.Options{
		"full21": {SourceSystem: "test", Modified: noon, TLP: stix.TLP2, CreatedByRef: stix.ObjectID("identity", "acme")},
		"full20": {SourceSystem: "test", Modified: noon, Version: stix.V20},
		"again":  {SourceSystem: "test", Created: noon, Generation: 3, Revoked: true},
	} {
		got, err := stix.FromRecord(full(t), o)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := stix.Encode(got)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", raw)
		if o.Version == stix.V21 {
			checkSchema(t, s, raw)
		}
		read, err := stix.DecodeObject(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, read); diff != "" {
			t.Errorf("%s: read back (-written +read)\n%s", name, diff)
		}
		records, err := stix.ToRecords(got, nil)
		if err != nil || len(records) != 1 {
			t.Fatal(records, err)
		}
		raw, err = stix.Encode(records[0])
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+"-back.json", raw)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	got = append(got, '\n')
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-golden +now)\n%s", name, diff)
	}
}

// TestTimesFit: created ≤ modified, valid_from < valid_until, whatever is known.
func TestTimesFit(t *testing.T) {
	t.Parallel()
	s := schema(t, "sdos/indicator.json")
	r := record(t, "ipv4", "198.51.100.5")
	hour := func(n int) time.Time {
		if n == 0 {
			return time.Time{}
		}
		return noon.Add(time.Duration(n)*time.Hour + 123456)
	}
	for _, first := range []int{0, 2, -2} {
		for _, until := range []int{0, -5, 2, 3} {
			for _, o := range []stix.Options{{}, {Created: hour(1)}, {Modified: hour(1)}, {Created: hour(1), Modified: hour(-1)}} {
				r.Attrs = indicator.Attributes{FirstSeen: hour(first), ValidUntil: hour(until)}
				got, err := stix.FromRecord(r, o)
				if first == 0 && o.Created.IsZero() && o.Modified.IsZero() {
					if !errors.Is(err, stix.ErrNoTime) {
						t.Errorf("no time is known: %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if got.Modified.Before(got.Created.Time) || !got.ValidUntil.IsZero() && !got.ValidFrom.Before(got.ValidUntil.Time) || got.ValidFrom.IsZero() {
					t.Errorf("%d %d %+v: %+v", first, until, o, got)
				}
				raw, _ := stix.Encode(got)
				checkSchema(t, s, raw)
			}
		}
	}
}

func TestRangesHaveNoPattern(t *testing.T) {
	t.Parallel()
	_, err := stix.FromRecord(record(t, "ipv4", "10.0.0.1-10.0.0.6"), stix.Options{Created: noon})
	if err == nil || !strings.Contains(err.Error(), "CIDR") {
		t.Error(err)
	}
	text, err := stix.PatternOf(record(t, "ipv4", "10.0.0.0/8").Indicator, stix.AsSubset)
	if err != nil || text != "[ipv4-addr:value ISSUBSET '10.0.0.0/8']" {
		t.Error(text, err)
	}
	if text, _ = stix.PatternOf(record(t, "ipv4", "10.0.0.1").Indicator, stix.AsSubset); text != "[ipv4-addr:value = '10.0.0.1']" {
		t.Error(text)
	}
}
