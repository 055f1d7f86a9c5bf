package engine

import (
	"context"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// rangeState is what a node over address space keeps in memory.
type rangeState struct{}

// ranged tells whether the node cuts address space into pieces (SEMANTICS E13).
func (*NodeSpec) ranged(p sdk.Processor) bool {
	_, ok := p.(sdk.Ranger)
	return ok
}

func (n *node) prepareRanges(context.Context, store.View, *nodeSet) error { return nil }

func (s *stepping) rebuildRanges(context.Context) error { return nil }
