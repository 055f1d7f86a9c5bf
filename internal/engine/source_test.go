package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

func TestE3_ChunksUnderARecordThatIsDiscarded(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(40)...)
		a.next = []byte("token-1")
		w.apply(source("a", a))
		w.poll("a")
		a.set(hosts(80)...)
		a.next = []byte("token-2")
		broken := &failing{Store: w.store, after: 3}
		w.eng.Store = broken
		w.clock.Advance(time.Hour)
		if _, err := w.eng.PollNow(t.Context(), "a"); !errors.Is(err, errPower) {
			t.Fatalf("got %v", err)
		}
		if got := len(w.has("a")); got <= 40 || got >= 80 {
			t.Fatalf("%d rows after the power went in the middle", got)
		}
		w.restart(source("a", a))
		w.poll("a")
		if string(a.gotState) != "token-1" {
			t.Errorf("the token must not move before the last row: %q", a.gotState)
		}
		w.want("a", hosts(80)...)
		w.poll("a")
		if string(a.gotState) != "token-2" {
			t.Errorf("state %q", a.gotState)
		}
	})
}

// failing is a store whose commits stop working.
type failing struct {
	store.Store
	after int
}

var errPower = errors.New("power is gone")

func (f *failing) Commit(ctx ctxT, c *store.Commit) (store.Receipt, error) {
	if f.after--; f.after < 0 {
		return store.Receipt{}, errPower
	}
	return f.Store.Commit(ctx, c)
}

func TestE3_NotModifiedCountsAndForgetsOldParsing(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list("a.example.com", "b.example.com")
		a.next, a.notMod = []byte("etag"), true
		w.apply(source("a", a))
		w.poll("a")
		a.set("a.example.com")
		a.notMod = false
		w.poll("a")
		w.want("a", "a.example.com", "b.example.com")
		a.notMod = true
		if r := w.poll("a"); !r.NotModified || r.Withdrawn != 1 {
			t.Errorf("a 304 is a complete poll: %+v", r)
		}
		w.want("a", "a.example.com")
		edited := source("a", a)
		edited.Fingerprint = "2"
		w.apply(edited)
		if r := w.poll("a"); r.NotModified || a.gotState != nil {
			t.Errorf("after an edit the body must be read again: %+v, state %q", r, a.gotState)
		}
	})
}

func TestE4_IncompleteReadWithdrawsNothing(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(30)...)
		w.apply(source("a", a))
		w.poll("a")
		seen := w.records("a")[hosts(30)[29]].LastSeen
		a.set(append(hosts(30), "a.new.example.com")...)
		a.err, a.cut = errCut, 10
		a.removed = []string{hosts(30)[20]}
		for range 4 {
			if r := w.poll("a"); r.Verdict != VerdictIncomplete {
				t.Fatalf("%+v", r)
			}
		}
		w.want("a", append(hosts(30), "a.new.example.com")...)
		if got := w.records("a")[hosts(30)[29]].LastSeen; !got.Equal(seen) {
			t.Errorf("last seen moved from %v to %v", seen, got)
		}
		w.wantRaised("a", "source_failing", true)
		a.err = nil
		delete(a.items, hosts(30)[20])
		w.poll("a")
		w.wantRaised("a", "source_failing", false)
		w.want("a", slices.DeleteFunc(append(hosts(30), "a.new.example.com"), func(s string) bool { return s == hosts(30)[20] })...)
	})
}

func TestE4_ChangesConfirmTheRest(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(5)...)
		a.info.Shape, a.next = sdk.Changes, []byte("t")
		w.apply(source("a", a))
		w.poll("a")
		a.set("new.example.com")
		for range 3 {
			w.poll("a")
		}
		w.want("a", append(hosts(5), "new.example.com")...)
		a.removed = []string{hosts(1)[0]}
		w.poll("a")
		w.want("a", append(hosts(5)[1:], "new.example.com")...)
		now := w.clock.Now()
		if got := w.records("a")[hosts(5)[3]].LastSeen; !got.Equal(now) {
			t.Errorf("a complete poll confirms the rest: last seen %v, now %v", got, now)
		}
	})
}

