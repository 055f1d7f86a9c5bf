package sdk

import (
	"context"
	"strings"
)

// Check is one line of a node's or login's examination (remeld doctor).
type Check struct {
	Name   string // what was looked at: "token", "roles", "free slots"
	State  CheckState
	Detail string // what was seen; never a secret
	Fix    string // what to do, in the portal's words, where it is not OK

	// Marks counts, of a target's check that listed the tenant, the rows there that
	// carry an owner mark, by mark: the doctor compares them with the ledger.
	Marks map[string]int
}

// CheckState is the verdict of a Check.
type CheckState string

// The verdicts.
const (
	CheckOK      CheckState = "ok"
	CheckWarning CheckState = "warning"
	CheckFailed  CheckState = "failed"
	CheckSkipped CheckState = "skipped" // an earlier failure made it pointless, or it cannot be known
)

// Checker is implemented by sources and targets that can be examined beyond their
// configuration (logins: ConnectionType.Check). Check reports line by line, in the
// order of dependence (name, TLS, token, roles, …), changes nothing for good at the
// other side, and returns when ctx ends.
type Checker interface {
	Check(ctx context.Context, report func(Check))
}

// Marked is how many rows carry an owner mark, whosever.
func (c *Check) Marked() int {
	n := 0
	for _, rows := range c.Marks {
		n += rows
	}
	return n
}

// FailedCheck is a check that ended with an error: what was seen, and what to do where
// the message says so behind its first semicolon.
func FailedCheck(name string, err error) Check {
	detail, fix, _ := strings.Cut(err.Error(), "; ")
	return Check{Name: name, State: CheckFailed, Detail: detail, Fix: fix}
}
