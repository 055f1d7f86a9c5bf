package defender

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/entra"
	"github.com/remeld/remeld/internal/microsoft/testroom"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"

	api "github.com/remeld/remeld/internal/microsoft/defender"
)

// aim builds a target of a room with device groups.
func aim(t *testing.T, room *testroom.Room, change func(*Config)) *target {
	t.Helper()
	cfg := defaults()
	cfg.Action = "block"
	change(&cfg)
	for _, err := range cfg.Validate() {
		t.Fatal(err)
	}
	made, err := build(cfg, room.Env("defender"))
	if err != nil {
		t.Fatal(err)
	}
	return made.(*target)
}

func grouped(t *testing.T, roles ...string) *testroom.Room {
	t.Helper()
	tenants := sandbox.DefaultTenants()
	tenants[0].Apps[0].Roles = roles
	return testroom.Open(t, sandbox.Options{Groups: []string{"Servers", "Tier 0, domain"}, Tenants: tenants})
}

func create(t *testing.T, tgt *target, recs ...*indicator.Record) []sdk.SendItem {
	t.Helper()
	var items []sdk.SendItem
	for _, rec := range recs {
		objects, unfit := tgt.Map(rec)
		if unfit != nil {
			t.Fatalf("%+v", unfit)
		}
		items = append(items, sdk.SendItem{Object: objects[0], Mark: "soc-1", Expires: time.Now().Add(24 * time.Hour)})
	}
	body, err := tgt.Encode(sdk.OpUpsert, items)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range send(t, tgt, sdk.OpUpsert, body) {
		items[i].RemoteID = id
	}
	return items
}

// TestD1_ScopesOfOneTenantAreDomainsOfTheirOwn: the same value for two sets of device
// groups and for every device is three rows, each seen as its own by one of them only.
func TestD1_ScopesOfOneTenantAreDomainsOfTheirOwn(t *testing.T) {
	t.Parallel()
	sb := grouped(t, "Ti.ReadWrite.All", "Score.Read.All")
	everywhere := aim(t, sb, func(*Config) {})
	servers := aim(t, sb, func(c *Config) { c.Groups = []string{"Servers"} })
	both := aim(t, sb, func(c *Config) { c.Groups = []string{"Tier 0, domain", "Servers"} })
	ids, domains := map[string]bool{}, map[string]bool{}
	rec := testroom.Record(t, indicator.Domain, "bad.example")
	for _, tgt := range []*target{everywhere, servers, both} {
		item := create(t, tgt, rec)[0]
		ids[item.RemoteID], domains[tgt.Info().Domain] = true, true
		own := 0
		for _, r := range list(t, tgt) {
			if r.Mark == "soc-1" {
				own++
			} else if r.App != "" {
				t.Errorf("%s: a row of another scope could be taken over: %+v", tgt.Info().Domain, r)
			}
			if r.Mark == "soc-1" {
				if r.Identity != item.Object.Identity || r.Hash != item.Object.Hash || r.ID != item.RemoteID {
					t.Errorf("sent %+v, listed %+v", item.Object, r)
				}
			}
		}
		if own != 1 {
			t.Errorf("%s: %d rows are its own, want 1", tgt.Info().Domain, own)
		}
	}
	if len(ids) != 3 || len(domains) != 3 || everywhere.Info().Quota != both.Info().Quota {
		t.Errorf("ids %v, domains %v", ids, domains)
	}
}

// pages answers a listing page by page and keeps the requests.
type pages struct {
	bodies []string
	asked  []string
}

func (p *pages) Do(r *http.Request) (*http.Response, error) {
	p.asked = append(p.asked, r.URL.String())
	body := p.bodies[min(len(p.asked), len(p.bodies))-1]
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (p *pages) Token(context.Context, string) (string, bool, error) { return "fake", true, nil }
func (p *pages) Forget()                                             {}

// TestD3_APageThatNamesAnotherIsNotTheLast, however few rows it has. What is behind it
// is asked for at the API's own host, whatever host the link names.
func TestD3_APageThatNamesAnotherIsNotTheLast(t *testing.T) {
	t.Parallel()
	const next = `"@odata.nextLink":"https://other.example/api/indicators?$skiptoken=2"`
	row := func(id int) string { return fmt.Sprintf(`{"id":"%d","indicatorValue":"h%d.example"}`, id, id) }
	first := `{"value":[` + row(1) + `],` + next + `}`
	for _, test := range []struct {
		bodies []string
		count  int // -1: the listing must not count as complete
	}{
		{[]string{first, `{"value":[` + row(2) + `]}`}, 2},
		{[]string{first, `{"value":[]}`}, 1},
		{[]string{first, `{"value":[],` + next + `}`}, -1},
		{[]string{first, `{"value":[` + row(1) + `]}`}, -1},
		{[]string{first, `{}`}, -1},
	} {
		tgt := testTarget("block")
		tgt.conn, tgt.log = &entra.Connection{}, slog.New(slog.DiscardHandler)
		p := &pages{bodies: test.bodies}
		tgt.tokens = entra.NewTokenSource(entra.Connection{}, p)
		tgt.client = api.New("https://api.example", "scope", p, p)
		l, err := tgt.List(t.Context(), testroom.Free, func(sdk.Remote) error { return nil })
		if (err != nil) != (test.count < 0) || err == nil && l.Count != test.count {
			t.Errorf("%v: %+v, %v, want %d", test.bodies, l, err, test.count)
		}
		if len(p.asked) != 2 || p.asked[1] != "https://api.example/api/indicators?%24skip=1&%24top=10000" {
			t.Errorf("asked %v", p.asked)
		}
	}
}

// TestDeviceGroupsAreKnownBeforeAnythingIsListed, and so before anything is created.
func TestDeviceGroupsAreKnownBeforeAnythingIsListed(t *testing.T) {
	t.Parallel()
	for words, sb := range map[string]*testroom.Room{
		`no device group "servers"`: grouped(t, "Ti.ReadWrite.All", "Score.Read.All"), "Score.Read.All": grouped(t, "Ti.ReadWrite.All"),
	} {
		tgt := aim(t, sb, func(c *Config) { c.Groups = []string{"servers"} })
		_, err := tgt.List(t.Context(), testroom.Free, func(sdk.Remote) error { t.Error("a row was listed"); return nil })
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %s", err, words)
		}
	}
}

