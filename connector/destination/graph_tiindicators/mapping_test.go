package graphti

import (
	"encoding/json"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/testroom"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"

	api "github.com/remeld/remeld/internal/microsoft/graph"
)

var update = flag.Bool("update", false, "rewrite golden files")

func testTarget(t *testing.T, change func(*Config)) *target {
	t.Helper()
	cfg := defaults()
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

func atDefender(c *Config) { c.Product = api.Defender }

func fullRecord(t *testing.T, kind indicator.Kind, text string) *indicator.Record {
	t.Helper()
	rec := testroom.Record(t, kind, text)
	rec.Attrs = indicator.Attributes{
		Confidence: indicator.Known(74), Severity: indicator.Known(4), TLP: indicator.Amber, Owner: "ACME",
		Tags: []string{"Ransomware"}, KillChain: []string{"actions-on-objectives", "installation"}, FalsePositives: 2,
		LastSeen: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), References: []string{"https://tc.example/indicator/88"}, Sources: []string{"tc_high"},
	}
	return rec
}

func TestMapKinds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind               indicator.Kind
		text               string
		sentinel, defender string // slots joined by space; "!code" when unfit
	}{
		{indicator.IPv4, "8.8.4.4", "ipv4|8.8.4.4", "ipv4|8.8.4.4"},
		{indicator.IPv6, "2001:db8::1", "ipv6|2001:db8::1", "ipv6|2001:db8::1"},
		{indicator.IPv4, "8.8.4.0-8.8.4.2", "cidr|8.8.4.0/31 ipv4|8.8.4.2", "ipv4|8.8.4.0 ipv4|8.8.4.1 ipv4|8.8.4.2"},
		{indicator.IPv6, "abc:def:10:0:0:0:0:0/48", "cidr|abc:def:10::/48", "!range_too_wide"},
		{indicator.IPv4, "10.0.0.1", "ipv4|10.0.0.1", "!not_public"},
		{indicator.Domain, "bad.example", "domain|bad.example", "domain|bad.example"},
		{indicator.URL, "https://bad.example/A+b?c=%2B", "url|https://bad.example/A+b?c=%2B", "url|https://bad.example/a+b?c=%2b"},
		{indicator.Email, "a@bad.example", "email|a@bad.example", "!unsupported_kind"},
		{indicator.EmailSubject, "Invoice", "email_subject|Invoice", "!unsupported_kind"},
		{indicator.UserAgent, "bad/1.0", "user_agent|bad/1.0", "!unsupported_kind"},
		{indicator.MD5, strings.Repeat("AB", 16), "md5|" + strings.Repeat("ab", 16), "md5|" + strings.Repeat("ab", 16)},
		{indicator.SHA256, strings.Repeat("ab", 32), "sha256|" + strings.Repeat("ab", 32), "sha256|" + strings.Repeat("ab", 32)},
		{indicator.Certificate, strings.Repeat("ab", 20), "!unsupported_kind", "!unsupported_kind"},
		{indicator.JA3, strings.Repeat("ab", 16), "!unsupported_kind", "!unsupported_kind"},
	}
	for _, test := range tests {
		for want, tgt := range map[string]*target{"S" + test.sentinel: testTarget(t, nil), "D" + test.defender: testTarget(t, atDefender)} {
			rec := testroom.Record(t, test.kind, test.text)
			objects, unfit := tgt.Map(rec)
			var got []string
			for _, o := range objects {
				got = append(got, o.Slot)
			}
			code := ""
			if unfit != nil {
				code = unfit.Code
				got = []string{"!" + code}
			}
			if s := strings.Join(got, " "); s != want[1:] {
				t.Errorf("%s at %s: got %q, want %q", test.text, tgt.config.Product, s, want[1:])
			}
			if fit := tgt.Fit(rec); fit != code {
				t.Errorf("%s: Fit says %q, Map %q", test.text, fit, code)
			}
		}
	}
}

