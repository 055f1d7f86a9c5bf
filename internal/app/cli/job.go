package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/schedule"
)

// shownRuns is how many runs are listed.
const shownRuns = 20

func (c *cli) jobCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "job", Short: "Run jobs and look at their runs", Args: cobra.NoArgs}
	cmd.AddCommand(c.jobRunCommand(), c.jobListCommand(), c.jobRunsCommand(), c.jobShowCommand(), c.jobRerunCommand(), c.jobCursorCommand())
	return cmd
}

func (c *cli) jobRunCommand() *cobra.Command {
	var ask app.JobRunArgs
	cmd := &cobra.Command{
		Use: "run NAME", Short: "Run a job now and wait for its end",
		Long: `Polls the job's sources, waits until what they said has reached its targets, plans and
applies those, and prints the record of the run. A first run by a person approves what
the job sends.

With --plan nothing is sent: it tells how many indicators each filter leaves, and what a
run would do. --use-reserve lets this run use slots that the job keeps free.

Exit code 1 says that the run failed, 3 that something is left for the next one.`,
		Example: "  remeld job run tc-to-defender --plan\n  remeld job run tc-to-defender\n  remeld job run tc-to-defender --use-reserve 500",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ask.Job, ask.By = args[0], person()
			if ask.UseReserve < 0 {
				return errors.New("--use-reserve: a number of slots, 1 or more")
			}
			return c.runJob(cmd, ask)
		},
	}
	cmd.Flags().BoolVar(&ask.Plan, "plan", false, "send nothing; tell what each filter leaves and what would be done")
	cmd.Flags().IntVar(&ask.UseReserve, "use-reserve", 0, "slots of the reserve that this run may use")
	return cmd
}

func (c *cli) runJob(cmd *cobra.Command, ask app.JobRunArgs) error {
	var rec schedule.Record
	if err := c.call(cmd.Context(), "job-run", ask, &rec); err != nil {
		return err
	}
	if err := c.show(rec, func(w io.Writer) { printRun(w, &rec) }); err != nil {
		return err
	}
	if code := rec.Status.Exit(); code != exitOK {
		return &exitError{code: code}
	}
	return nil
}

func (c *cli) jobRerunCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rerun RUN", Short: "Run a job again as it ran then",
		Long:    "Runs the job of an earlier run again, with what was asked for then.",
		Example: "  remeld job rerun run-20261124-060000.000-1a2b3c4d",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runJob(cmd, app.JobRunArgs{Rerun: args[0], By: person()})
		},
	}
}

func (c *cli) jobListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the jobs with their timetable and last run",
		Long:    "Lists the jobs in the order of the configuration: when they run, next and last.",
		Example: "  remeld job list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			views := []schedule.View{}
			if err := c.call(cmd.Context(), "job-list", app.None{}, &views); err != nil {
				return err
			}
			return c.show(views, func(w io.Writer) {
				table(w, "JOB,WHEN,NEXT,LAST RUN,ENDED", func(row func(...any)) {
					for _, v := range views {
						last, status := "-", "never"
						if v.Last != nil {
							last, status = when(v.Last.Started), string(v.Last.Status)
						}
						if v.Running != "" {
							status = "running (" + v.Running + ")"
						}
						row(v.Name, v.When, when(v.Next), last, status)
					}
				})
			})
		},
	}
}

func (c *cli) jobRunsCommand() *cobra.Command {
	most := shownRuns
	cmd := &cobra.Command{
		Use: "runs [NAME]", Short: "List the runs of a job, or of all",
		Long:    "Lists runs, the newest first. Records are kept for 30 days.",
		Example: "  remeld job runs\n  remeld job runs tc-to-defender --most 5",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			runs := []schedule.Record{}
			if err := c.call(cmd.Context(), "job-runs", app.JobRunsArgs{Job: first(args), Most: most}, &runs); err != nil {
				return err
			}
			return c.show(runs, func(w io.Writer) {
				table(w, "RUN,JOB,STARTED,TOOK,BY,ENDED,MESSAGE", func(row func(...any)) {
					for i := range runs {
						r := &runs[i]
						row(r.ID, r.Job, when(r.Started), r.Took().Round(time.Second), starter(r), r.Status, r.Message)
					}
				})
			})
		},
	}
	cmd.Flags().IntVar(&most, "most", shownRuns, "most runs to list")
	return cmd
}

// starter is who or what started a run.
func starter(r *schedule.Record) string {
	if r.By != "" {
		return r.By
	}
	return string(r.Trigger)
}

