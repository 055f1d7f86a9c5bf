package schedule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/remeld/remeld/sdk"
)

// Task is the work of a job. It ends with nil when all is done, with a
// *PartialError when the rest goes on with the next run, with any other error when
// it failed.
type Task func(ctx context.Context, run *Run) error

// maxLines is how many lines of a log are kept; the rest is counted.
const maxLines = 1000

// Run is a run that is under way. Safe for concurrent use.
type Run struct {
	clock sdk.Clock
	tell  func(Line)   // nil: nobody watches
	watch func(string) // likewise

	mu  sync.Mutex
	rec Record
}

// ID is the run's name.
func (r *Run) ID() string { return r.rec.ID }

// By is the person who started the run, "" for the timetable.
func (r *Run) By() string { return r.rec.By }

// Option is what the person who started the run asked for, "" for nothing.
func (r *Run) Option(name string) string { return r.rec.Options[name] }

// Log adds a line to the run's log. Levels are those of slog in lower case.
func (r *Run) Log(level, format string, args ...any) {
	line := Line{At: r.clock.Now().UTC(), Level: level, Text: fmt.Sprintf(format, args...)}
	r.mu.Lock()
	if len(r.rec.Log) < maxLines {
		r.rec.Log = append(r.rec.Log, line)
	} else {
		r.rec.Dropped++
	}
	r.mu.Unlock()
	if r.tell != nil {
		r.tell(line)
	}
}

// Progress tells who watches the run how far it is; nothing of it is kept.
func (r *Run) Progress(format string, args ...any) {
	if r.watch != nil {
		r.watch(fmt.Sprintf(format, args...))
	}
}

// Count adds n to an outcome.
func (r *Run) Count(outcome string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rec.Counts == nil {
		r.rec.Counts = map[string]int{}
	}
	r.rec.Counts[outcome] += n
}

// Plan notes a plan that the run made.
func (r *Run) Plan(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rec.Plans = append(r.rec.Plans, id)
}

// Stage notes what a filter leaves.
func (r *Run) Stage(s Stage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rec.Stages = append(r.rec.Stages, s)
}

// Say sets the run's last word where it is not an error.
func (r *Run) Say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rec.Message = fmt.Sprintf(format, args...)
}

// record is a copy of what is known now.
func (r *Run) record() Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.rec
	c.Counts = maps.Clone(c.Counts)
	c.Log = append([]Line(nil), c.Log...)
	return c
}

// finish closes the record with how the task ended. ctx is the run's, with its
// timeout; outer is the one it was started under.
func (r *Run) finish(ctx, outer context.Context, timeout time.Duration, err error) Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := &r.rec
	rec.Ended = r.clock.Now().UTC()
	var partial *PartialError
	switch {
	case err == nil: // whatever came in its last moment
		rec.Status = Done
	case outer.Err() != nil:
		rec.Status, rec.Message = Cancelled, "ended before it was done; the rest goes on with the next run"
	case ctx.Err() != nil:
		rec.Status, rec.Message = TimedOut, fmt.Sprintf("ended by its timeout of %s; the rest goes on with the next run", timeout)
	case errors.As(err, &partial):
		rec.Status, rec.Message = Partial, err.Error()
	default:
		rec.Status, rec.Message = Failed, err.Error()
	}
	rec.Exit = rec.Status.Exit()
	return *rec
}
