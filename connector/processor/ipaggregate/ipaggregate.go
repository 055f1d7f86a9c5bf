// Package ipaggregate is the processor class "ip_aggregate": it melds addresses,
// CIDRs and ranges of several inputs, IPv4 and IPv6, where they overlap. Use it
// instead of "aggregate" when lists of different granularity must become one: a
// /24 of one feed and a single address inside it of another.
//
// Cutting the space into elementary pieces and keeping them is the engine's
// business (SEMANTICS E13); this package says what the inputs over one piece add
// up to.
package ipaggregate

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

//go:embed doc.md
var doc string

// The bounds of max_pieces: the default fits in some hundred MB, the highest is
// what a 32-bit contributor number can still tell apart.
const (
	defaultMaxPieces = 2_000_000
	highestMaxPieces = 1 << 30
)

// Config is what a node of class ip_aggregate takes under config:.
type Config struct {
	Merge     map[string]indicator.Rule `yaml:"merge" doc:"How an attribute of several contributors becomes one, by attribute name: max, min, union, strictest, first, last, confident, longest, smallest."`
	MaxPieces int                       `yaml:"max_pieces" doc:"The most pieces the node may hold. At the bound the node takes no further ranges and raises a condition."`
}

func defaults() Config { return Config{MaxPieces: defaultMaxPieces} }

// Validate reports every merge rule that does not exist or does not suit its
// attribute, and bounds that make no sense.
func (c *Config) Validate() []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Merge)) {
		if err := (indicator.Rules{name: c.Merge[name]}).Validate(); err != nil {
			errs = append(errs, &sdk.FieldError{Path: "merge." + name, Msg: err.Error()})
		}
	}
	if c.MaxPieces < 1 || c.MaxPieces > highestMaxPieces {
		errs = append(errs, &sdk.FieldError{
			Path: "max_pieces",
			Msg:  fmt.Sprintf("%d is not between 1 and %d", c.MaxPieces, highestMaxPieces),
			Help: "leave it out for 2000000",
		})
	}
	return errs
}

// processor is stateless: what it is given decides what it answers.
type processor struct {
	rules     indicator.Rules
	maxPieces int
}

var _ sdk.Ranger = (*processor)(nil)

// MaxPieces implements sdk.Ranger.
func (p *processor) MaxPieces() int { return p.maxPieces }

// Reduce merges what the inputs over one piece say of it. What is no address is
// dropped: it has no place in the space this node cuts up.
func (p *processor) Reduce(i indicator.Indicator, in []sdk.Contribution) sdk.Verdict {
	if !i.Kind.In(indicator.IP) {
		return sdk.Verdict{
			Drop: true, Reason: "not_an_address",
			Detail: fmt.Sprintf("ip_aggregate takes addresses, CIDRs and ranges; this is a %s (use class aggregate)", i.Kind),
		}
	}
	from := make([]indicator.Contribution, len(in))
	for n, c := range in {
		from[n] = indicator.Contribution{Order: c.Order, Attrs: c.Attrs}
	}
	return sdk.Verdict{Attrs: indicator.Merge(p.rules, from)}
}

func init() {
	sdk.RegisterProcessor(sdk.Spec[Config, sdk.Processor]{
		Name:    "ip_aggregate",
		Summary: "Meld overlapping addresses, CIDRs and ranges of several inputs",
		Doc:     doc,
		Default: defaults,
		New: func(c Config, _ sdk.Env) (sdk.Processor, error) {
			return &processor{rules: indicator.Rules(c.Merge), maxPieces: c.MaxPieces}, nil
		},
	})
}
