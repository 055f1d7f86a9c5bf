package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/internal/store"
)

// CrashDisk is a medium on which power cuts can be simulated.
type CrashDisk struct {
	// Open opens the store on the live disk.
	Open Medium
	// Cut returns the disk as a power cut at this moment could leave it: what was
	// synced, and a random part of what was not.
	Cut func(rng *rand.Rand) Medium
}

// Crash runs commits and a load at the same time, cuts the power at random writes,
// and checks for each cut that every acknowledged commit survived, that none is
// half there, and that a load is there whole or not at all (SEMANTICS E1, E14, D20).
// newDisk must call onWrite before each write operation, from any goroutine.
func Crash(t *testing.T, seed uint64, newDisk func(onWrite func()) CrashDisk) {
	t.Helper()
	r := &crashRun{ctx: t.Context(), rng: rand.New(rand.NewPCG(seed, 0))}
	disk := newDisk(r.onWrite)
	s, err := disk.Open()
	if err != nil {
		t.Fatal(err)
	}
	r.disk, r.s = disk, s
	r.armed.Store(true)
	r.work(t)
	r.armed.Store(false)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(r.cuts) < 10 {
		t.Fatalf("only %d power cuts were tried", len(r.cuts))
	}
	for i, c := range r.cuts {
		if err := c.check(t.Context()); err != nil {
			t.Fatalf("cut %d of %d, seed %d: %v", i, len(r.cuts), seed, err)
		}
	}
}

const (
	crashWorkers = 3
	crashCommits = 25
	crashKeep    = 5 // rows and log entries each worker keeps
	crashRows    = 3000
	crashPad     = 32 << 10 // bytes in each commit, so that an engine moves data about
	maxCuts      = 30
)

type crashRun struct {
	ctx  context.Context
	disk CrashDisk
	s    store.Store

	armed    atomic.Bool
	begun    [crashWorkers]atomic.Int64 // commits begun
	acked    [crashWorkers]atomic.Int64 // commits acknowledged
	loadWas  atomic.Bool                // the load was acknowledged
	mu       sync.Mutex
	rng      *rand.Rand
	cuts     []cut
	writings int
}

// cut is what one power cut left, and what must, and may, be there.
type cut struct {
	medium   Medium
	min, max [crashWorkers]int64
	loaded   bool
}

func (r *crashRun) onWrite() {
	if !r.armed.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writings++; r.rng.IntN(12) != 0 || len(r.cuts) >= maxCuts {
		return
	}
	c := cut{loaded: r.loadWas.Load()}
	for w := range crashWorkers {
		c.min[w] = r.acked[w].Load()
	}
	c.medium = r.disk.Cut(r.rng)
	for w := range crashWorkers {
		c.max[w] = r.begun[w].Load()
	}
	r.cuts = append(r.cuts, c)
}

func (r *crashRun) work(t *testing.T) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, crashWorkers+1)
	for w := range crashWorkers {
		wg.Go(func() {
			for i := int64(1); i <= crashCommits && errs[w] == nil; i++ {
				r.begun[w].Store(i)
				_, errs[w] = r.s.Commit(r.ctx, crashCommit(w, i))
				r.acked[w].Store(i)
			}
		})
	}
	wg.Go(func() {
		errs[crashWorkers] = r.s.Ingest(r.ctx, crashBulk())
		r.loadWas.Store(true)
	})
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// crashCommit is commit i of a worker: a row in two spaces, a log entry, a counter,
// and the removal of what is older than crashKeep.
func crashCommit(w int, i int64) *store.Commit {
	name, key := fmt.Sprint("w", w), fmt.Appendf(nil, "%06d", i)
	old := store.Range{To: fmt.Appendf(nil, "%06d", max(0, i-crashKeep+1))}
	return &store.Commit{
		Clear: []store.SpaceRange{{Space: name + "/a", Range: old}, {Space: name + "/b", Range: old}},
		Writes: []store.Write{
			{Space: name + "/a", Key: key, Value: key}, {Space: name + "/b", Key: key, Value: key},
			{Space: "doc", Key: []byte(name), Value: key},
			{Space: name + "/pad", Key: []byte("pad"), Value: bytes.Repeat(key, crashPad/len(key))},
		},
		Appends: []store.Append{{Log: name, Keys: [][]byte{key}}},
		Trims:   []store.Trim{{Log: name, UpTo: uint64(max(0, i-crashKeep))}},
	}
}

