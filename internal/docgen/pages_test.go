package docgen_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	_ "github.com/remeld/remeld/connector/all"
	"github.com/remeld/remeld/internal/app/cli"
	"github.com/remeld/remeld/internal/docgen"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/")

// root is the repository's, from this package.
var root = filepath.Join("..", "..")

// TestPages compares every generated part with the checked-in page.
func TestPages(t *testing.T) {
	t.Setenv("REMELD_CONFIG", "") // a flag's default may come from the environment
	t.Setenv("REMELD_STATE", "")
	for page, blocks := range map[string]map[string]string{
		"docs/configuration.md": docgen.Configuration(),
		"docs/delivery.md":      docgen.Reasons(),
		"docs/cli.md":           docgen.CLI(cli.Root()),
		"docs/sentinel.md":      docgen.Mapping("sentinel"),
		"docs/graph.md":         docgen.Mapping("graph_tiindicators"),
		"docs/tql.md":           docgen.TQL(),
		"docs/defender.md":      docgen.Mapping("defender"),

		"docs/threatconnect-job.md": docgen.Parameters("threatconnect_job"),
	} {
		checkPage(t, page, blocks)
	}
}

func checkPage(t *testing.T, page string, blocks map[string]string) {
	t.Helper()
	path := filepath.Join(root, page)
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := docgen.Fill(string(have), blocks)
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	if string(have) == want {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what the code says; run go test ./internal/docgen -update (-page +code):\n%s", page, cmp.Diff(string(have), want))
}
