package engine

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// tally is what a poll would do, counted before anything is done.
type tally struct {
	listed, duplicates int64
	removed            int64 // explicitly, of rows that exist
	added              int64
	aged, dropped      int64  // of what is added
	times              bool   // items carry first or last seen of their own
	dirty              []bool // parts in which something is to be done
}

// diffWorkers is how many parts are sorted and merged at a time.
const diffWorkers = 2

// diff merges the sorted poll with the table once, counting.
func (p *polling) diff(ctx context.Context, v store.View) error {
	parts := p.sorted.Parts()
	p.tally.dirty = make([]bool, parts)
	var next atomic.Int64
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range diffWorkers {
		wg.Go(func() {
			for ctx.Err() == nil {
				part := int(next.Add(1)) - 1
				if part >= parts {
					return
				}
				t, err := p.count(ctx, v, part)
				mu.Lock()
				p.tally.join(t, part)
				if err != nil && failed == nil {
					failed = err
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	p.report.Listed, p.report.Duplicates = p.tally.listed, p.tally.duplicates
	return ctx.Err()
}

func (t *tally) join(o *tally, part int) {
	t.listed += o.listed
	t.duplicates += o.duplicates
	t.removed += o.removed
	t.added += o.added
	t.aged += o.aged
	t.dropped += o.dropped
	t.times = t.times || o.times
	t.dirty[part] = o.dirty != nil
}

func (t *tally) add(r *row.Row) {
	t.added++
	if r.Aged {
		t.aged++
	}
	if r.Dropped {
		t.dropped++
	}
}

var isDirty = []bool{true}

func (p *polling) count(ctx context.Context, v store.View, part int) (*tally, error) {
	t := &tally{}
	w := walk{p: p, j: p.judge(), each: func(_ []byte, old *row.Row, said *row.Said, jd *judgement) error {
		if said != nil && !said.Remove {
			t.listed++
			t.times = t.times || said.First != 0 || said.Last != 0
		}
		if jd.act == leave {
			return nil
		}
		t.dirty = isDirty
		switch {
		case old == nil:
			t.add(&jd.row)
		case said != nil && said.Remove:
			t.removed++
		}
		return nil
	}}
	err := w.run(ctx, v, part)
	t.duplicates = w.duplicates
	return t, err
}

// walk judges every key of one part of the poll and of its range of the table.
type walk struct {
	p          *polling
	j          *judge
	each       func(key []byte, old *row.Row, said *row.Said, jd *judgement) error
	duplicates int64

	cur  store.Cursor
	have bool
	old  row.Row
	jd   judgement // of the key at hand; here so that it is not allocated for each
}

func (w *walk) run(ctx context.Context, v store.View, part int) (err error) {
	it, err := w.p.sorted.Part(part)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if w.p.st.Rows > 0 {
		from, to := w.p.sorted.Range(part)
		if w.cur, err = v.Cursor(ctx, w.p.node.out(), store.Range{From: from, To: to}); err != nil {
			return err
		}
		defer w.cur.Close()
		w.have = w.cur.Next()
	}
	var said row.Said
	for it.Next() {
		if err := said.Decode(it.Value()); err != nil {
			return err
		}
		if err := w.key(it.Key(), &said); err != nil {
			return err
		}
	}
	if err := it.Err(); err != nil {
		return err
	}
	w.duplicates = int64(it.Duplicates())
	for w.have && w.j.membership {
		if err := w.unlisted(); err != nil {
			return err
		}
		w.have = w.cur.Next()
	}
	return w.end()
}

func (w *walk) end() error {
	if w.cur != nil && w.cur.Err() != nil {
		return w.cur.Err()
	}
	return w.j.err
}

// key judges one key of the poll after the rows before it.
func (w *walk) key(key []byte, said *row.Said) error {
	for w.have {
		c := bytes.Compare(w.cur.Key(), key)
		if c < 0 {
			if err := w.skip(key); err != nil {
				return err
			}
			continue
		}
		if c > 0 {
			break
		}
		if err := w.old.Decode(w.cur.Value()); err != nil {
			return err
		}
		w.jd = w.j.of(key, &w.old, said)
		if err := w.each(key, &w.old, said, &w.jd); err != nil {
			return err
		}
		w.have = w.cur.Next()
		return nil
	}
	w.jd = judgement{}
	if !said.Remove {
		w.jd = w.j.fresh(key, said)
	}
	return w.each(key, nil, said, &w.jd)
}

// skip moves past a row the poll does not name: judged where membership counts,
// else with one seek where the poll names few of many.
func (w *walk) skip(key []byte) error {
	switch {
	case w.j.membership:
		if err := w.unlisted(); err != nil {
			return err
		}
		w.have = w.cur.Next()
	case w.p.sparse():
		w.have = w.cur.Seek(key)
	default:
		w.have = w.cur.Next()
	}
	return nil
}

func (w *walk) unlisted() error {
	if err := w.old.Decode(w.cur.Value()); err != nil {
		return err
	}
	w.jd = w.j.unlisted(&w.old)
	return w.each(w.cur.Key(), &w.old, nil, &w.jd)
}

// sparse tells whether seeking beats scanning: a seek costs some 30 rows.
func (p *polling) sparse() bool { return int64(p.sorted.Items())*30 < p.st.Rows }

// sweepMissing judges the rows that were missing already, for a poll that says
// nothing changed.
func (p *polling) sweepMissing(ctx context.Context, v store.View, a *applier) error {
	j := p.judge()
	j.membership = p.shape == sdk.Snapshot
	var r row.Row
	return v.Scan(ctx, p.node.out(), store.Range{}, func(key, value []byte) error {
		if err := r.Decode(value); err != nil || r.Missing == 0 {
			return err
		}
		jd := j.unlisted(&r)
		return a.add(ctx, key, &r, nil, &jd)
	})
}
