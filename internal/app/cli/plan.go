package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os/user"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/deliver"
)

// shownItems is how many items of a plan are printed; the totals count them all.
const shownItems = 20

// allItems is asked for with --json.
const allItems = 1 << 30

func (c *cli) planCommand() *cobra.Command {
	var save bool
	cmd := &cobra.Command{
		Use: "plan [DESTINATION]", Short: "Show what would be created, updated, renewed, deleted and held out",
		Long: `Compares what should be at a destination with the ledger and the tenant and shows the
difference: totals by action, source and reason, then a sample. Sends nothing. While
an apply is running it waits for its end, for two minutes at most. Without a name, or
for a node with several tenants, it is one plan with a line for each tenant.

Exit code 2 says that changes are pending, 0 that there are none, 3 that none could be
found because something is missing, such as a listing of the tenant.`,
		Example: "  remeld plan defender\n  remeld plan defender --save   # then: remeld apply plan-…",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ask := app.PlanArgs{Destination: first(args), Save: save, Items: shownItems}
			if c.json {
				ask.Items = allItems
			}
			var v app.PlanView
			if err := c.call(cmd.Context(), "plan", ask, &v); err != nil {
				return err
			}
			if err := c.show(v, func(w io.Writer) { printPlan(w, v) }); err != nil {
				return err
			}
			switch {
			case v.Changes() > 0:
				return &exitError{code: exitChanges}
			case len(v.Notes) > 0:
				return &exitError{code: exitPartial}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&save, "save", false, "keep the plan, to be applied by its id")
	return cmd
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func printPlan(w io.Writer, v app.PlanView) {
	fmt.Fprintf(w, "plan %s of %s, made %s\n", v.ID, scope(v), when(v.Made))
	for node, m := range v.Watermark {
		for _, why := range m.Waiting {
			fmt.Fprintf(w, "not settled: %s waits: %s\n", node, why)
		}
	}
	if v.Undoes != "" {
		fmt.Fprintf(w, "it rolls %s back; what it restores is held until remeld rollback --release %s\n", v.Undoes, v.Undoes)
	}
	printSkips(w, "conflict", v.Conflicts)
	if v.First {
		fmt.Fprintf(w, "nobody has approved a plan of this destination yet: remeld apply %s\n", v.ID)
	}
	if len(v.Parts) > 0 {
		fmt.Fprintf(w, "\n%s records wanted, %s rows right as they are\n", count(v.Desired), count(v.Keep))
	} else {
		fmt.Fprintf(w, "\n%s records wanted, budget %s, %s foreign rows, %s rows right as they are\n", count(v.Desired), budgetText(v.Cut.Budget), count(v.Cut.Foreign), count(v.Keep))
	}
	printTenants(w, v.Tenants)
	printCounts(w, "ACTION,OBJECTS", v.Actions)
	printSources(w, v.BySource)
	printCounts(w, "NOT SENT BECAUSE,RECORDS", v.Reasons)
	if v.Cut.Next != "" {
		fmt.Fprintf(w, "\nlast with a slot: %s (%s)\nfirst without:    %s (%s)\n", v.Cut.Last, v.Cut.LastRank, v.Cut.Next, v.Cut.NextRank)
	}
	for _, s := range v.Stops {
		fmt.Fprintf(w, "\nSTOPPED by a guard: %s\n  remeld approve %s --reason TEXT --until TIME\n", s.Text, s.ID)
	}
	for _, n := range v.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	printItems(w, v)
}

// scope is what a plan is of.
func scope(v app.PlanView) string {
	if n := len(v.Parts); n > 0 {
		return fmt.Sprintf("%d tenants", n)
	}
	return v.Group
}

// printTenants is the matrix of a plan for several destination domains, and what is to
// be known of each.
func printTenants(w io.Writer, tenants []deliver.Tenant) {
	if len(tenants) > 1 {
		shown := []deliver.Action{deliver.Create, deliver.Update, deliver.Renew, deliver.Replace, deliver.Delete}
		fmt.Fprintln(w)
		table(w, "TENANT,CONNECTION,NODES,CREATE,UPDATE,RENEW,REPLACE,DELETE,HELD,FROZEN,KEEP", func(row func(...any)) {
			for _, t := range tenants {
				cells := []any{t.Domain, t.Connection, strings.Join(t.Nodes, " ")}
				for _, a := range shown {
					cells = append(cells, count(t.Actions[a]))
				}
				row(append(cells, count(t.Held), count(t.Actions[deliver.Frozen]), count(t.Keep))...)
			}
		})
	}
	for _, t := range tenants {
		for _, line := range []struct{ what, text string }{
			{"cannot be listed, so the ledger alone is compared", t.Unlisted}, {"its API is retired", t.Deprecated}, {"cost", t.Cost}} {
			if line.text != "" {
				fmt.Fprintf(w, "\n%s: %s: %s\n", t.Domain, line.what, line.text)
			}
		}
	}
}

func budgetText(n int) string {
	if n == 0 {
		return "unlimited"
	}
	return count(n)
}

func printCounts[K ~string](w io.Writer, header string, counts map[K]int) {
	if len(counts) == 0 {
		return
	}
	fmt.Fprintln(w)
	table(w, header, func(row func(...any)) {
		keys := slices.SortedFunc(maps.Keys(counts), func(a, b K) int {
			return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
		})
		for _, k := range keys {
			row(k, count(counts[k]))
		}
	})
}

func printSources(w io.Writer, by map[string]map[deliver.Action]int) {
	if len(by) == 0 {
		return
	}
	shown := []deliver.Action{deliver.Create, deliver.Update, deliver.Renew, deliver.Replace, deliver.Delete, deliver.Frozen}
	fmt.Fprintln(w)
	table(w, "SOURCE,CREATE,UPDATE,RENEW,REPLACE,DELETE,FROZEN", func(row func(...any)) {
		for _, source := range slices.Sorted(maps.Keys(by)) {
			cells := []any{source}
			for _, a := range shown {
				cells = append(cells, count(by[source][a]))
			}
			row(cells...)
		}
	})
}

func printItems(w io.Writer, v app.PlanView) {
	if len(v.Items) == 0 {
		return
	}
	fmt.Fprintln(w)
	table(w, "ACTION,OBJECT,SOURCES,REASON", func(row func(...any)) {
		for _, it := range v.Items {
			row(it.Action, it.Identity, strings.Join(it.Sources(), " "), it.Reason)
		}
	})
	if v.More > 0 {
		fmt.Fprintf(w, "… and %s more (all of them with --json)\n", count(v.More))
	}
}

func (c *cli) applyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "apply [PLAN|DESTINATION]", Short: "Make a plan so, and nothing else",
		Long: `Applies a plan by its id, or plans a destination and applies that. Items that changed
since the plan was made are skipped and reported. Without a name it is all destinations;
tenants are applied beside each other, and one that fails holds up no other. The first apply of a destination by a
person approves it: from then on the running process applies by itself.

Exit code 3 says that something is left and goes on later.`,
		Example: "  remeld apply defender\n  remeld apply plan-20261123-101500-1a2b3c4d",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ask := app.ApplyArgs{Destination: first(args), By: person()}
			if strings.HasPrefix(first(args), "plan-") {
				ask = app.ApplyArgs{Plan: first(args), By: person()}
			}
			var r deliver.Result
			if err := c.call(cmd.Context(), "apply", ask, &r); err != nil {
				return err
			}
			return c.showResult(&r)
		},
	}
}

func (c *cli) showResult(r *deliver.Result) error {
	err := c.show(r, func(w io.Writer) {
		applied := r.Parts
		if len(applied) == 0 {
			applied = []*deliver.Result{r}
		}
		for _, p := range applied {
			fmt.Fprintf(w, "apply %s: %s calls\n", p.ID, count(p.Calls))
		}
		printCounts(w, "ACTION,OBJECTS", r.Counts)
		printSkips(w, "refused by the service", r.Rejected)
		printSkips(w, "skipped", r.Skipped)
		for _, why := range r.Why {
			fmt.Fprintf(w, "not finished: %s\n", why)
		}
		if r.Left > 0 {
			fmt.Fprintf(w, "%s objects are left and go on with the next apply\n", count(r.Left))
		}
	})
	if err == nil && r.Partial() {
		return &exitError{code: exitPartial}
	}
	return err
}

func printSkips(w io.Writer, what string, skips []deliver.Skip) {
	for i, s := range skips {
		if i == shownItems {
			fmt.Fprintf(w, "… and %s more\n", count(len(skips)-i))
			return
		}
		fmt.Fprintf(w, "%s: %s: %s\n", what, s.Identity, s.Why)
	}
}

// person is who acts at this terminal, for the records.
func person() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "command line"
}
