package deliver

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
)

// Delivered calls fn for every indicator of which an object is believed to be at a
// tenant and has not expired there, once for each source that wants it. It reads the
// ledgers only: a write whose outcome is not known yet counts as what was before it.
func (m *Manager) Delivered(ctx context.Context, fn func(source string, i indicator.Indicator)) error {
	v, err := m.deps.Store.View()
	if err != nil {
		return fmt.Errorf("read what was delivered: %w", err)
	}
	defer v.Close()
	domains, err := ledger.Domains(ctx, v)
	if err != nil {
		return err
	}
	now := m.deps.Clock.Now()
	for _, d := range domains {
		err := ledger.Scan(ctx, v, d, func(meta *ledger.Meta, r *ledger.Row) {
			if !r.Present() || r.State == ledger.Touched || !r.Expires.IsZero() && r.Expires.Before(now.Add(meta.Offset())) {
				return
			}
			for _, c := range r.Contributors {
				for _, s := range c.Sources {
					fn(s, c.Indicator)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
