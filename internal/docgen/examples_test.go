package docgen_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/docgen"
	"github.com/remeld/remeld/prototypes"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// example is one YAML block of a page.
type example struct {
	page     string
	line     int
	text     string
	fragment bool // nodes it names may stand elsewhere
}

// TestExamples loads every YAML example of the pages as a user would.
func TestExamples(t *testing.T) {
	n := 0
	for _, page := range pages(t) {
		for _, ex := range examples(t, page) {
			n++
			t.Run(fmt.Sprintf("%s:%d", ex.page, ex.line), func(t *testing.T) { checkExample(t, ex) })
		}
	}
	if n < 12 {
		t.Errorf("only %d examples were found", n)
	}
}

// TestExampleFiles loads the configurations that are files of their own.
func TestExampleFiles(t *testing.T) {
	env := sandboxEnv()
	env["FEEDS"] = t.TempDir()
	list := filepath.Join(env["FEEDS"], "warninglists", "tranco10k.json")
	if err := os.MkdirAll(filepath.Dir(list), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, []byte(`{"list":[]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"real-feeds.yaml", "microsoft-doors.yaml"} {
		_, found := config.Load([]string{filepath.Join(root, "docs", "examples", name)},
			config.Options{Env: lookup(env), Warninglists: prototypes.Names(), Prototypes: prototypes.Nodes()})
		if len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

func checkExample(t *testing.T, ex example) {
	t.Helper()
	var tree any
	if err := yaml.Load([]byte(ex.text), &tree); err != nil {
		t.Fatal(err)
	}
	if _, isList := tree.([]any); isList {
		checkList(t, ex.text)
		return
	}
	text := ex.text
	if ex.fragment {
		text = whole(t, tree.(map[string]any))
	}
	_, found := config.LoadBytes(ex.page, []byte(text), config.Options{
		Env: lookup(sandboxEnv()), SecretDir: secrets(t, text), Warninglists: prototypes.Names(), Prototypes: prototypes.Nodes(),
	})
	if found.HasErrors() || len(found) > 0 && !ex.fragment {
		t.Errorf("%v\n%s", found, text)
	}
}

// checkList reads a list of values as class list does.
func checkList(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var out sdktest.RecordingSink
	src := sdktest.Build(t, sdktest.Class(t, sdk.RoleSource, "list"), "path: "+path, sdktest.Env(t))
	if _, err := src.Poll(t.Context(), nil, &out); err != nil || len(out.Refused()) > 0 || len(out.Added()) == 0 {
		t.Errorf("the list is not read: %v, refused %v", err, out.Refused())
	}
}

// whole completes a fragment: it stands under nodes:, and what it names and does
// not define is there.
func whole(t *testing.T, tree map[string]any) string {
	t.Helper()
	if tree["nodes"] == nil && tree["connections"] == nil && tree["protect"] == nil && tree["notify"] == nil {
		tree = map[string]any{"nodes": tree}
	}
	nodes, _ := tree["nodes"].(map[string]any)
	if nodes == nil {
		nodes = map[string]any{}
		tree["nodes"] = nodes
	}
	logins, _ := tree["connections"].(map[string]any)
	if logins == nil {
		logins = map[string]any{}
		tree["connections"] = logins
	}
	for _, n := range nodes {
		node := n.(map[string]any)
		stub(nodes, node["inputs"], map[string]any{"class": "list", "config": map[string]any{"path": "list.yaml"}})
		stub(nodes, node["allow"], map[string]any{"class": "list", "config": map[string]any{"path": "list.yaml"}})
		stub(logins, node["to"], map[string]any{
			"type": "entra", "tenant_id": "contoso.example", "client_id": "00000000-0000-0000-0000-000000000002", "client_secret": "${env:CONTOSO_SECRET}",
		})
	}
	text, err := yaml.Dump(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func stub(have map[string]any, names any, value map[string]any) {
	list, _ := names.([]any)
	for _, name := range list {
		if have[name.(string)] == nil {
			have[name.(string)] = value
		}
	}
}

var secretRef = regexp.MustCompile(`\$\{secret:([^}]+)\}`)

// secrets makes a folder with every secret that text names.
func secrets(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for _, m := range secretRef.FindAllStringSubmatch(text, -1) {
		if err := os.WriteFile(filepath.Join(dir, m[1]), []byte("not-a-secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sandboxEnv is what the examples take from the environment.
func sandboxEnv() map[string]string {
	return map[string]string{
		"SANDBOX_TENANT": "00000000-0000-0000-0000-000000000001",
		"SANDBOX_APP":    "00000000-0000-0000-0000-000000000002",
		"SANDBOX_SECRET": "not-a-secret",
		"SANDBOX_URL":    "https://sandbox.example:8443",
		"SANDBOX_CA":     "ca.pem",
		"CONTOSO_SECRET": "not-a-secret",
		"NAME":           "text", // in pages that say what a reference is
	}
}

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

// pages are README.md and docs/*.md, from the repository's root.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := []string{"README.md"}
	for _, p := range found {
		out = append(out, filepath.Join("docs", filepath.Base(p)))
	}
	return out
}

func readPage(t *testing.T, page string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(data), "\n")
}

// examples are the blocks that are marked as yaml.
func examples(t *testing.T, page string) []example {
	t.Helper()
	var out []example
	var open *example
	lines := readPage(t, page)
	for i, line := range lines {
		switch {
		case open == nil && strings.TrimSpace(line) == "```yaml":
			open = &example{page: page, line: i + 1, fragment: i > 0 && lines[i-1] == docgen.FragmentMark}
		case open != nil && strings.TrimSpace(line) == "```":
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return out
}
