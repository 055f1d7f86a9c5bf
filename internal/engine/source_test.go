package engine

import (
	"errors"
	"fmt"
	"slices"
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

// A whole read that lists exactly what the changes before it named is no repetition of
// them: what it does not list is gone. Were it taken for one, what left a source without
// a word, as by a tag taken off, would stay for ever: of changes there are none then, and
// nothing is what the whole read lists.
func TestE4_WholeReadIsNoRepetitionOfChanges(t *testing.T) {
	t.Parallel()
	for name, left := range map[string][]string{"the changed one is left": {"a.example.com"}, "none is left": nil} {
		t.Run(name, func(t *testing.T) {
			onStores(t, func(w *world) {
				a := list("a.example.com", "b.example.com")
				a.info.Shape, a.shape, a.next = sdk.Changes, sdk.Snapshot, []byte("t")
				w.apply(source("a", a))
				w.poll("a")
				a.set(left...)
				for range 2 { // of which each is one complete poll without the others
					a.shape = sdk.Changes
					w.poll("a")
					a.shape = sdk.Snapshot
					w.poll("a")
				}
				w.want("a", left...)
			})
		})
	}
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
