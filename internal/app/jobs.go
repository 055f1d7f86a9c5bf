package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/remeld/remeld/internal/app/control"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/schedule"
	"github.com/remeld/remeld/sdk"
)

// schedules are the jobs of a configuration as the scheduler takes them.
func (a *App) schedules(cfg *config.Config) []schedule.Job {
	var out []schedule.Job
	for _, name := range cfg.JobOrder {
		j := cfg.Jobs[name]
		out = append(out, schedule.Job{
			Name: name, Spec: j.Spec, CatchUp: j.CatchUp, Queue: j.Queue, Timeout: j.Timeout,
			Task: func(ctx context.Context, run *schedule.Run) error { return a.runJob(ctx, name, run) },
		})
	}
	return out
}

// jobOf is a job of the configuration in force.
func (a *App) jobOf(name string) (*config.Job, error) {
	cfg, _ := a.inForce()
	if j := cfg.Jobs[name]; j != nil {
		return j, nil
	}
	if len(cfg.JobOrder) == 0 {
		return nil, fmt.Errorf("no job %q: the configuration has nothing under jobs", name)
	}
	return nil, fmt.Errorf("no job %q: the jobs are %v", name, cfg.JobOrder)
}

// jobMethods are the calls about jobs.
func (a *App) jobMethods(m control.Methods) {
	control.Add(m, "job-run", a.JobRun)
	control.Add(m, "job-list", func(ctx context.Context, _ None) ([]schedule.View, error) { return a.scheduler.Jobs(ctx) })
	control.Add(m, "job-runs", func(ctx context.Context, args JobRunsArgs) ([]schedule.Record, error) {
		return a.scheduler.Runs(ctx, args.Job, args.Most)
	})
	control.Add(m, "job-show", func(ctx context.Context, args JobShowArgs) (schedule.Record, error) {
		return a.scheduler.Record(ctx, args.Run)
	})
	control.Add(m, "job-cursor", a.JobCursor)
}

// JobRunArgs start a run.
type JobRunArgs struct {
	Job        string `json:"job"`
	Rerun      string `json:"rerun"`       // a run to run again, in place of Job
	Plan       bool   `json:"plan"`        // send nothing
	UseReserve int    `json:"use_reserve"` // slots of the reserve that may be used
	By         string `json:"by"`
}

// The options of a run by their names in its record.
const (
	optionPlan    = "plan"
	optionReserve = "use_reserve"
)

// JobRun runs a job to its end.
func (a *App) JobRun(ctx context.Context, args JobRunArgs) (schedule.Record, error) {
	start := schedule.Start{By: args.By, Of: args.Rerun, Options: map[string]string{}, Tell: func(l schedule.Line) {
		control.Report(ctx, "%s: %s", l.Level, l.Text)
	}, Watch: func(text string) { control.Report(ctx, "%s", text) }}
	if args.Plan {
		start.Options[optionPlan] = "true"
	}
	if args.UseReserve != 0 {
		start.Options[optionReserve] = strconv.Itoa(args.UseReserve)
	}
	if args.Rerun != "" {
		of, err := a.scheduler.Record(ctx, args.Rerun)
		if err != nil {
			return schedule.Record{}, err
		}
		args.Job = of.Job
	}
	return a.scheduler.RunNow(ctx, args.Job, start)
}

// JobRunsArgs select runs.
type JobRunsArgs struct {
	Job  string `json:"job"` // empty: of all jobs
	Most int    `json:"most"`
}

// JobShowArgs name a run.
type JobShowArgs struct {
	Run string `json:"run"`
}

// JobCursorArgs name a job and say what becomes of the cursors of its sources.
type JobCursorArgs struct {
	Job   string    `json:"job"`
	Set   time.Time `json:"set,omitzero"`
	Reset bool      `json:"reset"`
}

// CursorView is from when a source reads what changed.
type CursorView struct {
	Source string `json:"source"`
	// Cursor is zero where the next run begins anew.
	Cursor time.Time `json:"cursor,omitzero"`
}

// JobCursor shows the cursors of a job's sources, or changes them.
func (a *App) JobCursor(ctx context.Context, args JobCursorArgs) ([]CursorView, error) {
	j, err := a.jobOf(args.Job)
	if err != nil {
		return nil, err
	}
	out := []CursorView{}
	for _, name := range j.Sources {
		v := CursorView{Source: name}
		has := false
		err := a.engine.Reading(ctx, name, func(source any, state []byte) (next []byte, set bool, err error) {
			c, ok := source.(sdk.Cursored)
			if has = ok; !ok {
				return nil, false, nil
			}
			switch {
			case args.Reset:
				state, set = nil, true
			case !args.Set.IsZero():
				if state, err = c.WithCursor(state, args.Set); err != nil {
					return nil, false, err
				}
				set = true
			}
			v.Cursor, _ = c.Cursor(state)
			return state, set, nil
		})
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", name, err)
		}
		if has {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the sources of job " + j.Name + " have no cursor: each run reads them whole")
	}
	return out, nil
}

// JobView is a job as it is explained.
type JobView struct {
	Name  string `json:"name"`
	Form  string `json:"form,omitempty"`
	When  string `json:"when"`
	Nodes string `json:"nodes"` // as YAML
	// Questions are what runs ask for, by source.
	Questions map[string][]sdk.Question `json:"questions,omitempty"`
	Notes     []string                  `json:"notes,omitempty"`
	Idle      string                    `json:"idle,omitempty"`
	// Resting says by target why a run leaves it alone.
	Resting map[string]string `json:"resting,omitempty"`
}

// ExplainJob says what a job of the configuration on disk stands for. It opens no
// store.
func ExplainJob(opts Options, name string) (JobView, error) {
	cfg, found := Load(opts.Config, opts.State, nil)
	if found.HasErrors() {
		return JobView{}, &ConfigError{Findings: found}
	}
	j := cfg.Jobs[name]
	if j == nil {
		return JobView{}, fmt.Errorf("no job %q: the jobs are %v", name, cfg.JobOrder)
	}
	v := JobView{Name: name, Form: j.Form, When: j.Spec.String(), Notes: j.Notes, Idle: j.Idle, Resting: j.Resting, Questions: map[string][]sdk.Question{}}
	for _, source := range j.Sources {
		if asking, ok := cfg.Nodes[source].Config.(sdk.Asking); ok {
			v.Questions[source] = asking.Questions(SystemClock{}.Now())
		}
	}
	if j.Form == "" {
		v.Nodes = fmt.Sprintf("# no form: it polls %v and applies %v\n", j.Sources, j.Targets)
		return v, nil
	}
	text, err := j.YAML()
	v.Nodes = string(text)
	return v, err
}
