package app

import (
	"context"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/condition"
)

// warnAhead are the days before a secret or certificate ends at which a person is
// told (SEMANTICS, defaults: alerts).
var warnAhead = []int{1, 7, 30}

// tellExpiring raises a condition for every connection whose expires: is near, with
// a message that changes only from one step to the next.
func (a *App) tellExpiring(ctx context.Context) error {
	cfg, _ := a.inForce()
	now := a.clock.Now()
	for name, c := range cfg.Connections {
		days, near := within(now, c.Expires)
		if !near {
			if err := a.conditions.Clear(ctx, name, "secret_expires"); err != nil {
				return err
			}
			continue
		}
		err := a.conditions.Raise(ctx, condition.Condition{
			Node: name, Kind: "secret_expires",
			Message: fmt.Sprintf("the secret or certificate of connection %s ends on %s, %s", name, c.Expires.UTC().Format(time.DateOnly), days),
			Help:    "make a new one, put it where the connection reads it, and move expires:",
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func within(now, end time.Time) (text string, near bool) {
	left := end.Sub(now)
	if end.IsZero() {
		return "", false
	}
	if left <= 0 {
		return "which is past", true
	}
	for _, days := range warnAhead {
		if left <= time.Duration(days)*24*time.Hour {
			return fmt.Sprintf("within %d days", days), true
		}
	}
	return "", false
}
