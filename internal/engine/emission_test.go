package engine

import (
	"maps"
	"slices"
	"testing"
	"time"

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
	onStores(t, func(w *world) {
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
	})
}
