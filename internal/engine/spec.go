package engine

import (
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/compute"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

// NodeSpec is one node of a configuration with everything resolved. The embedded
// graph.Node has name, class, role and edges; its Origin is filled by the engine.
type NodeSpec struct {
	graph.Node
	// Build makes the sdk.Source or sdk.Processor. It is called for new and changed
	// nodes only and must have no effect beyond what it returns. Destinations need
	// none; a destination's or processor's table without one is the default merge
	// of its inputs.
	Build func() (any, error)

	Constants indicator.Attributes // set on every row
	Names     []string             // the attributes set in Constants
	Compute   []Compute
	// Keep drops rows; at a target it is left to delivery, which counts drops.
	Keep []Keep

	Source SourceSettings
}

// Keep is one named condition; a row it does not hold for is dropped with the name
// as the reason.
type Keep struct {
	Name   string
	Filter *tql.Filter
}

// Compute sets an attribute from an expression.
type Compute struct {
	Attr    string
	Program *compute.Program
}

// SourceSettings are the engine's settings of a source. The zero value of a field
// means its default.
type SourceSettings struct {
	Interval      time.Duration // between polls; the class's own, else 1 h
	Jitter        float64       // share of the interval; 0.1
	TLP           indicator.TLP // of rows without one; green, amber with a login
	Age           AgeRules
	WithdrawAfter int // complete polls without a row before it goes; 2
	MaxStale      MaxStale
	EmptyOK       bool // an empty poll empties the source
	Agree         int  // agreeing complete polls that end a freeze; 0: only a person does
	Freeze        FreezeLimits
	// OnDemand: it is polled when somebody asks for it (PollNow) and not by itself.
	OnDemand bool
}

// AgeRules say when a row leaves by age (SEMANTICS E6); zero fields do not apply.
type AgeRules struct {
	FirstSeen  time.Duration // on the clock
	LastSeen   time.Duration // against the source's last accepted complete poll
	ValidUntil bool          // at the row's own time
	Never      bool
}

// MaxStale says what becomes of the rows of a source that had no accepted complete
// poll for After; zero After means nothing does.
type MaxStale struct {
	After    time.Duration
	Withdraw bool
}

// FreezeLimits are the bounds of SEMANTICS E7: a snapshot that lost more than
// Share and more than Count, or became empty after MinRows or more, is frozen.
type FreezeLimits struct {
	Share   float64
	Count   int
	MinRows int
}

const (
	defaultInterval = time.Hour
	defaultJitter   = 0.1
	eventsAge       = 30 * 24 * time.Hour
)

// resolve fills in the defaults. Guarding sources (allow-lists, protected lists)
// do not age and have the strictest freeze (SEMANTICS E10).
func (s SourceSettings) resolve(info sdk.SourceInfo, guarding bool) SourceSettings {
	if s.Interval <= 0 {
		s.Interval = info.Interval
	}
	if s.Interval <= 0 {
		s.Interval = defaultInterval
	}
	if s.Jitter <= 0 {
		s.Jitter = defaultJitter
	}
	if s.WithdrawAfter <= 0 {
		s.WithdrawAfter = 2
	}
	if s.TLP == indicator.Unlabelled {
		s.TLP = indicator.Green
		if info.Login {
			s.TLP = indicator.Amber
		}
	}
	if s.Freeze == (FreezeLimits{}) {
		s.Freeze = FreezeLimits{Share: 0.5, Count: 100, MinRows: 20}
	}
	if s.Age == (AgeRules{}) && info.Shape == sdk.Events {
		s.Age.LastSeen = eventsAge
	}
	if guarding {
		s.Age = AgeRules{Never: true}
		s.Freeze = FreezeLimits{Share: 0.1, MinRows: 1}
	}
	if s.Age.Never {
		s.Age = AgeRules{Never: true}
	}
	return s
}
