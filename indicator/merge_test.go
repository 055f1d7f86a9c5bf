package indicator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func genRules(t *rapid.T) Rules {
	r := Rules{}
	for _, name := range append(AttributeNames(), "n", "m") {
		var order []Rule
		for _, rule := range rulesFor(name) {
			if rule != First && rule != Last {
				order = append(order, rule)
			}
		}
		if rapid.Bool().Draw(t, "named "+name) {
			r[name] = rapid.SampledFrom(order).Draw(t, name)
		}
	}
	return r
}

func genContributions(t *rapid.T) []Contribution {
	var in []Contribution
	for n := range rapid.IntRange(1, 5).Draw(t, "contributions") {
		in = append(in, Contribution{n, genAttributes(t)})
	}
	return in
}

func TestE8_MergeIsCommutative(t *testing.T) {
	check(t, func(t *rapid.T) {
		rules, in := genRules(t), genContributions(t)
		want := Merge(rules, in)
		got := Merge(rules, rapid.Permutation(in).Draw(t, "order"))
		if !got.Equal(&want) {
			t.Fatalf("shuffled: %+v\nwant %+v", got, want)
		}
	})
}

func TestE8_MergeIsAssociative(t *testing.T) {
	check(t, func(t *rapid.T) {
		rules, in := genRules(t), genContributions(t)
		want := Merge(rules, in)
		cut := rapid.IntRange(0, len(in)-1).Draw(t, "cut")
		head := Merge(rules, in[cut:])
		got := Merge(rules, append(slices.Clone(in[:cut]), Contribution{0, &head}))
		if !got.Equal(&want) {
			t.Fatalf("grouped: %+v\nwant %+v\nof %v", got, want, rules)
		}
	})
}

func TestE8_MergeIsIdempotent(t *testing.T) {
	check(t, func(t *rapid.T) {
		rules, in := genRules(t), genContributions(t)
		want := Merge(rules, in)
		twice := Merge(rules, append(slices.Clone(in), in...))
		again := Merge(rules, []Contribution{{0, &want}, {1, &want}})
		if !twice.Equal(&want) || !again.Equal(&want) {
			t.Fatalf("repeated: %+v, %+v\nwant %+v", twice, again, want)
		}
	})
}

func TestE8_FirstAndLastFollowTheConfig(t *testing.T) {
	in := []Contribution{
		{2, &Attributes{Confidence: Known(99), Owner: "c"}}, {0, &Attributes{Description: "a"}}, {1, &Attributes{Owner: "b", Description: "b"}},
	}
	first, last := Merge(Rules{"owner": First}, in), Merge(Rules{"owner": Last}, in)
	if first.Owner != "b" || last.Owner != "c" {
		t.Errorf("first %q, last %q; want b and c", first.Owner, last.Owner)
	}
}

func TestMergeDefaults(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }
	got := Merge(nil, []Contribution{
		{0, &Attributes{Confidence: Known(50), TLP: Green, Description: "low", Tags: []string{"b"}, FirstSeen: day(3), LastSeen: day(4), Owner: "o1", Extra: map[string]any{"n": int64(1)}}},
		{1, &Attributes{Confidence: Known(90), TLP: Amber, Tags: []string{"a", "b"}, FirstSeen: day(2), LastSeen: day(3)}},
		{2, &Attributes{Confidence: Known(70), Description: "high", Severity: Known(0), FalsePositives: 2, Extra: map[string]any{"n": int64(9)}}},
	})
	want := Attributes{
		Confidence: Known(90), Severity: Known(0), TLP: Amber, Description: "high", Tags: []string{"a", "b"}, FirstSeen: day(2), LastSeen: day(4),
		Owner: "o1", FalsePositives: 2, Extra: map[string]any{"n": int64(9)},
		Backing: map[string]Score{"description": Known(70), "owner": Known(50), "n": Known(70)},
	}
	if !got.Equal(&want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestMergeLeavesItsInputAlone(t *testing.T) {
	check(t, func(t *rapid.T) {
		in := genContributions(t)
		var before []Attributes
		for _, c := range in {
			before = append(before, c.Attrs.Clone())
		}
		out := Merge(nil, in)
		for n := range out.Tags {
			out.Tags[n] = "changed"
		}
		for n, c := range in {
			if !c.Attrs.Equal(&before[n]) {
				t.Fatal("an input changed")
			}
		}
	})
}

func TestRulesValidate(t *testing.T) {
	if err := (Rules{"tlp": Strictest, "description": Longest, "lists": Max}).Validate(); err != nil {
		t.Error(err)
	}
	err := Rules{"tags": Max, "confidence": "mean", "extra": Max}.Validate()
	if err == nil || !strings.Contains(err.Error(), "tags") || !strings.Contains(err.Error(), `confidence cannot be merged by "mean"`) {
		t.Errorf("got %v", err)
	}
}
