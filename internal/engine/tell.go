package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/sdk"
)

// tellPoll raises and clears the conditions of a source after a poll.
func (n *node) tellPoll(ctx context.Context, r *PollReport) error {
	n.logPoll(ctx, r)
	switch r.Verdict {
	case VerdictAccepted:
		return n.clear(ctx, "source_failing", "secret_refused", "role_missing", "source_frozen", "max_stale")
	case VerdictFrozen:
		return errors.Join(n.clear(ctx, "source_failing", "secret_refused", "role_missing"), n.tellFrozen(ctx, r))
	}
	return n.tellFailing(ctx)
}

func (n *node) logPoll(ctx context.Context, r *PollReport) {
	level := slog.LevelDebug // what changed nothing is no news
	if r.Verdict != VerdictAccepted || r.New+r.Changed+r.Withdrawn+r.Missing+r.Revived+r.Uncomputed > 0 {
		level = slog.LevelInfo
	}
	n.log.Log(ctx, level, "polled", "verdict", r.Verdict, "listed", r.Listed, "new", r.New, "changed", r.Changed,
		"withdrawn", r.Withdrawn, "missing", r.Missing, "took", r.Took.Round(time.Millisecond))
}

func (n *node) clear(ctx context.Context, kinds ...string) error {
	for _, kind := range kinds {
		if err := n.eng.Conditions.Clear(ctx, n.name(), kind); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) tellFrozen(ctx context.Context, r *PollReport) error {
	f := n.st.Load().Poll.Frozen
	return n.eng.Conditions.Raise(ctx, condition.Condition{
		Node: n.name(), Kind: "source_frozen",
		Message: fmt.Sprintf("source lists %d where it listed %d in the last 7 days; new and changed rows are taken, nothing is withdrawn", f.Rows, f.Was),
		Help:    fmt.Sprintf("if that is right, run: remeld accept %s --poll %s; else mend the source, a poll within bounds ends this", n.name(), r.ID),
		Detail:  map[string]string{"poll": r.ID, "listed": fmt.Sprint(f.Rows), "baseline": fmt.Sprint(f.Was)},
	})
}

func (n *node) tellFailing(ctx context.Context) error {
	ps := n.st.Load().Poll
	kind, help := "source_failing", "what it gave is kept and nothing is withdrawn; polls go on with growing waits. Mend what the message names, then: remeld poll "+n.name()
	switch ps.Failure {
	case sdk.Unauthorized:
		kind, help = "secret_refused", "renew the secret of the node's connection, then: remeld poll "+n.name()
	case sdk.Forbidden:
		kind, help = "role_missing", "give the login the right to read, then: remeld poll "+n.name()
	}
	for _, other := range []string{"source_failing", "secret_refused", "role_missing"} {
		if other != kind {
			if err := n.clear(ctx, other); err != nil {
				return err
			}
		}
	}
	return n.eng.Conditions.Raise(ctx, condition.Condition{
		Node: n.name(), Kind: kind, Message: ps.Error, Help: help,
	})
}

func (n *node) tellStale(ctx context.Context, last time.Time) error {
	what := "its rows are kept"
	if n.set.MaxStale.Withdraw {
		what = "its rows are withdrawn"
	}
	return n.eng.Conditions.Raise(ctx, condition.Condition{
		Node: n.name(), Kind: "max_stale",
		Message: fmt.Sprintf("no complete poll since %s, longer than %s: %s", last.Format(time.RFC3339), n.set.MaxStale.After, what),
		Help:    "see why the source fails or is frozen (remeld conditions); the next accepted poll ends this, or raise max_stale of the node",
	})
}
