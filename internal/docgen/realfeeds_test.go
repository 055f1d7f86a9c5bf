package docgen_test

import (
	"path/filepath"
	"testing"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/sampledata"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/prototypes"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// The sources of the documented example read the real feeds: what the page says of
// their numbers is so.
func TestRealFeedsExample(t *testing.T) {
	env := sandboxEnv()
	env["FEEDS"] = sampledata.Path(t, "feeds")
	cfg, found := config.Load([]string{filepath.Join(root, "docs", "examples", "real-feeds.yaml")},
		config.Options{Env: lookup(env), Warninglists: prototypes.Names(), Prototypes: prototypes.Nodes()})
	if len(found) > 0 {
		t.Fatal(found)
	}
	distinct := map[indicator.Indicator]bool{}
	for name, atLeast := range map[string]int{"ipsum": 120_000, "maltrail": 130_000, "maltrail_generic": 13_000, "eset": 525, "citizenlab": 195, "own_assets": 4} {
		n := poll(t, cfg, cfg.Nodes[name], distinct)
		if n < atLeast {
			t.Errorf("%s: %d rows kept, want at least %d", name, n, atLeast)
		}
	}
	t.Logf("%d distinct indicators", len(distinct))
	if len(distinct) <= 250_000 {
		t.Errorf("%d distinct indicators, want more than 250,000", len(distinct))
	}
	for _, name := range []string{"meld", "cleaned"} {
		n := cfg.Nodes[name]
		if _, err := n.ClassInfo.New(n.Config, sdktest.Env(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// poll reads a source whole, applies its compute and keep, and counts what stays.
func poll(t *testing.T, cfg *config.Config, n *config.Node, distinct map[indicator.Indicator]bool) int {
	t.Helper()
	env := sdktest.Env(t)
	env.BaseDir = cfg.BaseDir
	made, err := n.ClassInfo.New(n.Config, env)
	if err != nil {
		t.Fatalf("%s: %v", n.Name, err)
	}
	var out sdktest.RecordingSink
	if _, err := made.(sdk.Source).Poll(t.Context(), nil, &out); err != nil {
		t.Fatalf("%s: %v", n.Name, err)
	}
	kept := 0
	kinds := map[string]int{}
	for _, rec := range out.Added() {
		for _, c := range n.Compute {
			v, err := c.Program.Run(&rec)
			if err == nil {
				err = rec.Attrs.Set(c.Attr, v)
			}
			if err != nil {
				t.Fatalf("%s: compute %s of %s: %v", n.Name, c.Attr, rec.Value, err)
			}
		}
		if holds(n, &rec) {
			kept++
			kinds[rec.Kind.String()]++
			distinct[rec.Indicator] = true
		}
	}
	t.Logf("%s: %d read, %d kept, %d refused; %v", n.Name, len(out.Added()), kept, len(out.Refused()), kinds)
	return kept
}

func holds(n *config.Node, rec *indicator.Record) bool {
	for _, k := range n.Keep {
		if k.Filter.Match(rec, nil) != tql.True {
			return false
		}
	}
	return true
}
