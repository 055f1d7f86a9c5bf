package engine

import (
	"context"
	"encoding/binary"

	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/store"
)

// applier turns judgements into commits of a chunk of rows each.
type applier struct {
	node   *node
	st     *state // as it will be after what is collected
	j      *judge
	report *PollReport
	record *pollRecord // kept in the state until the last chunk
	c      *store.Commit
	keys   [][]byte // to append to the log
	arena  []byte
	buf    []byte
	rows   int
}

func (p *polling) applier() *applier {
	return &applier{
		node: p.node, st: p.st.clone(), j: p.judge(), report: &p.report, c: &store.Commit{},
		record: &pollRecord{At: p.now.UnixMilli(), Accepted: p.accept},
	}
}

// add collects one judgement and commits when a chunk is full.
func (a *applier) add(ctx context.Context, key []byte, old *row.Row, said *row.Said, jd *judgement) error {
	if jd.act == leave {
		return nil
	}
	a.st.Poll.Torn = true // until an accepted poll is through
	a.countPoll(old, said, jd)
	key = a.collect(key, old, jd)
	a.tombstone(key, old, said)
	if jd.act == write && jd.book && !jd.row.Aged {
		err := a.j.bookings(key, &jd.row, a.buf[:0], func(b []byte) error {
			a.c.Writes = append(a.c.Writes, store.Write{Space: a.node.exp(), Key: a.copy(b)})
			return nil
		})
		if err != nil {
			return err
		}
	}
	if a.rows < a.node.eng.Chunk {
		return nil
	}
	return a.flush(ctx)
}

// collect takes one judgement into the chunk; it returns its copy of the key.
func (a *applier) collect(key []byte, old *row.Row, jd *judgement) []byte {
	tallyRow(a.st, old, -1)
	if jd.act == write {
		tallyRow(a.st, &jd.row, 1)
	}
	key = a.copy(key)
	w := store.Write{Space: a.node.out(), Key: key}
	if jd.act == remove {
		w.Delete = true
	} else {
		a.buf = jd.row.Append(a.buf[:0])
		w.Value = a.copy(a.buf)
	}
	a.c.Writes = append(a.c.Writes, w)
	if jd.emit {
		a.keys = append(a.keys, key)
	}
	a.rows++
	return key
}

// tombstone notes an explicit removal, which delivery's guards count apart, and
// takes the note back when the key is listed again.
func (a *applier) tombstone(key []byte, old *row.Row, said *row.Said) {
	w := store.Write{Space: a.node.gone(), Key: key}
	switch {
	case said == nil:
		return
	case said.Remove:
		w.Value = binary.AppendVarint(nil, a.j.now)
		a.st.Gone++
	case old == nil && a.st.Gone > 0:
		w.Delete = true
	default:
		return
	}
	a.c.Writes = append(a.c.Writes, w)
}

// copy keeps b until the commit.
func (a *applier) copy(b []byte) []byte {
	if len(a.arena)+len(b) > cap(a.arena) {
		a.arena = make([]byte, 0, max(256<<10, len(b)))
	}
	at := len(a.arena)
	a.arena = append(a.arena, b...)
	return a.arena[at:len(a.arena):len(a.arena)]
}

// flush commits the chunk under the poll's record.
func (a *applier) flush(ctx context.Context) error {
	a.st.Poll.Applying = a.record
	next := a.st.clone()
	if err := a.node.commit(ctx, a.take(), a.st); err != nil {
		return err
	}
	a.st = next
	return nil
}

// take returns what is collected and begins anew.
func (a *applier) take() *store.Commit {
	c := a.c
	if len(a.keys) > 0 {
		c.Appends = append(c.Appends, store.Append{Log: a.node.logName(), Keys: a.keys})
	}
	a.c, a.keys, a.arena, a.rows = &store.Commit{}, nil, nil, 0
	return c
}

// countPoll counts for the report.
func (a *applier) countPoll(old *row.Row, said *row.Said, jd *judgement) {
	switch {
	case old == nil:
		a.report.New++
	case jd.act == remove && jd.emit:
		a.report.Withdrawn++
	case jd.act == remove:
	case jd.row.Missing != 0 && old.Missing == 0:
		a.report.Missing++
	case jd.emit:
		a.report.Changed++
	case said != nil && old.Missing != 0:
		a.report.Revived++
	}
}

func tallyRow(st *state, r *row.Row, by int64) {
	if r == nil {
		return
	}
	st.Rows += by
	if r.Aged {
		st.Aged += by
	}
	if r.Dropped {
		st.Dropped += by
	}
	if r.Missing != 0 {
		st.Missing += by
	}
}

// apply writes the parts in which something is to be done.
func (p *polling) apply(ctx context.Context, v store.View) error {
	if p.canBulk() {
		return p.bulk(ctx, v)
	}
	a := p.applier()
	for part, dirty := range p.tally.dirty {
		if !dirty {
			continue
		}
		w := walk{p: p, j: p.judge(), each: func(key []byte, old *row.Row, said *row.Said, jd *judgement) error {
			return a.add(ctx, key, old, said, jd)
		}}
		if err := w.run(ctx, v, part); err != nil {
			return err
		}
	}
	if err := p.forgetAged(ctx, v, a); err != nil {
		return err
	}
	if a.j.err != nil {
		return a.j.err
	}
	return p.finish(ctx, a.st, a)
}
