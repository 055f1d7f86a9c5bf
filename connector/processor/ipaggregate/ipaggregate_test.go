package ipaggregate

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

func build(t *testing.T, change func(*Config)) sdk.Ranger {
	t.Helper()
	for _, c := range sdk.Classes() {
		if c.Name != "ip_aggregate" {
			continue
		}
		cfg, ok := c.NewConfig().(*Config)
		if !ok {
			t.Fatalf("config is %T", c.NewConfig())
		}
		change(cfg)
		if errs := cfg.Validate(); errs != nil {
			t.Fatal(errs)
		}
		n, err := c.New(cfg, sdk.Env{})
		if err != nil {
			t.Fatal(err)
		}
		r, ok := n.(sdk.Ranger)
		if !ok {
			t.Fatalf("%T is no Ranger", n)
		}
		return r
	}
	t.Fatal("class ip_aggregate is not registered")
	return nil
}

func TestReduceMergesWhatCoversThePiece(t *testing.T) {
	p := build(t, func(c *Config) { c.Merge = map[string]indicator.Rule{"description": indicator.First} })
	a := indicator.Attributes{Confidence: indicator.Known(40), TLP: indicator.Amber, Sources: []string{"a"}, Description: "first"}
	b := indicator.Attributes{Confidence: indicator.Known(80), TLP: indicator.Green, Sources: []string{"b"}, Description: "second"}
	i, err := indicator.Parse(indicator.IPv4, "10.0.0.0/26")
	if err != nil {
		t.Fatal(err)
	}
	got := p.Reduce(i, []sdk.Contribution{{Input: "a", Order: 0, Attrs: &a}, {Input: "b", Order: 1, Attrs: &b}})
	want := indicator.Attributes{Confidence: indicator.Known(80), TLP: indicator.Amber, Sources: []string{"a", "b"}, Description: "first"}
	got.Attrs.Backing = nil
	if d := cmp.Diff(sdk.Verdict{Attrs: want}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if p.MaxPieces() != defaultMaxPieces {
		t.Errorf("MaxPieces %d", p.MaxPieces())
	}
}

func TestReduceDropsWhatIsNoAddress(t *testing.T) {
	p := build(t, func(*Config) {})
	got := p.Reduce(indicator.Indicator{Kind: indicator.Domain, Value: "example.com"}, []sdk.Contribution{{Attrs: &indicator.Attributes{}}})
	if !got.Drop || got.Reason != "not_an_address" {
		t.Errorf("verdict %+v", got)
	}
}

func TestValidateNamesEachFault(t *testing.T) {
	c := Config{Merge: map[string]indicator.Rule{"tlp": "union", "confidence": "max", "tags": "best"}, MaxPieces: 0}
	var paths []string
	for _, err := range c.Validate() {
		var f *sdk.FieldError
		if !errors.As(err, &f) {
			t.Fatalf("%v is no FieldError", err)
		}
		paths = append(paths, f.Path)
	}
	if d := cmp.Diff([]string{"merge.tags", "merge.tlp", "max_pieces"}, paths); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
