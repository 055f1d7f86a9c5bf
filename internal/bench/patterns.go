package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/remeld/remeld/stix/pattern"
)

// leastPatterns is how many STIX patterns one core must parse in a second.
const leastPatterns = 500_000

// benchPatterns parses the patterns of the official examples, where they are beside the
// repository.
func benchPatterns(ctx context.Context, s *session) ([]row, error) {
	path := filepath.Join(filepath.Dir(s.root), "shared", "data", "stix", "patterns-from-examples.json")
	if _, err := os.Stat(path); os.IsNotExist(err) {
		fmt.Fprintln(os.Stderr, "  patterns: not measured: ../shared/data/stix is absent")
		return nil, nil
	}
	j := job{Measure: "patterns", Dir: s.dir, Body: path, Size: s.size.patterns, Runs: s.runs}
	got, err := s.undisturbed(ctx, func() (sample, error) { return s.child(ctx, j) })
	if err != nil {
		return nil, err
	}
	n := median(got.Series["rate"])
	fmt.Fprintf(os.Stderr, "  patterns: %.0f a second\n", n)
	rows := []row{{
		line: "h", what: "STIX patterns parsed in a second of one core", ours: fmt.Sprintf("%.0f", n), limit: fmt.Sprint(leastPatterns),
		ratio: ratio(n / leastPatterns), verdict: verdict(n >= leastPatterns),
		notes: fmt.Sprintf("%.0f patterns of the official examples, %.0f bytes each on average; user and system time of a process on one core, the collector's included, at its default setting",
			got.Values["patterns"], got.Values["bytes"]),
	}}
	j.Runs = 1
	return rows, s.explain(ctx, rows, j)
}

// childPatterns parses on one core, for j.Size milliseconds a round.
func childPatterns(_ context.Context, j job, m *watch) error {
	raw, err := os.ReadFile(j.Body)
	if err != nil {
		return fmt.Errorf("read the patterns: %w", err)
	}
	var all []struct{ Pattern string }
	if err := json.Unmarshal(raw, &all); err != nil || len(all) == 0 {
		return fmt.Errorf("read the patterns: %d found: %w", len(all), err)
	}
	bytes := 0
	for i := range all {
		bytes += len(all[i].Pattern)
	}
	m.sample.Values["patterns"], m.sample.Values["bytes"] = float64(len(all)), float64(bytes)/float64(len(all))
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(100)
	for range j.Runs {
		parsed := 0
		_, err := m.time(func() error {
			for end := time.Now().Add(time.Duration(j.Size) * time.Millisecond); time.Now().Before(end); parsed += len(all) {
				for i := range all {
					if _, err := pattern.Parse(all[i].Pattern); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		m.sample.Series["rate"] = append(m.sample.Series["rate"], float64(parsed)/cpu(m.sample))
	}
	return nil
}
