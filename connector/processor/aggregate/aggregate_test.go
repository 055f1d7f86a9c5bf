package aggregate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

func TestClass(t *testing.T) { sdktest.TestClass(t, sdktest.Class(t, sdk.RoleProcessor, "aggregate")) }

func TestReduceMergesByRuleAndDefault(t *testing.T) {
	p := processor{rules: indicator.Rules{"description": indicator.First}}
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	a := indicator.Attributes{Confidence: indicator.Known(50), TLP: indicator.Green, Description: "a", Tags: []string{"x"}, FirstSeen: day}
	b := indicator.Attributes{Confidence: indicator.Known(90), TLP: indicator.Amber, Description: "b", Tags: []string{"y"}}
	got := p.Reduce(indicator.Indicator{}, []sdk.Contribution{{Input: "one", Order: 0, Attrs: &a}, {Input: "two", Order: 1, Attrs: &b}})
	want := indicator.Attributes{Confidence: indicator.Known(90), TLP: indicator.Amber, Description: "a", Tags: []string{"x", "y"}, FirstSeen: day}
	got.Attrs.Backing = nil // how the merge keeps itself associative
	if diff := cmp.Diff(want, got.Attrs); diff != "" || got.Drop {
		t.Error(diff, got.Drop)
	}
}

// E8: arrival order is not a change.
func TestE8_ReduceDoesNotDependOnArrival(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) sdk.Contribution {
			return sdk.Contribution{Attrs: &indicator.Attributes{
				Confidence:  indicator.Score(rapid.IntRange(0, 4).Draw(t, "confidence")),
				TLP:         indicator.TLP(rapid.IntRange(0, 5).Draw(t, "tlp")),
				Description: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "description"),
				Tags:        rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y"}), 0, 2).Draw(t, "tags"),
			}}
		}), 1, 5).Draw(t, "in")
		for i := range in {
			in[i].Order = i
		}
		want := processor{}.Reduce(indicator.Indicator{}, in)
		got := processor{}.Reduce(indicator.Indicator{}, rapid.Permutation(in).Draw(t, "shuffled"))
		if !got.Attrs.Equal(&want.Attrs) {
			t.Fatalf("%+v\n%+v", want.Attrs, got.Attrs)
		}
	})
}

func TestValidateNamesTheRule(t *testing.T) {
	c := Config{Merge: map[string]indicator.Rule{"tlp": "union", "confidence": "max", "nothing": "best"}}
	errs := c.Validate()
	if len(errs) != 2 {
		t.Fatalf("%v", errs)
	}
	for i, path := range []string{"merge.nothing", "merge.tlp"} {
		if fe, ok := errs[i].(*sdk.FieldError); !ok || fe.Path != path { //nolint:errorlint // returned bare
			t.Errorf("%v, want one at %s", errs[i], path)
		}
	}
}
