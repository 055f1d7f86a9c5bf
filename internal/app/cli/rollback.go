package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/deliver"
)

// shownApplies is how many applies are listed.
const shownApplies = 30

func (c *cli) rollbackCommand() *cobra.Command {
	var yes bool
	var release string
	cmd := &cobra.Command{
		Use: "rollback [APPLY]", Short: "Undo an apply, and hold what it restores",
		Long: `Plans to restore every object that the apply wrote and that nobody changed since, shows
the plan and saves it; --yes applies it at once. What changed since is shown as a
conflict and stays as it is. Protection, TLP ceilings, allow-lists and free slots count as
ever. What a rollback restores is held as it is, and what it removed stays out, until
--release; remeld held, why and status show it. Without APPLY it lists the applies.

A rollback is an apply as well, and can be rolled back.`,
		Example: "  remeld rollback\n  remeld rollback apply-20261123-101500-1a2b3c4d --yes\n  remeld rollback --release apply-20261123-101500-1a2b3c4d",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case release != "" && len(args) > 0:
				return errors.New("name one apply: behind --release, or to roll it back")
			case release != "":
				return c.release(cmd, release)
			case len(args) == 0:
				return c.applies(cmd)
			}
			return c.rollBack(cmd, args[0], yes)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "apply the plan at once")
	cmd.Flags().StringVar(&release, "release", "", "end what the rollback of this `apply` holds")
	return cmd
}

func (c *cli) applies(cmd *cobra.Command) error {
	var list []deliver.Run
	if err := c.call(cmd.Context(), "applies", app.AppliesArgs{Most: shownApplies}, &list); err != nil {
		return err
	}
	return c.show(list, func(w io.Writer) {
		if len(list) == 0 {
			fmt.Fprintln(w, "nothing was applied yet")
			return
		}
		table(w, "APPLY,BEGAN,BY,DESTINATION,DID,STATE", func(row func(...any)) {
			for _, r := range list {
				row(r.ID, when(r.Began), byText(r.By), r.Group, didText(r.Counts), runState(r))
			}
		})
	})
}

func byText(by string) string {
	if by == "" {
		return "(automatic)"
	}
	return by
}

func didText(counts map[deliver.Action]int) string {
	var parts []string
	for _, a := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %s", count(counts[a]), a))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

func runState(r deliver.Run) string {
	var parts []string
	if r.Ended.IsZero() {
		parts = append(parts, "runs, or was cut off")
	}
	if r.Undoes != "" {
		parts = append(parts, "rolled "+r.Undoes+" back")
	}
	if r.Pinned > 0 {
		parts = append(parts, "rolled back; "+count(r.Pinned)+" objects are held")
	}
	if len(parts) == 0 {
		return "done"
	}
	return strings.Join(parts, ", ")
}

func (c *cli) release(cmd *cobra.Command, id string) error {
	var v app.ReleaseView
	if err := c.call(cmd.Context(), "release", app.ReleaseArgs{Apply: id}, &v); err != nil {
		return err
	}
	return c.show(v, func(w io.Writer) {
		fmt.Fprintf(w, "%s objects are held no longer; remeld plan shows what becomes of them\n", count(v.Released))
	})
}

func (c *cli) rollBack(cmd *cobra.Command, id string, yes bool) error {
	ask := app.RollbackArgs{Apply: id, Items: shownItems}
	if c.json {
		ask.Items = allItems
	}
	var v app.PlanView
	if err := c.call(cmd.Context(), "rollback", ask, &v); err != nil {
		return err
	}
	if yes {
		var r deliver.Result
		if err := c.call(cmd.Context(), "apply", app.ApplyArgs{Plan: v.ID, By: person()}, &r); err != nil {
			return err
		}
		return c.showResult(&r)
	}
	err := c.show(v, func(w io.Writer) {
		printPlan(w, v)
		if v.Changes() > 0 {
			fmt.Fprintf(w, "\nremeld apply %s makes it so\n", v.ID)
		}
	})
	if err == nil && v.Changes() > 0 {
		return &exitError{code: exitChanges}
	}
	return err
}
