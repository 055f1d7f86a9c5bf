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
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/engine"
)

func (c *cli) commitCommand() *cobra.Command {
	var args app.CommitArgs
	cmd := &cobra.Command{
		Use: "commit", Short: "Put the edited configuration in force, or preview what it does",
		Long: `Reads the configuration files and puts them in force, as the running process does by
itself when they change. --preview says which nodes keep, replay or go, and how many
live rows each destination would lose because nobody else speaks for them; --approve
lets exactly those withdrawals pass the guards.`,
		Example: "  remeld commit --preview\n  remeld commit --approve commit-3f2a…",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			args.By = person()
			c.replaces = !args.Preview && args.Approve == ""
			var v app.CommitView
			if err := c.call(cmd.Context(), "commit", args, &v); err != nil {
				return err
			}
			return c.show(v, func(w io.Writer) { printCommit(w, v) })
		},
	}
	cmd.Flags().BoolVar(&args.Preview, "preview", false, "change nothing, say what would happen")
	cmd.Flags().StringVar(&args.Approve, "approve", "", "`id` of the preview whose withdrawals are right")
	return cmd
}

func printCommit(w io.Writer, v app.CommitView) {
	done := "would be"
	if v.Committed {
		done = "is"
	}
	fmt.Fprintf(w, "%s %s in force\n\n", v.ID, done)
	table(w, "NODE,ACTION,WHY", func(row func(...any)) {
		for _, s := range v.Steps {
			row(s.Name, s.Action, s.Reason)
		}
	})
	for _, node := range slices.Sorted(maps.Keys(v.Destinations)) {
		if d := v.Destinations[node]; d.Withdrawn+d.Added > 0 {
			fmt.Fprintf(w, "\n%s: %s of %s records would go (%s …), %s would come\n", node, count(d.Withdrawn), count(d.Rows), strings.Join(d.Sample, ", "), count(d.Added))
		}
	}
	for _, node := range slices.Sorted(maps.Keys(v.Withdrawals)) {
		for _, source := range slices.Sorted(maps.Keys(v.Withdrawals[node])) {
			fmt.Fprintf(w, "\n%s: %s live rows that only %s speaks for would be withdrawn\n", node, count(v.Withdrawals[node][source]), source)
		}
	}
	if len(v.Withdrawals) > 0 && !v.Committed {
		fmt.Fprintf(w, "\nremeld commit --approve %s lets exactly these pass the guards\n", v.ID)
	}
}

// approvalLife is how long an approval holds when --until is not given.
const approvalLife = 24 * time.Hour

func (c *cli) approveCommand() *cobra.Command {
	var why, end string
	cmd := &cobra.Command{
		Use: "approve ID", Short: "Let a guard's stop, or a first plan, pass",
		Long: `Gives a person's word for a stop (remeld status lists them), for a saved first plan,
or for "clock" after the machine's clock was set right. What is approved is the stop: as
many changes as it counted may pass until the given time.`,
		Example: `  remeld approve stop-1a2b --reason "feed dropped its archive, checked with vendor" --until 24h`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := until(end, time.Now())
			if err != nil {
				return err
			}
			var none app.None
			return c.call(cmd.Context(), "approve", app.ApproveArgs{ID: args[0], Reason: why, By: person(), Until: at}, &none)
		},
	}
	cmd.Flags().StringVar(&why, "reason", "", "why it is right; kept with the approval")
	cmd.Flags().StringVar(&end, "until", approvalLife.String(), "end of the approval, as a time or a duration from now")
	_ = cmd.MarkFlagRequired("reason") // the flag exists
	return cmd
}

