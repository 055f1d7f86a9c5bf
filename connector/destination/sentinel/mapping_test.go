package sentinel

import (
	"encoding/json"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/testroom"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
	"github.com/remeld/remeld/stix"
)

var update = flag.Bool("update", false, "rewrite golden files")

func testTarget(t *testing.T, change func(*Config)) *target {
	t.Helper()
	cfg := defaults()
	cfg.Workspace = "5a4db0c5-0000-4000-8000-0000000005e1"
	if change != nil {
		change(&cfg)
	}
	if errs := cfg.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	tgt, err := mapper(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tgt
}

// TestMapKinds: what has an observable at Sentinel becomes one comparison, the rest
// is held out with a reason; the value in the pattern is the indicator's, byte by
// byte.
func TestMapKinds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind indicator.Kind
		text string
		want string // patterns joined by space; "!code" when unfit
	}{
		{indicator.IPv4, "8.8.4.4", "[ipv4-addr:value = '8.8.4.4']"},
		{indicator.IPv4, "8.8.4.0/24", "[ipv4-addr:value = '8.8.4.0/24']"},
		{indicator.IPv4, "8.8.4.4-8.8.4.6", "[ipv4-addr:value = '8.8.4.4/31'] [ipv4-addr:value = '8.8.4.6']"},
		{indicator.IPv6, "2001:4860:4860::8888", "[ipv6-addr:value = '2001:4860:4860::8888']"},
		{indicator.Domain, "Bad.Example", "[domain-name:value = 'bad.example']"},
		{indicator.URL, "https://bad.example/a+b?c=%2B&d='x", `[url:value = 'https://bad.example/a+b?c=%2B&d=\'x']`},
		{indicator.URL, "http://[2001:4860:4860::8888]:8080/a", "[url:value = 'http://[2001:4860:4860::8888]:8080/a']"},
		{indicator.URL, "https://bad.example/" + strings.Repeat("a", 1000), "!too_long"},
		{indicator.Email, "a@bad.example", "[email-addr:value = 'a@bad.example']"},
		{indicator.MD5, strings.Repeat("AB", 16), "[file:hashes.MD5 = '" + strings.Repeat("ab", 16) + "']"},
		{indicator.SHA1, strings.Repeat("ab", 20), "[file:hashes.'SHA-1' = '" + strings.Repeat("ab", 20) + "']"},
		{indicator.SHA256, strings.Repeat("ab", 32), "[file:hashes.'SHA-256' = '" + strings.Repeat("ab", 32) + "']"},
		{indicator.Certificate, strings.Repeat("ab", 20), "[x509-certificate:hashes.'SHA-1' = '" + strings.Repeat("ab", 20) + "']"},
		{indicator.SHA512, strings.Repeat("ab", 64), "!unsupported_kind"},
		{indicator.UserAgent, "bad/1.0", "!unsupported_kind"},
	}
	tgt := testTarget(t, nil)
	for _, test := range tests {
		rec := testroom.Record(t, test.kind, test.text)
		objects, unfit := tgt.Map(rec)
		var got []string
		for _, o := range objects {
			var s stix.Indicator
			if err := json.Unmarshal(o.Body, &s); err != nil {
				t.Fatal(err)
			}
			got = append(got, s.Pattern)
		}
		code := ""
		if unfit != nil {
			code = unfit.Code
			got = []string{"!" + code}
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%s: got %q, want %q", test.text, s, test.want)
		}
		if fit := tgt.Fit(rec); fit != code {
			t.Errorf("%s: Fit says %q, Map %q", test.text, fit, code)
		}
	}
}

// fullRecord knows everything.
func fullRecord(t *testing.T, kind indicator.Kind, text string) *indicator.Record {
	t.Helper()
	rec := testroom.Record(t, kind, text)
	seen := time.Date(2026, 1, 5, 6, 7, 8, 0, time.UTC)
	rec.Attrs = indicator.Attributes{
		Confidence: indicator.Known(74), Severity: indicator.Known(4), TLP: indicator.AmberStrict, Port: 443, Protocol: "tcp",
		ThreatType: "C2", Description: "beacon", ExternalID: "tc-5-88", Owner: "ACME", Tags: []string{"rat", "ransomware"},
		KillChain: []string{"installation", "actions-on-objectives"}, References: []string{"https://ti.example/report/1"},
		Sources: []string{"ipsum", "maltrail"}, FirstSeen: seen, LastSeen: seen, FalsePositives: 2,
	}
	return rec
}

