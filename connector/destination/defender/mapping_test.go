package defender

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/testroom"
	"github.com/remeld/remeld/sdk"

	api "github.com/remeld/remeld/internal/microsoft/defender"
)

func testTarget(action string) *target {
	cfg := defaults()
	cfg.Action = action
	t, err := mapper(cfg)
	if err != nil {
		panic(err) // the default config has no rules
	}
	return t
}

func TestMapKinds(t *testing.T) {
	t.Parallel()
	slash29 := ""
	for _, n := range []string{"0", "1", "2", "3", "4", "5", "6", "7"} {
		slash29 += " IpAddress|8.8.4." + n + "|Warn"
	}
	tests := []struct {
		kind       indicator.Kind
		text       string
		action     string
		identities string // joined by space; "!code" when unfit
	}{
		{indicator.IPv4, "8.8.4.4", "block", "IpAddress|8.8.4.4|Block"},
		{indicator.IPv6, "2001:4860:4860::8888", "audit", "IpAddress|2001:4860:4860::8888|Audit"},
		{indicator.IPv4, "8.8.4.4-8.8.4.6", "block", "IpAddress|8.8.4.4|Block IpAddress|8.8.4.5|Block IpAddress|8.8.4.6|Block"},
		{indicator.IPv4, "8.8.4.0/29", "warn", strings.TrimSpace(slash29)},
		{indicator.IPv4, "8.8.4.0/28", "block", "!range_too_wide"},
		{indicator.IPv4, "10.0.0.1", "block", "!not_public"},
		{indicator.Domain, "Bad.Example", "block", "DomainName|bad.example|Block"},
		{indicator.Domain, "_dmarc.bad.example", "block", "!underscore_label"},
		{indicator.URL, "https://bad.example/A?b=%2B", "block", "Url|https://bad.example/a?b=%2b|Block"},
		{indicator.URL, "https://bad.example/" + strings.Repeat("ä", 500), "block", "Url|https://bad.example/" + strings.Repeat("ä", 500) + "|Block"},
		{indicator.URL, "https://bad.example/" + strings.Repeat("a", 800), "block", "!too_long"},
		{indicator.SHA256, strings.Repeat("ab", 32), "block", "FileSha256|" + strings.Repeat("ab", 32) + "|Block"},
		{indicator.Certificate, strings.Repeat("ab", 20), "block", "CertificateThumbprint|" + strings.Repeat("ab", 20) + "|BlockAndRemediate"},
		{indicator.Certificate, strings.Repeat("ab", 20), "audit", "!action_not_for_kind"},
		{indicator.Email, "a@bad.example", "block", "!unsupported_kind"},
		{indicator.SHA512, strings.Repeat("ab", 64), "block", "!unsupported_kind"},
	}
	for _, test := range tests {
		objects, unfit := testTarget(test.action).Map(testroom.Record(t, test.kind, test.text))
		var got []string
		for _, o := range objects {
			got = append(got, o.Identity)
		}
		if unfit != nil {
			got = []string{"!" + unfit.Code}
		}
		if s := strings.Join(got, " "); s != test.identities {
			t.Errorf("%s as %s: got %q, want %q", test.text, test.action, s, test.identities)
		}
	}
}

func TestBodyHasWhatTheServiceDemands(t *testing.T) {
	t.Parallel()
	rec := testroom.Record(t, indicator.Domain, "bad.example")
	rec.Attrs = indicator.Attributes{Confidence: indicator.Known(74), Severity: indicator.Known(4), TLP: indicator.Amber, Tags: []string{"rat"}, Sources: []string{"ipsum", "maltrail"}}
	tgt := testTarget("audit")
	objects, _ := tgt.Map(rec)
	body, err := tgt.Encode(sdk.OpUpsert, []sdk.SendItem{{Object: objects[0], Mark: "soc-1", Expires: time.Date(2027, 1, 2, 3, 4, 5, 999, time.UTC)}})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Indicators []api.Indicator }
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	want := api.Indicator{
		Value: "bad.example", Type: "DomainName", Action: "Audit", Title: "Remeld: bad.example",
		Description: "sources: ipsum, maltrail; TLP:AMBER; tags: rat; confidence 74",
		Severity:    "High", Application: "Remeld", GenerateAlert: true,
		ExpirationTime: "2027-01-02T03:04:05Z", ExternalID: "remeld/soc-1/" + objects[0].Hash,
	}
	if diff := cmp.Diff([]api.Indicator{want}, got.Indicators); diff != "" {
		t.Error(diff)
	}
	if mark := markOf(want.ExternalID); mark != "soc-1" {
		t.Errorf("mark read back as %q", mark)
	}
}

