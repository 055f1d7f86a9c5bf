package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// node is one running node.
type node struct {
	eng      *Engine
	spec     NodeSpec
	source   sdk.Source // of a source
	info     sdk.SourceInfo
	set      SourceSettings
	proc     sdk.Processor // of a reader; nil is the default merge
	guarding bool
	log      *slog.Logger
	fence    store.Fence
	dict     *row.Dict
	enrich   *enricher

	// reading is held for a whole poll; work, inside it, by whoever changes the
	// table: the end of a poll, an ageing, a step.
	reading sync.Mutex
	work    sync.Mutex
	st      atomic.Pointer[state]
	wake    chan struct{}

	// emits is the time of what a reader emits until it has caught up: what one poll
	// brought has one time, however many steps it takes. emitsOn: it stood when the
	// reader had caught up, because more was on its way. Under work.
	emits   int64
	emitsOn bool

	digest pollDigest // of the last accepted poll, while the process lives
	bounds [][]byte   // of the parts of the last poll's spool
	allow  map[string]*allowSet
	ranger *rangeState
	live   liveStatus
}

func (n *node) name() string      { return n.spec.Name }
func (n *node) out() string       { return "n/" + n.spec.Name + "/out" }
func (n *node) exp() string       { return "n/" + n.spec.Name + "/exp" }
func (n *node) gone() string      { return "n/" + n.spec.Name + "/gone" }
func (n *node) dictSpace() string { return "n/" + n.spec.Name + "/dict" }
func (n *node) logName() string   { return "n/" + n.spec.Name }

// spaces are all a node owns in the store.
func spaces(name string) []string {
	return []string{"n/" + name + "/out", "n/" + name + "/exp", "n/" + name + "/dict", "n/" + name + "/gone"}
}

func (n *node) isSource() bool { return n.source != nil }

// keepsAtWrite: a target's table holds everything; delivery counts its drops.
func (n *node) keepsAtWrite() bool { return n.spec.Role != sdk.RoleTarget }

// nudge wakes the node's own loop.
func (n *node) nudge() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// loadDict reads the dictionary from the store.
func (n *node) loadDict(ctx context.Context, v store.View) error {
	n.dict = row.NewDict()
	err := v.Scan(ctx, n.dictSpace(), store.Range{}, n.dict.Load)
	if err != nil {
		return fmt.Errorf("read the dictionary of node %s: %w", n.name(), err)
	}
	return nil
}

// commit makes c and the new state one durable step. The caller holds work and
// gives st up.
func (n *node) commit(ctx context.Context, c *store.Commit, st *state) error {
	c.Fence = n.fence
	mark := n.dict.Pending(func(key, blob []byte) {
		c.Writes = append(c.Writes, store.Write{Space: n.dictSpace(), Key: key, Value: blob})
	})
	w, err := st.write(n.name())
	if err != nil {
		return err
	}
	c.Writes = append(c.Writes, w)
	receipt, err := n.eng.Store.Commit(ctx, c)
	if err != nil {
		return fmt.Errorf("commit to node %s: %w", n.name(), err)
	}
	n.dict.Persisted(mark)
	was := n.st.Swap(st)
	// The last chunk of a poll may emit nothing; readers wait for its end.
	ended := was != nil && was.Poll.Applying != nil && st.Poll.Applying == nil
	if _, emitted := receipt.Heads[n.logName()]; emitted || ended {
		n.eng.nudgeReaders(n.name())
	}
	return nil
}

func (st *state) write(name string) (store.Write, error) {
	data, err := json.Marshal(st)
	if err != nil {
		return store.Write{}, fmt.Errorf("write the state of node %s: %w", name, err)
	}
	return store.Write{Space: docSpace, Key: docKey(name), Value: data}, nil
}

func (e *Engine) nudgeReaders(name string) {
	set := e.set.Load()
	for _, reader := range set.graph.Readers(name) {
		if n := set.nodes[reader]; n != nil {
			n.nudge()
		}
	}
}

// trim drops what every reader has behind it, what outgrew the table and what is
// older than 7 days (SEMANTICS E2). Called with work held and few rows to write.
func (n *node) trim(ctx context.Context, st *state, c *store.Commit) error {
	v, err := n.eng.Store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	last, first, err := v.Head(ctx, n.logName())
	if err != nil {
		return fmt.Errorf("read the log of node %s: %w", n.name(), err)
	}
	now := n.eng.now()
	upTo := n.slowestReader(last)
	if size := last + 1 - first; size > uint64(max(st.Rows, minLog)) {
		upTo = last
	}
	for len(st.Marks) > 0 && st.Marks[0].At < now.Add(-logAge).UnixMilli() {
		upTo = max(upTo, st.Marks[0].Head)
		st.Marks = st.Marks[1:]
	}
	if k := len(st.Marks); k == 0 || st.Marks[k-1].At <= now.Add(-logAge/7).UnixMilli() {
		st.Marks = append(slices.Clip(st.Marks), logMark{now.UnixMilli(), last})
	}
	if upTo >= first && last >= first {
		c.Trims = append(c.Trims, store.Trim{Log: n.logName(), UpTo: upTo})
	}
	return nil
}

const (
	logAge = 7 * 24 * time.Hour
	// minLog is how many entries a log may have whatever the table's size.
	minLog = 100_000
)

// slowestReader returns the number that every reader is past.
func (n *node) slowestReader(head uint64) uint64 {
	set := n.eng.set.Load()
	for _, name := range set.graph.Readers(n.name()) {
		r := set.nodes[name]
		if r == nil {
			continue
		}
		st := r.st.Load()
		if st.Step.Rebuild != nil && st.Step.Rebuild.Heads != nil {
			head = min(head, st.Step.Rebuild.Heads[n.name()])
		} else if st.Step.Rebuild == nil {
			head = min(head, st.Step.Cursors[n.name()])
		}
	}
	return head
}
