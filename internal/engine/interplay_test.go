package engine

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// etagged is a list that answers "not modified" to the state of the same body.
func etagged(values ...string) *feed {
	f := list(values...)
	f.etag = true
	return f
}

// A read that broke off, or an apply that did, leaves rows of a body that was never
// accepted. That the source is back at the accepted one does not make them right.
func TestE3_NotModifiedDoesNotConfirmWhatABrokenReadAdded(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := etagged(hosts(30)...)
		w.apply(source("a", a))
		w.poll("a")
		a.set(append([]string{"00.example.org"}, hosts(30)...)...)
		a.err, a.cut = errCut, 5
		w.poll("a")
		w.want("a", append([]string{"00.example.org"}, hosts(30)...)...)
		w.restart(source("a", a))
		a.set(hosts(30)...)
		a.err = nil
		for range 3 {
			w.poll("a")
		}
		w.want("a", hosts(30)...)
		if r := w.poll("a"); !r.NotModified || r.Listed != 30 {
			t.Errorf("afterwards a 304 is believed again: %+v", r)
		}
	})
}

func TestE3_NotModifiedAfterAnInterruptedApply(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := etagged(hosts(60)...)
		s := source("a", a)
		s.Source.WithdrawAfter = 1
		w.apply(s)
		w.poll("a")
		a.set(hosts(35)...)
		w.eng.Store = &failing{Store: w.store, after: 2}
		if _, err := w.eng.PollNow(t.Context(), "a"); !errors.Is(err, errPower) {
			t.Fatal(err)
		}
		if got := len(w.has("a")); got == 60 || got == 35 {
			t.Fatalf("the power must go in the middle of the apply: %d rows", got)
		}
		w.restart(s)
		a.set(hosts(60)...)
		for range 2 {
			w.poll("a")
		}
		w.want("a", hosts(60)...)
	})
}

func TestE4_BrokenReadDoesNotDropByACondition(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := list()
		a.order = []string{"x.example.com", "y.example.com"}
		sure := func(n int) map[string]indicator.Attributes {
			m := map[string]indicator.Attributes{}
			for _, v := range a.order {
				m[v] = indicator.Attributes{Confidence: indicator.Known(n)}
			}
			return m
		}
		a.items = sure(90)
		s := source("a", a)
		s.Keep = []Keep{keep(w.t, "sure", "confidence >= 50")}
		w.apply(s, reader("edl", sdk.RoleFeed, "a"))
		w.poll("a")
		// The file names each value twice; of the second half nothing arrived.
		a.items, a.err, a.cut = sure(10), errCut, 2
		w.poll("a")
		w.settle()
		w.want("edl", a.order...)
		a.err = nil
		w.poll("a")
		w.settle()
		w.want("edl")
	})
}

// A poll that says "not modified" while the source is frozen confirms the old set;
// the freeze ends, and its guard stays as sharp as it was.
func TestE7_NotModifiedEndsAFreezeAndKeepsTheBaseline(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := etagged(hosts(300)...)
		w.apply(source("a", a))
		w.poll("a")
		a.set()
		if r := w.poll("a"); r.Verdict != VerdictFrozen {
			t.Fatalf("%+v", r)
		}
		w.restart(source("a", a))
		w.wantRaised("a", "source_frozen", true)
		a.set(hosts(300)...)
		if r := w.poll("a"); r.Verdict != VerdictAccepted || !r.NotModified || r.Listed != 300 {
			t.Fatalf("%+v", r)
		}
		w.wantRaised("a", "source_frozen", false)
		a.set()
		if r := w.poll("a"); r.Verdict != VerdictFrozen {
			t.Errorf("empty after three hundred: %s", r.Verdict)
		}
	})
}

func TestE7_APollInBoundsDoesNotLowerTheBaseline(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(1000)...)
		w.apply(source("a", a))
		w.poll("a")
		a.set(hosts(10)...)
		w.poll("a")
		a.set(hosts(600)...)
		if r := w.poll("a"); r.Verdict != VerdictAccepted {
			t.Fatalf("%+v", r)
		}
		a.set(hosts(400)...)
		if r := w.poll("a"); r.Verdict != VerdictFrozen {
			t.Errorf("400 of 1,000 in the last 7 days: %s", r.Verdict)
		}
	})
}

