package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/stix/pattern"
)

// The verdicts of `remeld stix`.
const (
	verdictValid   = "valid"
	verdictInvalid = "invalid"
	verdictMatch   = "match"
	verdictNoMatch = "no match"
)

// judgement is one line of `remeld stix … --json`.
type judgement struct {
	Line         int      `json:"line,omitempty"` // of the input, or the place in a JSON array
	Pattern      string   `json:"pattern"`
	Verdict      string   `json:"verdict"`
	Reason       string   `json:"reason,omitempty"`
	Column       int      `json:"column,omitempty"`
	Canonical    string   `json:"canonical,omitempty"`
	Observations []string `json:"observations,omitempty"` // that match together
}

func (c *cli) stixCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "stix",
		Short: "Check STIX patterns and match them against observed data",
		Long: `Works on patterns of the STIX patterning language, such as [ipv4-addr:value = '198.51.100.5'],
without a configuration, a store or a network.

Lists of patterns are read one a line. Blank lines and lines that begin with # are passed
over: neither can be a pattern. A line that begins with { or " is JSON: an object with a
"pattern" (and a "spec_version" perhaps), or a string, which can hold line ends. A file that is a whole JSON
array of such, or a STIX bundle, is read as that.`,
		Example: `  remeld stix validate-pattern patterns.txt
  remeld stix match --patterns patterns.txt observed.json`,
		Args: cobra.NoArgs, // a misspelt verb is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(c.validatePatternCommand(), c.matchCommand())
	return root
}

func (c *cli) validatePatternCommand() *cobra.Command {
	var edition string
	cmd := &cobra.Command{
		Use:   "validate-pattern [FILE|-]",
		Short: "Say of each pattern whether it is valid, and if not, why and where",
		Long: `Reads patterns from FILE or standard input and prints one line for each: "valid", or "invalid: "
with the column and the reason. All lines are judged, whatever comes before them.

A pattern is valid if the grammar of the edition takes it, hashes that are compared for equality
have the length and digits of their kind, and no observation has two qualifiers of one kind.
With --json, one object a line: line, pattern, verdict, reason, column, and the canonical form of a valid one.

Exit code 0 if all are valid; 1 if one is not, or if the input cannot be read (standard error says so).`,
		Example: `  echo "[domain-name:value = 'evil.example.com']" | remeld stix validate-pattern
  remeld stix validate-pattern bundle.json
  remeld stix validate-pattern --json patterns.txt | jq -r 'select(.verdict=="invalid").line'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			version, err := stixEdition(edition)
			if err != nil {
				return err
			}
			patterns, err := c.readPatterns(append(args, "-")[0], version)
			if err != nil {
				return err
			}
			return c.judge(patterns, verdictValid, validatePattern)
		},
	}
	cmd.Flags().StringVar(&edition, "stix", "2.1", "`edition` of the language: 2.1 or 2.0")
	return cmd
}

// stixEdition reads --stix.
func stixEdition(text string) (pattern.Version, error) {
	switch text {
	case "2.1", "":
		return pattern.V21, nil
	case "2.0":
		return pattern.V20, nil
	}
	return 0, fmt.Errorf("--stix %s: the editions are 2.1 and 2.0", text)
}

func validatePattern(p stixPattern) judgement {
	j := judgement{Verdict: verdictValid}
	parsed, err := pattern.ParseVersion(p.text, p.version)
	if err == nil {
		err = parsed.Check()
	}
	if err != nil {
		return refuted(err)
	}
	j.Canonical = parsed.String()
	return j
}

// refuted is the verdict of a pattern with an error.
func refuted(err error) judgement {
	j := judgement{Verdict: verdictInvalid, Reason: err.Error()}
	var at *pattern.Error
	if errors.As(err, &at) {
		j.Column = at.Column
	}
	return j
}

// judge prints a verdict for each pattern; the exit code is 1 unless all are good.
func (c *cli) judge(patterns []stixPattern, good string, of func(stixPattern) judgement) error {
	w := bufio.NewWriterSize(c.out, 1<<16)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	all := true
	for _, p := range patterns {
		j := judgement{Verdict: verdictInvalid, Reason: p.unreadable}
		if p.unreadable == "" {
			j = of(p)
		}
		all = all && j.Verdict == good
		j.Line, j.Pattern = p.line, p.text
		if err := c.printJudgement(w, enc, j); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !all {
		return &exitError{code: exitFailed}
	}
	return nil
}

func (c *cli) printJudgement(w io.Writer, enc *json.Encoder, j judgement) error {
	if c.json {
		return enc.Encode(j)
	}
	text := j.Verdict
	if j.Reason != "" {
		text += ": " + j.Reason
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
