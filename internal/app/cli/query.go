package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/tql"
)

func (c *cli) queryCommand() *cobra.Command {
	var args app.QueryArgs
	var input, asOf string
	cmd := &cobra.Command{
		Use: "query TQL", Short: "Find records by a query in TQL",
		Long: `Finds records by a query in TQL, ThreatConnect's query language: in the tables of
this store, or with --input in indicators of ThreatConnect's v3 API, where no store is
needed. A condition is a name, an operator and a value: = != < > <= >= IN LIKE CONTAINS
STARTSWITH ENDSWITH IS NULL, joined by AND, OR, NOT and parentheses. hasTag( … ) and its
like ask for things that belong to the indicator. What is not known makes a condition
unknown, which is not true: rating < 3 passes no indicator without a rating, "rating IS
NULL" finds it. docs/tql.md lists every name.

--input reads one object a line, a JSON array, or saved pages of the API, of any size; of
those only active ones match unless the query names indicatorActive. --json then prints
the objects that match as they came. --explain says how the query was read, what a
ThreatConnect server would be asked, and what each condition is for the records.`,
		Example: `  remeld query 'kind = "ip" and confidence >= 80' --node meld
  remeld query 'tags = "c2" and not address_cidr in ("10.0.0.0/8", "192.168.0.0/16")'
  remeld query 'first_seen > "NOW() - 1 DAY" and (severity >= 4 or severity is null)'
  remeld query 'typeName in ("Host", "URL") and rating >= 3' --input indicators.ndjson
  remeld query 'hasTag(name = "C2") and tag != "benign"' --input page.json --explain
  remeld query 'hasAttribute(typeName = "Phase of Intrusion" and text = "C2")' --input - --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, text []string) error {
			args.TQL = text[0]
			if asOf != "" {
				var err error
				if args.Now, err = time.Parse(time.RFC3339, asOf); err != nil {
					return fmt.Errorf("--now %s: write a time such as 2026-03-01T12:00:00Z", asOf)
				}
			}
			if !cmd.Flags().Changed("input") {
				return c.queryStore(cmd, args)
			}
			if args.Node != "" {
				return errors.New("--node names a node of this store, --input a file: give one of them")
			}
			if !cmd.Flags().Changed("most") {
				args.Most = -1
			}
			return c.queryFile(args, input)
		},
	}
	cmd.Flags().StringVar(&args.Node, "node", "", "only this node; every source and processor if not given")
	cmd.Flags().IntVar(&args.Most, "most", 100, "rows to print; the count is of all. With --input all if not given")
	cmd.Flags().StringVar(&input, "input", "", "read v3 indicators from this `file` (- is standard input) instead of the store")
	cmd.Flags().StringVar(&asOf, "now", "", "the `time` that NOW() and TODAY() count from, as 2026-03-01T12:00:00Z")
	cmd.Flags().BoolVar(&args.Explain, "explain", false, "say how the query is read and what each condition is")
	return cmd
}

func (c *cli) queryStore(cmd *cobra.Command, args app.QueryArgs) error {
	if _, err := tql.Compile(args.TQL, tql.Options{AllowExtra: true}); err != nil {
		return queryError(args.TQL, err)
	}
	var v app.QueryView
	if err := c.call(cmd.Context(), "query", args, &v); err != nil {
		return err
	}
	return c.show(v, func(w io.Writer) {
		if v.Explained != nil {
			printExplanation(w, v.Explained)
		} else {
			printQueryRows(w, v.Rows)
		}
		fmt.Fprintf(w, "%s match\n", count(v.Matches))
	})
}

func printQueryRows(w io.Writer, rows []app.QueryRow) {
	table(w, "NODE,KIND,VALUE,CONFIDENCE,TLP,SOURCES", func(row func(...any)) {
		for _, r := range rows {
			conf := "-"
			if n, known := r.Attrs.Confidence.Get(); known {
				conf = fmt.Sprint(n)
			}
			row(r.Node, r.Kind, r.Value, conf, r.Attrs.TLP, strings.Join(r.Attrs.Sources, " "))
		}
	})
}

// queryError shows the place of what is wrong with a query.
func queryError(query string, err error) error {
	var wrong *tql.Error
	if !errors.As(err, &wrong) {
		return err
	}
	lines := strings.Split(query, "\n")
	if wrong.Line > len(lines) {
		return fmt.Errorf("the query: %w", err)
	}
	line := strings.ReplaceAll(lines[wrong.Line-1], "\t", " ")
	return fmt.Errorf("the query: %w\n  %s\n  %s^", err, line, strings.Repeat(" ", wrong.Col-1))
}

// printExplanation prints how a query is read, and what it is for each record.
func printExplanation(w io.Writer, e *app.Explanation) {
	fmt.Fprintf(w, "read as: %s\n", e.Query)
	for _, text := range e.Warnings {
		fmt.Fprintf(w, "warning: %s\n", text)
	}
	if len(e.Pushed)+len(e.Kept) > 0 {
		fmt.Fprintf(w, "a ThreatConnect server is asked: %s\n", orDash(e.Server))
		printLines(w, "  it answers: ", e.Pushed)
		printLines(w, "  looked at here: ", e.Kept)
		fmt.Fprintf(w, "  fields=%s\n", orDash(strings.Join(e.Fields, ",")))
	}
	fmt.Fprintln(w)
	table(w, "CONDITION,TRUE,UNKNOWN,FALSE", func(row func(...any)) {
		for _, c := range e.Tree {
			row(strings.Repeat("  ", c.Depth)+c.Text, count(c.True), count(c.Unknown), count(c.False))
		}
	})
	for _, r := range e.Records {
		fmt.Fprintf(w, "\n%s: %s\n", r.Name, r.Truth)
		for i, t := range r.Clause {
			fmt.Fprintf(w, "  %-8s%s%s\n", t, strings.Repeat("  ", e.Tree[i].Depth), e.Tree[i].Text)
		}
	}
	fmt.Fprintln(w)
}

func printLines(w io.Writer, before string, lines []string) {
	for _, text := range lines {
		fmt.Fprintln(w, before+text)
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
