package diag

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Escape sequences of the coloured form.
const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	cyan   = "\x1b[36m"
	reset  = "\x1b[0m"
)

// maxSnippet is how many characters of a source line are shown around the caret.
const maxSnippet = 120

// Print writes the list for people: place and message, the source line with a
// caret, and the help. Colour is used only when asked for.
func (l List) Print(w io.Writer, colour bool) error {
	out := bufio.NewWriter(w)
	for i, d := range l {
		if i > 0 {
			fmt.Fprintln(out)
		}
		d.print(out, colour)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("print diagnostics: %w", err)
	}
	return nil
}

func (d Diagnostic) print(out *bufio.Writer, colour bool) {
	paint := func(code, s string) string {
		if !colour {
			return s
		}
		return code + s + reset
	}
	tone := red
	if d.Severity == Warning {
		tone = yellow
	}
	if p := d.Place(); p != "" {
		fmt.Fprintf(out, "%s: ", p)
	}
	fmt.Fprintf(out, "%s %s\n", paint(tone, d.Severity.String()+":"), d.Msg)
	if d.Snippet != "" && d.Line > 0 {
		line, pad := excerpt(d.Snippet, d.caret())
		number := fmt.Sprintf("%5d", d.Line)
		fmt.Fprintf(out, "%s %s\n", paint(cyan, number+" |"), line)
		fmt.Fprintf(out, "%s %s%s\n", paint(cyan, strings.Repeat(" ", len(number))+" |"), pad, paint(tone, "^"))
	}
	if d.Help != "" {
		fmt.Fprintf(out, "      %s %s\n", paint(cyan, "help:"), d.Help)
	}
}

func (d Diagnostic) caret() int {
	if d.SnippetCol > 0 {
		return d.SnippetCol
	}
	return max(d.Col, 1)
}

// excerpt returns the part of line around col with controls made visible, and
// the blanks that put a caret below col. Tabs count as one column and show as
// one blank.
func excerpt(line string, col int) (shown, pad string) {
	runes := []rune(line)
	from := 0
	if len(runes) > maxSnippet && col > maxSnippet/2 {
		from = min(col-maxSnippet/2, len(runes)-1)
	}
	to := min(len(runes), from+maxSnippet)
	var b strings.Builder
	if from > 0 {
		b.WriteString("…")
	}
	for _, r := range runes[from:to] {
		b.WriteRune(printable(r))
	}
	if to < len(runes) {
		b.WriteString("…")
	}
	shift := 0
	if from > 0 {
		shift = 1
	}
	blanks := max(0, min(col-1, len(runes))-from+shift)
	return b.String(), strings.Repeat(" ", blanks)
}

func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r < 0x20, r == 0x7f, r >= 0x80 && r < 0xa0, r == utf8.RuneError:
		return '?'
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // bidi overrides reorder a terminal's line
		return '?'
	}
	return r
}

// JSON writes the list as one JSON array, [] when empty.
func (l List) JSON(w io.Writer) error {
	if l == nil {
		l = List{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode([]Diagnostic(l)); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	return nil
}

// Line returns line n (1-based) of src without its line end, "" if there is none.
func Line(src []byte, n int) string {
	rest := string(src)
	for ; n > 1; n-- {
		_, after, found := strings.Cut(rest, "\n")
		if !found {
			return ""
		}
		rest = after
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.ToValidUTF8(strings.TrimSuffix(line, "\r"), "\uFFFD")
}
