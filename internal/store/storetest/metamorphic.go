package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
)

// Metamorphic applies random operations, with random batching and reopening, to the
// engine and to the in-memory model; both must give the same answers and hold the
// same contents. newMedium is called once per random run.
func Metamorphic(t *testing.T, newMedium func() Medium) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		disk := memstore.NewDisk()
		p := &pair{
			T: rt, ctx: t.Context(), engine: newMedium(),
			model: func() (store.Store, error) { return disk.Open() },
		}
		p.open()
		defer p.close()
		rt.Repeat(map[string]func(*rapid.T){
			"":        p.compare,
			"commit":  p.commit,
			"ingest":  p.ingest,
			"acquire": p.acquire,
			"reopen":  func(*rapid.T) { p.close(); p.open() },
			"get":     p.getMany,
			"seek":    p.seek,
			"view":    p.holdView,
		})
	})
}

// pair is the engine and the model, at the same point of their history.
type pair struct {
	*rapid.T
	ctx           context.Context
	engine, model Medium
	e, m          store.Store
	ev, mv        store.View // held over several operations, or nil
	fences        []store.Fence
}

var (
	spaceNames = []string{"a", "a/b", "b"}
	logNames   = []string{"l", "m"}
	keyGen     = rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 'b', 0xfe, 0xff}), 0, 3)
	valueGen   = rapid.SliceOfN(rapid.Byte(), 0, 4)
)

func (p *pair) open() {
	var err error
	if p.e, err = p.engine(); err != nil {
		p.Fatalf("open the engine: %v", err)
	}
	if p.m, err = p.model(); err != nil {
		p.Fatalf("open the model: %v", err)
	}
}

func (p *pair) close() {
	p.ev, p.mv = nil, nil
	if err := errors.Join(p.e.Close(), p.m.Close()); err != nil {
		p.Fatalf("close: %v", err)
	}
}

// same fails unless both answered alike; errors are compared by their sentinel.
func (p *pair) same(what string, eErr, mErr error, e, m any) {
	p.Helper()
	for _, s := range []error{store.ErrFenced, store.ErrTrimmed, store.ErrNotEmpty, store.ErrUnsorted, nil} {
		if errors.Is(eErr, s) != errors.Is(mErr, s) {
			p.Fatalf("%s: engine says %v, model %v", what, eErr, mErr)
		}
	}
	if d := cmp.Diff(m, e); d != "" {
		p.Fatalf("%s (-model +engine):\n%s", what, d)
	}
}

func drawRange(t *rapid.T) store.Range {
	return store.Range{
		From: rapid.OneOf(rapid.Just([]byte(nil)), keyGen).Draw(t, "from"),
		To:   rapid.OneOf(rapid.Just([]byte(nil)), keyGen).Draw(t, "to"),
	}
}

func drawWrites(t *rapid.T) []store.Write {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) store.Write {
		return store.Write{
			Space: rapid.SampledFrom(spaceNames).Draw(t, "space"), Key: keyGen.Draw(t, "key"),
			Value: valueGen.Draw(t, "value"), Delete: rapid.Bool().Draw(t, "delete"),
		}
	}), 0, 8).Draw(t, "writes")
}

func (p *pair) drawFence(t *rapid.T) store.Fence {
	if len(p.fences) == 0 {
		return store.Fence{}
	}
	return rapid.SampledFrom(append([]store.Fence{{}}, p.fences...)).Draw(t, "fence")
}

func (p *pair) acquire(t *rapid.T) {
	name := rapid.SampledFrom([]string{"n", "o"}).Draw(t, "name")
	e, eErr := p.e.Acquire(p.ctx, name)
	m, mErr := p.m.Acquire(p.ctx, name)
	p.same("acquire", eErr, mErr, e, m)
	p.fences = append(p.fences, m)
}

func (p *pair) commit(t *rapid.T) {
	c := &store.Commit{Fence: p.drawFence(t), Writes: drawWrites(t)}
	for range rapid.IntRange(0, 2).Draw(t, "clears") {
		c.Clear = append(c.Clear, store.SpaceRange{
			Space: rapid.SampledFrom(spaceNames).Draw(t, "space"), Range: drawRange(t),
		})
	}
	for range rapid.IntRange(0, 2).Draw(t, "appends") {
		c.Appends = append(c.Appends, store.Append{
			Log: rapid.SampledFrom(logNames).Draw(t, "log"), Keys: rapid.SliceOfN(keyGen, 0, 4).Draw(t, "keys"),
		})
	}
	for range rapid.IntRange(0, 1).Draw(t, "trims") {
		c.Trims = append(c.Trims, store.Trim{
			Log: rapid.SampledFrom(logNames).Draw(t, "log"), UpTo: rapid.Uint64Range(0, 20).Draw(t, "upTo"),
		})
	}
	e, eErr := p.e.Commit(p.ctx, c)
	m, mErr := p.m.Commit(p.ctx, c)
	p.same("commit", eErr, mErr, e, m)
}

