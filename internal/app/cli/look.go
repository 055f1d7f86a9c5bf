package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/engine"
)

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show nodes, destinations, stops and conditions at a glance", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var v app.StatusView
			if err := c.call(cmd.Context(), "status", app.None{}, &v); err != nil {
				return err
			}
			return c.show(v, func(w io.Writer) { printStatus(w, v) })
		},
	}
}

func printStatus(w io.Writer, v app.StatusView) {
	fmt.Fprintf(w, "%s, configuration %.12s, owner mark %s\n\n", v.Instance, v.Config, v.Mark)
	printNodes(w, v.Nodes)
	if len(v.Destinations) > 0 {
		fmt.Fprintln(w)
		table(w, "DESTINATION,NODES,LIVE,BUDGET,FOREIGN,IN DOUBT,LISTED,STATE", func(row func(...any)) {
			for _, d := range v.Destinations {
				row(d.Domain, strings.Join(d.Nodes, " "), count(d.Live), budgetText(d.Budget), count(d.Foreign), d.InDoubt, when(d.Listed), destinationState(d))
			}
		})
	}
	for _, d := range v.Destinations {
		for _, id := range slices.Sorted(maps.Keys(d.Pins)) {
			fmt.Fprintf(w, "\nHELD: the rollback of %s holds %s objects at %s\n  remeld rollback --release %s\n", id, count(d.Pins[id]), d.Domain, id)
		}
	}
	for _, s := range v.Stops {
		fmt.Fprintf(w, "\nSTOPPED: %s\n  remeld approve %s --reason TEXT --until TIME\n", s.Text, s.ID)
	}
	if v.Feeds != "" {
		fmt.Fprintf(w, "\nfeeds at %s/feeds/NAME\n", v.Feeds)
	}
	if v.Conditions > 0 {
		fmt.Fprintf(w, "\n%d conditions need a person: remeld conditions\n", v.Conditions)
	}
}

func destinationState(d deliver.Status) string {
	switch {
	case d.Stopped != "":
		return "stopped: " + d.Stopped
	case !d.Approved:
		return "waits for approval of its first plan"
	case d.Unlisted != "":
		return oneLine("not listed: " + d.Unlisted)
	case d.Applying:
		return "applying"
	}
	return "ok"
}

func (c *cli) nodesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "nodes", Short: "Show every node: rows, state, last and next poll", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var nodes []engine.NodeStatus
			if err := c.call(cmd.Context(), "nodes", app.None{}, &nodes); err != nil {
				return err
			}
			return c.show(nodes, func(w io.Writer) { printNodes(w, nodes) })
		},
	}
}

func printNodes(w io.Writer, nodes []engine.NodeStatus) {
	table(w, "NODE,CLASS,ROWS,DROPPED,REFUSED,STATE,LAST COMPLETE,NEXT", func(row func(...any)) {
		for _, n := range nodes {
			state := n.State
			if n.Detail != "" {
				state += ": " + n.Detail
			}
			row(n.Name, n.Class, count(n.Rows), count(n.Dropped), count(refused(n.Poll)), oneLine(state), when(n.Seen), when(n.Next))
		}
	})
}

// maxCell keeps a table's rows to a line; remeld conditions has the whole text.
const maxCell = 100

func oneLine(text string) string {
	r := []rune(strings.Join(strings.Fields(text), " "))
	if len(r) > maxCell {
		r = append(r[:maxCell-1], '…')
	}
	return string(r)
}

func refused(r engine.PollReport) int {
	total := 0
	for _, n := range r.Refused {
		total += n
	}
	return total
}

func printPoll(w io.Writer, r engine.PollReport) {
	if r.Error != "" {
		fmt.Fprintf(w, "not read to the end: %s\n", r.Error)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(w, note)
	}
	fmt.Fprintf(w, "%s, %s listed, %s new, %s changed, %s withdrawn, %s missing, took %s\n",
		r.Verdict, count(r.Listed), count(r.New), count(r.Changed), count(r.Withdrawn), count(r.Missing), r.Took.Round(time.Millisecond))
}

func (c *cli) conditionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "conditions", Short: "List what is wrong right now and what to do about it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []condition.Condition
			if err := c.call(cmd.Context(), "conditions", app.None{}, &all); err != nil {
				return err
			}
			return c.show(all, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "nothing needs a person")
				}
				for _, x := range all {
					fmt.Fprintf(w, "%s  %s  %s: %s\n    %s\n", when(x.Since), x.Node, x.Kind, x.Message, x.Help)
				}
			})
		},
	}
}

func (c *cli) heldCommand() *cobra.Command {
	var args app.HeldArgs
	cmd := &cobra.Command{
		Use: "held [DESTINATION]", Short: "List what is not sent, with the reason",
		Long: `Lists records that are held out (must not be at the tenant) or frozen (left as they
are), each with its reason. docs/delivery.md explains every reason.`,
		Example: "  remeld held defender --reason quota",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			args.Destination = first(names)
			var v app.HeldView
			if err := c.call(cmd.Context(), "held", args, &v); err != nil {
				return err
			}
			return c.show(v, func(w io.Writer) {
				printCounts(w, "REASON,RECORDS", v.Counts)
				fmt.Fprintln(w)
				table(w, "INDICATOR,REASON,DETAIL,SOURCES", func(row func(...any)) {
					for _, h := range v.Rows {
						row(h.Indicator.Value, h.Reason, h.Detail, strings.Join(h.Sources, " "))
					}
				})
			})
		},
	}
	cmd.Flags().StringVar(&args.Reason, "reason", "", "only this reason")
	cmd.Flags().IntVar(&args.Most, "most", 100, "rows to list; the counts are of all")
	return cmd
}

func (c *cli) driftCommand() *cobra.Command {
	var args app.DriftArgs
	cmd := &cobra.Command{
		Use: "drift [DESTINATION]", Short: "List our rows that somebody changed at the tenant",
		Long: `Lists the tenant anew and shows our rows that are missing or edited there. They are
left as they are (frozen) unless --restore marks them to be put back with the next apply.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			args.Destination = first(names)
			var v app.DriftView
			if err := c.call(cmd.Context(), "drift", args, &v); err != nil {
				return err
			}
			return c.show(v, func(w io.Writer) {
				if len(v.Rows) == 0 && len(v.Unlisted) == 0 {
					fmt.Fprintln(w, "nothing of ours was changed by hand")
					return
				}
				table(w, "OBJECT,WHAT,ID", func(row func(...any)) {
					for _, d := range v.Rows {
						row(d.Identity, d.What, d.RemoteID)
					}
				})
				for domain, why := range v.Unlisted {
					fmt.Fprintf(w, "%s: what was changed by hand cannot be known: it cannot be listed (%s)\n", domain, why)
				}
				if v.Restored > 0 {
					fmt.Fprintf(w, "%s rows are put back with the next apply\n", count(v.Restored))
				}
			})
		},
	}
	cmd.Flags().BoolVar(&args.Restore, "restore", false, "put them back with the next apply")
	cmd.Flags().StringArrayVar(&args.Identities, "only", nil, "restore only this `object` (repeatable)")
	return cmd
}
