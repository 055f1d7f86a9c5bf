package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/store"
)

// The spaces: runs by job and time, and the last due time of each job.
const (
	runSpace = "run"
	dueSpace = "schedule"
)

// keepRuns is how long a record is kept (SEMANTICS F, retention).
const keepRuns = 30 * 24 * time.Hour

// book keeps records in the store.
type book struct{ store store.Store }

func runKey(r *Record) []byte { return []byte(r.Job + "\x00" + r.ID) }

func (b book) put(ctx context.Context, r *Record) error {
	value, err := json.Marshal(r)
	if err == nil {
		_, err = b.store.Commit(ctx, &store.Commit{Writes: []store.Write{{Space: runSpace, Key: runKey(r), Value: value}}})
	}
	if err != nil {
		return fmt.Errorf("keep the record of run %s: %w", r.ID, err)
	}
	return nil
}

// scan calls fn for the records of a job, the newest first; of all jobs, by name, if
// job is "".
func (b book) scan(ctx context.Context, job string, fn func(*Record) error) error {
	v, err := b.store.View()
	if err != nil {
		return fmt.Errorf("read the runs: %w", err)
	}
	defer v.Close()
	var r store.Range
	if job != "" {
		r = store.Range{From: []byte(job + "\x00"), To: []byte(job + "\x01")}
	}
	err = v.ScanBack(ctx, runSpace, r, func(_, value []byte) error {
		var rec Record
		if err := json.Unmarshal(value, &rec); err != nil {
			return err
		}
		return fn(&rec)
	})
	if err != nil {
		return fmt.Errorf("read the runs: %w", err)
	}
	return nil
}

// tidy ends what a dead process left running and drops what is too old.
func (b book) tidy(ctx context.Context, now time.Time) error {
	var old []store.Write
	var dead []*Record
	err := b.scan(ctx, "", func(r *Record) error {
		if now.Sub(r.Started) > keepRuns {
			old = append(old, store.Write{Space: runSpace, Key: runKey(r), Delete: true})
		} else if r.Status == Running {
			dead = append(dead, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range dead {
		r.Status, r.Exit, r.Ended, r.Message = Abandoned, Abandoned.Exit(), now, "the process ended while it ran; what was not finished goes on with the next run"
		if err := b.put(ctx, r); err != nil {
			return err
		}
	}
	if len(old) == 0 {
		return nil
	}
	if _, err := b.store.Commit(ctx, &store.Commit{Writes: old}); err != nil {
		return fmt.Errorf("drop old runs: %w", err)
	}
	return nil
}

// due is what is kept of a job's timetable.
type due struct {
	Last time.Time `json:"last"` // the last due time that was dealt with
	Spec string    `json:"spec"` // its timetable then
}

func (b book) due(ctx context.Context, job string) (due, error) {
	var d due
	v, err := b.store.View()
	if err != nil {
		return d, fmt.Errorf("read the timetable of %s: %w", job, err)
	}
	defer v.Close()
	value, err := v.Get(ctx, dueSpace, []byte(job))
	if err == nil && value != nil {
		err = json.Unmarshal(value, &d)
	}
	if err != nil {
		return d, fmt.Errorf("read the timetable of %s: %w", job, err)
	}
	return d, nil
}

func (b book) setDue(ctx context.Context, job string, d due) error {
	value, err := json.Marshal(d)
	if err == nil {
		_, err = b.store.Commit(ctx, &store.Commit{Writes: []store.Write{{Space: dueSpace, Key: []byte(job), Value: value}}})
	}
	if err != nil {
		return fmt.Errorf("keep the timetable of %s: %w", job, err)
	}
	return nil
}
