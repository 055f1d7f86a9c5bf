package app

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/sdk/sdktest"
)

const twoTenants = `instance: t
connections:
  contoso: {type: entra, tenant_id: 4f9c0000-0000-4000-8000-000000000001, client_id: 8a1e0000-0000-4000-8000-000000000001, client_secret: x}
  fabrikam: {type: entra, tenant_id: 4f9c0000-0000-4000-8000-000000000002, client_id: 8a1e0000-0000-4000-8000-000000000001, client_secret: x}
nodes:
  s: {class: http, config: {url: "https://feeds.example/x", kind: domain}}
  both: {class: defender, inputs: [s], keep: {sure: 'confidence >= 70'}, max_tlp: amber, min_confidence: 80, to: [%s], config: {action: block}}
`

// laid is what of a destination can differ from tenant to tenant.
type laid struct {
	Connection, MaxTLP string
	MinConfidence      int
	Mode               deliver.Mode
	Keep               []string
}

func laidOut(t *testing.T, to string) (out []laid, versions []string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "remeld.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, twoTenants, to), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, found := Load([]string{file}, dir, []byte("key"))
	if found.HasErrors() {
		t.Fatal(found)
	}
	b := &builder{cfg: cfg, log: slog.New(slog.DiscardHandler), clock: sdktest.NewClock(time.Time{}), work: dir, owner: "mark"}
	built, err := b.build()
	if err != nil {
		t.Fatal(err)
	}
	defer built.close()
	for _, d := range built.destinations(&protection{}) {
		l := laid{Connection: d.Target.Info().Connection, MaxTLP: d.MaxTLP.String(), MinConfidence: d.MinConfidence, Mode: d.Mode}
		for _, k := range d.Keep {
			l.Keep = append(l.Keep, k.Name)
		}
		out, versions = append(out, l), append(versions, d.ConfigVersion)
	}
	return out, versions
}

// TestD8_WhatIsGivenForATenantIsItsOwn: in whatever order they stand, what differs for one
// reaches no other, and a plan made before it was given is refused (SEMANTICS D16).
func TestD8_WhatIsGivenForATenantIsItsOwn(t *testing.T) {
	t.Parallel()
	plain := func(name string) laid {
		return laid{name, "amber", 80, deliver.ModeFirst, []string{"sure"}}
	}
	own := laid{"fabrikam", "green", 0, deliver.ModeAuto, []string{"sure", "few"}}
	const given = "{connection: fabrikam, max_tlp: green, min_confidence: 0, mode: auto, keep: {few: 'severity >= 4'}}"
	_, before := laidOut(t, "contoso, fabrikam")
	for to, want := range map[string][]laid{
		"contoso, fabrikam": {plain("contoso"), plain("fabrikam")},
		"contoso, " + given: {plain("contoso"), own},
		given + ", contoso": {own, plain("contoso")},
	} {
		got, versions := laidOut(t, to)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", to, diff)
		}
		if same := versions[0] == before[0]; same != (to == "contoso, fabrikam") {
			t.Errorf("%s: the version of what is sent is the same: %v", to, same)
		}
	}
}
