// Package schedule starts jobs when they are due and keeps a record of every run:
// who or what started it, what it did, how it ended. Use it for work with a
// beginning and an end; what never ends (polling a source, reconciling a tenant)
// has its own loop in engine and delivery.
package schedule

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/schedule/timetable"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// Spec says when a job is due.
type Spec = timetable.Spec

// Job is a named task with its timetable.
type Job struct {
	Name string
	Spec Spec
	// CatchUp runs a job once whose due time passed while nothing ran; otherwise the
	// time is recorded as skipped.
	CatchUp bool
	// Queue starts a run that came due during another one right after it; otherwise it
	// is recorded as skipped.
	Queue bool
	// Timeout ends a run; 0 lets it take its time.
	Timeout time.Duration
	Task    Task
}

// Deps are what a Scheduler works with. Ended is told of every run that ended, nil
// is nobody.
type Deps struct {
	Store store.Store
	Clock sdk.Clock
	Log   *slog.Logger
	Ended func(ctx context.Context, rec Record)
}

// Scheduler starts jobs. Safe for concurrent use.
type Scheduler struct {
	deps Deps
	book book

	mu      sync.Mutex
	jobs    []Job
	running map[string]*Run
	waiting map[string]bool // due, behind a run under way
	work    sync.WaitGroup
}

// Open reads what is stored and ends the records of runs that a dead process left.
func Open(ctx context.Context, deps Deps) (*Scheduler, error) {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	s := &Scheduler{deps: deps, book: book{deps.Store}, running: map[string]*Run{}, waiting: map[string]bool{}}
	return s, s.book.tidy(ctx, deps.Clock.Now().UTC())
}

// Configure sets the jobs. Runs under way end with the job they began with.
func (s *Scheduler) Configure(jobs []Job) error {
	for i := range jobs {
		if err := jobs[i].Spec.Validate(); err != nil {
			return fmt.Errorf("job %s: %w", jobs[i].Name, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs = slices.Clone(jobs)
	return nil
}

// The scheduler looks at the clock at least this often, so that a changed
// configuration or a moved clock is seen; old records go once an hour.
const (
	lookEvery = 20 * time.Second
	tidyEvery = time.Hour
)

// Run starts jobs when they are due until ctx ends, and returns when the runs it
// started have ended.
func (s *Scheduler) Run(ctx context.Context) error {
	defer s.work.Wait()
	tidied := s.deps.Clock.Now()
	for {
		wait := lookEvery
		for _, j := range s.list() {
			in, err := s.look(ctx, j)
			if err != nil {
				return err
			}
			wait = min(wait, in)
		}
		if now := s.deps.Clock.Now(); now.Sub(tidied) > tidyEvery {
			tidied = now
			if err := s.drop(ctx, now); err != nil {
				return err
			}
		}
		if s.deps.Clock.Sleep(ctx, max(wait, time.Second)) != nil {
			return nil // ctx ended
		}
	}
}

// drop lets old records go; runs under way are not its business.
func (s *Scheduler) drop(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.running) > 0 {
		return nil
	}
	return s.book.tidy(ctx, now.UTC())
}

func (s *Scheduler) list() []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.jobs)
}

// look starts a job that is due and tells in which time to look again.
func (s *Scheduler) look(ctx context.Context, j Job) (time.Duration, error) {
	if j.Spec.Manual() {
		return lookEvery, nil
	}
	now := s.deps.Clock.Now().UTC()
	d, err := s.book.due(ctx, j.Name)
	if err != nil {
		return 0, err
	}
	if spec := fmt.Sprint(j.Spec); d.Spec != spec {
		// A job that is new, or has a new timetable, begins now: the past is no misfire.
		d = due{Last: now, Spec: spec}
		return lookEvery, s.book.setDue(ctx, j.Name, d)
	}
	next := j.Spec.Next(d.Last)
	if next.IsZero() {
		return lookEvery, nil
	}
	start := next.Add(j.Spec.Delay(j.Name, next))
	if start.After(now) {
		return start.Sub(now), nil
	}
	queued, behind := s.queued(j)
	if behind {
		return lookEvery, nil // it stays due and starts when the other has ended
	}
	last, late := j.latest(next, now)
	d.Last = last
	trigger := BySchedule
	if late && !queued {
		trigger = ByMisfire
	}
	if err := s.book.setDue(ctx, j.Name, d); err != nil {
		return 0, err
	}
	return time.Second, s.start(ctx, j, trigger, d.Last)
}

// latest is the last of several due times that passed, which alone counts, and
// whether it comes late.
func (j *Job) latest(next, now time.Time) (last time.Time, late bool) {
	for {
		later := j.Spec.Next(next)
		if later.IsZero() || later.Add(j.Spec.Delay(j.Name, later)).After(now) {
			return next, late || now.Sub(next.Add(j.Spec.Delay(j.Name, next))) > misfireAfter
		}
		next, late = later, true
	}
}

// queued tells whether a due job waited for a run under way, and whether it has to
// go on waiting.
func (s *Scheduler) queued(j Job) (was, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was = s.waiting[j.Name]
	if is = j.Queue && s.running[j.Name] != nil; is {
		s.waiting[j.Name] = true
	} else {
		delete(s.waiting, j.Name)
	}
	return was, is
}

