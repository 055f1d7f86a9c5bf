package engine

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// chaos drives a graph of two feeds, an allow-list, a merge and a destination at
// random: bodies change, reads are cut, readers lag, the process dies between any
// two commits, the configuration is edited. In the end the feeds are read in peace,
// and the tables must be what a few lines of plain code make of the last bodies.
type chaos struct {
	w    *world
	rnd  *rand.Rand
	a, b *feed
	own  *feed
	keep int // least confidence at the destination
	// whole is the configuration where it is more than base.
	whole func(t *testing.T) []NodeSpec
}

func (c *chaos) specs(t *testing.T) []NodeSpec {
	t.Helper()
	if c.whole != nil {
		return c.whole(t)
	}
	return c.base(t)
}

func (c *chaos) base(t *testing.T) []NodeSpec {
	t.Helper()
	open := FreezeLimits{Share: 2, Count: 1 << 30, MinRows: 1 << 30}
	sa, sb := source("a", c.a), source("b", c.b)
	sa.Source.Freeze, sb.Source.Freeze = open, open
	meld := reader("meld", sdk.RoleProcessor, "a", "b")
	meld.Allow = []string{"own"}
	edl := reader("edl", sdk.RoleFeed, "meld")
	edl.Fingerprint = fmt.Sprint(c.keep)
	edl.Keep = []Keep{keep(t, "sure", fmt.Sprintf("confidence >= %d", c.keep))}
	return []NodeSpec{sa, sb, source("own", c.own), meld, edl}
}

var universe = func() []string {
	var all []string
	for i := range 12 {
		all = append(all, fmt.Sprintf("h%d.example.com", i), fmt.Sprintf("www.h%d.example.com", i),
			fmt.Sprintf("10.0.%d.1", i), fmt.Sprintf("10.0.%d.0/24", i), fmt.Sprintf("http://h%d.example.com/x", i))
	}
	return all
}()

func (c *chaos) body(f *feed, share int) {
	f.items, f.order = map[string]indicator.Attributes{}, nil
	for _, v := range universe {
		if c.rnd.IntN(100) < share {
			f.items[v] = indicator.Attributes{
				Confidence: indicator.Known(c.rnd.IntN(5) * 25), Tags: []string{fmt.Sprint("t", c.rnd.IntN(3))},
			}
		}
	}
}

func (c *chaos) act(t *testing.T) {
	t.Helper()
	w, feeds := c.w, []*feed{c.a, c.b, c.own}
	names := []string{"a", "b", "own"}
	k := c.rnd.IntN(3)
	switch c.rnd.IntN(9) {
	case 0, 1:
		c.body(feeds[k], []int{60, 60, 15}[k])
	case 2:
		feeds[k].order = slices.Collect(maps.Keys(feeds[k].items)) // shuffled by the map
	case 3, 4:
		c.poll(names[k])
	case 5:
		feeds[k].err, feeds[k].cut = errCut, c.rnd.IntN(20)
		c.poll(names[k])
		feeds[k].err = nil
	case 6:
		names := []string{"meld", "edl"}
		n, err := w.eng.node(names[c.rnd.IntN(2)])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	case 7:
		c.crash(t, names[k])
	case 8:
		c.keep = c.rnd.IntN(4) * 25
		w.apply(c.specs(t)...)
	}
}

// poll polls and accepts what is frozen, as a person would.
func (c *chaos) poll(name string) {
	if r := c.w.poll(name); r.Verdict == VerdictFrozen {
		if err := c.w.eng.Accept(c.w.t.Context(), name, r.ID); err != nil {
			c.w.t.Fatal(err)
		}
		c.w.poll(name)
	}
}

// crash lets the power go after a few commits of a poll or of stepping.
func (c *chaos) crash(t *testing.T, name string) {
	t.Helper()
	w := c.w
	w.eng.Store = &failing{Store: w.store, after: c.rnd.IntN(6)}
	var err error
	if c.rnd.IntN(2) == 0 {
		_, err = w.eng.PollNow(t.Context(), name)
	} else {
		err = w.eng.Settle(t.Context())
	}
	if err != nil && !errors.Is(err, errPower) {
		t.Fatal(err)
	}
	w.eng.Store = w.store // the disk was full for a moment
	if c.rnd.IntN(2) == 0 {
		w.restart(c.specs(t)...)
	}
}

// model computes the destination from the bodies alone.
func (c *chaos) model() map[string]string {
	want := map[string]string{}
	for _, v := range universe {
		var said []indicator.Contribution
		for i, f := range []*feed{c.a, c.b} {
			if a, ok := f.items[v]; ok {
				a.Sources, a.TLP = []string{[]string{"a", "b"}[i]}, indicator.Green
				said = append(said, indicator.Contribution{Order: i, Attrs: &a})
			}
		}
		inner, _ := indicator.Parse(indicator.Unknown, v)
		covered := false
		for o := range c.own.items {
			outer, _ := indicator.Parse(indicator.Unknown, o)
			covered = covered || indicator.Covers(outer, inner)
		}
		m := indicator.Merge(nil, said)
		if n, known := m.Confidence.Get(); len(said) > 0 && !covered && known && n >= c.keep {
			want[v] = show(&m)
		}
	}
	return want
}

// show prints what does not depend on when things happened.
func show(a *indicator.Attributes) string {
	n, _ := a.Confidence.Get()
	return fmt.Sprint(n, a.Tags, a.Sources, a.TLP)
}

func (c *chaos) run(t *testing.T, actions int) {
	t.Helper()
	c.a, c.b, c.own = list(), list(), list("nothing.example.net")
	c.body(c.a, 60)
	c.body(c.b, 60)
	c.w.chunk, c.w.eng.Chunk = 5, 5
	c.w.apply(c.specs(t)...)
	for range actions {
		c.act(t)
	}
	for range 3 {
		for _, name := range []string{"a", "b", "own"} {
			c.poll(name)
		}
	}
	c.w.settle()
	got := map[string]string{}
	for v, a := range c.w.records("edl") {
		got[v] = show(&a)
	}
	if diff := cmp.Diff(c.model(), got); diff != "" {
		t.Fatalf("(-model +engine)\n%s", diff)
	}
	for _, name := range []string{"a", "b", "own"} {
		st := c.w.status(name)
		if int(st.Rows) != len(c.w.has(name)) || st.Missing != 0 {
			t.Errorf("%s counts %d rows and %d missing, has %d", name, st.Rows, st.Missing, len(c.w.has(name)))
		}
	}
}

func TestMetamorphicTablesDoNotDependOnTheWay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			onStores(t, func(w *world) {
				t := w.t
				if w.slow && seed%8 != 0 {
					t.Skip("this seed runs on memory alone")
				}
				c := &chaos{w: w, rnd: rand.New(rand.NewPCG(seed, 1))}
				c.run(t, 60)
			})
		})
	}
}
