package config

import (
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// hostile are files of n parts that nobody would write.
func hostile(n int) map[string]string {
	var keys, unknown, dup strings.Builder
	keys.WriteString("nodes:\n")
	dup.WriteString("nodes:\n")
	unknown.WriteString("web: {")
	for i := range n {
		fmt.Fprintf(&keys, "  n%d: {class: x%d}\n", i, i)
		fmt.Fprintf(&unknown, "k%d: 1, ", i)
		dup.WriteString("  a: 1\n")
	}
	unknown.WriteString("}")
	return map[string]string{
		"many nodes": keys.String(), "one long line": unknown.String(), "one key often": dup.String(),
		"deep":  strings.Repeat("a: {", n/4) + strings.Repeat("}", n/4),
		"lists": "nodes: " + strings.Repeat("[", n/4) + strings.Repeat("]", n/4),
	}
}

// TestLoad_HostileFilesEnd: what nobody would write ends, with findings.
func TestLoad_HostileFilesEnd(t *testing.T) {
	files := hostile(20_000)
	maps.Copy(files, map[string]string{
		"latin1": "nodes: {a: {class: \"\xe4\"}}", "nul": "nodes: \x00", "binary": "\x1f\x8b\x08\x00\x01\x02",
		"utf16": "\xff\xfen\x00o\x00d\x00e\x00s\x00:\x00 \x00[\x00",
	})
	for name, text := range files {
		cfg, found := LoadBytes("test.yaml", []byte(text), testOptions())
		if cfg != nil || !found.HasErrors() || len(found) > maxFindings+1 {
			t.Errorf("%s: loaded %v with %d findings", name, cfg != nil, len(found))
		}
	}
}

// TestLoad_HostileFilesCostWhatTheyAreLong: twice as much of it is about twice the work,
// counted in memory that is asked for, and not in time, which belongs to the machine.
func TestLoad_HostileFilesCostWhatTheyAreLong(t *testing.T) {
	work := func(text string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		LoadBytes("test.yaml", []byte(text), testOptions())
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	once, twice := hostile(4_000), hostile(8_000)
	for name := range once {
		a, b := work(once[name]), work(twice[name])
		if b > 3*a {
			t.Errorf("%s: %d bytes asked for, %d for twice as much", name, a, b)
		}
	}
}

// TestProperty_PlacesInsideScalars: a mark in a scalar's text is found at its
// character in the file, however the scalar is written.
func TestProperty_PlacesInsideScalars(t *testing.T) {
	const mark = "§"
	words := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "bc", "ü", "'", `"`, `\`, "x:y", "é€", "(", "%"}), 1, 6)
	rapid.Check(t, func(t *rapid.T) {
		before, after := words.Draw(t, "before"), words.Draw(t, "after")
		text := "w" + strings.Join(before, " ") + " " + mark + strings.Join(after, "  ")
		style := rapid.SampledFrom([]string{"single", "double", "literal", "folded", "split", "plain"}).Draw(t, "style")
		source := "x: 1\nk:   " + scalarAs(style, text) + "\n"
		l := newLoader(testOptions())
		docs := l.parse("t.yaml", []byte(source))
		if len(docs) != 1 {
			t.Skip("not plain text for YAML")
		}
		v := docs[0].get("k")
		at := l.inside(v, strings.Index(v.text, mark))
		if got := l.report.rest(at); !strings.HasPrefix(got, mark) {
			t.Fatalf("%s\n%s: place %d:%d is before %q", source, style, at.Line, at.Col, got)
		}
	})
}

func scalarAs(style, text string) string {
	switch style {
	case "single":
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	case "double":
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "ü", `\u00fc`).Replace(text) + `"`
	case "split":
		return "\"" + strings.ReplaceAll(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text), " §", "\n    §") + `"`
	case "literal":
		return "|\n    first\n    " + strings.ReplaceAll(text, " §", "\n     §")
	case "folded":
		return ">-\n    " + strings.ReplaceAll(text, " §", "\n    §")
	}
	return strings.ReplaceAll(text, " §", "\n  §")
}