func items(t *testing.T, tgt *target, rec *indicator.Record) []sdk.SendItem {
	t.Helper()
	objects, unfit := tgt.Map(rec)
	if unfit != nil {
		t.Fatalf("%+v", unfit)
	}
	made := time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
	var out []sdk.SendItem
	for _, o := range objects {
		out = append(out, sdk.SendItem{Object: o, Mark: "soc-1", Created: made, Modified: made, Expires: made.Add(30 * 24 * time.Hour).Truncate(time.Second)})
	}
	return out
}

// TestGolden: the exact bodies of an upload, an update in a later generation and a
// withdrawal.
func TestGolden(t *testing.T) {
	t.Parallel()
	tgt := testTarget(t, nil)
	for name, rec := range map[string]*indicator.Record{
		"domain": fullRecord(t, indicator.Domain, "bad.example"),
		"bare":   testroom.Record(t, indicator.IPv6, "2001:4860:4860::/48"),
		"hash":   fullRecord(t, indicator.SHA256, strings.Repeat("ab", 32)),
	} {
		created := items(t, tgt, rec)
		again := append([]sdk.SendItem(nil), created...)
		again[0].Generation, again[0].Modified = 2, again[0].Modified.Add(time.Millisecond)
		for file, call := range map[string]struct {
			op    sdk.OpName
			items []sdk.SendItem
		}{name + ".upload.json": {sdk.OpUpsert, created}, name + ".generation2.json": {sdk.OpUpsert, again}, name + ".revoke.json": {sdk.OpDelete, again}} {
			body, err := tgt.Encode(call.op, call.items)
			if err != nil {
				t.Fatal(err)
			}
			testroom.Golden(t, file, body, *update)
		}
	}
}

// TestD19_GenerationMakesAnotherID: the same value is the same id, until it was
// withdrawn; source system, kind and value are all in it.
func TestD19_GenerationMakesAnotherID(t *testing.T) {
	t.Parallel()
	id := func(source string, rec *indicator.Record, generation uint32) string {
		tgt := testTarget(t, func(c *Config) { c.SourceSystem = source })
		it := items(t, tgt, rec)
		it[0].Generation = generation
		body, err := tgt.Encode(sdk.OpUpsert, it)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := tgt.api.Objects(body)
		if err != nil {
			t.Fatal(err)
		}
		var s stix.Indicator
		if err := json.Unmarshal(objects[0], &s); err != nil {
			t.Fatal(err)
		}
		return s.ID
	}
	bad := testroom.Record(t, indicator.Domain, "bad.example")
	seen := map[string]bool{
		id("Remeld", bad, 0): true, id("Remeld", bad, 1): true, id("Remeld", bad, 2): true, id("SOC", bad, 0): true,
		id("Remeld", testroom.Record(t, indicator.Domain, "worse.example"), 0): true,
	}
	if len(seen) != 5 {
		t.Errorf("%d ids of 5", len(seen))
	}
	if again := id("Remeld", bad, 1); !seen[again] {
		t.Error("an id is not the same twice")
	}
}

// TestD10_OnlyRealChangesAreWritten: each write appends a row that is paid for.
func TestD10_OnlyRealChangesAreWritten(t *testing.T) {
	t.Parallel()
	tgt := testTarget(t, nil)
	rec := fullRecord(t, indicator.Domain, "bad.example")
	hash := func() string { return items(t, tgt, rec)[0].Object.Hash }
	before := hash()
	rec.Attrs.LastSeen, rec.Attrs.FalsePositives, rec.Attrs.Confidence = rec.Attrs.LastSeen.Add(time.Hour), 9, indicator.Known(80)
	if hash() != before {
		t.Error("last seen, false positives or a score made a write")
	}
	for name, change := range map[string]func(){
		"tags": func() { rec.Attrs.Tags = []string{"rat"} }, "tlp": func() { rec.Attrs.TLP = indicator.Green },
		"threat type": func() { rec.Attrs.ThreatType = "benign" }, "description": func() { rec.Attrs.Description = "other" },
	} {
		was := hash()
		if change(); hash() == was {
			t.Errorf("a change of %s makes no write", name)
		}
	}
}