// TestD10_ScoreIsNotInTheHash: a score's move is told apart from other changes.
func TestD10_ScoreIsNotInTheHash(t *testing.T) {
	t.Parallel()
	tgt := testTarget("block")
	rec := testroom.Record(t, indicator.Domain, "bad.example")
	rec.Attrs.Confidence = indicator.Known(74)
	before, _ := tgt.Map(rec)
	rec.Attrs.Confidence = indicator.Known(90)
	after, _ := tgt.Map(rec)
	if before[0].Hash != after[0].Hash || before[0].Score == after[0].Score {
		t.Errorf("hash %s → %s, score %v → %v", before[0].Hash, after[0].Hash, before[0].Score, after[0].Score)
	}
	rec.Attrs.Tags = []string{"rat"}
	tagged, _ := tgt.Map(rec)
	if tagged[0].Hash == after[0].Hash {
		t.Error("a new tag does not change the hash")
	}
}

// TestListedHashIsTheMappedHash: what we sent, listed back, must not look edited
// (SEMANTICS D18).
func TestListedHashIsTheMappedHash(t *testing.T) {
	t.Parallel()
	tgt := testTarget("audit")
	rec := testroom.Record(t, indicator.IPv6, "2001:4860:4860::8888")
	rec.Attrs.Confidence = indicator.Known(50)
	objects, _ := tgt.Map(rec)
	body, err := tgt.Encode(sdk.OpUpsert, []sdk.SendItem{{Object: objects[0], Mark: "m", Expires: time.Unix(0, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	var sent struct{ Indicators []json.RawMessage }
	if err := json.Unmarshal(body, &sent); err != nil {
		t.Fatal(err)
	}
	var listed api.Listed
	if err := json.Unmarshal(sent.Indicators[0], &listed); err != nil {
		t.Fatal(err)
	}
	r := tgt.remote(&listed)
	if r.Hash != objects[0].Hash || r.Identity != objects[0].Identity || r.Slot != objects[0].Slot {
		t.Errorf("listed %+v, mapped %+v", r, objects[0])
	}
}

func TestValidateNamesEverything(t *testing.T) {
	t.Parallel()
	cfg := Config{Action: "alert", Reserve: -1, Capacity: 10}
	var got []string
	for _, err := range cfg.Validate() {
		got = append(got, err.Error())
	}
	want := []string{
		`action: unknown action "alert"`,
		"expiration.file: 0s is too short", "expiration.network: 0s is too short",
		"reserve: must be between 0 and the capacity of 10", "title: must not be empty",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The service may list an IPv6 address in another spelling than it was sent in: it is
// the same object, not one that somebody edited.
func TestD18_SpellingsOfAnAddressAreOneObject(t *testing.T) {
	sent := slotOf("IpAddress", "2001:db8:0:0:0:0:0:A", nil)
	for _, listed := range []string{"2001:db8::a", "2001:DB8:0:0:0:0:0:a", "2001:0db8:0000:0000:0000:0000:0000:000a"} {
		if got := slotOf("IpAddress", listed, nil); got != sent {
			t.Errorf("%s is %s, sent as %s", listed, got, sent)
		}
	}
}

// TestRulesSayWhatBlocks: the rule that counts decides, and Blocks says what Map does.
func TestRulesSayWhatBlocks(t *testing.T) {
	t.Parallel()
	for _, node := range []string{"audit", "warn", "block"} {
		cfg := Config{Action: node, Title: "x", Describe: "x", Rules: []mapping.Rule{
			{When: `hasTag(name = "stop")`, Action: "block"}, {When: `hasTag(name = "ask")`, Action: "warn"},
			{When: `hasTag(name = "watch")`, Action: "audit"}, {When: `hasTag(name = "low")`, Severity: "low"},
		}}
		tgt, err := mapper(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for tag, want := range map[string]string{"stop": "Block", "ask": "Warn", "watch": "Audit", "low": actions[node], "": actions[node]} {
			rec := testroom.Record(t, indicator.Domain, "bad.example")
			rec.Attrs.Tags = []string{tag}
			objects, unfit := tgt.Map(rec)
			if unfit != nil || len(objects) != 1 || objects[0].Action != want {
				t.Fatalf("%s, %q: %+v %v", node, tag, objects, unfit)
			}
			if tgt.Blocks(rec) != (want != "Audit") {
				t.Errorf("%s, %q: Blocks says %v of %s", node, tag, tgt.Blocks(rec), want)
			}
		}
	}
}