func TestE7_AcceptSurvivesARestartAndABodyThatChanged(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := etagged(hosts(300)...)
		w.apply(source("a", a), reader("edl", sdk.RoleFeed, "a"))
		w.poll("a")
		a.set(hosts(20)...)
		r := w.poll("a")
		if err := w.eng.Accept(t.Context(), "a", r.ID); err != nil {
			t.Fatal(err)
		}
		w.restart(source("a", a), reader("edl", sdk.RoleFeed, "a"))
		a.set(hosts(10)...)
		if other := w.poll("a"); other.Verdict != VerdictFrozen || other.ID == r.ID {
			t.Fatalf("another body than the accepted one: %+v", other)
		}
		w.settle()
		w.want("edl", hosts(300)...)
		a.set(hosts(20)...)
		if got := w.poll("a"); got.Verdict != VerdictAccepted {
			t.Fatalf("the accepted body: %+v", got)
		}
		if got := w.poll("a"); got.Verdict != VerdictAccepted || !got.NotModified {
			t.Fatalf("the accepted body again: %+v", got)
		}
		w.settle()
		w.want("edl", hosts(20)...)
		w.wantRaised("a", "source_frozen", false)
	})
}

func TestE7_AnEmptyFirstPollOfAnotherOriginIsFrozen(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(300)...)
		s := source("a", a)
		w.apply(s, reader("edl", sdk.RoleFeed, "a"))
		w.poll("a")
		moved := list()
		moved.info.Origin = "other"
		s.Build, s.Fingerprint = func() (any, error) { return moved, nil }, "2"
		w.apply(s, reader("edl", sdk.RoleFeed, "a"))
		r := w.poll("a")
		if r.Verdict != VerdictFrozen {
			t.Fatalf("nothing where three hundred were: %+v", r)
		}
		w.poll("a")
		w.settle()
		w.want("edl", hosts(300)...)
		if err := w.eng.Accept(t.Context(), "a", r.ID); err != nil {
			t.Fatal(err)
		}
		w.poll("a")
		w.poll("a")
		w.settle()
		w.want("edl")
	})
}

// First polls of any size are taken: there is nothing to compare with.
func TestE7_FirstPolls(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(w *world) {
				a := list(hosts(n)...)
				w.apply(source("a", a), reader("edl", sdk.RoleFeed, "a"))
				if r := w.poll("a"); r.Verdict != VerdictAccepted {
					w.t.Errorf("%+v", r)
				}
				w.settle()
				w.want("edl", hosts(n)...)
				if wm, err := w.eng.Watermark(w.t.Context(), "edl"); err != nil || !wm.Settled {
					w.t.Errorf("%+v %v", wm, err)
				}
			})
		})
	}
}

func TestE6_WithdrawnForStalenessComesBackWithA304(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := etagged(hosts(30)...)
		s := source("a", a)
		s.Source.MaxStale = MaxStale{After: 24 * time.Hour, Withdraw: true}
		w.apply(s, reader("edl", sdk.RoleFeed, "a"))
		w.poll("a")
		a.err = errCut
		for range 40 {
			w.clock.Advance(time.Hour)
			a.etag = false
			w.poll("a")
			w.age()
		}
		w.settle()
		w.want("edl")
		w.restart(s, reader("edl", sdk.RoleFeed, "a"))
		a.err, a.etag = nil, true
		w.poll("a")
		w.settle()
		w.want("edl", hosts(30)...)
	})
}

// A row mentioned on many days has many bookings; all may fall due at once.
func TestE6_BookingsOfOneRowThatFallDueTogetherCountOnce(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list("a.example.com")
		a.info.Shape = sdk.Events
		s := source("a", a)
		s.Source.Age.LastSeen = 30 * 24 * time.Hour
		w.apply(s)
		for range 4 {
			w.poll("a")
			w.clock.Advance(24 * time.Hour)
		}
		a.set("new.example.com")
		w.clock.Advance(40 * 24 * time.Hour)
		w.poll("a")
		w.age()
		w.want("a", "new.example.com")
		if st := w.status("a"); st.Rows != 1 || st.Aged != 0 {
			t.Errorf("counts %d rows, %d aged", st.Rows, st.Aged)
		}
	})
}