func TestE5_WithdrawalAfterTwoCompletePollsWithoutARow(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list("a.example.com", "b.example.com")
		w.apply(source("a", a))
		w.poll("a")
		first := w.clock.Now()
		head := w.head("a")
		a.set("a.example.com")
		w.poll("a")
		w.want("a", "a.example.com", "b.example.com")
		if w.head("a") != head {
			t.Error("going missing is no change for readers")
		}
		rec := w.records("a")["b.example.com"]
		if !rec.LastSeen.Equal(first) {
			t.Errorf("last seen %v, want that of the last poll that had it, %v", rec.LastSeen, first)
		}
		w.poll("a")
		w.want("a", "a.example.com")
		if w.head("a") != head+1 {
			t.Errorf("one withdrawal, log from %d to %d", head, w.head("a"))
		}
	})
}

func TestE5_WithdrawAfterOne(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := list("a.example.com", "b.example.com")
		s := source("a", a)
		s.Source.WithdrawAfter = 1
		w.apply(s)
		w.poll("a")
		a.set("a.example.com")
		w.poll("a")
		w.want("a", "a.example.com")
	})
}

func TestE5_UnchangedPollWritesNoRow(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(50)...)
		w.apply(source("a", a))
		w.poll("a")
		head := w.head("a")
		for _, forget := range []bool{false, true} {
			if forget { // without the digest of the last poll, as after a restart
				n, _ := w.eng.node("a")
				n.digest = pollDigest{}
			}
			counting := &counter{Store: w.store}
			w.eng.Store = counting
			r := w.poll("a")
			w.eng.Store = w.store
			if r.Verdict != VerdictAccepted || counting.rows != 0 || w.head("a") != head {
				t.Errorf("%d row writes for an unchanged poll (%+v)", counting.rows, r)
			}
		}
		if got := w.records("a")[hosts(1)[0]].LastSeen; !got.Equal(w.clock.Now()) {
			t.Errorf("last seen %v", got)
		}
	})
}

// counter counts what is written to tables and indexes.
type counter struct {
	store.Store
	rows int
}

func (c *counter) Commit(ctx ctxT, k *store.Commit) (store.Receipt, error) {
	for _, w := range k.Writes {
		if w.Space != docSpace && w.Space != "condition" {
			c.rows++
		}
	}
	return c.Store.Commit(ctx, k)
}

func TestE5_WithdrawnAndAddedAgainInOnePoll(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(3)...)
		w.apply(source("a", a))
		w.poll("a")
		head := w.head("a")
		a.removed = []string{hosts(3)[1]}
		w.poll("a")
		w.want("a", hosts(3)...)
		if w.head("a") != head {
			t.Error("removed and listed in one poll is no change")
		}
	})
}

func TestE6_AgeingStandsStillWithTheSource(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := list("a.example.com", "b.example.com")
		a.info.Shape = sdk.Events
		s := source("a", a)
		s.Source.Age.LastSeen = 48 * time.Hour
		w.apply(s)
		w.poll("a")
		a.err = errCut
		w.clock.Advance(500 * time.Hour)
		w.poll("a")
		w.age()
		w.want("a", "a.example.com", "b.example.com")
		a.err = nil
		a.set("a.example.com")
		w.poll("a")
		w.age()
		w.want("a", "a.example.com")
	})
}

func (w *world) age() {
	w.t.Helper()
	if err := w.eng.Age(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func TestE6_AgedWhileListedStaysAgedUntilAbsentOnce(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list("a.example.com", "b.example.com")
		s := source("a", a)
		s.Source.Age.FirstSeen = 24 * time.Hour
		w.apply(s)
		w.poll("a")
		w.clock.Advance(25 * time.Hour)
		w.age()
		w.want("a")
		w.poll("a")
		w.want("a")
		a.set("b.example.com")
		w.poll("a")
		a.set("a.example.com", "b.example.com")
		w.poll("a")
		w.want("a", "a.example.com")
		st := w.status("a")
		if st.Aged != 1 || st.Rows != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func (w *world) status(name string) NodeStatus {
	w.t.Helper()
	all, err := w.eng.Status(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	w.t.Fatalf("no status of %s", name)
	return NodeStatus{}
}

func TestE6_ValidUntilRunsOnTheClock(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := list()
		until := w.clock.Now().Add(10 * time.Hour)
		a.items["a.example.com"] = indicator.Attributes{ValidUntil: until}
		a.items["old.example.com"] = indicator.Attributes{ValidUntil: until.Add(-100 * time.Hour)}
		s := source("a", a)
		s.Source.Age.ValidUntil = true
		w.apply(s)
		w.poll("a")
		w.want("a", "a.example.com")
		a.items["a.example.com"] = indicator.Attributes{ValidUntil: until.Add(10 * time.Hour)}
		w.poll("a")
		w.clock.Advance(12 * time.Hour)
		w.age()
		w.want("a", "a.example.com")
		w.clock.Advance(12 * time.Hour)
		a.err = errCut // the clock goes on while the source fails
		w.age()
		w.want("a")
	})
}

func TestE6_MaxStale(t *testing.T) {
	t.Parallel()
	for _, withdraw := range []bool{false, true} {
		t.Run(fmt.Sprint("withdraw=", withdraw), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(w *world) {
				a := list(hosts(10)...)
				s := source("a", a)
				s.Source.MaxStale = MaxStale{After: 24 * time.Hour, Withdraw: withdraw}
				w.apply(s)
				w.poll("a")
				a.err = errCut
				w.clock.Advance(23 * time.Hour)
				w.age()
				w.wantRaised("a", "max_stale", false)
				w.clock.Advance(2 * time.Hour)
				w.age()
				w.wantRaised("a", "max_stale", true)
				if withdraw {
					w.want("a")
				} else {
					w.want("a", hosts(10)...)
				}
				a.err = nil
				w.poll("a")
				w.want("a", hosts(10)...)
				w.wantRaised("a", "max_stale", false)
			})
		})
	}
}