// misfireAfter is how late a start is a misfire and not just late.
const misfireAfter = 5 * time.Minute

// start begins a due run in the background, or records why not.
func (s *Scheduler) start(ctx context.Context, j Job, trigger Trigger, at time.Time) error {
	rec := s.newRecord(j.Name, trigger)
	rec.Why = "due at " + at.Format(time.RFC3339)
	if trigger == ByMisfire && !j.CatchUp {
		return s.skipped(ctx, rec, "its time passed while nothing ran, and the job does not catch up")
	}
	run, err := s.begin(ctx, rec, Start{})
	var busy *BusyError
	if errors.As(err, &busy) {
		return s.skipped(ctx, rec, "run "+busy.Run+" was still running")
	}
	if err != nil {
		return err
	}
	s.work.Go(func() {
		if _, err := s.perform(ctx, j, run); err != nil {
			s.deps.Log.Error("the record of a run could not be kept", "job", j.Name, "err", err)
		}
	})
	return nil
}

func (s *Scheduler) skipped(ctx context.Context, rec Record, why string) error {
	rec.Status, rec.Ended, rec.Message = Skipped, rec.Started, why
	s.deps.Log.Warn("a run was skipped", "job", rec.Job, "why", why)
	return s.book.put(ctx, &rec)
}

func (s *Scheduler) newRecord(job string, trigger Trigger) Record {
	now := s.deps.Clock.Now().UTC()
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return Record{ID: "run-" + now.Format("20060102-150405.000") + "-" + hex.EncodeToString(b[:]), Job: job, Trigger: trigger, Started: now, Status: Running}
}

// begin enters a run, of which a job has one at a time.
func (s *Scheduler) begin(ctx context.Context, rec Record, start Start) (*Run, error) {
	s.mu.Lock()
	if other := s.running[rec.Job]; other != nil {
		s.mu.Unlock()
		return nil, &BusyError{Job: rec.Job, Run: other.ID()}
	}
	run := &Run{clock: s.deps.Clock, tell: start.Tell, watch: start.Watch, rec: rec}
	s.running[rec.Job] = run
	s.mu.Unlock()
	if err := s.book.put(ctx, &rec); err != nil {
		s.end(rec.Job)
		return nil, err
	}
	return run, nil
}

func (s *Scheduler) end(job string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, job)
}

// perform does the work of a run that has begun and keeps its record.
func (s *Scheduler) perform(outer context.Context, j Job, run *Run) (Record, error) {
	defer s.end(j.Name)
	ctx, cancel := outer, func() {}
	if j.Timeout > 0 {
		ctx, cancel = s.within(outer, j.Timeout)
	}
	defer cancel()
	err := safely(ctx, j.Task, run)
	rec := run.finish(ctx, outer, j.Timeout, err)
	keep := context.WithoutCancel(outer)
	err = s.book.put(keep, &rec)
	if s.deps.Ended != nil {
		s.deps.Ended(keep, rec)
	}
	return rec, err
}

// within is context.WithTimeout by the scheduler's clock.
func (s *Scheduler) within(outer context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(outer)
	go func() {
		if s.deps.Clock.Sleep(ctx, d) == nil {
			cancel()
		}
	}()
	return ctx, cancel
}

// safely keeps a task that panics from taking the process with it: the run failed,
// the others go on.
func safely(ctx context.Context, task Task, run *Run) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the job broke down: %v (this is a fault of Remeld; please report it)", p)
		}
	}()
	return task(ctx, run)
}

// Start says how a person starts a run.
type Start struct {
	By, Why string
	Of      string // the run to run again; its options are taken
	Options map[string]string
	// Tell is called with every line of the log as it comes, Watch with how far the run
	// is in between; nil is nobody.
	Tell  func(Line)
	Watch func(text string)
}

// RunNow runs a job in the foreground and returns its record. The error is for runs
// that could not begin; how the run ended is in the record.
func (s *Scheduler) RunNow(ctx context.Context, job string, start Start) (Record, error) {
	j, err := s.job(job)
	if err != nil {
		return Record{}, err
	}
	rec := s.newRecord(job, ByPerson)
	rec.By, rec.Why, rec.Options = start.By, start.Why, start.Options
	if start.Of != "" {
		of, err := s.Record(ctx, start.Of)
		if err != nil {
			return Record{}, err
		}
		rec.Trigger, rec.Of, rec.Options = ByRerun, of.ID, of.Options
	}
	run, err := s.begin(ctx, rec, start)
	if err != nil {
		return Record{}, err
	}
	return s.perform(ctx, j, run)
}

func (s *Scheduler) job(name string) (Job, error) {
	var names []string
	for _, j := range s.list() {
		if j.Name == name {
			return j, nil
		}
		names = append(names, j.Name)
	}
	if len(names) == 0 {
		return Job{}, fmt.Errorf("no job %q: the configuration has nothing under jobs", name)
	}
	return Job{}, fmt.Errorf("no job %q: the jobs are %s", name, strings.Join(names, ", "))
}