func TestE6_EventsComeAndGo(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := list("a.example.com", "b.example.com")
		a.info.Shape = sdk.Events
		w.apply(source("a", a))
		w.poll("a")
		a.set("b.example.com")
		for range 20 {
			w.clock.Advance(24 * time.Hour)
			w.poll("a")
		}
		w.age()
		w.want("a", "a.example.com", "b.example.com")
		a.err = errCut // nothing ages while the source fails, and what it mentions moves nothing
		w.clock.Advance(20 * 24 * time.Hour)
		w.poll("a")
		w.age()
		w.want("a", "a.example.com", "b.example.com")
		a.err = nil
		w.poll("a")
		w.age()
		w.want("a", "b.example.com")
		w.restart(source("a", a))
		w.want("a", "b.example.com")
	})
}

func TestE14_BulkLoadWithTwoAges(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		var many []string
		for i := range bulkFrom + 10 {
			many = append(many, fmt.Sprintf("h%d.example.com", i))
		}
		a := list(many...)
		a.info.Shape = sdk.Events
		s := source("a", a)
		s.Source.Age = AgeRules{FirstSeen: 90 * 24 * time.Hour, LastSeen: 30 * 24 * time.Hour}
		w.eng.Chunk = 10_000
		w.apply(s)
		if r := w.poll("a"); r.New != int64(len(many)) {
			w.t.Errorf("%+v", r)
		}
	})
}

// Rows of a class that lists everything have no last seen of their own; under a
// class that only mentions they would stay for ever.
func TestE11_AnotherClassTakesOldRowsAwayWithItsFirstCompletePoll(t *testing.T) {
	t.Parallel()
	for _, shape := range []sdk.Shape{sdk.Events, sdk.Changes, sdk.Snapshot} {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(w *world) {
				a := list(hosts(10)...)
				s := source("a", a)
				w.apply(s, reader("edl", sdk.RoleFeed, "a"))
				w.poll("a")
				mentions := list("x.example.org", hosts(2)[1])
				mentions.info.Shape, mentions.err = shape, errCut
				s.Build, s.Class = func() (any, error) { return mentions, nil }, "log"
				w.apply(s, reader("edl", sdk.RoleFeed, "a"))
				w.poll("a")
				w.settle()
				w.want("edl", hosts(10)...)
				w.restart(s, reader("edl", sdk.RoleFeed, "a"))
				mentions.err = nil
				w.poll("a")
				w.settle()
				w.want("edl", "x.example.org", hosts(2)[1])
			})
		})
	}
}

// A source that tells changes goes on telling while a person looks at a freeze.
func TestE7_AcceptOfChangesIsBoundToWhatTheyRemove(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		srv := &server{has: map[string]bool{}}
		for _, v := range hosts(300) {
			srv.set(v, true)
		}
		s := source("srv", nil)
		s.Build = func() (any, error) { return srv, nil }
		w.apply(s)
		w.poll("srv")
		for _, v := range hosts(250) {
			srv.set(v, false)
		}
		r := w.poll("srv")
		if c := w.raised("srv", "source_frozen"); r.Verdict != VerdictFrozen || c == nil || c.Detail["listed"] != "50" {
			t.Fatalf("%+v %+v", r, c)
		}
		if err := w.eng.Accept(t.Context(), "srv", r.ID); err != nil {
			t.Fatal(err)
		}
		srv.set("new.example.com", true)
		if r := w.poll("srv"); r.Verdict != VerdictAccepted {
			t.Errorf("%+v", r)
		}
		if got := len(w.has("srv")); got != 51 {
			t.Errorf("%d rows", got)
		}
	})
}

func TestE6_MaxStaleEndsWithItsLimit(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := list(hosts(10)...)
		s := source("a", a)
		s.Source.MaxStale = MaxStale{After: 24 * time.Hour}
		w.apply(s)
		w.poll("a")
		a.err = errCut
		w.clock.Advance(48 * time.Hour)
		w.age()
		w.wantRaised("a", "max_stale", true)
		s.Source.MaxStale.After, s.Fingerprint = 96*time.Hour, "2"
		w.apply(s)
		w.age()
		w.wantRaised("a", "max_stale", false)
		w.clock.Advance(72 * time.Hour)
		w.age()
		w.wantRaised("a", "max_stale", true)
	})
}
