package sdk

import "github.com/remeld/remeld/indicator"

// Contribution is what one input says of a key. Order is the input's place in
// the node's inputs list, which is what "first" means (SEMANTICS E8).
type Contribution struct {
	Input string
	Order int
	Attrs *indicator.Attributes
}

// Verdict is a processor's answer for one indicator: emit Attrs, or drop it for
// Reason (a code, with Detail for people).
type Verdict struct {
	Attrs  indicator.Attributes
	Drop   bool
	Reason string
	Detail string
}

// Processor is a pure function from what the inputs say of an indicator to what
// the node says. Reduce is called with at least one contribution, sorted by
// Order; it must be deterministic and safe for concurrent use. Allow edges and
// keep conditions are applied by the engine, not here.
type Processor interface {
	Reduce(i indicator.Indicator, in []Contribution) Verdict
}

// Ranger is implemented by processors over address space: the engine cuts the
// inputs' addresses, CIDRs and ranges into elementary pieces and calls Reduce
// for each with all inputs that cover it (SEMANTICS E13).
type Ranger interface {
	Processor
	// MaxPieces bounds the pieces of the node.
	MaxPieces() int
}
