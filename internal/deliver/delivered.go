package deliver

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/store"
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
	for _, d := range domains {
		b, err := ledger.Read(ctx, m.deps.Store, store.Fence{}, d, m.deps.Clock.Now())
		if err != nil {
			return err
		}
		service := m.deps.Clock.Now().Add(b.Meta.Offset())
		for _, r := range b.Rows {
			if !r.Present() || r.State == ledger.Touched || !r.Expires.IsZero() && r.Expires.Before(service) {
				continue
			}
			for _, c := range r.Contributors {
				for _, s := range c.Sources {
					fn(s, c.Indicator)
				}
			}
		}
	}
	return nil
}