func (c *cli) jobShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "Show a run with its counts and its log",
		Long:    "Shows what a run did: who started it, how it ended, counts by outcome and reason, its plans and its log.",
		Example: "  remeld job show run-20261124-060000.000-1a2b3c4d",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var rec schedule.Record
			if err := c.call(cmd.Context(), "job-show", app.JobShowArgs{Run: args[0]}, &rec); err != nil {
				return err
			}
			return c.show(rec, func(w io.Writer) { printRun(w, &rec) })
		},
	}
}

func printRun(w io.Writer, r *schedule.Record) {
	fmt.Fprintf(w, "run %s of job %s, started %s by %s\n", r.ID, r.Job, when(r.Started), starter(r))
	for _, l := range r.Log {
		fmt.Fprintf(w, "  %s %-5s %s\n", l.At.UTC().Format("15:04:05"), l.Level, l.Text)
	}
	if r.Dropped > 0 {
		fmt.Fprintf(w, "  … and %s more lines\n", count(r.Dropped))
	}
	printStages(w, r.Stages)
	printOutcomes(w, r.Counts)
	fmt.Fprintln(w)
	for _, id := range slices.Compact(r.Plans) {
		fmt.Fprintf(w, "plan %s\n", id)
	}
	fmt.Fprintf(w, "%s after %s", r.Status, r.Took().Round(time.Second))
	if r.Message != "" {
		fmt.Fprintf(w, ": %s", r.Message)
	}
	fmt.Fprintln(w)
}

func (c *cli) jobCursorCommand() *cobra.Command {
	var set string
	ask := app.JobCursorArgs{}
	cmd := &cobra.Command{
		Use: "cursor NAME", Short: "Show or change from when a job reads what changed",
		Long: `Shows the time from which each source of the job reads changes: the start of its last
complete read, less an overlap. --set moves it; --reset makes the next run begin as the
first one did.`,
		Example: "  remeld job cursor tc-to-defender\n  remeld job cursor tc-to-defender --set 2026-11-01T00:00:00Z\n  remeld job cursor tc-to-defender --reset",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ask.Job = args[0]
			if set != "" {
				at, err := time.Parse(time.RFC3339, set)
				if err != nil {
					return fmt.Errorf("--set %s: write a time such as 2026-11-01T00:00:00Z", set)
				}
				ask.Set = at
			}
			views := []app.CursorView{}
			if err := c.call(cmd.Context(), "job-cursor", ask, &views); err != nil {
				return err
			}
			return c.show(views, func(w io.Writer) {
				table(w, "SOURCE,CURSOR", func(row func(...any)) {
					for _, v := range views {
						row(v.Source, when(v.Cursor))
					}
				})
			})
		},
	}
	cmd.Flags().StringVar(&set, "set", "", "time from which the next run reads changes (RFC 3339)")
	cmd.Flags().BoolVar(&ask.Reset, "reset", false, "begin anew with the next run")
	cmd.MarkFlagsMutuallyExclusive("set", "reset")
	return cmd
}

// printStages shows what the filters of a job's sources leave.
func printStages(w io.Writer, stages []schedule.Stage) {
	if len(stages) == 0 {
		return
	}
	fmt.Fprintln(w)
	table(w, "SOURCE,FILTER,LEFT,TAKEN AWAY", func(row func(...any)) {
		for i, s := range stages {
			away := "-"
			if i > 0 && stages[i-1].Node == s.Node {
				away = count(stages[i-1].Left - s.Left)
			}
			row(s.Node, s.Filter, count(s.Left), away)
		}
	})
}

// heldPrefix begins the outcomes of what is not sent; a code of delivery follows.
const heldPrefix = "held: "

// printOutcomes shows what became of what, and why things are not sent.
func printOutcomes(w io.Writer, counts map[string]int) {
	done, held := map[string]int{}, map[string]int{}
	for name, n := range counts {
		switch {
		case n == 0:
		case strings.HasPrefix(name, heldPrefix):
			held[name] = n
		default:
			done[name] = n
		}
	}
	printCounts(w, "OUTCOME,COUNT", done)
	if len(held) == 0 {
		return
	}
	fmt.Fprintln(w)
	table(w, "NOT SENT,RECORDS,BECAUSE", func(row func(...any)) {
		for _, name := range slices.SortedFunc(maps.Keys(held), func(a, b string) int { return cmp.Or(held[b]-held[a], cmp.Compare(a, b)) }) {
			row(name, count(held[name]), reason.Code(strings.TrimPrefix(name, heldPrefix)).Text())
		}
	})
}
