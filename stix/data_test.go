package stix_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// official finds a file or folder of the official data, which lies beside the
// checkout.
func official(tb testing.TB, parts ...string) string {
	tb.Helper()
	dir := filepath.Join("..", "..", "shared", "data", "stix")
	if _, err := os.Stat(dir); err != nil {
		tb.Skip("no official data here: ../shared/data/stix is absent")
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

func readJSON(tb testing.TB, path string, into any) {
	tb.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
}

// local resolves the schemas' own addresses to the files beside the checkout.
type local struct{ dir string }

func (l local) Load(url string) (any, error) {
	_, path, _ := strings.Cut(url, "/schemas/")
	f, err := os.Open(filepath.Join(l.dir, filepath.FromSlash(path)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return jsonschema.UnmarshalJSON(f)
}

// schema compiles one of the official schemas, such as sdos/indicator.json.
func schema(tb testing.TB, name string) *jsonschema.Schema {
	tb.Helper()
	dir := official(tb, "schemas")
	c := jsonschema.NewCompiler()
	c.UseLoader(local{dir})
	c.AssertFormat()
	s, err := c.Compile("http://raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas/stix2.1/schemas/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// checkSchema validates what was written.
func checkSchema(tb testing.TB, s *jsonschema.Schema, raw []byte) {
	tb.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		tb.Errorf("%s\n%#v", raw, err)
	}
}
