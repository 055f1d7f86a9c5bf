// Package deliver keeps a tenant in exact step with what its nodes want. A
// destination is not a pipe that forgets what it sent: desired records are
// compared with a ledger of what was made and with the live tenant; the
// difference is a plan; guards look at it; apply makes it so under quota and rate
// limits, with every call stored before it is made.
//
// Use a Manager: Configure it with the destinations, let Run drive them, or call
// Plan and Apply by hand. It knows destinations only through sdk.Target. The
// rules are SEMANTICS D1 to D20; the rooms below it are reason (every code and
// its class), protect (what is never sent), rank (who gets a slot), guard (mass
// changes), pace (rate windows) and ledger (what is remembered).
package deliver

import (
	"context"
	"fmt"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

// Upstream is where desired records come from: the tables of destination nodes.
type Upstream interface {
	// Watermark says whether everything above the node is settled (SEMANTICS D5).
	Watermark(ctx context.Context, node string) (Watermark, error)
	// Desired calls fn for every record of one snapshot in key order; the record is
	// valid until fn returns.
	Desired(ctx context.Context, node string, fn func(*indicator.Record) error) error
	// Lookup returns one record, nil if the node does not have it.
	Lookup(ctx context.Context, node string, i indicator.Indicator) (*indicator.Record, error)
}

// Causer is implemented by an Upstream that knows why a record left its node:
// reason.Removed (its source deleted it), reason.AllowListed, or
// reason.Withdrawn for everything else.
type Causer interface {
	Cause(ctx context.Context, node string, i indicator.Indicator) (reason.Code, error)
}

// Watermark is how far a node's ancestors are.
type Watermark struct {
	Settled    bool
	Waiting    []string // what is not settled, and why
	Heads      map[string]uint64
	AllowReady bool // every allow edge above has had one complete poll (SEMANTICS E10)
}

// Mode says who starts an apply.
type Mode string

// The modes. The zero Mode plans until a person approves the first plan and
// applies by itself from then on.
const (
	ModeFirst Mode = ""
	ModePlan  Mode = "plan"
	ModeAuto  Mode = "auto"
)

// Keep is a named condition a record must meet.
type Keep struct {
	Name   string
	Filter *tql.Filter
}

// Destination is one node aimed at one tenant.
type Destination struct {
	Node   string
	Target sdk.Target
	Keep   []Keep
	// MaxTLP is the ceiling; Unlabelled takes the class's default.
	MaxTLP indicator.TLP
	// MinConfidence holds out what would block and is less sure, or of unknown
	// confidence, where the target is a Blocker; 0 asks for nothing.
	MinConfidence int
	Mode          Mode
	// Restore re-asserts rows changed by hand instead of freezing them (D18).
	Restore bool
	// RenewOnChange lets objects lapse that did not change (D15); the default is to
	// renew while wanted.
	RenewOnChange bool
	// ByJob: a run of a job applies it. Between runs the loop renews what is due and
	// withdraws what must not be there, and nothing else.
	ByJob bool
	// Idle: its job sends nothing with the parameters it has. What is there stays until it
	// ends.
	Idle bool
	// Retired withdraws everything: the node was removed with on_remove: withdraw.
	Retired bool
	Guards  guard.Limits
	Protect *protect.Rules
	Delays  Delays
	// ConfigVersion changes with everything that affects what the node sends.
	ConfigVersion string
	// Login changes with the content of the connection: another secret is a reason to
	// try a stopped destination again, and none to refuse a plan.
	Login string
}

// Conditions is where delivery says what needs a person; *condition.Set is one.
type Conditions interface {
	Raise(ctx context.Context, c condition.Condition) error
	Clear(ctx context.Context, node, kind string) error
	ClearID(ctx context.Context, node, kind, id string) error
}

// Settings are the delays and limits with a default; the zero value has them all.
type Settings struct {
	Settle         time.Duration // upstream quiet before an automatic apply; 60 s
	UnsettledAfter time.Duration // how long an unsettled upstream holds a plan back; 30 min
	ListingAge     time.Duration // a listing older is taken anew before an apply; 1 h
	DriftEvery     time.Duration // 6 h
	PlanLife       time.Duration // 24 h
	FrozenRenewal  time.Duration // how long frozen rows are renewed; 14 days
	MinTenure      time.Duration // an incumbent is safe from challengers; 24 h
	Margin         int           // levels a challenger must lead by; rank.Margin, negative = 0
	SwapsADay      int           // evictions in favour of challengers; 5 % of the budget, at least 50; negative = no limit
	Attempts       int           // tries of one call before an apply goes on later; 6
	BlockLife      time.Duration // of an ad hoc block; 7 days
}

func (s Settings) withDefaults() Settings {
	for _, d := range []struct {
		at  *time.Duration
		def time.Duration
	}{
		{&s.Settle, time.Minute}, {&s.UnsettledAfter, 30 * time.Minute}, {&s.ListingAge, time.Hour},
		{&s.DriftEvery, 6 * time.Hour}, {&s.PlanLife, 24 * time.Hour}, {&s.FrozenRenewal, 14 * 24 * time.Hour},
		{&s.MinTenure, 24 * time.Hour}, {&s.BlockLife, 7 * 24 * time.Hour},
	} {
		if *d.at == 0 {
			*d.at = d.def
		}
	}
	if s.Attempts == 0 {
		s.Attempts = 6
	}
	return s
}

// DuplicateError says that two nodes make the same object at one tenant, which is a
// configuration error (SEMANTICS D8).
type DuplicateError struct {
	Domain   string
	Identity string
	Nodes    []string
	ByJob    bool // one of them is a job's
}

func (e *DuplicateError) Error() string {
	help := "give them different actions or scopes, or make them one node"
	if e.ByJob {
		help = "one is a job's and the other is not, so nobody could say when a shared object is due; give them different actions or scopes, or make both nodes of jobs"
	}
	return fmt.Sprintf("nodes %s and %s both make %q at %s: %s", e.Nodes[0], e.Nodes[1], e.Identity, e.Domain, help)
}
