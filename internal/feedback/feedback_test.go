package feedback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
	"github.com/remeld/remeld/sdk"
)

// clock stands still until it is moved.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return ctx.Err()
}

// torn is a store whose commits can fail, as a process that is killed leaves them.
type torn struct {
	store.Store
	fails bool
}

func (s *torn) Commit(ctx context.Context, c *store.Commit) (store.Receipt, error) {
	if s.fails {
		return store.Receipt{}, errors.New("killed")
	}
	return s.Store.Commit(ctx, c)
}

// service is a source whose service keeps marks.
type service struct {
	mark   string
	has    map[string]bool // "mark value"
	barred map[string]bool
	fails  error
	in     string // with fails: those before this value are done
	calls  int
}

func (s *service) Mark() string { return s.mark }

func (s *service) SetMark(_ context.Context, mark string, on bool, items []sdk.Marked) error {
	s.calls++
	if s.fails != nil && s.in == "" {
		return s.fails
	}
	for i := range items {
		value := items[i].Indicator.Value
		switch {
		case s.fails != nil && value == s.in:
			return s.fails
		case on && items[i].Attrs == nil, !on && string(items[i].Told) != "id of "+value:
			return fmt.Errorf("asked about %s without what it takes", value)
		case s.barred[value]:
			items[i].Barred = "may not change " + value
		case on:
			s.has[mark+" "+value], items[i].Told = true, []byte("id of "+value)
		default:
			delete(s.has, mark+" "+value)
		}
	}
	return nil
}

type rig struct {
	t         *testing.T
	service   *service
	clock     *clock
	store     *torn
	set       *condition.Set
	feedback  *Feedback
	delivered []string
	known     []string // what the source says
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, service: &service{mark: "sent", has: map[string]bool{}, barred: map[string]bool{}}, clock: &clock{now: time.Date(2027, 1, 4, 6, 0, 0, 0, time.UTC)}, store: &torn{Store: memstore.New()}}
	t.Cleanup(func() { _ = r.store.Close() })
	r.open()
	return r
}

// open is what a process does at its start.
func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.set, err = condition.Open(r.t.Context(), r.store, r.clock); err != nil {
		r.t.Fatal(err)
	}
	r.feedback = New(Deps{
		Store: r.store, Clock: r.clock, Log: slog.New(slog.DiscardHandler), Conditions: r.set,
		Markers: func() map[string]sdk.Marker { return map[string]sdk.Marker{"tc": r.service} },
		Delivered: func(_ context.Context, fn func(string, indicator.Indicator)) error {
			for _, v := range r.delivered {
				fn("tc", domain(v))
				fn("another", domain("x."+v))
			}
			return nil
		},
		Lookup: func(_ context.Context, _ string, i indicator.Indicator) (*indicator.Record, error) {
			if !slices.Contains(r.known, i.Value) {
				return nil, nil
			}
			return &indicator.Record{Indicator: i}, nil
		},
	})
}

func domain(v string) indicator.Indicator {
	return indicator.Indicator{Kind: indicator.Domain, Value: v}
}

