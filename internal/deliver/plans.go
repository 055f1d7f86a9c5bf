package deliver

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/remeld/remeld/internal/store"
)

// planSpace holds saved plans: the head under its id, the items in parts behind it.
const planSpace = "plan"

// planPart is how many items one stored part holds.
const planPart = 500

// keepPlans is how long a saved plan can be looked at; it can be applied for
// Settings.PlanLife only.
const keepPlans = 90 * 24 * time.Hour

// SavePlan stores a plan, so that it can be approved and applied by its id, and
// drops those that are too old to be of interest.
func (m *Manager) SavePlan(ctx context.Context, p *Plan) error {
	heads, err := m.Plans(ctx)
	if err != nil {
		return err
	}
	c := &store.Commit{}
	now := m.deps.Clock.Now()
	for _, h := range heads {
		if now.Sub(h.Made) > keepPlans || h.Waiting && !now.Before(h.Expires) {
			c.Clear = append(c.Clear, store.SpaceRange{Space: planSpace, Range: planRange(h.ID)})
		}
	}
	head, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("save plan %s: %w", p.ID, err)
	}
	c.Writes = append(c.Writes, store.Write{Space: planSpace, Key: []byte(p.ID), Value: head})
	n := uint32(0)
	for _, id := range p.Parts {
		m.mu.Lock()
		part := m.plans[id]
		m.mu.Unlock()
		if part == nil {
			return fmt.Errorf("save plan %s: its part %s is no more: plan again", p.ID, id)
		}
		if err := m.SavePlan(ctx, part); err != nil {
			return err
		}
	}
	items := p.Items
	if len(p.Parts) > 0 {
		items = nil // they are the parts'
	}
	for part := range slices.Chunk(items, planPart) {
		val, err := json.Marshal(part)
		if err != nil {
			return fmt.Errorf("save plan %s: %w", p.ID, err)
		}
		c.Writes = append(c.Writes, store.Write{Space: planSpace, Key: binary.BigEndian.AppendUint32([]byte(p.ID+"\x00"), n), Value: val})
		n++
	}
	if _, err := m.deps.Store.Commit(ctx, c); err != nil {
		return fmt.Errorf("save plan %s: %w", p.ID, err)
	}
	return nil
}

func planRange(id string) store.Range {
	return store.Range{From: []byte(id), To: []byte(id + "\x01")}
}

// Plans lists the saved plans without their items, oldest first.
func (m *Manager) Plans(ctx context.Context) ([]*Plan, error) {
	v, err := m.deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("list the plans: %w", err)
	}
	defer v.Close()
	var out []*Plan
	err = v.Scan(ctx, planSpace, store.Range{}, func(k, val []byte) error {
		if slices.Contains(k, 0) {
			return nil
		}
		p := &Plan{}
		out = append(out, p)
		return json.Unmarshal(val, p)
	})
	if err != nil {
		return nil, fmt.Errorf("list the plans: %w", err)
	}
	return out, nil
}

// LoadPlan returns a plan by id: one made by this process a moment ago, or a saved
// one.
func (m *Manager) LoadPlan(ctx context.Context, id string) (*Plan, error) {
	m.mu.Lock()
	p := m.plans[id]
	m.mu.Unlock()
	if p != nil {
		return p, nil
	}
	v, err := m.deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("read plan %s: %w", id, err)
	}
	defer v.Close()
	err = v.Scan(ctx, planSpace, planRange(id), func(k, val []byte) error {
		if p == nil {
			p = &Plan{}
			return json.Unmarshal(val, p)
		}
		var part []*Item
		if err := json.Unmarshal(val, &part); err != nil {
			return err
		}
		p.Items = append(p.Items, part...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read plan %s: %w", id, err)
	}
	if p == nil {
		return nil, fmt.Errorf("there is no plan %s", id)
	}
	return p, nil
}
