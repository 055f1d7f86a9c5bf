package engine

import (
	"context"
	"fmt"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// Source returns the instance of a source, nil if there is no such source. It waits for
// no poll.
func (e *Engine) Source(name string) sdk.Source {
	n, err := e.node(name)
	if err != nil {
		return nil
	}
	return n.source
}

// Reading calls fn with a source's instance and with what its last accepted poll left
// for the next; nil is nothing. What fn returns takes its place if set is true; nil
// makes the next poll read as the first one did. No poll runs meanwhile.
func (e *Engine) Reading(ctx context.Context, name string, fn func(source any, state []byte) (next []byte, set bool, err error)) error {
	n, err := e.node(name)
	if err != nil {
		return err
	}
	if !n.isSource() {
		return fmt.Errorf("node %q is no source", name)
	}
	n.reading.Lock()
	defer n.reading.Unlock()
	n.work.Lock()
	defer n.work.Unlock()
	st := n.st.Load().clone()
	var state []byte
	if st.Poll.NextFor == n.parse() {
		state = st.Poll.Next
	}
	next, set, err := fn(n.source, state)
	if err != nil || !set {
		return err
	}
	st.Poll.Next, st.Poll.NextFor = next, n.parse()
	return n.commit(ctx, &store.Commit{}, st)
}
