package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/stix/pattern"
)

// matchFlags are the flags of `remeld stix match`.
type matchFlags struct {
	patterns []string
	file     string
}

func (c *cli) matchCommand() *cobra.Command {
	var f matchFlags
	cmd := &cobra.Command{
		Use:   "match (--pattern P… | --patterns FILE) OBSERVATIONS…",
		Short: "Say of each pattern whether observed data satisfy it",
		Long: `Reads observed data from files (- is standard input) and prints one line for each pattern: "match",
"no match", or "invalid: " with the reason for a pattern that cannot be read or run.

OBSERVATIONS are STIX bundles, observed-data objects (2.1, with their observables in the same bundle or beside it; or 2.0,
which hold them), or JSON arrays of these, one document a file or many behind each other (NDJSON). All files
together are what was observed. Observables that no observed-data object names are not looked at.

A pattern is matched as the specification says: each part joined by AND or FOLLOWEDBY, and each repetition,
needs observations of its own; number_observed says for how many one stands. MATCHES takes the regular expressions of
RE2, which has no look-around and no back references. Patterns of STIX 2.1 and 2.0 are read.
With --json, one object a line, with the identifiers of the observations that match together.

Exit code 0 if every pattern matches; 1 if one does not or is invalid, or if something cannot be read (standard error
says so).`,
		Example: `  remeld stix match --pattern "[domain-name:value LIKE '%.example.com']" observed.json
  remeld stix match --patterns patterns.txt --json monday.json tuesday.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error { return c.match(f, files) },
	}
	cmd.Flags().StringArrayVar(&f.patterns, "pattern", nil, "the `pattern` (repeatable)")
	cmd.Flags().StringVar(&f.file, "patterns", "", "`file` with patterns, one a line; - is standard input")
	cmd.MarkFlagsOneRequired("pattern", "patterns")
	cmd.MarkFlagsMutuallyExclusive("pattern", "patterns")
	return cmd
}

func (c *cli) match(f matchFlags, files []string) error {
	if err := stdinOnce(append([]string{f.file}, files...)); err != nil {
		return err
	}
	observed, err := c.readObserved(files)
	if err != nil {
		return err
	}
	if observed.Len() == 0 {
		fmt.Fprintln(c.err, "remeld: the observations hold no observed-data object, so nothing can match")
	}
	var patterns []stixPattern
	for i, text := range f.patterns {
		patterns = append(patterns, stixPattern{line: i + 1, text: text})
	}
	if f.file != "" {
		if patterns, err = c.readPatterns(f.file, pattern.V21); err != nil {
			return err
		}
	}
	return c.judge(patterns, verdictMatch, func(p stixPattern) judgement { return matchPattern(p, observed) })
}

func (c *cli) readObserved(files []string) (*pattern.Observed, error) {
	var all bytes.Buffer // one reading, for objects in one file may name those in another
	for _, name := range files {
		r, err := c.open(name)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(&all, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		all.WriteByte('\n')
	}
	return pattern.ReadObserved(all.Bytes())
}

func matchPattern(p stixPattern, observed *pattern.Observed) judgement {
	parsed, err := pattern.ParseVersion(p.text, p.version)
	if err != nil {
		if older, errOlder := pattern.ParseVersion(p.text, pattern.V20); errOlder == nil {
			parsed, err = older, nil
		}
	}
	if err != nil {
		return refuted(err)
	}
	m, err := pattern.Compile(parsed)
	if err != nil {
		return refuted(err)
	}
	found, err := m.Match(observed)
	switch {
	case err != nil:
		return refuted(err)
	case found.Matched:
		return judgement{Verdict: verdictMatch, Observations: found.IDs}
	}
	return judgement{Verdict: verdictNoMatch}
}