// TestD2_MarkIsReadBack: from what a query gives, nulls and all.
func TestD2_MarkIsReadBack(t *testing.T) {
	t.Parallel()
	for _, mark := range []string{"soc-1", "a/b"} {
		got, generation := markOf([]stix.ExternalReference{{SourceName: "capec", ExternalID: "CAPEC-163"}, markRef(mark, 3)})
		if got != mark || generation != 3 {
			t.Errorf("%s/3 read as %s/%d", mark, got, generation)
		}
	}
	if mark, _ := markOf([]stix.ExternalReference{{SourceName: "remeld", ExternalID: "no generation"}}); mark != "" {
		t.Errorf("read %q", mark)
	}
}

func TestEncodeNeedsTimes(t *testing.T) {
	t.Parallel()
	tgt := testTarget(t, nil)
	it := items(t, tgt, testroom.Record(t, indicator.Domain, "bad.example"))
	it[0].Modified = time.Time{}
	if _, err := tgt.Encode(sdk.OpUpsert, it); err == nil {
		t.Error("an object without modified was written")
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	tgt := testTarget(t, func(c *Config) {
		c.DefaultTLP = "green"
		c.Rules = []mapping.Rule{{When: `hasTag(name = "rat")`, Expiration: 90 * 24 * time.Hour, ThreatType: "compromised"}}
	})
	rec := testroom.Record(t, indicator.Domain, "bad.example")
	plain := items(t, tgt, rec)[0].Object
	rec.Attrs.Tags = []string{"rat"}
	ruled := items(t, tgt, rec)[0].Object
	if plain.Life != 0 || ruled.Life != 90*24*time.Hour || !strings.Contains(string(ruled.Body), `"compromised"`) {
		t.Errorf("plain lives %s, ruled %s: %s", plain.Life, ruled.Life, ruled.Body)
	}
	if !strings.Contains(string(plain.Body), stix.MarkingID(indicator.Green, stix.TLP1)) {
		t.Errorf("no default label in %s", plain.Body)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	const guid = "5a4db0c5-0000-4000-8000-0000000005e1"
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"name for id":     {func(c *Config) { c.Workspace = "soc-prod" }, "workspace: "},
		"restricted":      {func(c *Config) { c.SourceSystem = "microsoft sentinel" }, "belongs to the service"},
		"long source":     {func(c *Config) { c.SourceSystem = strings.Repeat("ä", 257) }, "longer"},
		"half a place":    {func(c *Config) { c.Subscription = guid }, "resource_group: "},
		"short life":      {func(c *Config) { c.Expiration.Email = time.Minute }, "expiration.email: "},
		"action":          {func(c *Config) { c.Rules = []mapping.Rule{{When: "confidence > 1", Action: "block"}} }, "rules.0.action: "},
		"bad query":       {func(c *Config) { c.Rules = []mapping.Rule{{When: "confidense > 1 and", ThreatType: "x"}} }, "rules.0.when: "},
		"clock":           {func(c *Config) { c.Rules = []mapping.Rule{{When: `last_seen > "NOW() - 1 day"`, ThreatType: "x"}} }, "depends on the clock"},
		"empty rule":      {func(c *Config) { c.Rules = []mapping.Rule{{When: "confidence > 1"}} }, "changes nothing"},
		"unknown in name": {func(c *Config) { c.Name = "{valeu}" }, "{valeu} is not known"},
	}
	for name, test := range tests {
		cfg := defaults()
		cfg.Workspace = guid
		test.change(&cfg)
		var all []string
		for _, err := range cfg.Validate() {
			all = append(all, err.Error())
		}
		if !strings.Contains(strings.Join(all, "\n"), test.want) {
			t.Errorf("%s: %q does not say %q", name, all, test.want)
		}
	}
}

func TestClass(t *testing.T) {
	t.Parallel()
	sdktest.TestClass(t, sdktest.Class(t, sdk.RoleTarget, "sentinel"))
}
