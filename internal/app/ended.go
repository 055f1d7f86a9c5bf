package app

import (
	"context"
	"errors"
)

// Ended returns err, or nil where it only says that ctx was ended: a stop that was
// asked for is no failure, whatever it cut short and however deeply that is wrapped.
// While ctx lives nothing is taken away, so that an inner context's end stays seen.
// Give it the error of one operation: in a joined one an end hides a failure.
func Ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