func (r *rig) pass() {
	r.t.Helper()
	if err := r.feedback.Pass(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.clock.now = r.clock.now.Add(every)
}

func (r *rig) want(marks ...string) {
	r.t.Helper()
	var has []string
	for m := range r.service.has {
		has = append(has, m)
	}
	slices.Sort(has)
	if got, want := strings.Join(has, ", "), strings.Join(marks, ", "); got != want {
		r.t.Errorf("the service has %q, want %q", got, want)
	}
}

// TestMarksFollowDelivery: on after delivery, off after withdrawal, once each; what the
// source says nothing of is left alone, and a new name takes the old one's place.
func TestMarksFollowDelivery(t *testing.T) {
	r := newRig(t)
	r.known, r.delivered = []string{"a.example", "b.example", "c.example"}, []string{"a.example", "b.example", "made.of.others"}
	r.pass()
	r.want("sent a.example", "sent b.example")
	calls := r.service.calls
	r.pass()
	r.open() // as after a restart
	r.pass()
	if r.service.calls != calls {
		t.Errorf("%d calls for nothing", r.service.calls-calls)
	}
	r.delivered, r.known = []string{"b.example", "c.example"}, []string{"b.example", "c.example"}
	r.pass()
	r.want("sent b.example", "sent c.example")
	r.service.mark = "told"
	r.pass()
	r.want("told b.example", "told c.example")
	r.service.mark = ""
	r.delivered = nil
	r.pass()
	r.want("told b.example", "told c.example")
}

// TestAtLeastOnce: a process that ends between the call and its record says it again, and
// what comes of it is the same.
func TestAtLeastOnce(t *testing.T) {
	r := newRig(t)
	r.known, r.delivered = []string{"a.example"}, []string{"a.example"}
	for _, marks := range [][]string{{"sent a.example"}, nil} {
		r.store.fails = true
		if err := r.feedback.Pass(t.Context()); err == nil {
			t.Error("a record that could not be kept is no error")
		}
		r.store.fails = false
		r.open()
		r.pass()
		r.want(marks...)
		calls := r.service.calls
		r.pass()
		if r.service.calls != calls {
			t.Error("said again although it is recorded")
		}
		r.delivered = nil
	}
}

// TestFailuresWaitAndAreTold: waits grow to six hours, the condition stands meanwhile and
// goes with the first success.
func TestFailuresWaitAndAreTold(t *testing.T) {
	r := newRig(t)
	r.known, r.delivered = []string{"a.example"}, []string{"a.example"}
	r.service.fails = &sdk.Error{Failure: sdk.Unavailable, Message: "down"}
	for range 3 * 24 * 60 {
		r.pass()
	}
	if n := r.service.calls; n < 15 || n > 25 {
		t.Errorf("%d attempts in three days", n)
	}
	if all := r.set.List(); len(all) != 1 || all[0].Node != "tc" || all[0].Kind != kind || !strings.Contains(all[0].Message, "down") {
		t.Errorf("conditions %+v", all)
	}
	r.service.fails = nil
	for range 6*60 + 1 {
		r.pass()
	}
	r.want("sent a.example")
	if all := r.set.List(); len(all) != 0 {
		t.Errorf("conditions %+v", all)
	}
}

// TestMissingRight: one value that cannot be told keeps no other from it, is told to a
// person, and is tried again once a day.
func TestMissingRight(t *testing.T) {
	r := newRig(t)
	r.known, r.delivered = []string{"a.example", "b.example"}, []string{"a.example", "b.example"}
	r.service.barred["a.example"] = true
	for range 12 * 60 {
		r.pass()
	}
	r.want("sent b.example")
	if all := r.set.List(); len(all) != 1 || !strings.Contains(all[0].Message, "may not change a.example") || r.service.calls != 1 {
		t.Errorf("%d calls, conditions %+v", r.service.calls, all)
	}
	r.service.barred = nil
	for range 13 * 60 {
		r.pass()
	}
	r.want("sent a.example", "sent b.example")
	if all := r.set.List(); len(all) != 0 {
		t.Errorf("conditions %+v", all)
	}
	r.delivered = nil
	r.pass()
	r.want()
}

// TestFailedInTheMiddle: what was marked before a call failed is marked no twice and is
// taken off when it is delivered no more, even if the call never succeeds.
func TestFailedInTheMiddle(t *testing.T) {
	r := newRig(t)
	r.known, r.delivered = []string{"a.example", "b.example"}, []string{"a.example", "b.example"}
	r.service.fails, r.service.in = &sdk.Error{Failure: sdk.Unavailable, Message: "down"}, "b.example"
	r.pass()
	r.want("sent a.example")
	r.delivered = []string{"b.example"}
	r.clock.now = r.clock.now.Add(maxWait)
	r.open()
	r.pass()
	r.want()
	r.delivered, r.service.fails = r.known, nil
	r.open()
	r.pass()
	r.want("sent a.example", "sent b.example")
	calls := r.service.calls
	r.pass()
	if all := r.set.List(); len(all) != 0 || r.service.calls != calls {
		t.Errorf("%d calls for nothing, conditions %+v", r.service.calls-calls, all)
	}
}

// TestMarkThatCannotBeTakenOff: it is told to a person and tried once a day, not forgotten.
func TestMarkThatCannotBeTakenOff(t *testing.T) {
	r := newRig(t)
	r.known, r.delivered = []string{"a.example"}, []string{"a.example"}
	r.pass()
	r.delivered, r.service.barred["a.example"] = nil, true
	calls := r.service.calls
	for range 12 * 60 {
		r.pass()
	}
	if all := r.set.List(); len(all) != 1 || !strings.Contains(all[0].Message, "may not change a.example") || r.service.calls != calls+1 {
		t.Errorf("%d calls, conditions %+v", r.service.calls-calls, all)
	}
	r.service.barred = nil
	for range 13 * 60 {
		r.pass()
	}
	r.want()
	if all := r.set.List(); len(all) != 0 {
		t.Errorf("conditions %+v", all)
	}
}
