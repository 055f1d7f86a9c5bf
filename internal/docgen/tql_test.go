package docgen_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/remeld/remeld/internal/tql"
)

var tqlPage = filepath.Join("docs", "tql.md")

// block returns the lines of a page's first code block of a language.
func block(t *testing.T, page, language string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(strings.Join(readPage(t, page), "\n"), "\n```"+language+"\n")
	text, _, closed := strings.Cut(rest, "\n```")
	if !ok || !closed {
		t.Fatalf("%s has no block of %s", page, language)
	}
	return strings.Split(text, "\n")
}

// TestTQLExamples_OfOurRecords: every query of the page's first block is one.
func TestTQLExamples_OfOurRecords(t *testing.T) {
	lines := block(t, tqlPage, "tql")
	for _, query := range lines {
		if _, err := tql.Compile(query, tql.Options{}); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
	if len(lines) < 5 {
		t.Errorf("only %d queries", len(lines))
	}
}

var exampleRow = regexp.MustCompile("^\\| `([^`]+)` \\| ([0-9 ]+|–) \\|[^|]*\\|$")

// TestTQLExamples finds with every query of the page's table what the table says, in
// the indicators that the page shows.
func TestTQLExamples(t *testing.T) {
	indicators := strings.Join(block(t, tqlPage, "json"), "\n")
	n := 0
	for _, line := range readPage(t, tqlPage) {
		m := exampleRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n++
		filter, err := tql.Compile(m[1], tql.Options{Schema: tql.V3Indicators})
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		var found []string
		err = tql.ReadObjects(strings.NewReader(indicators), func(_ []byte, o *tql.Object) error {
			if filter.MatchAny(o, nil) == tql.True {
				id, _ := o.Text("id")
				found = append(found, id)
			}
			return nil
		})
		if got := strings.Join(found, " "); err != nil || got != strings.Trim(m[2], "–") {
			t.Errorf("%s finds %q, %v; the page says %s", m[1], got, err, m[2])
		}
	}
	if n < 20 {
		t.Errorf("only %d examples are read", n)
	}
}
