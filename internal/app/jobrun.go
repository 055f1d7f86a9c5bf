package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/engine"
	"github.com/remeld/remeld/internal/schedule"
	"github.com/remeld/remeld/sdk"
)

// jobRun is a run of a job under way.
type jobRun struct {
	app *App
	job *config.Job
	run *schedule.Run
	// targets are those of the job that the run applies.
	targets []string
	// left are the things that go on with the next run.
	left []string
}

// levels are the levels of a run's log in their order.
var levels = []string{"debug", "info", "warn", "error"}

func (r *jobRun) log(level, format string, args ...any) {
	if slices.Index(levels, level) >= slices.Index(levels, r.job.Level) {
		r.run.Log(level, format, args...)
	}
}

// runJob does the work of a job: it polls the sources, waits until what they said has
// reached the targets, and applies those. A source that cannot be read whole fails the
// run before anything is sent; its cursor stays.
func (a *App) runJob(ctx context.Context, name string, run *schedule.Run) error {
	j, err := a.jobOf(name)
	if err != nil {
		return err
	}
	r := &jobRun{app: a, job: j, run: run}
	for _, note := range j.Notes {
		r.log("warn", "%s", note)
	}
	if j.Idle != "" {
		r.log("warn", "%s", j.Idle)
		run.Say("%s", j.Idle)
		return nil
	}
	r.rest()
	if run.Option(optionPlan) != "" {
		r.counts(ctx)
	}
	for _, source := range j.Sources {
		if err := r.poll(ctx, source); err != nil {
			return err
		}
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	err = r.deliver(ctx)
	if run.Option(optionPlan) == "" && !a.running.Load() { // else its loop does
		if failed := a.feedback.Pass(ctx); failed != nil {
			r.log("warn", "the sources were not told what was delivered: %v", failed)
		}
	}
	return err
}

// rest names the targets that the parameters leave alone; the others are the run's.
func (r *jobRun) rest() {
	var said []string
	for _, t := range r.job.Targets {
		if why := r.job.Resting[t]; why != "" {
			r.log("warn", "%s is left alone: %s", t, why)
			said = append(said, fmt.Sprintf("%s is left alone: %s", t, why))
			continue
		}
		r.targets = append(r.targets, t)
	}
	if len(said) > 0 {
		r.run.Say("%s", strings.Join(said, "; "))
	}
}

// counts tells what each filter leaves, for a preview. What a source cannot say is no
// reason to end it.
func (r *jobRun) counts(ctx context.Context) {
	for _, name := range r.job.Sources {
		var counter sdk.Counter
		err := r.app.engine.Reading(ctx, name, func(source any, _ []byte) ([]byte, bool, error) {
			counter, _ = source.(sdk.Counter)
			return nil, false, nil
		})
		if err != nil || counter == nil {
			continue
		}
		left, err := counter.Counts(ctx)
		if err != nil {
			r.log("warn", "%s cannot say what each filter leaves: %v", name, err)
			continue
		}
		for _, l := range left {
			r.run.Stage(schedule.Stage{Node: name, Filter: l.Condition, Left: l.Items})
		}
	}
}

// poll reads one source.
func (r *jobRun) poll(ctx context.Context, source string) error {
	r.log("debug", "reading %s", source)
	p, err := r.app.engine.PollNow(sdk.WithProgress(ctx, r.reading(source)), source)
	if err != nil {
		return fmt.Errorf("read %s: %w", source, err)
	}
	r.run.Count("read", int(p.Listed))
	r.run.Count("new", int(p.New))
	r.run.Count("changed", int(p.Changed))
	r.run.Count("withdrawn", int(p.Withdrawn))
	for why, n := range p.Refused {
		r.run.Count("refused: "+string(why), n)
	}
	for _, note := range p.Notes {
		r.log("warn", "%s: %s", source, note)
	}
	switch p.Verdict {
	case engine.VerdictIncomplete:
		return fmt.Errorf("%s could not be read whole: %s; nothing is sent and the next run begins where this one did", source, p.Error)
	case engine.VerdictFrozen:
		r.log("warn", "%s shrank too much and is frozen (poll %s): it adds and takes nothing away", source, p.ID)
		r.left = append(r.left, fmt.Sprintf("%s is frozen: look at it, then remeld accept %s %s", source, source, p.ID))
	}
	r.log("info", "%s: %d read, %d new, %d changed, %d withdrawn", source, p.Listed, p.New, p.Changed, p.Withdrawn)
	return nil
}

// settleWait bounds the wait for what else feeds the targets; settleLook is how often
// it is looked at.
const (
	settleWait = 2 * time.Minute
	settleLook = 100 * time.Millisecond
)

// settle waits until what was read has reached the targets. What else feeds them may
// take its time: it is not waited for without end, and withdraws nothing until then.
func (r *jobRun) settle(ctx context.Context) error {
	a := r.app
	r.run.Progress("handing on what was read")
	if !a.running.Load() {
		return a.engine.Settle(ctx)
	}
	for end := a.clock.Now().Add(settleWait); ; {
		var waiting []string
		for _, t := range r.targets {
			w, err := a.engine.Watermark(ctx, t)
			if err != nil {
				return err
			}
			waiting = append(waiting, w.Waiting...)
		}
		if len(waiting) == 0 {
			return nil
		}
		if a.clock.Now().After(end) {
			r.log("warn", "going on although not all is settled: %s", strings.Join(waiting, "; "))
			return nil
		}
		if err := a.clock.Sleep(ctx, settleLook); err != nil {
			return err
		}
	}
}

// deliver plans and applies every target; one that fails keeps no other from it.
func (r *jobRun) deliver(ctx context.Context) error {
	var errs []error
	lists, err := r.app.deliver.Together(r.targets)
	if err != nil {
		return err
	}
	for _, list := range lists {
		who := strings.Join(list, ", ")
		r.run.Progress("%s: planning", who)
		if r.run.Option(optionPlan) != "" {
			err = r.preview(ctx, list[0], who)
		} else {
			err = r.apply(ctx, list[0], who)
		}
		if err != nil {
			r.log("error", "%s: %v", who, err)
			errs = append(errs, fmt.Errorf("%s: %w", who, err))
		}
	}
	switch {
	case len(errs) == len(lists) && len(errs) > 0:
		return errors.Join(errs...)
	case len(errs) > 0:
		r.left = append(r.left, errors.Join(errs...).Error())
	}
	if len(r.left) > 0 {
		return &schedule.PartialError{Why: strings.Join(r.left, "; ")}
	}
	return nil
}

// preview makes a plan and sends nothing.
func (r *jobRun) preview(ctx context.Context, target, who string) error {
	p, err := r.app.deliver.PlanAll(ctx, target, deliver.PlanOptions{Person: true, Run: r.targets})
	if err != nil {
		return err
	}
	r.planned(who, p)
	actions, _ := p.Of(r.targets)
	for action, n := range actions {
		r.run.Count("planned: "+string(action), n)
	}
	return nil
}

// planned notes a plan, why objects are withdrawn, and why records are not sent.
func (r *jobRun) planned(who string, p *deliver.Plan) {
	r.run.Plan(p.ID)
	held := p.HeldOut()
	for code, n := range held {
		r.run.Count("held: "+string(code), n)
	}
	actions, withdrawn := p.Of(r.targets)
	for code, n := range withdrawn {
		r.run.Count("delete: "+string(code), n)
	}
	text := words(actions)
	if len(withdrawn) > 0 {
		text += " (" + words(withdrawn) + ")"
	}
	r.log("info", "%s: plan %s: %s; not sent: %s", who, p.ID, text, words(held))
	for _, note := range p.Notes {
		r.log("warn", "%s: %s", who, note)
	}
	for _, s := range p.Stops {
		r.left = append(r.left, fmt.Sprintf("a guard stopped changes at %s: %s (remeld approve %s)", who, s.Text, s.ID))
	}
}

// words are counts in a line, the largest first.
func words[K ~string](counts map[K]int) string {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b K) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	var parts []string
	for _, k := range keys {
		parts = append(parts, fmt.Sprintf("%d %s", counts[k], k))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// apply plans a target and makes it so.
func (r *jobRun) apply(ctx context.Context, target, who string) error {
	reserve, _ := strconv.Atoi(r.run.Option(optionReserve))
	res, err := r.app.deliver.PlanAndApply(ctx, target, deliver.ApplyOptions{
		By: r.run.By(), Nodes: r.targets, UseReserve: reserve,
		Progress: r.writing(who),
	})
	if errors.Is(err, deliver.ErrUnapproved) {
		r.left = append(r.left, fmt.Sprintf("nobody has approved what job %s sends to %s: look at remeld job run %s --plan, then run it by hand once", r.job.Name, who, r.job.Name))
		return nil
	}
	if res != nil {
		parts := res.Parts
		if len(parts) == 0 {
			parts = []*deliver.Result{res}
		}
		for _, part := range parts {
			r.applied(ctx, who, part)
		}
	}
	return err
}

func (r *jobRun) applied(ctx context.Context, who string, res *deliver.Result) {
	if p, err := r.app.deliver.LoadPlan(ctx, res.Plan); err == nil {
		r.planned(who, p)
	}
	for action, n := range res.Counts {
		r.run.Count(string(action), n)
	}
	for _, s := range res.Rejected {
		r.run.Count("rejected", 1)
		r.log("warn", "%s refused %s: %s", who, s.Identity, s.Why)
	}
	for _, s := range res.Skipped {
		r.run.Count("skipped", 1)
		r.log("warn", "%s: %s was skipped: %s", who, s.Identity, s.Why)
	}
	r.log("info", "%s: %s in %d calls", who, words(res.Counts), res.Calls)
	if res.Partial() || len(res.Rejected) > 0 {
		r.left = append(r.left, fmt.Sprintf("%s: %d done, %d refused, %d skipped, %d left%s", who, total(res.Counts), len(res.Rejected), len(res.Skipped), res.Left, because(res.Why)))
	}
}

func because(why []string) string {
	if len(why) == 0 {
		return ""
	}
	return ": " + strings.Join(why, "; ")
}

func total(counts map[deliver.Action]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
