package docgen_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/internal/app/cli"
)

// fence is a block of a page: what stands behind the three back quotes, and its text.
type fence struct {
	line int
	info string
	text string
}

// TestConsole runs what pages show behind a $, in a folder with the files that the
// page shows (a block whose fence names a file), and compares what it prints. A last
// line "exit N" is the exit code.
func TestConsole(t *testing.T) {
	n := 0
	for _, page := range pages(t) {
		blocks := fences(readPage(t, page))
		dir := ""
		for _, b := range blocks {
			language, file, _ := strings.Cut(b.info, " ")
			if file != "" && file == filepath.Base(file) {
				if dir == "" {
					dir = t.TempDir()
				}
				if err := os.WriteFile(filepath.Join(dir, file), []byte(b.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if language != "console" {
				continue
			}
			n++
			t.Run(fmt.Sprintf("%s:%d", page, b.line), func(t *testing.T) {
				t.Chdir(dir)
				runConsole(t, b.text)
			})
		}
	}
	if n < 4 {
		t.Errorf("only %d examples were found", n)
	}
}

func fences(lines []string) []fence {
	var out []fence
	var open *fence
	for i, line := range lines {
		switch {
		case open == nil && strings.HasPrefix(line, "```"):
			open = &fence{line: i + 1, info: strings.TrimPrefix(line, "```")}
		case open != nil && line == "```":
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return out
}

func runConsole(t *testing.T, text string) {
	t.Helper()
	command, want, _ := strings.Cut(text, "\n")
	args := words(t, strings.TrimPrefix(command, "$ "))
	if len(args) < 2 || args[0] != "remeld" {
		t.Fatalf("%q is no command of remeld", command)
	}
	var out bytes.Buffer
	code := cli.Main(args[1:], strings.NewReader(""), &out, &out)
	if code != 0 {
		fmt.Fprintf(&out, "exit %d\n", code)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("%s (-page +printed)\n%s", command, diff)
	}
}

// words splits a command as a shell does: at spaces outside of quotes.
func words(t *testing.T, command string) []string {
	t.Helper()
	var out []string
	var word strings.Builder
	var quote rune
	for _, r := range command {
		switch {
		case quote == r:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case quote == 0 && r == ' ':
			out = append(out, word.String())
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	if quote != 0 {
		t.Fatalf("%s: a quote is not closed", command)
	}
	return append(out, word.String())
}
