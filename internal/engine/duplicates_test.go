package engine

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// contradicting says other things of the same values in every line, in another
// order each time and from several goroutines' sinks.
type contradicting struct {
	rnd   *rand.Rand
	lines []indicator.Record
}

func (*contradicting) Info() sdk.SourceInfo {
	return sdk.SourceInfo{Shape: sdk.Snapshot, Origin: "contradicting"}
}

func (c *contradicting) Poll(_ ctxT, _ []byte, out sdk.Sink) (sdk.Poll, error) {
	sinks := []sdk.Sink{out, out.Fork(), out.Fork()}
	for _, i := range c.rnd.Perm(len(c.lines)) {
		a := c.lines[i].Attrs
		if err := sinks[c.rnd.IntN(3)].Add(c.lines[i].AppendKey(nil), &a); err != nil {
			return sdk.Poll{}, err
		}
	}
	return sdk.Poll{}, nil
}

func TestE8_LinesThatContradictEachOtherInAnyOrder(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		c := &contradicting{rnd: rand.New(rand.NewPCG(8, 8))}
		for _, v := range hosts(20) {
			i, err := indicator.Parse(indicator.Unknown, v)
			if err != nil {
				t.Fatal(err)
			}
			for k := range 5 {
				c.lines = append(c.lines, indicator.Record{Indicator: i, Attrs: indicator.Attributes{
					Confidence: indicator.Known(c.rnd.IntN(3) * 40), Tags: []string{string(rune('a' + k))},
					Severity: indicator.Known(c.rnd.IntN(4)), Description: string(rune('z' - c.rnd.IntN(9))),
				}})
			}
		}
		s := source("a", nil)
		s.Build = func() (any, error) { return c, nil }
		s.Keep = []Keep{keep(t, "sure", "confidence >= 50")}
		w.apply(s, reader("edl", sdk.RoleFeed, "a"))
		w.poll("a")
		w.settle()
		was, head := w.records("edl"), w.head("a")
		for n := range 12 {
			if n%4 == 3 {
				w.restart(s, reader("edl", sdk.RoleFeed, "a"))
			}
			r := w.poll("a")
			w.settle()
			if w.head("a") != head || r.Changed+r.New+r.Missing+r.Withdrawn != 0 || r.Listed != 20 {
				t.Fatalf("a shuffle is a change: %+v", r)
			}
		}
		now := w.records("edl")
		for v, a := range now {
			a.LastSeen = was[v].LastSeen
			now[v] = a
		}
		if diff := cmp.Diff(was, now); diff != "" {
			t.Error(diff)
		}
	})
}
