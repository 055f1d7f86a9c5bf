// Package alert tells people: of conditions that have stood for a while, that they
// are over, and of how the runs of jobs ended. Each message is stored before it is
// sent and tried again with growing waits, so that a mail server that is down loses
// none.
//
// Use an Alerter with the routes of the configuration. One message is sent for all
// that is due to a route at a moment, never one for each indicator. What a condition
// is, and what it needs, is the business of package condition.
package alert

import (
	"context"
	"slices"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/schedule"
)

// The times of SEMANTICS F: a condition is told of when it has stood for Wait, told
// again every Repeat, and its end is told if it was.
const (
	Wait   = 10 * time.Minute
	Repeat = 24 * time.Hour
)

// Sender brings one message to people. The error says what failed without showing a
// secret.
type Sender interface {
	Send(ctx context.Context, m *Message) error
}

// Runs says which ends of runs a route wants.
type Runs string

// What a route may want of runs.
const (
	RunsFailed Runs = "failed" // all but done: the default
	RunsAll    Runs = "all"
	RunsNone   Runs = "none"
)

// Route is one way to people.
type Route struct {
	Name   string
	Sender Sender
	Runs   Runs
	// Nodes limits the route to conditions of these nodes, connections and jobs; none
	// are all.
	Nodes []string
}

func (r *Route) wantsNode(name string) bool {
	return len(r.Nodes) == 0 || slices.Contains(r.Nodes, name)
}

func (r *Route) wantsRun(rec *schedule.Record) bool {
	if !r.wantsNode(rec.Job) {
		return false
	}
	switch r.Runs {
	case RunsAll:
		return true
	case RunsNone:
		return false
	}
	return rec.Status.Exit() != 0
}

// Message is what is told at one moment.
type Message struct {
	Instance string    `json:"instance"`
	At       time.Time `json:"at"`
	Title    string    `json:"title"`
	// Begun, Standing and Over are conditions: told of for the first time, told of
	// again, and at an end.
	Begun    []condition.Condition `json:"begun,omitempty"`
	Standing []condition.Condition `json:"standing,omitempty"`
	Over     []condition.Condition `json:"over,omitempty"`
	// Run is a run that ended, without its log.
	Run *schedule.Record `json:"run,omitempty"`
}
