package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/store"
)

// runSpace holds what is kept of every apply that had something to do, by id.
const runSpace = "apply-run"

// Run is what is kept of one apply.
type Run struct {
	ID     string         `json:"id"`
	Plan   string         `json:"plan"`
	Group  string         `json:"group"`
	By     string         `json:"by,omitempty"` // "" is the loop
	Undoes string         `json:"undoes,omitempty"`
	Began  time.Time      `json:"began"`
	Ended  time.Time      `json:"ended,omitzero"` // zero: it runs, or was killed
	Counts map[Action]int `json:"counts,omitempty"`
	// Rejected and Left are numbers of objects.
	Rejected int `json:"rejected,omitempty"`
	Left     int `json:"left,omitempty"`
	// Pinned is the number of objects that a rollback of this apply holds.
	Pinned int `json:"pinned,omitempty"`
}

// keepRuns is how long an apply is listed; as long as a plan can be read.
const keepRuns = keepPlans

// begun records an apply before its first call, prepares what a rollback needs, and
// forgets what is too old to be listed.
func (a *applier) begun(ctx context.Context) error {
	if a.plan.Undoes != "" {
		if err := a.mayUndo(ctx); err != nil {
			return err
		}
	}
	if a.total == 0 {
		return nil
	}
	c := &store.Commit{}
	old := newRunID(a.m.deps.Clock.Now().Add(-keepRuns))
	c.Clear = append(c.Clear, store.SpaceRange{Space: runSpace, Range: store.Range{To: []byte(old)}})
	if err := a.note(c, time.Time{}); err != nil {
		return err
	}
	if _, err := a.m.deps.Store.Commit(ctx, c); err != nil {
		return fmt.Errorf("record apply %s: %w: %w", a.res.ID, ledger.ErrStore, err)
	}
	return nil
}

// ended records what an apply did.
func (a *applier) ended(ctx context.Context) {
	if a.total == 0 {
		return
	}
	c := &store.Commit{}
	err := a.note(c, a.m.deps.Clock.Now())
	if err == nil {
		_, err = a.m.deps.Store.Commit(context.WithoutCancel(ctx), c)
	}
	if err != nil { // the objects' own records are there
		a.m.deps.Log.Warn("the end of an apply could not be recorded", "apply", a.res.ID, "err", err)
	}
}

func (a *applier) note(c *store.Commit, ended time.Time) error {
	r := Run{ID: a.res.ID, Plan: a.plan.ID, Group: a.g.name, By: a.opts.By, Undoes: a.plan.Undoes, Began: a.began, Ended: ended,
		Counts: a.res.Counts, Rejected: len(a.res.Rejected), Left: a.total - a.done}
	val, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record apply %s: %w", r.ID, err)
	}
	c.Writes = append(c.Writes, store.Write{Space: runSpace, Key: []byte(r.ID), Value: val})
	return nil
}

// newRunID is the prefix of the ids of applies at a moment.
func newRunID(at time.Time) string { return "apply-" + at.UTC().Format("20060102-150405") }

// Applies lists the latest applies, newest first, at most most of them.
func (m *Manager) Applies(ctx context.Context, most int) ([]Run, error) {
	pins := map[string]int{}
	for _, g := range m.groupsSorted() {
		sites, err := m.sites(ctx, g)
		if err != nil {
			return nil, err
		}
		for _, s := range sites {
			for _, p := range s.book.Pins {
				pins[p.Undone]++
			}
		}
	}
	v, err := m.deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("list the applies: %w", err)
	}
	defer v.Close()
	out := []Run{}
	err = v.ScanBack(ctx, runSpace, store.Range{}, func(_, val []byte) error {
		if len(out) == most {
			return store.Stop
		}
		var r Run
		if err := json.Unmarshal(val, &r); err != nil {
			return err
		}
		r.Pinned = pins[r.ID]
		out = append(out, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the applies: %w", err)
	}
	return out, nil
}

// run returns what is kept of one apply, nil if nothing is.
func (m *Manager) run(ctx context.Context, id string) (*Run, error) {
	val, err := m.get(ctx, runSpace, id)
	if err != nil || val == nil {
		return nil, err
	}
	r := &Run{}
	if err := json.Unmarshal(val, r); err != nil {
		return nil, fmt.Errorf("read apply %s: %w", id, err)
	}
	return r, nil
}

// undoneBy is the apply that the given one rolls back, "" for none.
func (m *Manager) undoneBy(ctx context.Context, id string) (string, error) {
	r, err := m.run(ctx, id)
	if err != nil || r == nil {
		return "", err
	}
	return r.Undoes, nil
}
