package sdk

import (
	"context"
	"time"

	"github.com/remeld/remeld/indicator"
)

// Shape says what a poll of a source means (SEMANTICS E4).
type Shape string

// The shapes. A snapshot names every member; changes names what changed and
// thereby confirms the rest; events mentions things that happened.
const (
	Snapshot Shape = "snapshot"
	Changes  Shape = "changes"
	Events   Shape = "events"
)

// SourceInfo is what a source declares once it is built.
type SourceInfo struct {
	Shape    Shape
	Interval time.Duration // default time between polls
	// Login says that the source needs credentials, which decides the default TLP.
	Login bool
	// Fingerprint changes when the parse configuration does: validators stored
	// under another fingerprint are not sent (SEMANTICS E3).
	Fingerprint string
	// Origin identifies the thing that is read (URL, path). Another origin keeps
	// the old rows until the first complete poll of the new (SEMANTICS E11).
	Origin string
}

// Source yields items, never differences: the engine compares a poll with the
// source's table.
type Source interface {
	Info() SourceInfo
	// Poll reads the source once and adds everything it finds to out. state is
	// what the last poll that was wholly applied returned in Next, nil at first.
	// An error means the read is incomplete: what was added may add or update,
	// never withdraw. Poll must not keep out after it returns.
	Poll(ctx context.Context, state []byte, out Sink) (Poll, error)
}

// Poll is the verdict of a source on one read.
type Poll struct {
	// NotModified: the source says nothing changed since state (a 304). It counts
	// as a complete poll without a body.
	NotModified bool
	// Shape is what this poll was where that is not Info().Shape: a changes source
	// that read everything says Snapshot. "" means Info().Shape.
	Shape Shape
	// Body names what was read (a digest), so that a person can accept just that.
	Body string
	// Next is the state for the next poll; committed with the last row.
	Next []byte
	// Notes are what a person should know of this read although it succeeded, a line
	// each; they stand in the log and in the record of a job's run.
	Notes []string
}

// Sink takes the items of a poll. One Sink is for one goroutine; Fork makes
// another for a second one. The poll's result does not depend on the order.
type Sink interface {
	// Add takes the key of an indicator (indicator.AppendKey) and what is said of
	// it; nil attrs mean nothing is. Both are copied.
	Add(key []byte, attrs *indicator.Attributes) error
	// Remove withdraws explicitly, for sources that delete.
	Remove(key []byte) error
	// Refuse counts and samples a value that is no indicator. line is 1-based, 0
	// where there are no lines.
	Refuse(line int, why *indicator.Refusal)
	Fork() Sink
}

// Recaller is implemented by the Sink of an engine. A source that learns of a change
// without what was there before asks for it.
type Recaller interface {
	// Recall calls fn for every row of these kinds that the source's table held before
	// this poll, those that are not emitted included. Key and attrs are valid until fn
	// returns, whose error ends it.
	Recall(ctx context.Context, kinds []indicator.Kind, fn func(key []byte, attrs *indicator.Attributes) error) error
}