func TestFileBlockAndEducateURL(t *testing.T) {
	t.Parallel()
	sb := grouped(t, "Ti.ReadWrite.All")
	tgt := aim(t, sb, func(c *Config) {
		c.FileBlock, c.EducateURL = "block_and_remediate", "https://intranet.example/why"
	})
	items := create(t, tgt, testroom.Record(t, indicator.SHA256, strings.Repeat("ab", 32)), testroom.Record(t, indicator.URL, "https://bad.example/x"),
		testroom.Record(t, indicator.Domain, "bad.example"), testroom.Record(t, indicator.Certificate, strings.Repeat("cd", 20)))
	got := map[string]string{}
	for _, r := range list(t, tgt) {
		var l api.Listed
		if err := json.Unmarshal(r.Raw, &l); err != nil {
			t.Fatal(err)
		}
		got[l.Type] = l.Action + " " + l.EducateURL
		for _, item := range items {
			if item.RemoteID == r.ID && item.Object.Hash != r.Hash {
				t.Errorf("%s looks edited", r.Identity)
			}
		}
	}
	want := map[string]string{
		"FileSha256": "BlockAndRemediate ", "CertificateThumbprint": "BlockAndRemediate ", "DomainName": "Block ", "Url": "Block https://intranet.example/why",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestTechniquesAreReadBack: a tenant that keeps them is quiet, one that drops them is
// told of, and neither makes a row look edited (SEMANTICS D18).
func TestTechniquesAreReadBack(t *testing.T) {
	t.Parallel()
	sb := grouped(t, "Ti.ReadWrite.All")
	tgt := aim(t, sb, func(c *Config) { c.Techniques, c.Category = true, true })
	rec := testroom.Record(t, indicator.Domain, "bad.example")
	rec.Attrs.KillChain, rec.Attrs.Tags = []string{"mitre-attack:command-and-control"}, []string{"T1566.002", "t1071 - C2", "T15"}
	item := create(t, tgt, rec)[0]
	var l api.Listed
	rows := list(t, tgt)
	if err := json.Unmarshal(rows[0].Raw, &l); err != nil || fmt.Sprint(l.Techniques) != "[T1071 T1566.002]" || rows[0].Mark != "soc-1" || tgt.dropped.Load() != 0 {
		t.Errorf("%v %v, mark %q, dropped %d", err, l.Techniques, rows[0].Mark, tgt.dropped.Load())
	}
	if stored, err := sb.Rows(sandbox.DemoTenant); err != nil || stored[0].Category <= 1 {
		t.Errorf("%v, rows %+v", err, stored)
	}
	if err := sb.EditRow(sandbox.DemoTenant, item.RemoteID, sandbox.Author{}, func(i *sandbox.Indicator) error { i.MitreTechniques = nil; return nil }); err != nil {
		t.Fatal(err)
	}
	if rows := list(t, tgt); rows[0].Hash != item.Object.Hash || tgt.dropped.Load() != 1 {
		t.Errorf("hash %s, sent %s; dropped %d", rows[0].Hash, item.Object.Hash, tgt.dropped.Load())
	}
	var warned sdk.Check
	tgt.Check(t.Context(), func(c sdk.Check) {
		if c.Name == "techniques" {
			warned = c
		}
	})
	if warned.State != sdk.CheckWarning || !strings.Contains(warned.Fix, "mitre_techniques: false") {
		t.Errorf("%+v", warned)
	}
}

func TestValidateScope(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Config){
		"file_block: has no meaning":              func(c *Config) { c.Action, c.FileBlock = "audit", "block_and_remediate" },
		"educate_url: nothing is shown":           func(c *Config) { c.Action, c.EducateURL = "audit", "https://intranet.example" },
		"educate_url: \"intranet\" is not":        func(c *Config) { c.EducateURL = "intranet" },
		"device_groups.1: device group \"a\" is ": func(c *Config) { c.Groups = []string{"a", "a"} },
		"device_groups.0: a device group without": func(c *Config) { c.Groups = []string{" "} },
	} {
		cfg := defaults()
		cfg.Action = "block"
		change(&cfg)
		if errs := cfg.Validate(); len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), want) {
			t.Errorf("%v, want %s", errs, want)
		}
	}
}
