package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if job, ok := childJob(); ok {
		os.Exit(runChild(job))
	}
	os.Exit(m.Run())
}

// TestQuick takes every measurement at a small size and reads the report.
func TestQuick(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "performance.md")
	o, err := parse([]string{"-quick", "-runs", "1", "-dir", t.TempDir(), "-out", out})
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| a |", "| b |", "| c |", "| d |", "| e |", "| f |", "| g |", "| i |", "## Input", "processor:"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.in, got, c.want)
		}
	}
}

// TestVerdicts: a limit that is missed is told as missed.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	us, them := []sample{{Wall: 3, Peak: 700e6}}, []sample{{Wall: 2}}
	for _, c := range []struct {
		row  row
		want string
	}{
		{against("a", "", us, them, wall, "wall", 1), "missed"},
		{against("b", "", us, them, wall, "wall", 3), "met"},
		{memory("c", "", us, them), "missed"},
		{under("e", "", 3.1, 3), "missed"}, {under("e", "", 2.9, 3), "met"},
		{over("f", "", 39e6, firstRate), "missed"}, {over("f", "", 41e6, firstRate), "met"},
	} {
		if c.row.verdict != c.want {
			t.Errorf("%+v: want %s", c.row, c.want)
		}
	}
}

// TestLeast: the perfect sender's time follows from published numbers alone; 15,001
// rows are one call more than Defender's first minute takes.
func TestLeast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		class string
		n     int
		want  time.Duration
	}{
		{"defender", 15_000, 2 * latency}, {"defender", 15_001, time.Minute + 2*latency}, {"defender", 60_000, 3*time.Minute + 2*latency},
		{"sentinel", 100_000, 9*time.Minute + 3*latency}, {"graph_tiindicators", 20_000, 2 * latency},
	} {
		i := slices.IndexFunc(doors, func(d door) bool { return d.class == c.class })
		if got := doors[i].least(c.n); got != c.want {
			t.Errorf("%d into %s: %s, want %s", c.n, c.class, got, c.want)
		}
	}
}
