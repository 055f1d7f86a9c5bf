package list

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGolden(t *testing.T) { sdktest.GoldenSource(t, "list", "testdata", *update) }

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	for path, text := range map[string]string{good: "- 192.0.2.1\n- {value: example.com, tags: [a]}\n", bad: "- nothing here\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sdktest.TestSource(t, "list", sdktest.SourceCase{Config: "path: " + good, Broken: "path: " + bad, Unchanged: true})
}

func TestMistakesAreToldByPlace(t *testing.T) {
	text := `- 192.0.2.1
- 192.0.2.300
- value: example.com
  confidnce: 5
- kind: domain
- {value: [a, b]}
- {value: example.org, kind: domian, confidence: 500, sources: [x]}
- [a]
`
	_, err := parse("own.yaml", []byte(text), indicator.Unknown)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`own.yaml:2:3: "192.0.2.300" is no indicator (octet_range`, `own.yaml:4:3: no attribute is called "confidnce"`,
		`own.yaml:5:3: the entry has no value:`, `own.yaml:6:11: value: takes one value`,
		`own.yaml:7:30: no kind is called "domian"`, `own.yaml:7:50: set confidence`, `own.yaml:7:55: sources is filled in`,
		`own.yaml:8:3: an entry is a value`, "stays in force",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q:\n%v", want, err)
		}
	}
	for _, broken := range []string{"- a: [\n", "a: b\n", "- {value: a.example, value: b.example}\n", "\t- x\n", "- a.example\n---\n- b.example\n"} {
		if _, err := parse("own.yaml", []byte(broken), indicator.Unknown); err == nil || !strings.Contains(err.Error(), "own.yaml:1:") && !strings.Contains(err.Error(), "own.yaml:2:") && !strings.Contains(err.Error(), "own.yaml:3:") {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

func TestEmptyListsAreLists(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "[]\n", "---\n"} {
		if got, err := parse("own.yaml", []byte(text), indicator.Unknown); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// A list with one mistake is not half applied.
func TestMistakeAddsNothing(t *testing.T) {
	env := sdktest.Env(t)
	if err := os.WriteFile(filepath.Join(env.BaseDir, "own.yaml"), []byte("- 192.0.2.1\n- what is this\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	src := sdktest.Build(t, sdktest.Class(t, sdk.RoleSource, "list"), "path: own.yaml", env)
	var out sdktest.RecordingSink
	if _, err := src.Poll(t.Context(), nil, &out); err == nil || out.String() != "" {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"- 192.0.2.1\n", "- {value: a.example, extra: {b: [1]}, tags: x}", "- &a x\n- *a\n", "a", "- \xff", "- !!binary x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := parse("f", text, indicator.Unknown)
		if err != nil && len(entries) > 0 {
			t.Fatal("entries beside an error")
		}
	})
}
