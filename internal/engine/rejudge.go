package engine

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/store"
)

// rejudge looks at all rows of a source after its conditions or ages changed, and
// writes only differences (SEMANTICS E11). Interrupted, it begins again: what was
// done is no difference any more. The caller holds work.
func (n *node) rejudge(ctx context.Context) error {
	st := n.st.Load()
	if !st.Poll.Rejudge {
		return nil
	}
	v, err := n.eng.Store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	a := &applier{node: n, st: st.clone(), j: n.judge(n.eng.now(), st), c: &store.Commit{}}
	a.c.Clear = []store.SpaceRange{{Space: n.exp()}}
	var r row.Row
	err = v.Scan(ctx, n.out(), store.Range{}, func(key, value []byte) error {
		if err := r.Decode(value); err != nil {
			return err
		}
		if err := a.judgeAgain(key, &r); err != nil {
			return err
		}
		if len(a.c.Writes) < n.eng.Chunk {
			return nil
		}
		next := a.st.clone()
		if err := n.commit(ctx, a.take(), a.st); err != nil {
			return err
		}
		a.st = next
		return nil
	})
	if err == nil {
		err = a.j.err
	}
	if err != nil {
		return fmt.Errorf("judge the rows of node %s again: %w", n.name(), err)
	}
	a.st.Poll.Rejudge = false
	n.digest = pollDigest{}
	return n.commit(ctx, a.take(), a.st)
}

func (a *applier) judgeAgain(key []byte, old *row.Row) error {
	jd := judgement{act: write, row: *old}
	jd.row.Aged = a.j.overdue(old)
	jd.row.Dropped = a.j.dropped(key, old)
	jd.emit = jd.row.Emitted() != old.Emitted()
	if jd.emit {
		jd.row.Changed = a.j.now
	}
	if jd.row.Aged != old.Aged || jd.row.Dropped != old.Dropped {
		key = a.collect(key, old, &jd)
	}
	if jd.row.Aged {
		return nil
	}
	return a.j.bookings(key, &jd.row, nil, func(b []byte) error {
		a.c.Writes = append(a.c.Writes, store.Write{Space: a.node.exp(), Key: a.copy(b)})
		return nil
	})
}
