// Package docgen writes the parts of docs/ that the program itself knows best: the
// keys of the configuration with their defaults, the classes, the reason codes and
// the commands. Use it through its test, which compares the checked-in pages with
// what the code says and rewrites them with -update.
//
// A page is written by hand; a generated part stands between two marker lines,
// <!-- generated: NAME --> and <!-- end: NAME -->, and is replaced as a whole.
package docgen

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fill replaces the generated parts of a page by blocks, by name. A block without
// its markers, and markers without a block, are errors: neither a part nor a page
// can go out of use unnoticed.
func Fill(page string, blocks map[string]string) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(blocks)) {
		begin, end := "<!-- generated: "+name+" -->\n", "<!-- end: "+name+" -->\n"
		before, rest, ok := strings.Cut(page, begin)
		if !ok {
			return "", fmt.Errorf("the page has no line %q", strings.TrimSpace(begin))
		}
		_, after, ok := strings.Cut(rest, end)
		if !ok {
			return "", fmt.Errorf("the page has no line %q behind the block's begin", strings.TrimSpace(end))
		}
		page = before + begin + "\n" + strings.TrimSpace(blocks[name]) + "\n\n" + end + after
	}
	if n := strings.Count(page, "<!-- generated: "); n != len(blocks) {
		return "", fmt.Errorf("the page has %d generated parts, but %d are known", n, len(blocks))
	}
	return page, nil
}

// table writes a Markdown table. Bars and line ends in cells are escaped.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) {
		b.WriteString("|")
		for _, c := range cells {
			b.WriteString(" " + cell(c) + " |")
		}
		b.WriteString("\n")
	}
	line(head)
	b.WriteString("|" + strings.Repeat("---|", len(head)) + "\n")
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

// cell escapes text for a cell. Names in <angle brackets> would vanish as HTML.
func cell(text string) string {
	if text == "" {
		return "–"
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\n", " "), "|", `\|`)
	if !strings.Contains(text, "`") {
		text = strings.NewReplacer("<", "&lt;", ">", "&gt;", "*", `\*`).Replace(text)
	}
	return text
}

// code sets text in code type, an empty one as a dash.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func codes(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = code(s)
	}
	return strings.Join(out, ", ")
}
