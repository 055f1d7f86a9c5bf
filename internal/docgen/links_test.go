package docgen_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// written are pages that another gate writes; a link to one is no mistake while it
// does not exist yet.
var written = map[string]string{"docs/performance.md": "make bench"}

// TestLinks follows every link between the pages, to its heading.
func TestLinks(t *testing.T) {
	for _, page := range append(pages(t), "AGENTS.md", "CONTRIBUTING.md") {
		for _, m := range link.FindAllStringSubmatch(prose(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				if by := written[target]; by != "" {
					t.Logf("%s is not there yet: %s writes it", target, by)
					continue
				}
				t.Errorf("%s: the link %s leads nowhere", page, m[1])
				continue
			}
			if anchor != "" && !anchors(t, target)[anchor] {
				t.Errorf("%s: %s has no heading #%s", page, target, anchor)
			}
		}
	}
}

// prose is a page without its code blocks.
func prose(t *testing.T, page string) string {
	t.Helper()
	var out []string
	inCode := false
	for _, line := range readPage(t, page) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inCode = !inCode
		} else if !inCode {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// anchors are a page's headings as links name them: lower case, blanks to hyphens,
// punctuation gone.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, line := range strings.Split(prose(t, page), "\n") {
		title := strings.TrimLeft(line, "#")
		if title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		out[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title))] = true
	}
	return out
}