func TestE7_EmptyAfterTwoThousandIsFrozen(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(2000)...)
		w.apply(source("a", a))
		w.poll("a")
		a.set()
		var r PollReport
		for range 3 {
			r = w.poll("a")
		}
		if r.Verdict != VerdictFrozen || r.ID == "" {
			t.Fatalf("%+v", r)
		}
		w.want("a", hosts(2000)...)
		c := w.raised("a", "source_frozen")
		if c == nil || !strings.Contains(c.Help, "remeld accept a --poll "+r.ID) {
			t.Fatalf("condition %+v", c)
		}
		if err := w.eng.Accept(t.Context(), "a", "feedbeef"); !errors.Is(err, ErrNotFrozen) {
			t.Errorf("another id: %v", err)
		}
		if err := w.eng.Accept(t.Context(), "a", r.ID); err != nil {
			t.Fatal(err)
		}
		w.poll("a")
		w.poll("a")
		w.want("a")
		w.wantRaised("a", "source_frozen", false)
	})
}

func TestE7_AcceptIsBoundToTheBody(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(1000)...)
		w.apply(source("a", a))
		w.poll("a")
		a.set(hosts(400)...)
		r := w.poll("a")
		if r.Verdict != VerdictFrozen {
			t.Fatalf("-60 %% must freeze: %+v", r)
		}
		if err := w.eng.Accept(t.Context(), "a", r.ID); err != nil {
			t.Fatal(err)
		}
		a.set(hosts(300)...)
		if r := w.poll("a"); r.Verdict != VerdictFrozen {
			t.Errorf("another body must not pass by the approval of the first: %+v", r)
		}
		w.want("a", hosts(1000)...)
		a.set(append(hosts(900), "new.example.org")...)
		if r := w.poll("a"); r.Verdict != VerdictAccepted {
			t.Errorf("a poll in bounds ends a freeze: %+v", r)
		}
	})
}

func TestE7_FrozenStillAddsAndUpdates(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(500)...)
		a.next = []byte("etag-1")
		w.apply(source("a", a))
		w.poll("a")
		a.set(hosts(100)...)
		a.items["new.example.org"] = indicator.Attributes{}
		a.items[hosts(1)[0]] = indicator.Attributes{Confidence: indicator.Known(80)}
		a.next = []byte("etag-2")
		w.poll("a")
		w.want("a", append(hosts(500), "new.example.org")...)
		if n, _ := w.records("a")[hosts(1)[0]].Confidence.Get(); n != 80 {
			t.Error("updates pass while frozen")
		}
		w.poll("a")
		if string(a.gotState) != "etag-1" {
			t.Errorf("a frozen body's validators must not be sent: %q", a.gotState)
		}
	})
}

