package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// NodeStatus is how a node is.
type NodeStatus struct {
	Name    string     `json:"name"`
	Class   string     `json:"class"`
	Role    sdk.Role   `json:"role"`
	State   string     `json:"state"` // ok, polling, failing, frozen, waiting, merging, behind
	Detail  string     `json:"detail,omitempty"`
	Rows    int64      `json:"rows"`              // that readers see
	Dropped int64      `json:"dropped,omitempty"` // by the node's own conditions
	Aged    int64      `json:"aged,omitempty"`
	Missing int64      `json:"missing,omitempty"` // not in the last complete poll, not withdrawn yet
	Head    uint64     `json:"head"`
	Lag     int64      `json:"lag"`               // changes of the inputs to go; -1 while merging everything
	Seen    time.Time  `json:"lastSeen,omitzero"` // the last accepted complete poll
	Next    time.Time  `json:"next,omitzero"`     // the next poll
	Poll    PollReport `json:"poll,omitzero"`     // the last one
	// OnDemand: a job polls it, and nobody else.
	OnDemand bool     `json:"onDemand,omitempty"`
	Inputs   []string `json:"inputs,omitempty"`
	Allow    []string `json:"allow,omitempty"`
}

// Status returns every node's status, inputs before readers.
func (e *Engine) Status(ctx context.Context) ([]NodeStatus, error) {
	set := e.set.Load()
	v, err := e.Store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	var all []NodeStatus
	for _, n := range set.sorted() {
		s, err := n.status(ctx, v, set)
		if err != nil {
			return nil, fmt.Errorf("status of node %s: %w", n.name(), err)
		}
		all = append(all, s)
	}
	return all, nil
}

func (n *node) status(ctx context.Context, v store.View, set *nodeSet) (NodeStatus, error) {
	st := n.st.Load()
	s := NodeStatus{
		Name: n.name(), Class: n.spec.Class, Role: n.spec.Role, State: "ok", Inputs: n.spec.Inputs, Allow: n.spec.Allow,
		Rows: st.Rows - st.Dropped - st.Aged, Dropped: st.Dropped, Aged: st.Aged, Missing: st.Missing,
		Seen: row.Time(st.Poll.LastComplete), Poll: st.Poll.Last,
	}
	var err error
	if s.Head, _, err = v.Head(ctx, n.logName()); err != nil {
		return s, err
	}
	if n.isSource() {
		if s.OnDemand = n.set.OnDemand; !s.OnDemand {
			s.Next = n.nextPoll()
		}
		s.State, s.Detail = n.sourceState(st)
		return s, nil
	}
	for _, edge := range n.spec.Allow {
		if !st.Step.AllowReady[edge] {
			s.State, s.Detail = "waiting", "for a complete poll of allow-list "+edge
		}
	}
	if s.Lag, err = n.lag(ctx, v, set); err != nil || s.State == "waiting" {
		return s, err
	}
	switch {
	case s.Lag < 0:
		s.State = "merging"
	case s.Lag > 0:
		s.State = "behind"
	}
	return s, nil
}

func (n *node) sourceState(st *state) (state, detail string) {
	switch {
	case n.live.polling.Load():
		return "polling", ""
	case st.Poll.Failures > 0:
		return "failing", st.Poll.Error
	case st.Poll.Frozen != nil:
		return "frozen", fmt.Sprintf("lists %d, listed %d before; accept with --poll %s", st.Poll.Frozen.Rows, st.Poll.Frozen.Was, st.Poll.Frozen.ID)
	case !st.Poll.Judged && n.set.OnDemand:
		return "waiting", "for the first run of its job"
	case !st.Poll.Judged:
		return "waiting", "for the first complete poll"
	}
	return "ok", ""
}

// ErrNotFrozen says that there is no such frozen poll to accept.
var ErrNotFrozen = errors.New("no such frozen poll")

// Accept lets the frozen poll with the given id pass. It is bound to what that poll
// listed: the source is read again, and only the very same list is taken
// (SEMANTICS E7).
func (e *Engine) Accept(ctx context.Context, name, pollID string) error {
	n, err := e.node(name)
	if err != nil {
		return err
	}
	n.work.Lock()
	defer n.work.Unlock()
	st := n.st.Load().clone()
	if st.Poll.Frozen == nil {
		return fmt.Errorf("node %s is not frozen: %w", name, ErrNotFrozen)
	}
	if st.Poll.Frozen.ID != pollID {
		return fmt.Errorf("node %s is frozen at poll %s, not %s: %w", name, st.Poll.Frozen.ID, pollID, ErrNotFrozen)
	}
	st.Poll.AcceptID = pollID
	if err := n.commit(ctx, &store.Commit{}, st); err != nil {
		return err
	}
	n.live.urgent.Store(true)
	n.nudge()
	return nil
}