func (c *cli) acceptCommand() *cobra.Command {
	var poll string
	cmd := &cobra.Command{
		Use: "accept NODE --poll ID", Short: "Take a frozen source's smaller set after all",
		Long: `Ends a freeze for exactly the body that poll read: the source is read again, and only
the very same list is taken. remeld conditions names the id.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var none app.None
			return c.call(cmd.Context(), "accept", app.AcceptArgs{Node: args[0], Poll: poll}, &none)
		},
	}
	cmd.Flags().StringVar(&poll, "poll", "", "`id` of the poll")
	_ = cmd.MarkFlagRequired("poll") // the flag exists
	return cmd
}

func (c *cli) pollCommand() *cobra.Command {
	return &cobra.Command{
		Use: "poll NODE", Short: "Poll a source now", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r engine.PollReport
			if err := c.call(cmd.Context(), "poll", app.PollArgs{Node: args[0]}, &r); err != nil {
				return err
			}
			if err := c.show(r, func(w io.Writer) { printPoll(w, r) }); err != nil {
				return err
			}
			if r.Verdict == engine.VerdictIncomplete {
				return &exitError{code: exitPartial}
			}
			return nil
		},
	}
}

func (c *cli) adoptCommand() *cobra.Command {
	var args app.AdoptArgs
	cmd := &cobra.Command{
		Use: "adopt [DESTINATION]", Short: "Take rows of the tenant into the ledger",
		Long: `Takes rows that carry our owner mark and are not in the ledger (a store that was lost)
into it; with --created-by also those of another app, whose place we take. Nothing is
sent: the next plan shows what becomes of them.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			args.Destination = first(names)
			var v app.AdoptView
			if err := c.call(cmd.Context(), "adopt", args, &v); err != nil {
				return err
			}
			return c.show(v, func(w io.Writer) {
				fmt.Fprintf(w, "%s rows adopted; remeld plan shows what becomes of them\n", count(v.Adopted))
			})
		},
	}
	cmd.Flags().StringVar(&args.CreatedBy, "created-by", "", "app `id` whose rows are taken over")
	return cmd
}

func (c *cli) markCommand() *cobra.Command {
	var args app.MarkArgs
	cmd := &cobra.Command{
		Use: "mark", Short: "Show the owner mark on our rows, or restore that of a lost store",
		Long: `The owner mark is made once, with the state directory, and written into every row at the
tenants: a row is ours when it carries it. Keep a copy. When the state directory was lost,
restore the mark into a new one before remeld run, then take the rows over with
remeld adopt.`,
		Example: "  remeld mark\n  remeld mark --restore soc-prod-0123456789abcdef",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var v app.MarkView
			if err := c.call(cmd.Context(), "mark", args, &v); err != nil {
				return err
			}
			return c.show(v, func(w io.Writer) { fmt.Fprintln(w, v.Mark) })
		},
	}
	cmd.Flags().StringVar(&args.Restore, "restore", "", "`mark` of the state directory that was lost")
	return cmd
}

func (c *cli) blockCommand() *cobra.Command {
	var args app.BlockArgs
	var ttl string
	cmd := &cobra.Command{
		Use: "block VALUE", Short: "Put one value on a destination at once, from the reserve if need be",
		Long: `Sends one value past keep conditions, confidence and TLP ceiling, out of the reserve
where the budget is used up. Protection still wins. It is withdrawn after --ttl.`,
		Example: `  remeld block bad[.]example --ttl 48h --reason "incident 4711"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, values []string) error {
			d, err := app.ParseDuration(ttl)
			if err != nil {
				return fmt.Errorf("--ttl %s: write a duration such as 48h or 7d", ttl)
			}
			args.Value, args.TTL, args.By = values[0], d, person()
			var r deliver.Result
			if err := c.call(cmd.Context(), "block", args, &r); err != nil {
				return err
			}
			return c.showResult(&r)
		},
	}
	f := cmd.Flags()
	f.StringVar(&ttl, "ttl", "7d", "how long it stays")
	f.StringVar(&args.Reason, "reason", "", "why; kept with the block")
	f.StringVar(&args.Destination, "to", "", "destination, where there are several")
	_ = cmd.MarkFlagRequired("reason") // the flag exists
	return cmd
}
