package engine

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

var _ sdk.Recaller = (*sink)(nil)

// Recall implements sdk.Recaller: one pass over the kinds' part of the table.
func (s *sink) Recall(ctx context.Context, kinds []indicator.Kind, fn func(key []byte, attrs *indicator.Attributes) error) error {
	n := s.in.node
	v, err := n.eng.Store.View()
	if err != nil {
		return fmt.Errorf("recall what node %s holds: %w", n.name(), err)
	}
	defer v.Close()
	var r row.Row
	for _, k := range kinds {
		err := v.Scan(ctx, n.out(), store.Range{From: []byte{byte(k)}, To: []byte{byte(k) + 1}}, func(key, value []byte) error {
			if err := r.Decode(value); err != nil {
				return fmt.Errorf("row of node %s: %w", n.name(), err)
			}
			var attrs indicator.Attributes
			if err := n.dict.Attrs(&attrs, r.Attrs, r.First, r.Last); err != nil {
				return fmt.Errorf("row of node %s: %w", n.name(), err)
			}
			return fn(key, &attrs)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
