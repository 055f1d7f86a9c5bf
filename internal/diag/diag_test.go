package diag

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() List {
	return List{
		{File: "a.yaml", Line: 3, Col: 5, Msg: `unknown key "intervall"`, Help: `did you mean "interval"?`, Snippet: "    intervall: 1h"},
		{Severity: Warning, File: "a.yaml", Msg: "no nodes"},
	}
}

func TestPrint_ShowsPlaceCaretAndHelp(t *testing.T) {
	var b strings.Builder
	if err := sample().Print(&b, false); err != nil {
		t.Fatal(err)
	}
	want := `a.yaml:3:5: error: unknown key "intervall"
    3 |     intervall: 1h
      |     ^
      help: did you mean "interval"?

a.yaml: warning: no nodes
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

func TestPrint_ColourOnlyWhenAsked(t *testing.T) {
	var plain, coloured strings.Builder
	_ = sample().Print(&plain, false)
	_ = sample().Print(&coloured, true)
	if strings.Contains(plain.String(), "\x1b") || !strings.Contains(coloured.String(), "\x1b[1;31merror:") {
		t.Errorf("plain %q\ncoloured %q", plain.String(), coloured.String())
	}
}

func TestPrint_LongLinesAndControlsStayReadable(t *testing.T) {
	d := List{{Line: 1, Col: 301, Msg: "m", Snippet: strings.Repeat("x", 300) + "\x1b[31m" + strings.Repeat("y", 300)}}
	var b strings.Builder
	if err := d.Print(&b, false); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if strings.Contains(b.String(), "\x1b") || len([]rune(lines[1])) > 140 {
		t.Errorf("source line %q", lines[1])
	}
	if caret := strings.Index(lines[2], "^"); []rune(lines[1])[caret] != '?' {
		t.Errorf("caret is not below the escape:\n%s\n%s", lines[1], lines[2])
	}
}

func TestJSON_IsAnArrayAlways(t *testing.T) {
	var b strings.Builder
	if err := List(nil).JSON(&b); err != nil || strings.TrimSpace(b.String()) != "[]" {
		t.Fatalf("%q, %v", b.String(), err)
	}
	b.Reset()
	if err := sample().JSON(&b); err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil || got[0]["severity"] != "error" || got[0]["line"] != 3.0 {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestSort_DropsRepeats(t *testing.T) {
	l := List{{File: "b", Line: 1}, {File: "a", Line: 2}, {File: "a", Line: 2}}.Sort()
	if len(l) != 2 || l[0].File != "a" {
		t.Errorf("%v", l)
	}
}

func TestErr_NamesErrorsOnly(t *testing.T) {
	if err := (List{{Severity: Warning, Msg: "w"}}).Err(); err != nil {
		t.Errorf("warnings alone: %v", err)
	}
	if err := sample().Err(); err == nil || strings.Contains(err.Error(), "no nodes") {
		t.Errorf("got %v", err)
	}
}

func TestSuggest(t *testing.T) {
	names := []string{"interval", "inputs", "config", "max_tlp", "keep", "to"}
	for word, want := range map[string]string{
		"intervall": "interval", "Interval": "interval", "input": "inputs", "maxtlp": "max_tlp",
		"ekep": "keep", "zzz": "", "": "", "x": "", "confg": "config", "keep": "",
	} {
		if got := Suggest(word, names); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", word, got, want)
		}
	}
}

func FuzzPrint(f *testing.F) {
	f.Add("a\tb", 2)
	f.Add("\xff\xfe", -1)
	f.Fuzz(func(t *testing.T, line string, col int) {
		var b strings.Builder
		if err := (List{{Line: 1, Col: col, Msg: "m", Snippet: line}}).Print(&b, false); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "\x1b") {
			t.Fatalf("escape passed through: %q", b.String())
		}
	})
}
