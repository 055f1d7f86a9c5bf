package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wall is the bubble's time.
type wall struct{}

func (wall) Now() time.Time { return time.Now() }
func (wall) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rig runs a scheduler in a bubble that begins on 2000-01-01 00:00 UTC, a Saturday.
type rig struct {
	t     *testing.T
	store store.Store
	s     *Scheduler
	stop  func()

	mu    sync.Mutex
	ended []Record
}

func start(t *testing.T, st store.Store, jobs ...Job) *rig {
	t.Helper()
	r := &rig{t: t, store: st}
	s, err := Open(t.Context(), Deps{Store: st, Clock: wall{}, Ended: func(_ context.Context, rec Record) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = append(r.ended, rec)
	}})
	if err == nil {
		err = s.Configure(jobs)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.s = s
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return r
}

// runs are the records of a job, oldest first, as "HH:MM status trigger".
func (r *rig) runs(job string) []string {
	r.t.Helper()
	recs, err := r.s.Runs(r.t.Context(), job, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, rec := range recs {
		out = append(out, fmt.Sprintf("%s %s %s", rec.Started.Format("02 15:04"), rec.Status, rec.Trigger))
	}
	slices.Reverse(out)
	return out
}

func quick(context.Context, *Run) error { return nil }

func TestStartsWhenDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, memstore.New(),
			Job{Name: "cron", Spec: Spec{Cron: "0 */6 * * *"}, Task: quick},
			Job{Name: "every", Spec: Spec{Every: 8 * time.Hour}, Task: quick},
			Job{Name: "calendar", Spec: Spec{At: []string{"06:30"}, Days: []string{"Sunday"}}, Task: quick},
			Job{Name: "hand", Task: quick})
		time.Sleep(35 * time.Hour)
		synctest.Wait()
		r.stop()
		want := map[string][]string{
			"cron":     {"01 06:00 done schedule", "01 12:00 done schedule", "01 18:00 done schedule", "02 00:00 done schedule", "02 06:00 done schedule"},
			"every":    {"01 08:00 done schedule", "01 16:00 done schedule", "02 00:00 done schedule", "02 08:00 done schedule"},
			"calendar": {"02 06:30 done schedule"},
			"hand":     nil,
		}
		for job, w := range want {
			if diff := cmp.Diff(w, r.runs(job)); diff != "" {
				t.Errorf("%s: %s", job, diff)
			}
		}
	})
}

// TestMisfire: what was due while nothing ran is run once, or recorded as skipped.
func TestMisfire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := []Job{
			{Name: "catches", Spec: Spec{Cron: "0 * * * *"}, CatchUp: true, Task: quick},
			{Name: "lets go", Spec: Spec{Cron: "0 * * * *"}, Task: quick},
		}
		st := memstore.New()
		r := start(t, st, jobs...)
		time.Sleep(90 * time.Minute)
		r.stop()
		time.Sleep(5 * time.Hour) // nothing runs
		r = start(t, st, jobs...)
		time.Sleep(time.Minute)
		synctest.Wait()
		r.stop()
		if diff := cmp.Diff([]string{"01 01:00 done schedule", "01 06:30 done misfire"}, r.runs("catches")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"01 01:00 done schedule", "01 06:30 skipped misfire"}, r.runs("lets go")); diff != "" {
			t.Error(diff)
		}
	})
}

// TestOverlapAndTimeout: a run that is still going keeps the next from starting, by
// policy; a timeout ends it.
func TestOverlapAndTimeout(t *testing.T) {
	t.Parallel()
	slow := func(ctx context.Context, _ *Run) error { return wall{}.Sleep(ctx, 90*time.Minute) }
	synctest.Test(t, func(t *testing.T) {
		r := start(t, memstore.New(),
			Job{Name: "skips", Spec: Spec{Cron: "0 * * * *"}, Task: slow},
			Job{Name: "queues", Spec: Spec{Cron: "0 * * * *"}, Queue: true, Task: slow},
			Job{Name: "ends", Spec: Spec{Cron: "0 * * * *"}, Timeout: 10 * time.Minute, Task: slow})
		time.Sleep(2*time.Hour + 45*time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"01 01:00 done schedule", "01 02:00 skipped schedule"}, r.runs("skips")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"01 01:00 timed_out schedule", "01 02:00 timed_out schedule"}, r.runs("ends")); diff != "" {
			t.Error(diff)
		}
		if got := r.runs("queues"); len(got) != 2 || got[0] != "01 01:00 done schedule" || got[1] != "01 02:30 running schedule" {
			t.Error(got)
		}
		r.stop()
		if got := r.runs("queues"); !strings.Contains(got[1], "cancelled") {
			t.Errorf("a run that the process ended under: %v", got)
		}
	})
}

// TestDoneInTheLastMoment: a run whose work is done is done, though its time or the
// process ended just then.
func TestDoneInTheLastMoment(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	run := &Run{clock: wall{}}
	if rec := run.finish(ended, ended, time.Minute, nil); rec.Status != Done || rec.Message != "" {
		t.Errorf("%+v", rec)
	}
}