func items(t *testing.T, tgt *target, recs ...*indicator.Record) []sdk.SendItem {
	t.Helper()
	var out []sdk.SendItem
	for _, rec := range recs {
		objects, unfit := tgt.Map(rec)
		if unfit != nil {
			t.Fatalf("%s: %+v", rec.Value, unfit)
		}
		for _, o := range objects {
			out = append(out, sdk.SendItem{Object: o, Mark: "soc-1", Expires: time.Date(2026, 2, 9, 0, 0, 0, 0, time.UTC)})
		}
	}
	return out
}

// TestGuide20Example: the worked examples of the guide for 2.0.x, and each operation's
// body.
func TestGuide20Example(t *testing.T) {
	t.Parallel()
	guide := func(c *Config) { c.Describe = "ThreatConnect | Owner: {owner}" }
	host := fullRecord(t, indicator.Domain, "bad.example")
	host.Attrs.Port, host.Attrs.Protocol = 443, "tcp"
	bare := testroom.Record(t, indicator.IPv6, "2001:db8::1")
	for name, call := range map[string]struct {
		tgt   *target
		op    sdk.OpName
		recs  []*indicator.Record
		known bool // remote ids are
	}{
		"file.submit":         {testTarget(t, guide), sdk.OpUpsert, []*indicator.Record{fullRecord(t, indicator.MD5, strings.Repeat("AB", 16)), fullRecord(t, indicator.SHA256, strings.Repeat("AB", 32))}, false},
		"host.submit":         {testTarget(t, guide), sdk.OpUpsert, []*indicator.Record{host}, false},
		"address.submit":      {testTarget(t, guide), sdk.OpUpsert, []*indicator.Record{bare, testroom.Record(t, indicator.IPv6, "abc:def:10::/48")}, false},
		"mail.submit":         {testTarget(t, guide), sdk.OpUpsert, []*indicator.Record{fullRecord(t, indicator.Email, "a@bad.example"), testroom.Record(t, indicator.EmailSubject, "Invoice"), testroom.Record(t, indicator.UserAgent, "bad/1.0")}, false},
		"defender.submit":     {testTarget(t, atDefender), sdk.OpUpsert, []*indicator.Record{fullRecord(t, indicator.IPv4, "8.8.4.4"), bare}, false},
		"host.update":         {testTarget(t, guide), sdk.OpUpdate, []*indicator.Record{host}, true},
		"defender.update":     {testTarget(t, atDefender), sdk.OpUpdate, []*indicator.Record{host}, true},
		"host.delete":         {testTarget(t, guide), sdk.OpDelete, []*indicator.Record{host}, true},
		"host.deleteExternal": {testTarget(t, guide), sdk.OpDelete, []*indicator.Record{host}, false},
	} {
		list := items(t, call.tgt, call.recs...)
		for i := range list {
			if call.known {
				list[i].RemoteID = "remote-id"
			}
		}
		body, err := call.tgt.Encode(call.op, list)
		if err != nil {
			t.Fatal(err)
		}
		testroom.Golden(t, name+".json", body, *update)
	}
}

