package storetest

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/internal/store"
)

// Dump returns all a view shows, in a form made to be compared and printed: one line
// per row, per log head and per entry. A view does not list logs; name them.
func Dump(ctx context.Context, v store.View, logs ...string) ([]string, error) {
	var lines []string
	spaces, err := v.Spaces(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, space := range spaces {
		err := v.Scan(ctx, space, store.Range{}, func(k, val []byte) error {
			lines = append(lines, fmt.Sprintf("%q %x = %x", space, k, val))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, log := range logs {
		last, first, err := v.Head(ctx, log)
		if err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("log %q %d to %d", log, first, last))
		err = v.Changes(ctx, log, first-1, 1<<30, func(seq uint64, key []byte) error {
			lines = append(lines, fmt.Sprintf("log %q %d: %x", log, seq, key))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return lines, nil
}
