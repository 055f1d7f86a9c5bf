package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/internal/app"
)

func (c *cli) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "explain", Short: "Say how the program does what it does",
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(c.explainMappingCommand(), c.explainJobCommand())
	return cmd
}

func (c *cli) explainMappingCommand() *cobra.Command {
	var classes []string
	for _, v := range mapping.Views() {
		classes = append(classes, v.Class)
	}
	return &cobra.Command{
		Use: "mapping CLASS", Short: "Show which attribute becomes which property at a tenant",
		Long: `Shows the table from which a class of destinations fills its remote objects: each
property, what it is made of and how. For classes that ThreatConnect's job apps fed
before, also where each field of their guide ends.`,
		Example: "  remeld explain mapping defender\n  remeld explain mapping graph_tiindicators --json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("name one class: remeld explain mapping CLASS; these have a mapping: %s", strings.Join(classes, ", "))
			}
			return nil
		},
		ValidArgs: classes,
		RunE: func(_ *cobra.Command, args []string) error {
			v, ok := mapping.Of(args[0])
			if !ok {
				return fmt.Errorf("class %q has no mapping: these have one: %s", args[0], strings.Join(classes, ", "))
			}
			return c.show(v, func(w io.Writer) { printMapping(w, v) })
		},
	}
}

func (c *cli) explainJobCommand() *cobra.Command {
	return &cobra.Command{
		Use: "job NAME", Short: "Show the nodes that a job's parameters stand for",
		Long: `Shows the nodes that the form of a job makes of its parameters, as they would stand
under nodes: of a configuration, and what they ask of the system they read, as the TQL
of a ThreatConnect job. It reads the configuration on disk and makes no call.`,
		Example: "  remeld explain job tc-to-defender",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			v, err := app.ExplainJob(c.options(true), args[0])
			if err != nil {
				return err
			}
			return c.show(v, func(w io.Writer) { printJobView(w, v) })
		},
	}
}

func printJobView(w io.Writer, v app.JobView) {
	fmt.Fprintf(w, "# job %s runs %s; its parameters stand for these nodes\n", v.Name, v.When)
	fmt.Fprint(w, v.Nodes)
	for _, source := range slices.Sorted(maps.Keys(v.Questions)) {
		for _, q := range v.Questions[source] {
			text := q.Text
			if text == "" {
				text = "everything"
			}
			fmt.Fprintf(w, "# %s asks, %s: %s\n", source, q.When, text)
			if q.Here != "" {
				fmt.Fprintf(w, "#   and looks here at: %s\n", q.Here)
			}
		}
	}
	for _, note := range v.Notes {
		fmt.Fprintf(w, "# note: %s\n", note)
	}
	if v.Idle != "" {
		fmt.Fprintf(w, "# a run does nothing: %s\n", v.Idle)
		return
	}
	for _, target := range slices.Sorted(maps.Keys(v.Resting)) {
		fmt.Fprintf(w, "# a run leaves %s alone: %s\n", target, v.Resting[target])
	}
}

func printMapping(w io.Writer, v mapping.View) {
	fmt.Fprintf(w, "%s: %s\n\n", v.Class, v.Object)
	table(w, "PROPERTY,FROM,HOW", func(row func(...any)) {
		for _, l := range v.Lines {
			row(dash(l.Property), dash(l.From), l.How)
		}
	})
	if v.Guide == "" {
		return
	}
	fmt.Fprintf(w, "\nThe tables of ThreatConnect's guide %s\n\n", v.Guide)
	table(w, "TABLE,THREATCONNECT FIELD,GRAPH FIELD,FROM,PROPERTY", func(row func(...any)) {
		for _, f := range v.Fields {
			row(f.Table, f.ThreatConnect, dash(f.Graph), f.From, dash(f.Property))
		}
	})
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
