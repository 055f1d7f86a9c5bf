package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/indicator/extract"
)

// finding is one line of `remeld extract --json`.
type finding struct {
	Kind   string `json:"kind,omitempty"`
	Value  string `json:"value,omitempty"`
	Text   string `json:"text"` // as it stands in the input
	Line   int    `json:"line"`
	Col    int    `json:"col"`
	Reason string `json:"refused,omitempty"` // reason code
	Detail string `json:"detail,omitempty"`
}

func (c *cli) extractCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "extract FILE|-…",
		Short: "Find the indicators in any text, CSV or JSON",
		Long: `Finds addresses, networks, domains, URLs, e-mail addresses, hashes (ssdeep among them)
and AS numbers in any text, defanged ones included, and prints each once: kind, canonical value and the line it
first stands in. What looks like an indicator and is none is printed as "refused" with
the reason. With --json, one JSON object a line.`,
		Example: `  remeld extract report.txt
  pdftotext report.pdf - | remeld extract --json - | jq -r 'select(.kind=="domain").value'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			if err := stdinOnce(files); err != nil {
				return err
			}
			out := bufio.NewWriterSize(c.out, 1<<16)
			seen := map[finding]bool{}
			for _, name := range files {
				if err := c.extractFile(name, out, seen); err != nil {
					return errors.Join(err, out.Flush())
				}
			}
			return out.Flush()
		},
	}
}

func (c *cli) extractFile(name string, out io.Writer, seen map[finding]bool) error {
	r, err := c.open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	write := printFindingText
	if c.json {
		write = printFindingJSON
	}
	err = extract.Scan(r, extract.Options{}, func(m extract.Match) error {
		f := finding{Text: m.Text, Line: m.Line, Col: m.Col}
		var id finding
		if m.Refusal != nil {
			f.Reason, f.Detail = string(m.Refusal.Reason), m.Refusal.Detail
			id = finding{Text: m.Text, Reason: f.Reason}
		} else {
			f.Kind, f.Value = m.Indicator.Kind.String(), m.Indicator.Value
			id = finding{Kind: f.Kind, Value: f.Value}
		}
		if seen[id] {
			return nil
		}
		seen[id] = true
		return write(out, f)
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

func printFindingJSON(w io.Writer, f finding) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(f)
}

func printFindingText(w io.Writer, f finding) error {
	var err error
	if f.Reason != "" {
		_, err = fmt.Fprintf(w, "refused\t%s\t%d\t%s\n", f.Text, f.Line, f.Reason)
	} else {
		_, err = fmt.Fprintf(w, "%s\t%s\t%d\n", f.Kind, f.Value, f.Line)
	}
	return err
}