func (p *pair) ingest(t *rapid.T) {
	b := &store.Bulk{Fence: p.drawFence(t), Writes: drawWrites(t), Heads: map[string]uint64{}}
	for _, name := range spaceNames {
		if rapid.Bool().Draw(t, "load "+name) {
			b.Spaces = append(b.Spaces, drawLoad(t, name))
		}
	}
	if rapid.Bool().Draw(t, "head") {
		b.Heads[rapid.SampledFrom(logNames).Draw(t, "log")] = rapid.Uint64Range(0, 30).Draw(t, "head")
	}
	p.same("ingest", p.e.Ingest(p.ctx, b), p.m.Ingest(p.ctx, b), nil, nil)
}

// drawLoad makes rows that ascend, but for one time in eight.
func drawLoad(t *rapid.T, space string) store.BulkSpace {
	keys := rapid.SliceOfN(keyGen, 0, 12).Draw(t, "keys")
	if rapid.IntRange(0, 7).Draw(t, "sorted") != 0 {
		slices.SortFunc(keys, slices.Compare)
		keys = slices.CompactFunc(keys, slices.Equal)
	}
	return store.BulkSpace{Space: space, Rows: func(put func(k, v []byte) error) error {
		for i, k := range keys {
			if err := put(k, []byte{byte(i)}); err != nil {
				return err
			}
		}
		return nil
	}}
}

func (p *pair) both(f func(v store.View) (any, error), what string) {
	ev, eErr := p.e.View()
	mv, mErr := p.m.View()
	if err := errors.Join(eErr, mErr); err != nil {
		p.Fatalf("view: %v", err)
	}
	p.ask(ev, mv, f, what)
	if err := errors.Join(ev.Close(), mv.Close()); err != nil {
		p.Fatalf("close a view: %v", err)
	}
}

func (p *pair) ask(ev, mv store.View, f func(v store.View) (any, error), what string) {
	p.Helper()
	e, eErr := f(ev)
	m, mErr := f(mv)
	p.same(what, eErr, mErr, e, m)
}

// compare holds full contents, and those of the view held, against each other.
func (p *pair) compare(*rapid.T) {
	all := func(v store.View) (any, error) { return Dump(p.ctx, v, logNames...) }
	p.both(all, "contents")
	if p.ev != nil {
		p.ask(p.ev, p.mv, all, "contents of the view held")
	}
}

func (p *pair) holdView(*rapid.T) {
	if p.ev != nil {
		if err := errors.Join(p.ev.Close(), p.mv.Close()); err != nil {
			p.Fatalf("close a view: %v", err)
		}
	}
	var eErr, mErr error
	p.ev, eErr = p.e.View()
	p.mv, mErr = p.m.View()
	if err := errors.Join(eErr, mErr); err != nil {
		p.Fatalf("view: %v", err)
	}
}

func (p *pair) getMany(t *rapid.T) {
	space := rapid.SampledFrom(spaceNames).Draw(t, "space")
	keys := rapid.SliceOfN(keyGen, 0, 10).Draw(t, "keys")
	if rapid.IntRange(0, 7).Draw(t, "sorted") != 0 {
		slices.SortFunc(keys, slices.Compare)
	}
	p.both(func(v store.View) (any, error) {
		var got []string
		err := v.GetMany(p.ctx, space, keys, func(i int, value []byte) error {
			got = append(got, fmt.Sprintf("%d %x %t", i, value, value == nil))
			return nil
		})
		return got, err
	}, "get many")
}

// seek drives a cursor about.
func (p *pair) seek(t *rapid.T) {
	space, r := rapid.SampledFrom(spaceNames).Draw(t, "space"), drawRange(t)
	moves := rapid.SliceOfN(rapid.OneOf(rapid.Just([]byte(nil)), keyGen), 1, 12).Draw(t, "moves")
	p.both(func(v store.View) (any, error) {
		c, err := v.Cursor(p.ctx, space, r)
		if err != nil {
			return nil, err
		}
		var got []string
		for _, k := range moves {
			move := c.Next
			if k != nil {
				move = func() bool { return c.Seek(k) }
			}
			ok := move()
			got = append(got, fmt.Sprintf("%t %x %x", ok, c.Key(), c.Value()))
		}
		return got, errors.Join(c.Err(), c.Close())
	}, "cursor")
}
