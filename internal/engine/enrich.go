package engine

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/tql"
)

// enricher puts on a record what the node's configuration says of every row, and
// tells which condition drops it.
type enricher struct {
	spec   *NodeSpec
	source string        // Sources of every row of a source; "" at readers
	tlp    indicator.TLP // of rows without one
	// failed counts values that could not be computed.
	failed  atomic.Int64
	failure atomic.Pointer[string]
}

// plain tells whether all rows of which nothing is said get the same attributes.
func (e *enricher) plain() bool { return len(e.spec.Compute) == 0 }

// edits tells whether apply writes into maps or sets of the record.
func (e *enricher) edits() bool { return len(e.spec.Compute)+len(e.spec.Names) > 0 }

// apply sets constants, then computed values, then the default TLP. Where edits,
// the record must be the caller's own.
func (e *enricher) apply(rec *indicator.Record) {
	for _, name := range e.spec.Names {
		if v, ok := e.spec.Constants.Get(name); ok {
			e.set(rec, name, v)
		}
	}
	if e.source != "" {
		rec.Attrs.Sources = []string{e.source}
	}
	for _, c := range e.spec.Compute {
		v, err := c.Program.Run(rec)
		if err != nil {
			e.fail(fmt.Sprintf("%s of %s: %v", c.Attr, rec.Value, err))
		} else if v != nil {
			e.set(rec, c.Attr, v)
		}
	}
	if rec.Attrs.TLP == indicator.Unlabelled {
		rec.Attrs.TLP = e.tlp
	}
}

func (e *enricher) set(rec *indicator.Record, name string, v any) {
	if err := rec.Attrs.Set(name, v); err != nil {
		e.fail(fmt.Sprintf("%s of %s: %v", name, rec.Value, err))
	}
}

func (e *enricher) fail(what string) {
	e.failed.Add(1)
	e.failure.CompareAndSwap(nil, &what)
}

// drops returns the name of the first condition that does not hold.
func (e *enricher) drops(rec *indicator.Record) (string, bool) {
	for _, k := range e.spec.Keep {
		if k.Filter.Match(rec, &tql.Env{}) != tql.True {
			return k.Name, true
		}
	}
	return "", false
}

// record fills rec with a row of a node.
func (n *node) record(rec *indicator.Record, key []byte, r *row.Row) error {
	i, err := indicator.FromKey(key)
	if err != nil {
		return fmt.Errorf("row of node %s: %w", n.name(), err)
	}
	rec.Indicator = i
	if err := n.dict.Attrs(&rec.Attrs, r.Attrs, r.First, r.Last); err != nil {
		return fmt.Errorf("row %s of node %s: %w", i.Value, n.name(), err)
	}
	return nil
}

// resolveLast sets the last seen of a row as it is now: a present row of a source
// was last seen in the source's last accepted complete poll (SEMANTICS E5); a
// reader's row when the latest of its sources was.
func (n *node) resolveLast(rec *indicator.Record, r *row.Row, lastOf map[string]time.Time) {
	defer func() {
		// A row that came with a poll that was not accepted is younger than the last.
		if rec.Attrs.LastSeen.Before(rec.Attrs.FirstSeen) {
			rec.Attrs.LastSeen = rec.Attrs.FirstSeen
		}
	}()
	if n.isSource() {
		if r.Last == 0 {
			rec.Attrs.LastSeen = row.Time(n.st.Load().Poll.LastComplete)
		}
		return
	}
	for _, s := range rec.Attrs.Sources {
		if t := lastOf[s]; t.After(rec.Attrs.LastSeen) {
			rec.Attrs.LastSeen = t
		}
	}
}