// TestD14_WhatNoUpdateMayChangeReplaces: the identity tells another object, and its
// external id is another one; what an update may change does not.
func TestD14_WhatNoUpdateMayChangeReplaces(t *testing.T) {
	t.Parallel()
	base := fullRecord(t, indicator.Domain, "bad.example")
	changes := map[string]struct {
		change             func(*indicator.Record, *Config)
		sentinel, defender string // replace, update, nothing
	}{
		"action":      {func(_ *indicator.Record, c *Config) { c.Action = "block" }, "update", "replace"},
		"threat type": {func(r *indicator.Record, _ *Config) { r.Attrs.ThreatType = "malware" }, "replace", "update"}, // its word is in the description
		"port":        {func(r *indicator.Record, _ *Config) { r.Attrs.Port = 443 }, "replace", "nothing"},
		"severity":    {func(r *indicator.Record, _ *Config) { r.Attrs.Severity = indicator.Known(1) }, "update", "update"},
		"description": {func(r *indicator.Record, _ *Config) { r.Attrs.Description = "x" }, "update", "update"},
		"chain alone": {func(r *indicator.Record, c *Config) { c.Describe = "same"; r.Attrs.KillChain = nil }, "update", "update"},
		"last seen":   {func(r *indicator.Record, _ *Config) { r.Attrs.LastSeen = r.Attrs.LastSeen.Add(time.Hour) }, "nothing", "nothing"},
		"score":       {func(r *indicator.Record, _ *Config) { r.Attrs.Confidence = indicator.Known(76) }, "nothing", "nothing"},
	}
	for name, c := range changes {
		for want, product := range map[string]string{"S" + c.sentinel: api.Sentinel, "D" + c.defender: api.Defender} {
			var before, after sdk.Object
			rec := &indicator.Record{Indicator: base.Indicator, Attrs: base.Attrs.Clone()}
			before = items(t, testTarget(t, func(cfg *Config) { cfg.Product = product }), rec)[0].Object
			var config Config
			after = items(t, testTarget(t, func(cfg *Config) { cfg.Product = product; c.change(rec, cfg); config = *cfg }), rec)[0].Object
			got := "nothing"
			switch {
			case before.Slot != after.Slot:
				got = "another slot"
			case before.Identity != after.Identity:
				got = "replace"
			case before.Hash != after.Hash:
				got = "update"
			}
			if got != want[1:] {
				t.Errorf("a change of %s at %s: %s, want %s", name, config.Product, got, want[1:])
			}
		}
	}
}