func crashBulk() *store.Bulk {
	rows := func(put func(k, v []byte) error) error {
		for i := range crashRows {
			if err := put(fmt.Appendf(nil, "%06d", i), []byte("row")); err != nil {
				return err
			}
		}
		return nil
	}
	return &store.Bulk{
		Spaces: []store.BulkSpace{{Space: "load/out", Rows: rows}, {Space: "load/exp", Rows: rows}},
		Heads:  map[string]uint64{"load": crashRows},
		Writes: []store.Write{{Space: "doc", Key: []byte("load"), Value: []byte("done")}},
	}
}

// check opens what is left, holds it against what was acknowledged, goes on working
// with it and opens it once more.
func (c *cut) check(ctx context.Context) error {
	s, err := c.medium()
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	loaded, err := c.checkContents(ctx, s)
	if err == nil && !loaded {
		err = s.Ingest(ctx, crashBulk())
	}
	for w := range crashWorkers {
		for i := c.min[w] + 1; i <= crashCommits && err == nil; i++ {
			_, err = s.Commit(ctx, crashCommit(w, i))
		}
		c.min[w], c.max[w] = crashCommits, crashCommits
	}
	c.loaded = true
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if s, err = c.medium(); err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	_, err = c.checkContents(ctx, s)
	return errors.Join(err, s.Close())
}

func (c *cut) checkContents(ctx context.Context, s store.Store) (loaded bool, err error) {
	v, err := s.View()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	for w := range crashWorkers {
		if err := c.checkWorker(ctx, v, w); err != nil {
			return false, fmt.Errorf("worker %d: %w", w, err)
		}
	}
	return c.checkLoad(ctx, v)
}

// checkWorker finds how many commits are there, notes it, and compares with exactly
// those.
func (c *cut) checkWorker(ctx context.Context, v store.View, w int) error {
	name := fmt.Sprint("w", w)
	doc, err := v.Get(ctx, "doc", []byte(name))
	if err != nil {
		return err
	}
	var n int64
	if doc != nil {
		if _, err := fmt.Sscanf(string(doc), "%06d", &n); err != nil {
			return err
		}
	}
	if n < c.min[w] || n > c.max[w] {
		return fmt.Errorf("%d commits are there, %d were acknowledged and %d begun", n, c.min[w], c.max[w])
	}
	c.min[w] = n
	var rows, entries []string
	for i := max(1, n-crashKeep+1); i <= n; i++ {
		rows = append(rows, fmt.Sprintf("%06d=%06d", i, i))
		entries = append(entries, fmt.Sprintf("%d=%06d", i, i))
	}
	a, errA := scan(ctx, v, name+"/a", store.Range{})
	b, errB := scan(ctx, v, name+"/b", store.Range{})
	last, first, errH := v.Head(ctx, name)
	l, errL := changes(ctx, v, name, first-1, 1<<30)
	if err := errors.Join(errA, errB, errH, errL); err != nil {
		return err
	}
	if last != uint64(n) {
		return fmt.Errorf("log ends at %d after %d commits", last, n)
	}
	want, got := [][]string{rows, rows, entries}, [][]string{a, b, l}
	if d := cmp.Diff(want, got); d != "" {
		return fmt.Errorf("after %d commits (-want +got):\n%s", n, d)
	}
	return nil
}

func (c *cut) checkLoad(ctx context.Context, v store.View) (loaded bool, err error) {
	doc, err := v.Get(ctx, "doc", []byte("load"))
	if err != nil {
		return false, err
	}
	loaded = doc != nil
	if c.loaded && !loaded {
		return false, errors.New("the acknowledged load is gone")
	}
	out, errO := scan(ctx, v, "load/out", store.Range{})
	exp, errE := scan(ctx, v, "load/exp", store.Range{})
	last, _, errH := v.Head(ctx, "load")
	if err := errors.Join(errO, errE, errH); err != nil {
		return loaded, err
	}
	want := 0
	if loaded {
		want = crashRows
	}
	if len(out) != want || len(exp) != want || last != uint64(want) {
		return loaded, fmt.Errorf("load is partly there: %d and %d rows, head %d, done %t", len(out), len(exp), last, loaded)
	}
	return loaded, nil
}
