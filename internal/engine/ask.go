package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/remeld/remeld/sdk"
)

// stopGrace is how long a source may take to end a read it is told to end. It is
// time of the process, not of the service: nobody moves it.
const stopGrace = 500 * time.Millisecond

var errDeaf = errors.New("the source still hangs in a read that was told to end: the node is polled again once that returns; if it does not, restart")

// answer is what a source's read came to.
type answer struct {
	poll sdk.Poll
	err  error
}

// ask lets the source read, in a goroutine of its own: a source that does not hear
// that it shall end is left behind with its spool rather than waited for.
func (p *polling) ask(ctx context.Context, state []byte) (sdk.Poll, error) {
	done := make(chan answer, 1)
	sink := p.in.sink()
	go func() {
		var a answer
		defer func() { done <- a }()
		defer p.node.caught(&a.err)
		a.poll, a.err = p.node.source.Poll(ctx, state, sink)
	}()
	select {
	case a := <-done:
		return a.poll, a.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case a := <-done:
		return a.poll, a.err
	case <-grace.C:
	}
	p.leaveBehind(done)
	return sdk.Poll{}, ctx.Err()
}

// leaveBehind gives the spool to the read that does not end.
func (p *polling) leaveBehind(done <-chan answer) {
	n, in := p.node, p.in
	p.in = nil
	n.live.deaf.Store(true)
	n.log.Warn("the source did not end its read when told to; it is left behind, and nothing of that read is used", "waited", stopGrace)
	go func() {
		<-done
		n.live.deaf.Store(false)
		if err := in.spool.Close(); err != nil {
			n.log.Warn("clean up after the poll", "err", err)
		}
	}()
}

// caught makes a failure of one source of what would end the process.
func (n *node) caught(err *error) {
	what := recover()
	if what == nil {
		return
	}
	n.log.Error("the source panicked", "panic", what, "stack", string(debug.Stack()))
	*err = &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf(
		"the source panicked: %v (a defect of class %s: report it with the stack in the log)", what, n.spec.Class)}
}
