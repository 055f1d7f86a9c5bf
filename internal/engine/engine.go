// Package engine runs the nodes of a graph: it polls sources and compares each
// poll with the source's table, steps processors and destination tables along the
// change logs of what they read, ages, freezes, and tells what it knows. The rules
// are SEMANTICS E1 to E16.
//
// Use it from the composition root, which hands it a store, a clock and the node
// specifications, and gives its tables to delivery and to feeds. It knows nodes by
// the sdk and storage by its boundary.
//
// What a node says of a key is a row of its table; a reader takes what its inputs
// say from their tables, all in one snapshot. So a contribution is never stored
// twice and can never disagree with the input it came from.
package engine

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/engine/spool"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// Conditions is where the engine says what needs a person; condition.Set is one.
type Conditions interface {
	Raise(ctx context.Context, c condition.Condition) error
	Clear(ctx context.Context, node, kind string) error
}

// Deps are what an Engine is built on.
type Deps struct {
	Store      store.Store
	Clock      sdk.Clock
	Log        *slog.Logger
	Conditions Conditions
	// Dir is a scratch directory; sorted runs of large polls go there.
	Dir string
	// PollMemory bounds what polls hold in memory together, in bytes; 256 MB.
	PollMemory int64
	// Monotonic tells time that no wall clock change moves; with it the clock is
	// watched while the engine runs (SEMANTICS E16). Nil: only against the store.
	Monotonic func() time.Duration
	// Chunk is how many rows one commit holds; 10,000.
	Chunk int
}

const (
	defaultPollMemory = 256 << 20
	defaultChunk      = 10_000
	concurrentPolls   = 2  // being merged and written
	concurrentReads   = 16 // waiting for their sources, most of the time
)

// Engine runs nodes. Safe for concurrent use.
type Engine struct {
	Deps
	budget *spool.Budget
	reads  chan struct{} // one token a poll under way
	polls  chan struct{} // one token a poll that is merged and written
	clock  clockGuard

	apply sync.Mutex // one Apply at a time
	set   atomic.Pointer[nodeSet]

	mu      sync.Mutex
	running *runner // while Run runs
}

// nodeSet is one configuration in force. It is immutable.
type nodeSet struct {
	graph *graph.Graph
	nodes map[string]*node
}

// New returns an engine without nodes; Apply gives it some. It clears what an
// earlier process left in Dir.
func New(ctx context.Context, d Deps) (*Engine, error) {
	if d.Chunk <= 0 {
		d.Chunk = defaultChunk
	}
	if d.PollMemory <= 0 {
		d.PollMemory = defaultPollMemory
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	left, err := filepath.Glob(filepath.Join(d.Dir, "run-*.tmp"))
	if err != nil {
		return nil, fmt.Errorf("look for left-over runs: %w", err)
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return nil, fmt.Errorf("remove left-over run: %w", err)
		}
	}
	e := &Engine{Deps: d, budget: spool.NewBudget(d.PollMemory), polls: make(chan struct{}, concurrentPolls),
		reads: make(chan struct{}, concurrentReads)}
	empty, err := graph.New(nil)
	if err != nil {
		return nil, err
	}
	e.set.Store(&nodeSet{graph: empty, nodes: map[string]*node{}})
	return e, e.clock.open(ctx, e)
}

// node returns a node of the configuration in force.
func (e *Engine) node(name string) (*node, error) {
	if n, ok := e.set.Load().nodes[name]; ok {
		return n, nil
	}
	return nil, fmt.Errorf("there is no node %q", name)
}

func (e *Engine) now() time.Time { return e.Clock.Now().UTC() }
