package cli

import (
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
)

func (c *cli) reportCommand() *cobra.Command {
	var args app.ReportArgs
	cmd := &cobra.Command{
		Use: "report VALUE", Short: "Tell the sources of a value what you found of it",
		Long: `Tells ThreatConnect sources with feedback: {reports: true} that a value is a false
positive, or how often it was seen. It is said at once and once: ThreatConnect counts
a false positive once a user and day, and every observation. Here it changes what the
source says of the value at its next poll.`,
		Example: "  remeld report good[.]example --false-positive\n  remeld report 203.0.113.7 --seen 3",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, values []string) error {
			args.Value = values[0]
			var v app.ReportView
			if err := c.call(cmd.Context(), "report", args, &v); err != nil {
				return err
			}
			return c.show(v, func(w io.Writer) {
				table(w, "SOURCE,OBJECTS", func(row func(...any)) {
					for _, name := range slices.Sorted(maps.Keys(v.Told)) {
						row(name, count(v.Told[name]))
					}
				})
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&args.FalsePositive, "false-positive", false, "it is a false positive")
	f.IntVar(&args.Seen, "seen", 0, "how often it was seen: `N` observations")
	f.StringVar(&args.Node, "source", "", "the one source to tell, where several have the value")
	return cmd
}