func TestE7_AgreeingPollsAndEmptyOK(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, b := list(hosts(500)...), list(hosts(500)...)
		sa, sb := source("a", a), source("b", b)
		sa.Source.Agree, sb.Source.EmptyOK = 3, true
		sb.Source.WithdrawAfter = 1
		w.apply(sa, sb)
		w.poll("a")
		w.poll("b")
		a.set(hosts(100)...)
		for i := range 3 {
			if r := w.poll("a"); (r.Verdict == VerdictAccepted) != (i == 2) {
				t.Errorf("poll %d: %+v", i, r)
			}
		}
		b.set()
		if r := w.poll("b"); r.Verdict != VerdictAccepted {
			t.Errorf("%+v", r)
		}
		w.want("b")
	})
}

func TestE7_BaselineLooksBackSevenDays(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(1000)...)
		w.apply(source("a", a))
		w.poll("a")
		for _, n := range []int{700, 510} { // each step is small, all of them together are not
			a.set(hosts(n)...)
			if r := w.poll("a"); r.Verdict != VerdictAccepted {
				t.Fatalf("%d: %+v", n, r)
			}
		}
		a.set(hosts(400)...)
		if r := w.poll("a"); r.Verdict != VerdictFrozen {
			t.Errorf("slicing must not pass: %+v", r)
		}
		w.clock.Advance(8 * 24 * time.Hour)
		a.set(hosts(510)...)
		w.poll("a")
		a.set(hosts(400)...)
		if r := w.poll("a"); r.Verdict != VerdictAccepted {
			t.Errorf("against last week's 510 a set of 400 is in bounds: %+v", r)
		}
	})
}

func TestE8_ShuffledFeedIsNoChange(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list()
		for i, h := range hosts(60) {
			a.items[h] = indicator.Attributes{Confidence: indicator.Known(i % 7), Tags: []string{fmt.Sprint("t", i%3)}}
		}
		a.order = append(hosts(60), hosts(20)...)
		w.apply(source("a", a))
		w.poll("a")
		head := w.head("a")
		for range 5 {
			rand.Shuffle(len(a.order), func(i, j int) { a.order[i], a.order[j] = a.order[j], a.order[i] })
			n, _ := w.eng.node("a")
			n.digest = pollDigest{}
			if r := w.poll("a"); r.New+r.Changed+r.Withdrawn+r.Missing != 0 {
				t.Fatalf("%+v", r)
			}
		}
		if w.head("a") != head {
			t.Error("a shuffled feed must not be a change")
		}
	})
}

func TestE14_BulkLoadSetsTheHeadWithoutALog(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		n := bulkFrom + 10
		a := list()
		until := w.clock.Now().Add(time.Hour)
		for i, h := range hosts(n) {
			a.items[h] = indicator.Attributes{ValidUntil: until.Add(time.Duration(i%90) * time.Minute)}
		}
		s := source("a", a)
		s.Source.Age.ValidUntil = true
		w.eng.Chunk, w.chunk = 1000, 1000
		w.apply(s, reader("edl", sdk.RoleFeed, "a"))
		w.poll("a")
		v, err := w.store.View()
		if err != nil {
			t.Fatal(err)
		}
		last, first, err := v.Head(t.Context(), "n/a")
		v.Close()
		if err != nil || last == 0 || first != last+1 {
			t.Errorf("head %d, first %d, %v", last, first, err)
		}
		w.settle()
		if got := len(w.has("edl")); got != n {
			t.Errorf("%d rows downstream", got)
		}
		w.restart(s, reader("edl", sdk.RoleFeed, "a"))
		if got := w.status("a").Rows; got != int64(n) {
			t.Errorf("%d rows after a restart", got)
		}
		w.clock.Advance(45 * time.Minute)
		w.age()
		w.clock.Advance(24 * time.Hour)
		w.age()
		w.settle()
		w.want("a")
		w.want("edl")
	})
}

func TestKeepDropsAtTheSource(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list()
		a.items["low.example.com"] = indicator.Attributes{Confidence: indicator.Known(10)}
		a.items["high.example.com"] = indicator.Attributes{Confidence: indicator.Known(90)}
		s := source("a", a)
		s.Keep = []Keep{keep(t, "sure", "confidence >= 70")}
		w.apply(s)
		w.poll("a")
		w.want("a", "high.example.com")
		a.items["low.example.com"] = indicator.Attributes{Confidence: indicator.Known(80)}
		a.items["high.example.com"] = indicator.Attributes{Confidence: indicator.Known(50)}
		w.poll("a")
		w.want("a", "low.example.com")
		if got := w.records("a")["low.example.com"]; got.TLP != indicator.Green || got.Sources[0] != "a" {
			t.Errorf("defaults are missing: %+v", got)
		}
	})
}
