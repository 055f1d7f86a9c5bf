package engine

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// ticking moves with every look at it, as a real clock does.
type ticking struct{ sdk.Clock }

func (c ticking) Now() time.Time {
	c.Clock.(interface{ Advance(time.Duration) }).Advance(time.Millisecond)
	return c.Clock.Now()
}

// What one poll brought has one time of emission in every reader, however many steps it
// took: a feed is served by that time and then by bytes.
func TestE1_OnePollIsEmittedAtOneTime(t *testing.T) {
	onStores(t, emittedAtOneTime)
}

// between calls after every commit that appends to a log.
type between struct {
	store.Store
	log   string
	after func()
}

func (b *between) Commit(ctx context.Context, c *store.Commit) (store.Receipt, error) {
	r, err := b.Store.Commit(ctx, c)
	if _, appended := r.Heads[b.log]; appended && err == nil && b.after != nil {
		b.after()
	}
	return r, err
}

// Also where the readers are faster than the source that is in the middle of its poll.
func TestE1_OnePollIsEmittedAtOneTimeToFastReaders(t *testing.T) {
	onStores(t, func(w *world) {
		slow := &between{Store: w.store, log: "n/a"}
		w.eng.Store = slow
		slow.after = func() {
			for _, reader := range []string{"meld", "edl"} {
				n, err := w.eng.node(reader)
				for more := err == nil; more; {
					if more, err = n.step(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		}
		emittedAtOneTime(w)
	})
}

func emittedAtOneTime(w *world) {
	t := w.t
	t.Helper()
	w.eng.Clock = ticking{w.clock}
	f := list() // seven to a step
	w.apply(source("a", f), reader("meld", sdk.RoleProcessor, "a"), reader("edl", sdk.RoleFeed, "meld"))
	counts := func(node string) (out []int) { // rows by time, in order of the times
		byTime := map[time.Time]int{}
		table, err := w.eng.Table(node)
		if err == nil {
			err = table.Scan(t.Context(), func(r sdk.Row) error {
				byTime[r.Changed]++
				return nil
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range slices.SortedFunc(maps.Keys(byTime), time.Time.Compare) {
			out = append(out, byTime[at])
		}
		return out
	}
	want := []int{}
	for _, more := range []int{50, 20, 40} {
		want = append(want, more)
		n := 0
		for _, k := range want {
			n += k
		}
		f.set(hosts(n)...)
		w.poll("a")
		if err := w.eng.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, node := range []string{"a", "meld", "edl"} {
			if got := counts(node); !slices.Equal(got, want) {
				t.Errorf("%s has %v rows by time of emission, want %v", node, got, want)
			}
		}
	}
}
