package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// age looks at the rows whose booked time has come and returns when to look next,
// the zero time if nothing is booked (SEMANTICS E6).
func (n *node) age(ctx context.Context) (time.Time, error) {
	n.work.Lock()
	defer n.work.Unlock()
	if err := n.eng.clock.check(ctx); err != nil {
		return time.Time{}, err
	}
	if err := n.stale(ctx); err != nil {
		return time.Time{}, err
	}
	if err := n.forgetGone(ctx); err != nil {
		return time.Time{}, err
	}
	if !n.ages() {
		return time.Time{}, nil
	}
	for {
		done, next, err := n.ageChunk(ctx)
		if err != nil || done {
			return next, err
		}
	}
}

// forgetGone drops notes on explicit removals that are older than a log is kept.
func (n *node) forgetGone(ctx context.Context) error {
	st := n.st.Load()
	now := n.eng.now()
	if st.Gone == 0 || now.Sub(row.Time(st.GoneSwept)) < day {
		return nil
	}
	v, err := n.eng.Store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	next := st.clone()
	next.Gone, next.GoneSwept = 0, now.UnixMilli()
	c := &store.Commit{}
	err = v.Scan(ctx, n.gone(), store.Range{}, func(key, value []byte) error {
		at, _ := binary.Varint(value)
		if now.Sub(row.Time(at)) < logAge {
			next.Gone++
			return nil
		}
		c.Writes = append(c.Writes, store.Write{Space: n.gone(), Key: bytes.Clone(key), Delete: true})
		return nil
	})
	if err != nil {
		return fmt.Errorf("sweep the removals of node %s: %w", n.name(), err)
	}
	return n.commit(ctx, c, next)
}

// ageChunk ages one chunk of rows.
func (n *node) ageChunk(ctx context.Context) (done bool, next time.Time, err error) {
	v, err := n.eng.Store.View()
	if err != nil {
		return false, next, err
	}
	defer v.Close()
	now := n.eng.now()
	j := n.judge(now, n.st.Load())
	due, next, err := n.due(ctx, v, now, j.lastComplete)
	if err != nil || len(due) == 0 {
		return true, next, err
	}
	a := &applier{node: n, st: n.st.Load().clone(), j: j, c: &store.Commit{}}
	looked := map[string]bool{} // a row may have several bookings
	for _, b := range due {
		a.c.Writes = append(a.c.Writes, store.Write{Space: n.exp(), Key: b, Delete: true})
		_, _, key, _ := booked(b)
		if looked[string(key)] {
			continue
		}
		looked[string(key)] = true
		if err := n.ageOne(ctx, v, a, key); err != nil {
			return false, next, err
		}
	}
	if j.err != nil {
		return false, next, j.err
	}
	n.digest = pollDigest{}
	if err := n.commit(ctx, a.take(), a.st); err != nil {
		return false, next, err
	}
	return len(due) < n.eng.Chunk/2, next, nil
}

// due collects bookings whose time has come, and the earliest on the clock whose
// time has not.
func (n *node) due(ctx context.Context, v store.View, now time.Time, lastComplete int64) (due [][]byte, next time.Time, err error) {
	until := map[byte]int64{byClock: now.UnixMilli(), bySource: lastComplete}
	for _, clock := range []byte{byClock, bySource} {
		r := store.Range{From: []byte{clock}, To: []byte{clock + 1}}
		err = v.Scan(ctx, n.exp(), r, func(key, _ []byte) error {
			_, deadline, _, ok := booked(key)
			if !ok {
				return fmt.Errorf("expiry index of node %s: %w", n.name(), row.ErrCorrupt)
			}
			if deadline > until[clock] {
				if clock == byClock {
					next = row.Time(deadline)
				}
				return store.Stop
			}
			due = append(due, append([]byte(nil), key...))
			if len(due) >= n.eng.Chunk/2 {
				next = now
				return store.Stop
			}
			return nil
		})
		if err != nil || len(due) >= n.eng.Chunk/2 {
			return due, next, err
		}
	}
	return due, next, nil
}

