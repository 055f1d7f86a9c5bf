package sdk

import (
	"errors"
	"fmt"
	"time"
)

// Failure says what may be done about a failed call; delivery and the engine
// branch on it and on nothing else.
type Failure string

// The failures. "Not sent" ones are certain to have had no effect.
const (
	NotSent      Failure = "not_sent"     // nothing left this machine: retry freely
	InDoubt      Failure = "in_doubt"     // sent, no answer: may have happened (SEMANTICS D11)
	Throttled    Failure = "throttled"    // refused for rate: retry at RetryAt
	Refused      Failure = "refused"      // the call as a whole was refused for its content (400)
	Unauthorized Failure = "unauthorized" // credentials: stop until the config changes
	Forbidden    Failure = "forbidden"    // role or scope missing: stop until the config changes
	Missing      Failure = "missing"      // a named object does not exist (404)
	Unavailable  Failure = "unavailable"  // the service failed (5xx): retry with growing waits
	Permanent    Failure = "permanent"    // will not get better by itself
)

// Error is a failed call with what to do about it. Message never holds a secret.
type Error struct {
	Failure Failure
	Code    string    // the service's own code, if any
	Message string    // what a person reads: what, why and what to do
	RetryAt time.Time // on the service's clock (as Answer.ServerTime); zero if not said
	Err     error
}

func (e *Error) Error() string {
	s := e.Message
	if e.Code != "" {
		s = e.Code + ": " + s
	}
	if e.Err != nil {
		s = fmt.Sprintf("%s: %v", s, e.Err)
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// FailureOf returns the Failure of err; an error that is no *Error is
// Unavailable, the retryable kind.
func FailureOf(err error) Failure {
	var e *Error
	if errors.As(err, &e) {
		return e.Failure
	}
	return Unavailable
}

// FieldError is one thing wrong with a config struct, found by its Validate. Path
// is the YAML path below config: ("columns.0.name"); the loader turns it into
// file:line:col.
type FieldError struct {
	Path string
	Msg  string
	Help string
}

func (e *FieldError) Error() string { return e.Path + ": " + e.Msg }
