package schedule

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/remeld/remeld/internal/store"
)

// View is a job at a glance.
type View struct {
	Name    string    `json:"name"`
	When    string    `json:"when"` // its timetable in words
	Next    time.Time `json:"next,omitzero"`
	Running string    `json:"running,omitempty"` // the run under way
	Last    *Record   `json:"last,omitempty"`    // the newest that ended, without its log
}

// Jobs lists the jobs in the order of the configuration.
func (s *Scheduler) Jobs(ctx context.Context) ([]View, error) {
	out := []View{}
	for _, j := range s.list() {
		v := View{Name: j.Name, When: j.Spec.String()}
		d, err := s.book.due(ctx, j.Name)
		if err != nil {
			return nil, err
		}
		if !j.Spec.Manual() && !d.Last.IsZero() {
			if next := j.Spec.Next(d.Last); !next.IsZero() {
				v.Next = next.Add(j.Spec.Delay(j.Name, next))
			}
		}
		err = s.book.scan(ctx, j.Name, func(r *Record) error {
			if r.Status == Running {
				v.Running = r.ID
				return nil
			}
			r.Log = nil
			v.Last = r
			return store.Stop
		})
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// Runs lists up to most records of a job, of all jobs if it is "", the newest first
// and without their logs.
func (s *Scheduler) Runs(ctx context.Context, job string, most int) ([]Record, error) {
	out := []Record{}
	err := s.book.scan(ctx, job, func(r *Record) error {
		r.Log = nil
		out = append(out, *r)
		if job != "" && len(out) == most {
			return store.Stop
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b Record) int { return b.Started.Compare(a.Started) })
	return out[:min(len(out), most)], err
}

// Record returns one run with its log.
func (s *Scheduler) Record(ctx context.Context, id string) (Record, error) {
	for _, run := range s.underWay() {
		if run.ID() == id {
			return run.record(), nil
		}
	}
	var found *Record
	err := s.book.scan(ctx, "", func(r *Record) error {
		if r.ID == id {
			found = r
			return store.Stop
		}
		return nil
	})
	if err != nil {
		return Record{}, err
	}
	if found == nil {
		return Record{}, fmt.Errorf("no run %q: remeld job runs lists them; records are kept for %d days", id, int(keepRuns.Hours()/24))
	}
	return *found, nil
}

func (s *Scheduler) underWay() []*Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Run, 0, len(s.running))
	for _, r := range s.running {
		out = append(out, r)
	}
	return out
}
