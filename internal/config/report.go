package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/remeld/remeld/internal/diag"
)

// report gathers findings and knows the sources that snippets come from.
type report struct {
	sources map[string][]byte
	found   diag.List
	wrong   int // errors among all findings, those left out included
	left    int // findings left out
	masks   *masker
}

// Bounds of what is shown: nobody reads more, and a hostile file must not make
// the report the expensive part.
const (
	maxFindings    = 1000
	maxSnippetLine = 4096
)

func newReport(m *masker) *report { return &report{sources: map[string][]byte{}, masks: m} }

func (r *report) source(name string, data []byte) { r.sources[name] = data }

func (r *report) add(s diag.Severity, at Pos, help, format string, args ...any) {
	if s == diag.Error {
		r.wrong++
	}
	if len(r.found) >= maxFindings {
		r.left++
		return
	}
	r.found = append(r.found, diag.Diagnostic{
		Severity: s, File: at.File, Line: at.Line, Col: at.Col,
		Msg: fmt.Sprintf(format, args...), Help: help,
	})
}

func (r *report) fail(at Pos, help, format string, args ...any) {
	r.add(diag.Error, at, help, format, args...)
}

// rest returns what stands in the source from a place to the end of its line.
func (r *report) rest(at Pos) string {
	if at.Line == 0 {
		return ""
	}
	line := diag.Line(r.sources[at.File], at.Line)
	return line[byteOfColumn(line, at.Col):]
}

// maxMsg bounds a message in bytes: it quotes values of any length.
const maxMsg = 800

// clip shortens a masked message, which keeps its beginning and its end.
func clip(msg string) string {
	if len(msg) <= maxMsg {
		return msg
	}
	return strings.ToValidUTF8(msg[:maxMsg/2], "") + " … " + strings.ToValidUTF8(msg[len(msg)-maxMsg/2:], "")
}

// errors counts what stands in the way so far.
func (r *report) errors() int { return r.wrong }

// list returns the findings with snippets, sorted. Masking comes last, when all
// secrets are known.
func (r *report) list() diag.List {
	lines := map[string][]string{}
	for i := range r.found {
		d := &r.found[i]
		d.Msg, d.Help = clip(r.masks.hide(d.Msg)), r.masks.hide(d.Help)
		if _, ok := lines[d.File]; !ok {
			lines[d.File] = strings.Split(string(r.sources[d.File]), "\n")
		}
		if all := lines[d.File]; d.Line > 0 && d.Line <= len(all) && len(all[d.Line-1]) <= maxSnippetLine {
			line := strings.ToValidUTF8(strings.TrimSuffix(all[d.Line-1], "\r"), "\uFFFD")
			d.Snippet, d.SnippetCol = r.masks.line(line, d.Col)
		}
	}
	list := r.found.Sort()
	if r.left > 0 {
		list = append(list, diag.Diagnostic{
			Severity: diag.Error, Msg: fmt.Sprintf("%d further findings are not shown", r.left), Help: "mend these first",
		})
	}
	return list
}

// masker knows the texts that must not be shown: what references brought in and
// what was written into a secret field.
type masker struct{ secrets []string }

// hidden stands for a secret in texts and snippets.
const hidden = "[secret]"

// minSecret is the length from which a text is looked for elsewhere: masking
// every "1" would help nobody.
const minSecret = 5

func (m *masker) add(s string) {
	for _, line := range strings.Split(s, "\n") {
		if line = strings.TrimSpace(line); len(line) >= minSecret && !slices.Contains(m.secrets, line) {
			m.secrets = append(m.secrets, line)
		}
	}
	// longest first, so that a secret that holds another goes whole
	slices.SortStableFunc(m.secrets, func(a, b string) int { return len(b) - len(a) })
}

func (m *masker) hide(s string) string {
	for _, secret := range m.secrets {
		s = strings.ReplaceAll(s, secret, hidden)
	}
	return s
}

// suspicious finds values of keys whose name says that they are confidential, and
// logins inside URLs, wherever they stand: a snippet may show a line that was
// never decoded.
var suspicious = regexp.MustCompile(`(?i)(?:secret|passw(?:or)?d|token|credential|api_?key|private_key|access_key|authorization)[\w-]*["']?\s*[:=]\s*("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,}#]+[^,}#]*)|://([^/\s@"']+)@`)

// line masks a source line and returns where col is in it.
func (m *masker) line(line string, col int) (string, int) {
	var spans [][2]int
	for _, loc := range suspicious.FindAllStringSubmatchIndex(line, -1) {
		if strings.HasSuffix(line[:loc[0]], "${") {
			continue // a reference: it names a secret and is none
		}
		for i := 2; i < len(loc); i += 2 {
			if loc[i] >= 0 && !strings.HasPrefix(strings.TrimLeft(line[loc[i]:loc[i+1]], `"'`), "${") {
				spans = append(spans, [2]int{loc[i], loc[i+1]})
			}
		}
	}
	for _, secret := range m.secrets {
		for from := 0; ; {
			i := strings.Index(line[from:], secret)
			if i < 0 {
				break
			}
			spans = append(spans, [2]int{from + i, from + i + len(secret)})
			from += i + len(secret)
		}
	}
	if len(spans) == 0 {
		return line, 0
	}
	return replaceSpans(line, spans, col)
}

func replaceSpans(line string, spans [][2]int, col int) (string, int) {
	slices.SortFunc(spans, func(a, b [2]int) int { return a[0] - b[0] })
	at := byteOfColumn(line, col)
	var b strings.Builder
	done, caret := 0, -1
	for _, s := range spans {
		if s[1] <= done {
			continue
		}
		s[0] = max(s[0], done)
		if caret < 0 && at < s[0] {
			caret = b.Len() + at - done
		}
		b.WriteString(line[done:s[0]])
		if caret < 0 && at < s[1] {
			caret = b.Len()
		}
		b.WriteString(hidden)
		done = s[1]
	}
	if caret < 0 {
		caret = b.Len() + at - done
	}
	b.WriteString(line[done:])
	return b.String(), utf8.RuneCountInString(b.String()[:min(caret, b.Len())]) + 1
}

func byteOfColumn(line string, col int) int {
	for i := range line {
		if col--; col <= 0 {
			return i
		}
	}
	return len(line)
}
