package sdktest

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/remeld/remeld/sdk"
)

// Class returns a registered class, or ends the test.
func Class(tb testing.TB, role sdk.Role, name string) sdk.Class {
	tb.Helper()
	for _, c := range sdk.Classes() {
		if c.Name == name && c.Role == role {
			return c
		}
	}
	tb.Fatalf("no %s class is registered as %q", role, name)
	return sdk.Class{}
}

// Decode lays YAML over a class's default config. Durations are written as Go
// writes them (90s, 1h).
func Decode(class sdk.Class, text string) (any, error) {
	cfg := class.NewConfig()
	if strings.TrimSpace(text) == "" {
		return cfg, nil
	}
	if err := yaml.Load([]byte(text), cfg, yaml.WithKnownFields()); err != nil {
		return nil, err
	}
	return cfg, nil
}

// TestClass checks what every class owes its users, whatever its role: a summary,
// a page with the headings of all pages and an example that is YAML, a config
// whose every key is named and explained, defaults that share no memory, and a
// Validate that names places.
func TestClass(t *testing.T, class sdk.Class) {
	t.Helper()
	if class.Summary == "" || strings.HasSuffix(class.Summary, ".") {
		t.Errorf("summary %q: one line without a full stop", class.Summary)
	}
	testDoc(t, class)
	cfg := class.NewConfig()
	testTags(t, reflect.TypeOf(cfg).Elem(), class.Name)
	testUnshared(t, reflect.ValueOf(cfg).Elem(), reflect.ValueOf(class.NewConfig()).Elem(), class.Name)
	testValidate(t, cfg)
}

func testDoc(t *testing.T, class sdk.Class) {
	t.Helper()
	for _, h := range []string{"# " + class.Name + "\n", "\n## What it is\n", "\n## When to use it\n", "\n## Example\n"} {
		if !strings.Contains(class.Doc, h) {
			t.Errorf("doc.md has no heading %q", strings.TrimSpace(h))
		}
	}
	_, rest, found := strings.Cut(class.Doc, "```yaml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Error("doc.md has no example in YAML")
		return
	}
	if !strings.Contains(example, "class: "+class.Name) {
		t.Errorf("the example has no node of class %s", class.Name)
	}
	var parsed struct {
		Nodes map[string]struct {
			Class  string
			Config map[string]any
		}
	}
	if err := yaml.Load([]byte(example), &parsed); err != nil {
		t.Errorf("the example is no YAML: %v", err)
	}
	for name, n := range parsed.Nodes {
		if n.Class == class.Name {
			testExample(t, class, name, n.Config)
		}
	}
}

// testExample holds the examples of a page to what the class takes.
func testExample(t *testing.T, class sdk.Class, name string, config map[string]any) {
	t.Helper()
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Decode(class, string(text))
	if err != nil {
		t.Errorf("example %s: %v", name, err)
		return
	}
	if v, ok := cfg.(sdk.Validator); ok {
		for _, err := range v.Validate() {
			t.Errorf("example %s: %v", name, err)
		}
	}
}

// testTags wants a yaml name and a doc text for every key, down through nested
// structs.
func testTags(t *testing.T, typ reflect.Type, at string) {
	t.Helper()
	for i := range typ.NumField() {
		f := typ.Field(i)
		if !f.IsExported() {
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		inline := opts == "inline"
		switch {
		case name == "-":
			continue
		case name == "" && !inline:
			t.Errorf("%s.%s has no yaml name", at, f.Name)
		case f.Tag.Get("doc") == "" && !inline:
			t.Errorf("%s.%s has no doc tag", at, f.Name)
		}
		elem := f.Type
		for elem.Kind() == reflect.Pointer || elem.Kind() == reflect.Slice || elem.Kind() == reflect.Map {
			elem = elem.Elem()
		}
		if elem.Kind() == reflect.Struct && elem.PkgPath() != "time" {
			testTags(t, elem, at+"."+name)
		}
	}
}

// testUnshared finds maps, slices and pointers that two defaults have in common:
// editing one node's config would edit the other's.
func testUnshared(t *testing.T, a, b reflect.Value, at string) {
	t.Helper()
	switch a.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer:
		if !a.IsNil() && a.Pointer() == b.Pointer() && (a.Kind() != reflect.Slice || a.Len() > 0) {
			t.Errorf("two default configs share %s", at)
		}
	case reflect.Struct:
		for i := range a.NumField() {
			testUnshared(t, a.Field(i), b.Field(i), at+"."+a.Type().Field(i).Name)
		}
	}
}

func testValidate(t *testing.T, cfg any) {
	t.Helper()
	v, ok := cfg.(sdk.Validator)
	if !ok {
		t.Errorf("%T has no Validate", cfg)
		return
	}
	for _, err := range v.Validate() {
		if fe, ok := err.(*sdk.FieldError); !ok || fe.Path == "" || fe.Msg == "" { //nolint:errorlint // Validate returns them bare
			t.Errorf("Validate returned %#v, want a *sdk.FieldError with a place and a message", err)
		}
	}
}

// leaks reports which of secrets are in text, as they are.
func leaks(secrets []string, text string) []string {
	var out []string
	for _, s := range secrets {
		if s != "" && strings.Contains(text, s) {
			out = append(out, s)
		}
	}
	return out
}

// printed is everything a value may show of itself.
func printed(v any) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%v %+v %#v", v, v, v)
	if y, err := yaml.Marshal(v); err == nil {
		b.Write(y)
	}
	return b.String()
}