// ageOne looks at one row: it leaves, or is booked for later.
func (n *node) ageOne(ctx context.Context, v store.View, a *applier, key []byte) error {
	value, err := v.Get(ctx, n.out(), key)
	if err != nil || value == nil {
		return err
	}
	var old row.Row
	if err := old.Decode(value); err != nil {
		return fmt.Errorf("row of node %s: %w", n.name(), err)
	}
	if old.Aged {
		return nil
	}
	if !a.j.overdue(&old) {
		return a.j.bookings(key, &old, nil, func(b []byte) error {
			a.c.Writes = append(a.c.Writes, store.Write{Space: n.exp(), Key: a.copy(b)})
			return nil
		})
	}
	jd := judgement{act: write, emit: old.Emitted(), row: old}
	jd.row.Aged = true
	if jd.emit {
		jd.row.Changed = a.j.now
	}
	if n.info.Shape == sdk.Events && a.j.lapsed(&old) {
		jd.act = remove // nobody mentioned it for that long: it is not listed
	}
	a.collect(key, &old, &jd)
	return nil
}

// lapsed tells whether the row left by its last seen.
func (j *judge) lapsed(r *row.Row) bool {
	_, source := j.deadlines(r)
	return source != 0 && source <= j.lastComplete
}

// forgetAged ends the aged rows of an events source that the complete poll did not
// mention; in a snapshot the merge has seen to it.
func (p *polling) forgetAged(ctx context.Context, v store.View, a *applier) error {
	if p.shape != sdk.Events || !p.accept || p.st.Aged == 0 {
		return nil
	}
	listed := map[string]bool{}
	for part := range p.sorted.Parts() {
		it, err := p.sorted.Part(part)
		if err != nil {
			return err
		}
		for it.Next() {
			listed[string(it.Key())] = true
		}
		if err := it.Err(); err != nil {
			return err
		}
		if err := it.Close(); err != nil {
			return err
		}
	}
	var r row.Row
	return v.Scan(ctx, p.node.out(), store.Range{}, func(key, value []byte) error {
		if err := r.Decode(value); err != nil || !r.Aged || listed[string(key)] {
			return err
		}
		return a.add(ctx, key, &r, nil, &judgement{act: remove, row: r})
	})
}

// stale withdraws or keeps the rows of a source without an accepted complete poll
// for too long (SEMANTICS E6, max_stale).
func (n *node) stale(ctx context.Context) error {
	st := n.st.Load()
	limit := n.set.MaxStale
	last := st.Poll.LastComplete
	if limit.After <= 0 || last == 0 || n.eng.now().Sub(row.Time(last)) <= limit.After {
		return n.clear(ctx, "max_stale") // also where the limit was another one
	}
	if st.Poll.StaleDone {
		return nil
	}
	if err := n.tellStale(ctx, row.Time(last)); err != nil {
		return err
	}
	a := &applier{node: n, st: st.clone(), j: n.judge(n.eng.now(), st), c: &store.Commit{}}
	if limit.Withdraw {
		// What comes back must come whole: neither a 304 nor a delta lists it.
		a.st.Poll.Next, a.st.Poll.NextFor = nil, ""
		if err := n.withdrawAll(ctx, a); err != nil {
			return err
		}
		n.digest = pollDigest{}
	}
	a.st.Poll.StaleDone = true
	return n.commit(ctx, a.take(), a.st)
}

func (n *node) withdrawAll(ctx context.Context, a *applier) error {
	v, err := n.eng.Store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	var r row.Row
	return v.Scan(ctx, n.out(), store.Range{}, func(key, value []byte) error {
		if err := r.Decode(value); err != nil {
			return err
		}
		a.collect(key, &r, &judgement{act: remove, emit: r.Emitted(), row: r})
		if a.rows < n.eng.Chunk {
			return nil
		}
		next := a.st.clone()
		if err := n.commit(ctx, a.take(), a.st); err != nil {
			return err
		}
		a.st = next
		return nil
	})
}
