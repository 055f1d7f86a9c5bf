package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/engine"
)

func (c *cli) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "why VALUE", Short: "Say why a value is, or is not, at a destination",
		Long: `Tells, from tables and ledger, which sources say the value, which nodes it passed,
which rule dropped or changed it, where it was sent, what the tenant answered and when it
goes. It answers through cover too: a sub-domain of a blocked domain, an address in a
blocked network, a URL on a blocked host.`,
		Example: "  remeld why www.bad[.]example",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v app.WhyView
			if err := c.call(cmd.Context(), "why", app.WhyArgs{Value: args[0]}, &v); err != nil {
				return err
			}
			return c.show(v, func(w io.Writer) { printWhy(w, v) })
		},
	}
}

func printWhy(w io.Writer, v app.WhyView) {
	fmt.Fprintf(w, "%s %s\n", v.Kind, v.Value)
	printFindings(w, v.Nodes)
	if len(v.Destinations) == 0 {
		return
	}
	for _, d := range v.Destinations {
		fmt.Fprintf(w, "\nat %s (node %s): %s\n", d.Domain, d.Node, whyText(d))
		printObjects(w, "is there as", d.Objects)
		printObjects(w, "is covered by", d.Covering)
		printObjects(w, "covers", d.Inside)
	}
}

func printFindings(w io.Writer, found []engine.Finding) {
	if len(found) == 0 {
		fmt.Fprintln(w, "no node knows it, nor anything that covers it")
		return
	}
	fmt.Fprintln(w)
	table(w, "NODE,HAS,SAYS,FIRST SEEN,LAST SEEN,SOURCES", func(row func(...any)) {
		for _, f := range found {
			row(f.Node, f.Found.Value, findingText(f), when(f.First), when(f.Last), strings.Join(f.Attrs.Sources, " "))
		}
	})
}

func findingText(f engine.Finding) string {
	text := "emitted"
	if !f.Emitted {
		text = "dropped by " + f.Rule
		if f.Reason != "" {
			text += " " + f.Reason
		}
		if f.Detail != "" {
			text += " (" + f.Detail + ")"
		}
	}
	if f.Missing {
		text += ", missing from the last poll"
	}
	return text
}

func whyText(d deliver.Why) string {
	switch {
	case d.Reason != "":
		text := fmt.Sprintf("not sent: %s (%s)", d.Reason, d.Text)
		if d.Detail != "" {
			text += ": " + d.Detail
		}
		return text
	case !d.Wanted && len(d.Objects) == 0:
		return "not wanted: the node does not have it"
	case !d.Wanted:
		return "no longer wanted"
	case len(d.Objects) == 0:
		return "wanted; goes with the next apply"
	}
	return "wanted and there"
}

func printObjects(w io.Writer, how string, objects []deliver.Object) {
	for _, o := range objects {
		fmt.Fprintf(w, "  %s %s, %s, id %s, sent %s, expires %s", how, o.Identity, o.State, o.RemoteID, when(o.Sent), when(o.Expires))
		if len(o.Sources) > 0 {
			fmt.Fprintf(w, ", for %s", strings.Join(o.Sources, " "))
		}
		if o.Pinned != "" {
			fmt.Fprintf(w, "; held by the rollback of %s", o.Pinned)
		}
		if o.Answer != "" {
			fmt.Fprintf(w, "; the service said: %s", o.Answer)
		}
		fmt.Fprintln(w)
	}
}
