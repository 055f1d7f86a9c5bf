// Package sdk is what a connector is written against: the classes of nodes
// (source, processor, destination), what each is handed and must answer, and the
// typed errors the engine and delivery branch on.
//
// Use it to add a source, a processor or a destination: one folder under
// connector/, registered in its init, and one line in connector/all. The package
// exports no third-party type and imports only the indicator package.
package sdk

import (
	"context"
	"log/slog"
	"time"
)

// Clock is the time a node sees. Nothing in a connector calls time.Now or
// time.Sleep: a month of renewals is then a test of seconds.
type Clock interface {
	Now() time.Time
	// Sleep waits for d or until ctx ends, whose error it then returns.
	Sleep(ctx context.Context, d time.Duration) error
}

// Env is what a node is built with. It is scoped to the node: Log carries its
// name and class, Dir is a scratch directory of its own that may be emptied
// between runs.
type Env struct {
	Node  string
	Log   *slog.Logger
	Clock Clock
	Dir   string
	// BaseDir is the directory of the configuration file; relative paths in a
	// node's config start there.
	BaseDir string
	// Connection is the resolved login a node names, nil where it names none.
	Connection *Connection
	// Owner is this store's owner mark (SEMANTICS D2).
	Owner string
}

// Connection is one login under connections:, decoded by its type.
type Connection struct {
	Name   string
	Type   string
	Config any
}

// Role is what a class is to the graph.
type Role string

// The roles. A feed is a destination that serves its table; a target is one
// that is reconciled with a remote tenant.
const (
	RoleSource    Role = "source"
	RoleProcessor Role = "processor"
	RoleFeed      Role = "feed"
	RoleTarget    Role = "target"
)
