package app_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/remeld/remeld/internal/app"
)

func TestEnded(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	disk := errors.New("the disk is full")
	wrapped := fmt.Errorf("write ledger of d: %w: %w", disk, context.Canceled)
	for _, c := range []struct {
		name      string
		ctx       context.Context
		err, want error
	}{
		{"nothing", ended, nil, nil},
		{"the end itself", ended, context.Canceled, nil},
		{"wrapped", ended, fmt.Errorf("open: %w", context.Canceled), nil},
		{"of a commit that was cut short", ended, wrapped, nil},
		{"a failure", ended, disk, disk},
		{"a time limit", ended, context.DeadlineExceeded, context.DeadlineExceeded},
		{"an inner end while the outer goes on", t.Context(), context.Canceled, context.Canceled},
	} {
		if got := app.Ended(c.ctx, c.err); !errors.Is(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
