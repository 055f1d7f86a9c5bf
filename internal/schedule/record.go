package schedule

import (
	"fmt"
	"time"
)

// Status is how a run ended, or that it has not yet.
type Status string

// The statuses.
const (
	Running   Status = "running"
	Done      Status = "done"
	Partial   Status = "partial"   // what is left goes on with the next run
	Failed    Status = "failed"    // nothing is lost; the message says why
	TimedOut  Status = "timed_out" // ended by the job's timeout
	Cancelled Status = "cancelled" // ended by a person or with the process
	Skipped   Status = "skipped"   // not started: the one before was still running, or its time had passed
	Abandoned Status = "abandoned" // the process died under it
)

// Exit is the exit code a scheduler outside expects: 0 done, 1 failed, 3 partly
// done.
func (s Status) Exit() int {
	switch s {
	case Done, Skipped:
		return 0
	case Partial:
		return 3
	}
	return 1
}

// Trigger is what started a run.
type Trigger string

// The triggers.
const (
	BySchedule Trigger = "schedule"
	ByMisfire  Trigger = "misfire" // a due time that passed while nothing ran
	ByPerson   Trigger = "person"
	ByRerun    Trigger = "rerun"
)

// Line is one line of a run's log.
type Line struct {
	At    time.Time `json:"at"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
}

// Record is one run.
type Record struct {
	ID      string    `json:"id"`
	Job     string    `json:"job"`
	Trigger Trigger   `json:"trigger"`
	By      string    `json:"by,omitempty"`  // the person
	Why     string    `json:"why,omitempty"` // the person's reason, or the due time
	Of      string    `json:"of,omitempty"`  // the run that is run again
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	Status  Status    `json:"status"`
	Exit    int       `json:"exit"`
	Message string    `json:"message,omitempty"`
	// Counts are by outcome ("read", "sent", "held") or by outcome and reason
	// ("held: quota").
	Counts map[string]int `json:"counts,omitempty"`
	Plans  []string       `json:"plans,omitempty"`
	// Stages are what the filters of its sources leave, one after the other, for a preview.
	Stages []Stage `json:"stages,omitempty"`
	// Options are what the person asked for, so that the run can be run again.
	Options map[string]string `json:"options,omitempty"`
	Log     []Line            `json:"log,omitempty"`
	// Dropped counts lines beyond the most that are kept.
	Dropped int `json:"dropped,omitempty"`
}

// Stage is how much one filter and those before it leave.
type Stage struct {
	Node   string `json:"node"`
	Filter string `json:"filter"`
	Left   int    `json:"left"`
}

// Took is how long the run took, 0 while it runs.
func (r *Record) Took() time.Duration {
	if r.Ended.IsZero() {
		return 0
	}
	return r.Ended.Sub(r.Started)
}

// PartialError ends a run that did a part and goes on with the next one.
type PartialError struct{ Why string }

func (e *PartialError) Error() string { return e.Why }

// BusyError says that the job runs already.
type BusyError struct{ Job, Run string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("job %s is running already (run %s): wait for it, or look with remeld job show %s", e.Job, e.Run, e.Run)
}
