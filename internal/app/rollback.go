package app

import (
	"context"

	"github.com/remeld/remeld/internal/deliver"
)

// AppliesArgs bound the list of applies.
type AppliesArgs struct {
	Most int `json:"most"`
}

// Applies lists the latest applies, newest first.
func (a *App) Applies(ctx context.Context, args AppliesArgs) ([]deliver.Run, error) {
	return a.deliver.Applies(ctx, args.Most)
}

// RollbackArgs name the apply to undo.
type RollbackArgs struct {
	Apply string `json:"apply"`
	Items int    `json:"items"` // most items to return
}

// Rollback plans to undo an apply and saves the plan, to be applied by its id
// (SEMANTICS D17).
func (a *App) Rollback(ctx context.Context, args RollbackArgs) (PlanView, error) {
	p, err := a.deliver.Rollback(ctx, args.Apply)
	if err != nil {
		return PlanView{}, err
	}
	if err := a.deliver.SavePlan(ctx, p); err != nil {
		return PlanView{}, err
	}
	return viewOf(p, args.Items, true), nil
}

// ReleaseArgs name the apply whose rollback holds objects.
type ReleaseArgs struct {
	Apply string `json:"apply"`
}

// ReleaseView is how many objects a rollback holds no longer.
type ReleaseView struct {
	Released int `json:"released"`
}

// Release ends what a rollback holds.
func (a *App) Release(ctx context.Context, args ReleaseArgs) (ReleaseView, error) {
	n, err := a.deliver.Release(ctx, args.Apply)
	return ReleaseView{Released: n}, err
}