// TestD2_ExternalIDsAreOnesOwn: different for every object, and read back.
func TestD2_ExternalIDsAreOnesOwn(t *testing.T) {
	t.Parallel()
	tgt := testTarget(t, nil)
	list := items(t, tgt, fullRecord(t, indicator.MD5, strings.Repeat("AB", 16)), fullRecord(t, indicator.SHA256, strings.Repeat("AB", 32)), fullRecord(t, indicator.IPv4, "8.8.4.0-8.8.4.6"))
	body, err := tgt.Encode(sdk.OpUpsert, list)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := api.Unbulk[api.Indicator](body)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, ind := range sent {
		mark, fixed := markOf(ind.ExternalID)
		if seen[ind.ExternalID] || mark != "soc-1" || list[i].Object.Identity != list[i].Object.Slot+"|"+fixed {
			t.Errorf("%s: mark %q, fixed %q", ind.ExternalID, mark, fixed)
		}
		seen[ind.ExternalID] = true
	}
	for _, text := range []string{"", "seen by a, b", "Title: x, Description: y"} {
		listed := "Title: Indicator bad.example of type DomainName, Description: " + withMark(text, "soc-1")
		if said, mark := told(listed); said != text || mark != "soc-1" {
			t.Errorf("%q is read as %q of %q", listed, said, mark)
		}
	}
	for _, foreign := range []string{"", "tc-5-88", "remeld/x"} {
		if mark, _ := markOf(foreign); mark != "" {
			t.Errorf("%q has mark %q", foreign, mark)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"new name":      {func(c *Config) { c.Product = "Microsoft Sentinel" }, "unknown product"},
		"threat type":   {func(c *Config) { c.ThreatType = "bad" }, "threat_type: "},
		"reserve":       {func(c *Config) { c.Product = api.Defender; c.Reserve = 15_001 }, "reserve: "},
		"no such limit": {func(c *Config) { c.Reserve = 1 }, "names no limit"},
		"rule":          {func(c *Config) { c.Rules = []mapping.Rule{{When: "severity > 3", ThreatType: "bad"}} }, "rules.0.threat_type: "},
		"rule action":   {func(c *Config) { c.Rules = []mapping.Rule{{When: "severity > 3", Action: "audit"}} }, "rules.0.action: "},
		"rule severity": {func(c *Config) { c.Rules = []mapping.Rule{{When: "severity > 3", Severity: "huge"}} }, "rules.0.severity: "},
		"short life":    {func(c *Config) { c.Expiration.File = time.Minute }, "expiration.file: "},
	}
	for name, test := range tests {
		cfg := defaults()
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
	sdktest.TestClass(t, sdktest.Class(t, sdk.RoleTarget, "graph_tiindicators"))
}

// TestMatchReadsItemByItem: a partial answer, in another order, with numbers for
// names and the provider's error as text.
func TestMatchReadsItemByItem(t *testing.T) {
	t.Parallel()
	sent := []api.Indicator{
		{ExternalID: "remeld/m/1/a", DomainName: "a.example"}, {ExternalID: "remeld/m/2/a", DomainName: "b.example"},
		{ExternalID: "remeld/m/3/a", DomainName: "c.example"}, {ExternalID: "remeld/m/4/a", DomainName: "d.example"},
	}
	var got []api.Item
	answer := `[
	 {"id":"4","externalId":null,"domainName":"d.example","action":3,"tlpLevel":"2","severity":"3"},
	 {"id":"Failed to create, check Error element for reason","externalId":"remeld/m/3/a","Error":"{\"error\":{\"code\":\"BadRequest\",\"message\":\"Max capacity exceeded. Current Total: 15000, Limit: 15000 (Parameter 'Capacity: 15000/15000')\"}}"},
	 {"id":"Failed to create, check Error element for reason","externalId":"remeld/m/2/a","Error":"{\"error\":{\"code\":\"InvalidInput\",\"message\":\"Missing indicators value\",\"target\":\"|x_\"}}"},
	 {"id":"1","externalId":"remeld/m/1/a"}]`
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	out, err := match(sdk.OpUpsert, sent, got)
	if err != nil {
		t.Fatal(err)
	}
	want := []sdk.Outcome{
		{Status: sdk.Accepted, RemoteID: "1"}, {Status: sdk.Rejected, Code: "InvalidInput", Reason: "Missing indicators value"},
		{Status: sdk.Full, Code: "capacity", Reason: "Max capacity exceeded. Current Total: 15000, Limit: 15000 (Parameter 'Capacity: 15000/15000')"},
		{Status: sdk.Accepted, RemoteID: "4"},
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	if got[0].Action != api.Alert || got[0].TLPLevel != "green" || *got[0].Severity != 3 {
		t.Errorf("read as %+v", got[0].Indicator)
	}
	if _, err := match(sdk.OpUpsert, sent, got[1:]); sdk.FailureOf(err) != sdk.InDoubt {
		t.Errorf("an answer without an item: %v", err)
	}
}

// TestRulesSayWhatBlocks: the rule that counts decides, and Blocks says what Map does.
func TestRulesSayWhatBlocks(t *testing.T) {
	t.Parallel()
	for _, node := range []string{"alert", "block", "allow"} {
		tgt := testTarget(t, func(c *Config) {
			c.Product, c.Action = api.Defender, node
			c.Rules = []mapping.Rule{{When: `hasTag(name = "stop")`, Action: "block"}, {When: `hasTag(name = "watch")`, Action: "alert"}, {When: `hasTag(name = "low")`, Severity: "low"}}
		})
		for tag, want := range map[string]string{"stop": "block", "watch": "alert", "low": node, "": node} {
			rec := testroom.Record(t, indicator.Domain, "bad.example")
			rec.Attrs.Tags = []string{tag}
			objects, unfit := tgt.Map(rec)
			if unfit != nil || len(objects) != 1 || objects[0].Action != want {
				t.Fatalf("%s, %q: %+v %v", node, tag, objects, unfit)
			}
			if tgt.Blocks(rec) != (want == "block") {
				t.Errorf("%s, %q: Blocks says %v of %s", node, tag, tgt.Blocks(rec), want)
			}
		}
	}
}

// TestAProvidersOwnTroubleParksNobody: of one item too, as of a whole call.
func TestAProvidersOwnTroubleParksNobody(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]sdk.Status{"TooManyRequests": sdk.Later, "429": sdk.Later, "InternalServerError": sdk.Later, "InvalidInput": sdk.Rejected, "": sdk.Rejected} {
		item := api.Item{Error: `{"error":{"code":"` + code + `","message":"in words"}}`}
		item.ID = "Failed to create, check Error element for reason"
		if out := outcome(&item); out.Status != want || out.RemoteID != "" || out.Reason != "in words" {
			t.Errorf("%s: %+v", code, out)
		}
	}
}
