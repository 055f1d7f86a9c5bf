package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// Watermark is how far a node's ancestors are (SEMANTICS D5).
type Watermark struct {
	Settled    bool
	Waiting    []string // what is not settled, and why
	Heads      map[string]uint64
	AllowReady bool // every allow edge above has had one complete poll
}

// Watermark says whether everything above a node is settled: every source has a
// verdict since it was created, no poll is being applied, no reader lags.
func (e *Engine) Watermark(ctx context.Context, name string) (Watermark, error) {
	set := e.set.Load()
	n, err := e.node(name)
	if err != nil {
		return Watermark{}, err
	}
	v, err := e.Store.View()
	if err != nil {
		return Watermark{}, err
	}
	defer v.Close()
	w := Watermark{Heads: map[string]uint64{}, AllowReady: true}
	if err := e.clock.check(ctx); err != nil {
		w.Waiting = append(w.Waiting, err.Error())
	}
	for _, above := range append(set.graph.Ancestors(name), n.name()) {
		m := set.nodes[above]
		if w.Heads[above], _, err = v.Head(ctx, m.logName()); err != nil {
			return Watermark{}, fmt.Errorf("read the log of node %s: %w", above, err)
		}
		st := m.st.Load()
		for _, edge := range m.spec.Allow {
			if !st.Step.AllowReady[edge] {
				w.AllowReady = false
				w.Waiting = append(w.Waiting, fmt.Sprintf("%s: allow-list %s had no complete poll yet", above, edge))
			}
		}
		why, err := m.unsettled(ctx, v, set)
		if err != nil {
			return Watermark{}, err
		}
		if why != "" {
			w.Waiting = append(w.Waiting, above+": "+why)
		}
	}
	w.Settled = len(w.Waiting) == 0
	return w, nil
}

// unsettled says what is under way at a node, "" if nothing.
func (n *node) unsettled(ctx context.Context, v store.View, set *nodeSet) (string, error) {
	if n.isSource() {
		// The document in the snapshot, so that the answer belongs to the heads.
		st, err := loadState(ctx, v, n.name())
		switch {
		case err != nil || st == nil:
			return "not there yet", err
		case !st.Poll.Judged && n.set.OnDemand:
			return "no run of its job has read it whole yet", nil
		case !st.Poll.Judged:
			return "no complete poll yet", nil
		case st.Poll.Applying != nil:
			return "a poll is being applied", nil
		case st.Poll.Rejudge:
			return "its rows are judged again", nil
		}
		return "", nil
	}
	lag, err := n.lag(ctx, v, set)
	switch {
	case err != nil:
		return "", err
	case lag < 0:
		return "its table is merged anew", nil
	case lag > 0:
		return fmt.Sprintf("%d changes to go", lag), nil
	}
	return "", nil
}

// lag is how many changes of its inputs a reader has not seen; -1 while it merges
// everything.
func (n *node) lag(ctx context.Context, v store.View, set *nodeSet) (int64, error) {
	st, err := loadState(ctx, v, n.name())
	if err != nil || st == nil || st.Step.Rebuild != nil {
		return -1, err
	}
	var lag int64
	for _, in := range append(append([]string(nil), n.spec.Inputs...), n.spec.Allow...) {
		last, _, err := v.Head(ctx, set.nodes[in].logName())
		if err != nil {
			return 0, fmt.Errorf("read the log of node %s: %w", in, err)
		}
		at, known := st.Step.Cursors[in]
		if !known {
			return -1, nil
		}
		lag += int64(last - at)
	}
	return lag, nil
}

// Desired calls fn for every emitted record of one snapshot in key order; the
// record is valid until fn returns and must not be changed.
func (e *Engine) Desired(ctx context.Context, name string, fn func(*indicator.Record) error) error {
	n, err := e.node(name)
	if err != nil {
		return err
	}
	v, err := e.Store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	last := e.lastComplete()
	var r row.Row
	var rec indicator.Record
	return v.Scan(ctx, n.out(), store.Range{}, func(key, value []byte) error {
		if err := r.Decode(value); err != nil {
			return fmt.Errorf("row of node %s: %w", name, err)
		}
		if !r.Emitted() {
			return nil
		}
		if err := n.record(&rec, key, &r); err != nil {
			return err
		}
		n.resolveLast(&rec, &r, last)
		return fn(&rec)
	})
}

// lastComplete returns when each snapshot or changes source was last read whole.
func (e *Engine) lastComplete() map[string]time.Time {
	last := map[string]time.Time{}
	for name, n := range e.set.Load().nodes {
		if n.isSource() && n.info.Shape != sdk.Events {
			last[name] = row.Time(n.st.Load().Poll.LastComplete)
		}
	}
	return last
}

// Lookup returns one emitted record of a node, nil if there is none.
func (e *Engine) Lookup(ctx context.Context, name string, i indicator.Indicator) (*indicator.Record, error) {
	n, err := e.node(name)
	if err != nil {
		return nil, err
	}
	v, err := e.Store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	key := i.AppendKey(nil)
	value, err := v.Get(ctx, n.out(), key)
	if err != nil || value == nil {
		return nil, err
	}
	var r row.Row
	if err := r.Decode(value); err != nil {
		return nil, fmt.Errorf("row of node %s: %w", name, err)
	}
	if !r.Emitted() {
		return nil, nil
	}
	rec := new(indicator.Record)
	if err := n.record(rec, key, &r); err != nil {
		return nil, err
	}
	n.resolveLast(rec, &r, e.lastComplete())
	return rec, nil
}

// Table gives read access to a node's table.
func (e *Engine) Table(name string) (sdk.Table, error) {
	if _, err := e.node(name); err != nil {
		return nil, err
	}
	return &table{e, name}, nil
}

// table finds its node anew at each call: a configuration may have replaced it.
type table struct {
	eng  *Engine
	name string
}

// Version implements sdk.Table.
func (t *table) Version() uint64 {
	n, err := t.eng.node(t.name)
	if err != nil {
		return 0
	}
	v, err := t.eng.Store.View()
	if err != nil {
		return 0
	}
	defer v.Close()
	last, _, err := v.Head(context.Background(), n.logName())
	if err != nil {
		return 0
	}
	return last
}

// Scan implements sdk.Table.
func (t *table) Scan(ctx context.Context, fn func(sdk.Row) error) error {
	n, err := t.eng.node(t.name)
	if err != nil {
		return err
	}
	v, err := t.eng.Store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	last := t.eng.lastComplete()
	var r row.Row
	var rec indicator.Record
	return v.Scan(ctx, n.out(), store.Range{}, func(key, value []byte) error {
		if err := r.Decode(value); err != nil {
			return fmt.Errorf("row of node %s: %w", t.name, err)
		}
		if !r.Emitted() {
			return nil
		}
		if err := n.dict.Attrs(&rec.Attrs, r.Attrs, r.First, r.Last); err != nil {
			return fmt.Errorf("row of node %s: %w", t.name, err)
		}
		n.resolveLast(&rec, &r, last)
		return fn(sdk.Row{Key: key, Changed: row.Time(r.Changed), Attrs: &rec.Attrs})
	})
}
