package deliver

import (
	"context"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/store"
)

// dropOld forgets what is older than keepPlans: saved plans, and what would undo an
// apply (SEMANTICS F, retention). Their ids begin with their time, so that the old ones
// are a range.
func (m *Manager) dropOld(ctx context.Context) error {
	v, err := m.deps.Store.View()
	if err != nil {
		return fmt.Errorf("forget old plans: %w", err)
	}
	defer v.Close()
	before := m.deps.Clock.Now().Add(-keepPlans)
	c := &store.Commit{}
	for _, old := range []store.SpaceRange{
		{Space: planSpace, Range: store.Range{To: []byte(idsOf("plan", before))}},
		ledger.UndosBefore(idsOf("apply", before)),
	} {
		// A range that is cleared costs whether or not something is in it.
		found := false
		err := v.Scan(ctx, old.Space, old.Range, func([]byte, []byte) error {
			found = true
			return store.Stop
		})
		if err != nil {
			return fmt.Errorf("forget old plans: %w", err)
		}
		if found {
			c.Clear = append(c.Clear, old)
		}
	}
	if len(c.Clear) == 0 {
		return nil
	}
	if _, err := m.deps.Store.Commit(ctx, c); err != nil {
		return fmt.Errorf("forget old plans: %w", err)
	}
	return nil
}

// idsOf is where the ids of newID begin that were given at a moment or later.
func idsOf(prefix string, at time.Time) string {
	return prefix + "-" + at.UTC().Format(idTime)
}
