// Package aggregate is the processor class aggregate: it melds what several
// inputs say of the same indicator into one record.
//
// Use it for every kind of indicator. Where addresses, CIDRs and ranges of
// different inputs overlap and must be cut against each other, use ip_aggregate.
package aggregate

import (
	_ "embed"
	"maps"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

//go:embed doc.md
var doc string

// Config is what a node of class aggregate takes under config:.
type Config struct {
	Merge map[string]indicator.Rule `yaml:"merge" doc:"How an attribute of several inputs becomes one, by attribute name: max, min, union, strictest, confident, longest, smallest, first, last."`
}

// Validate reports every merge rule that does not exist or does not suit its
// attribute.
func (c *Config) Validate() []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Merge)) {
		if err := (indicator.Rules{name: c.Merge[name]}).Validate(); err != nil {
			errs = append(errs, &sdk.FieldError{Path: "merge." + name, Msg: err.Error()})
		}
	}
	return errs
}

func init() {
	sdk.RegisterProcessor(sdk.Spec[Config, sdk.Processor]{
		Name: "aggregate", Summary: "Melds what several inputs say of the same indicator", Doc: doc,
		New: func(c Config, _ sdk.Env) (sdk.Processor, error) {
			return processor{rules: c.Merge}, nil
		},
	})
}

// processor has no state: contributions are kept by the engine, so that
// withdrawing one input restores exactly what the others say.
type processor struct{ rules indicator.Rules }

// Reduce merges all contributions and never drops.
func (p processor) Reduce(_ indicator.Indicator, in []sdk.Contribution) sdk.Verdict {
	parts := make([]indicator.Contribution, len(in))
	for i, c := range in {
		parts[i] = indicator.Contribution{Order: c.Order, Attrs: c.Attrs}
	}
	return sdk.Verdict{Attrs: indicator.Merge(p.rules, parts)}
}
