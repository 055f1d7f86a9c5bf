package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/engine/spool"
	"github.com/remeld/remeld/internal/store"
)

// bulkFrom is how many rows make a bulk load worth its fixed cost.
const bulkFrom = 20_000

// canBulk: an empty table takes its first rows as sorted runs, without a log
// (SEMANTICS E14).
func (p *polling) canBulk() bool {
	frozen := p.failed == nil && !p.accept
	return p.st.Rows == 0 && p.tally.added >= bulkFrom && !frozen
}

// bulk loads an empty table: rows, index, dictionary, head and the state after the
// poll become visible at once.
func (p *polling) bulk(ctx context.Context, v store.View) error {
	n := p.node
	head, err := p.clearForBulk(ctx, v)
	if err != nil {
		return err
	}
	load := &store.Bulk{
		Fence: n.fence, Heads: map[string]uint64{n.logName(): head + 1},
		Spaces: []store.BulkSpace{{Space: n.out(), Rows: func(put func(key, value []byte) error) error {
			return p.loadRows(ctx, put)
		}}},
	}
	if n.ages() {
		load.Spaces = append(load.Spaces, store.BulkSpace{Space: n.exp(), Rows: func(put func(key, value []byte) error) error {
			return p.expiries(ctx, put)
		}})
	}
	st := p.st.clone()
	st.Rows, st.Aged, st.Dropped = p.tally.added, p.tally.aged, p.tally.dropped
	p.report.New = p.tally.added
	st.Poll.Torn = true // until a poll is accepted, as this one may be
	p.conclude(st)
	defer n.dict.Hold()() // folding duplicates while rows are written must make no numbers
	mark := n.dict.Pending(func(key, blob []byte) {
		load.Writes = append(load.Writes, store.Write{Space: n.dictSpace(), Key: key, Value: blob})
	})
	w, err := st.write(n.name())
	if err != nil {
		return err
	}
	load.Writes = append(load.Writes, w)
	if err := n.eng.Store.Ingest(ctx, load); err != nil {
		return fmt.Errorf("bulk load of node %s: %w", n.name(), err)
	}
	n.dict.Persisted(mark)
	n.st.Store(st)
	n.eng.nudgeReaders(n.name())
	return nil
}

func (p *polling) loadRows(ctx context.Context, put func(key, value []byte) error) error {
	var buf []byte
	return p.rows(ctx, func(_ *judge, key []byte, jd *judgement) error {
		buf = jd.row.Append(buf[:0])
		return put(key, buf)
	})
}

// clearForBulk empties what must be empty and records the verdict.
func (p *polling) clearForBulk(ctx context.Context, v store.View) (head uint64, err error) {
	n := p.node
	head, _, err = v.Head(ctx, n.logName())
	if err != nil {
		return 0, err
	}
	st := p.st.clone()
	st.Poll.Applying = &pollRecord{At: p.now.UnixMilli(), Accepted: p.accept}
	c := &store.Commit{
		Clear: []store.SpaceRange{{Space: n.exp()}},
		Trims: []store.Trim{{Log: n.logName(), UpTo: head}},
	}
	return head, n.commit(ctx, c, st)
}

// rows calls fn for every row the poll makes of an empty table.
func (p *polling) rows(ctx context.Context, fn func(j *judge, key []byte, jd *judgement) error) error {
	j := p.judge()
	var said row.Said
	var jd judgement // here so that it is not allocated for each row
	for part := range p.sorted.Parts() {
		if err := ctx.Err(); err != nil {
			return err
		}
		it, err := p.sorted.Part(part)
		if err != nil {
			return err
		}
		for it.Next() {
			if err := said.Decode(it.Value()); err != nil {
				return err
			}
			if said.Remove {
				continue
			}
			jd = j.fresh(it.Key(), &said)
			if err := fn(j, it.Key(), &jd); err != nil {
				return err
			}
		}
		if err := it.Err(); err != nil {
			return err
		}
		if err := it.Close(); err != nil {
			return err
		}
	}
	return j.err
}

// expiries puts the bookings of all rows in order. Where all rows have the same
// deadline, that is the order of the rows; else they are sorted once more.
func (p *polling) expiries(ctx context.Context, put func(key, value []byte) error) (err error) {
	var buf []byte
	each := func(fn func(booking []byte) error) error {
		return p.rows(ctx, func(j *judge, key []byte, jd *judgement) error {
			if jd.row.Aged {
				return nil
			}
			return j.bookings(key, &jd.row, buf[:0], fn)
		})
	}
	age := &p.node.set.Age
	if !p.tally.times && !age.ValidUntil && (age.FirstSeen == 0 || age.LastSeen == 0) {
		return each(func(b []byte) error { return put(b, nil) })
	}
	s := spool.New(p.node.eng.Dir, p.node.eng.budget, nil, func(dst, a, _ []byte) ([]byte, error) { return append(dst, a...), nil })
	defer func() { err = errors.Join(err, s.Close()) }()
	w := s.Writer()
	if err := each(func(b []byte) error { return w.Add(b, nil) }); err != nil {
		return err
	}
	sorted, err := s.Seal(ctx)
	if err != nil {
		return err
	}
	for part := range sorted.Parts() {
		it, err := sorted.Part(part)
		if err != nil {
			return err
		}
		for it.Next() {
			if err := put(it.Key(), nil); err != nil {
				return errors.Join(err, it.Close())
			}
		}
		if err := errors.Join(it.Err(), it.Close()); err != nil {
			return err
		}
	}
	return nil
}