// TestRecordsOfRuns: what a run counts and says is kept, as is how it ended; a run can
// be run again with what was asked for.
func TestRecordsOfRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		job := Job{Name: "j", Task: func(_ context.Context, run *Run) error {
			run.Count("read", 5)
			run.Count("held: quota", 2)
			run.Plan("plan-1")
			for i := range maxLines + 3 {
				run.Log("info", "line %d", i)
			}
			switch run.Option("end") {
			case "part":
				return &PartialError{"one call goes on later"}
			case "fail":
				return errors.New("no login")
			case "panic":
				panic("boom")
			}
			return nil
		}}
		r := start(t, memstore.New(), job)
		defer r.stop()
		for end, want := range map[string]Status{"": Done, "part": Partial, "fail": Failed, "panic": Failed} {
			heard := 0
			rec, err := r.s.RunNow(t.Context(), "j", Start{By: "ana", Options: map[string]string{"end": end}, Tell: func(Line) { heard++ }})
			if err != nil {
				t.Fatal(err)
			}
			kept, err := r.s.Record(t.Context(), rec.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rec, kept); diff != "" {
				t.Error(diff)
			}
			if kept.Status != want || kept.Exit != want.Exit() || kept.Counts["read"] != 5 || len(kept.Log) != maxLines || kept.Dropped != 3 || heard != maxLines+3 || kept.By != "ana" {
				t.Errorf("%q: %+v", end, kept.Status)
			}
			again, err := r.s.RunNow(t.Context(), "j", Start{Of: rec.ID})
			if err != nil || again.Status != want || again.Of != rec.ID || again.Trigger != ByRerun {
				t.Errorf("run again: %+v %v", again.Status, err)
			}
		}
		if _, err := r.s.RunNow(t.Context(), "x", Start{}); err == nil || !strings.Contains(err.Error(), "the jobs are j") {
			t.Error(err)
		}
	})
}

// TestOneRunAtATime: a person is told of the run under way.
func TestOneRunAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		r := start(t, memstore.New(), Job{Name: "j", Task: func(context.Context, *Run) error { <-hold; return nil }})
		defer r.stop()
		go func() { _, _ = r.s.RunNow(t.Context(), "j", Start{}) }()
		synctest.Wait()
		var busy *BusyError
		if _, err := r.s.RunNow(t.Context(), "j", Start{}); !errors.As(err, &busy) {
			t.Error(err)
		}
		views, err := r.s.Jobs(t.Context())
		if err != nil || views[0].Running != busy.Run {
			t.Errorf("%+v %v", views, err)
		}
		close(hold)
		synctest.Wait()
	})
}

// TestAbandonedAndOld: what a dead process left running is ended at start; records go
// after 30 days.
func TestAbandonedAndOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := memstore.New()
		b := book{st}
		now := time.Now().UTC()
		for id, at := range map[string]time.Time{"run-1": now.Add(-31 * 24 * time.Hour), "run-2": now.Add(-time.Hour)} {
			if err := b.put(t.Context(), &Record{ID: id, Job: "j", Started: at, Status: Running}); err != nil {
				t.Fatal(err)
			}
		}
		r := start(t, st, Job{Name: "j", Task: quick})
		r.stop()
		recs, err := r.s.Runs(t.Context(), "", 10)
		if err != nil || len(recs) != 1 || recs[0].ID != "run-2" || recs[0].Status != Abandoned || recs[0].Exit != 1 {
			t.Errorf("%+v %v", recs, err)
		}
	})
}

func TestSpecsThatAreWrong(t *testing.T) {
	t.Parallel()
	for words, s := range map[string]Spec{
		"one of":      {Cron: "@daily", Every: time.Hour},
		"at least":    {Every: time.Second},
		"day of the":  {At: []string{"06:00"}, Days: []string{"someday"}},
		"time of day": {At: []string{"25:00"}},
		"goes with":   {Days: []string{"mon"}},
		"cron line":   {Cron: "61 * * * *"},
		"under zone":  {Cron: "TZ=UTC 0 * * * *"},
		"negative":    {Cron: "@daily", Jitter: -1},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v, want %q", s, err, words)
		}
	}
}

// TestJitterIsSteady: it stays within its bound, differs by job and does not change.
func TestJitterIsSteady(t *testing.T) {
	t.Parallel()
	s := Spec{Cron: "@hourly", Jitter: 10 * time.Minute}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a, b := s.Delay("a", at), s.Delay("b", at)
	if a == b || a != s.Delay("a", at) || a < 0 || a >= 10*time.Minute || b < 0 || b >= 10*time.Minute {
		t.Error(a, b)
	}
}

// TestSummerTime: a daily time that a change of clocks skips is run once that day, one
// that comes twice once.
func TestSummerTime(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones on this machine: ", err)
	}
	s := Spec{At: []string{"02:30"}, Zone: zone}
	for _, day := range []time.Time{time.Date(2026, 3, 29, 0, 0, 0, 0, zone), time.Date(2026, 10, 25, 0, 0, 0, 0, zone)} {
		n := 0
		for at := s.Next(day); at.Before(day.AddDate(0, 0, 1)); at = s.Next(at) {
			n++
		}
		if n != 1 {
			t.Errorf("%s: %d starts", day.Format(time.DateOnly), n)
		}
	}
}
