package threatconnect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	_ "github.com/remeld/remeld/connector/all"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// runAt is the time of the worked examples.
var runAt = time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)

type still struct{}

func (still) Now() time.Time                             { return runAt }
func (still) Sleep(context.Context, time.Duration) error { return nil }

func ptr[T any](v T) *T { return &v }

const sha256Of = "e8d95a51f3af4a3b134bf6bb680a193ef8e92fa1ba9b3f0c8c8ba1ef6ec6ab6a"

// file is the File of examples E1 and E2.
func file() sandbox.TCIndicator {
	return sandbox.TCIndicator{
		Type: "File", Owner: "ACME", Summary: "D41D8CD98F00B204E9800998ECF8427E : " + strings.ToUpper(sha256Of), Rating: ptr(3.5), Confidence: ptr(74), FalseCount: 2,
		Tags: []string{"Ransomware"}, Labels: []string{"TLP:GREEN", "TLP:AMBER", "Internal"},
		Attributes: []sandbox.TCAttribute{{Type: "Phase of Intrusion", Value: "Installation"}, {Type: "Phase of Intrusion", Value: "Actions on Objectives"}, {Type: "Last Seen", Value: "2026-01-05"}},
	}
}

func host(analysis string) sandbox.TCIndicator {
	return sandbox.TCIndicator{Type: "Host", Owner: "ACME", Summary: "bad.evil.com", Attributes: []sandbox.TCAttribute{{Type: "Network Protocol Analysis", Value: analysis}}}
}

const (
	to20     = `mode: "2.0", to: [ms], action_to_take: Alert, owners: [ACME], `
	graph    = to20 + `target_product: Microsoft Sentinel`
	graphMDE = to20 + `target_product: Microsoft Defender for Endpoint`
	to30     = `mode: "3.0", to: [ms], action_to_take: Block, owners: [ACME], indicator_types: [Address, MD5, SHA1, SHA256, Host, URL]`
)

// TestWorkedExamples: what the worked examples of the reference (E1–E5) become at
// Microsoft, to the letter of the object that is sent.
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, config string
		has          sandbox.TCIndicator
	}{
		{"E1 File to Sentinel, 2.0", graph, file()},
		{"E1 File to Sentinel's own API", to20 + `workspace: 5a4db0c5-0000-4000-8000-0000000005e1`, file()},
		{"E1 File, MD5 chosen", graph + `, indicator_types: [MD5]`, file()},
		{"E1 File, SHA1 chosen", graph + `, indicator_types: [SHA1]`, file()},
		{"E2 File to Defender, 3.0", to30, file()},
		{"E3 IPv6 to Sentinel, default TLP", graph + `, default_tlp_level: Green`, sandbox.TCIndicator{Type: "Address", Owner: "ACME", Summary: "2606:4700::1111"}},
		{"E3 IPv6 to Defender through Graph", graphMDE, sandbox.TCIndicator{Type: "Address", Owner: "ACME", Summary: "2606:4700::1111"}},
		{"E3 IPv6 to Defender, 3.0", to30, sandbox.TCIndicator{Type: "Address", Owner: "ACME", Summary: "2606:4700::1111"}},
		{"E4 Host with a protocol", graph, host("tcp/443")},
		{"E4 Host with prose", graph, host("beacons over HTTPS to a CDN")},
		{"E5 CIDR to Sentinel", graph, sandbox.TCIndicator{Type: "CIDR", Owner: "ACME", Summary: "abc:def:10:0:0:0:0:0/48"}},
		{"E5 CIDR to Defender", graphMDE, sandbox.TCIndicator{Type: "CIDR", Owner: "ACME", Summary: "abc:def:10:0:0:0:0:0/48"}},
		{"E7 TQL, with every hash", to30 + `, tql: 'typeName = "File"'`, file()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			golden(t, strings.ReplaceAll(test.name, " ", "_"), mapped(t, test.config, test.has))
		})
	}
}

// mapped runs the nodes of a job: its source against a twin that has one indicator,
// and what its targets make of that.
func mapped(t *testing.T, text string, has sandbox.TCIndicator) string {
	t.Helper()
	sb, err := sandbox.Start(t.Context(), sandbox.Options{Start: runAt, Frozen: true, Dir: t.TempDir(), ThreatConnect: sandbox.ThreatConnect{
		Size: -1, Owners: []sandbox.TCOwner{{ID: 5, Name: "ACME", Type: "Organization", Permission: "Full"}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	if _, err := sb.SeedThreatConnect(has); err != nil {
		t.Fatal(err)
	}
	cfg := load(t, sb, text)
	src := build(t, cfg, "job.source", "tc").(sdk.Source)
	var sink sdktest.RecordingSink
	if _, err := src.Poll(t.Context(), nil, &sink); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, rec := range sink.Added() {
		for _, name := range cfg.Jobs["job"].Targets {
			target := build(t, cfg, name, "ms").(sdk.Target)
			fmt.Fprintf(&out, "%s of %s %s\n", name, rec.Kind, rec.Value)
			objects, unfit := target.Map(&rec)
			if unfit != nil {
				fmt.Fprintf(&out, "not sent: %s: %s\n", unfit.Code, unfit.Detail)
			}
			for _, o := range objects {
				var body bytes.Buffer
				if err := json.Indent(&body, o.Body, "", "  "); err != nil {
					t.Fatal(err)
				}
				life := o.Life
				if life == 0 {
					life = target.Info().Expiry[o.Indicator.Kind]
				}
				fmt.Fprintf(&out, "ends %s\n%s\n", runAt.Add(life).Format(time.RFC3339), body.String())
			}
		}
	}
	return out.String()
}

func load(t *testing.T, sb *sandbox.Sandbox, text string) *config.Config {
	t.Helper()
	cfg, found := config.LoadBytes("job.yaml", []byte(fmt.Sprintf(`
connections:
  tc: {type: threatconnect, url: %q, access_id: %q, secret_key: "${env:KEY}", ca: %q}
  ms: {type: entra, tenant_id: contoso.example, client_id: 00000000-0000-0000-0000-000000000002, client_secret: "${env:KEY}"}
jobs:
  job: {form: threatconnect_job, config: {connection: tc, %s}}
`, sb.ThreatConnectURL(), sandbox.DemoAccessID, sb.CAFile(), text)), config.Options{Env: func(string) (string, bool) { return sandbox.DemoSecretKey, true }})
	if found.HasErrors() {
		t.Fatal(found)
	}
	return cfg
}

func build(t *testing.T, cfg *config.Config, node, connection string) any {
	t.Helper()
	return buildAt(t, cfg, node, connection, still{})
}

func buildAt(t *testing.T, cfg *config.Config, node, connection string, clock sdk.Clock) any {
	t.Helper()
	n := cfg.Nodes[node]
	env := sdktest.Env(t)
	env.Node, env.Clock, env.Connection, env.Owner = node, clock, cfg.Connections[connection].SDK(), "test"
	made, err := n.ClassInfo.New(n.Config, env)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", strings.NewReplacer(",", "", "'", "").Replace(name)+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
