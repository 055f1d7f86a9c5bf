package rank

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/remeld/remeld/indicator"
)

func genEntry(t *rapid.T) Entry {
	rec := &indicator.Record{Indicator: indicator.Indicator{Kind: indicator.Kind(rapid.IntRange(1, 9).Draw(t, "kind")), Value: rapid.StringN(1, 4, 8).Draw(t, "value")}}
	rec.Attrs.Confidence = indicator.Score(rapid.IntRange(0, 101).Draw(t, "conf"))
	rec.Attrs.Severity = indicator.Score(rapid.IntRange(0, 6).Draw(t, "sev"))
	rec.Attrs.Sources = make([]string, rapid.IntRange(0, 12).Draw(t, "sources"))
	return Entry{Rank: Of(rec), Rec: rec, Node: rapid.IntRange(0, 2).Draw(t, "node")}
}

func keep(r *indicator.Record) *indicator.Record { return r }

func TestD9_BestIsTheFrontOfATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(genEntry), 0, 60).Draw(t, "entries")
		n := rapid.IntRange(0, 30).Draw(t, "n")
		want := slices.Clone(all)
		slices.SortStableFunc(want, Compare)
		want = want[:min(n, len(want))]
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		b := NewBest(n, keep)
		for _, e := range all {
			b.Offer(e)
		}
		got := b.Sorted()
		if b.Seen != len(all) || !slices.EqualFunc(got, want, func(a, b Entry) bool { return Compare(a, b) == 0 }) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestD9_MarginTenureAndHandOutrank(t *testing.T) {
	rec := func(conf int) *indicator.Record {
		return &indicator.Record{Indicator: indicator.Indicator{Kind: indicator.Domain, Value: "x"}, Attrs: indicator.Attributes{Confidence: indicator.Known(conf)}}
	}
	in := Of(rec(50))
	if Of(rec(69)) > in.Incumbent(Margin) || Of(rec(79)) < in.Incumbent(Margin) {
		t.Error("the margin is not two bands")
	}
	if Of(rec(69)) != Of(rec(61)) {
		t.Error("confidence is not quantised")
	}
	if in.Tenured() < Of(rec(100)) || in.ByHand() < Of(rec(100)).Tenured() || !in.ByHand().Hand() {
		t.Error("tenure or hand do not outrank")
	}
}
