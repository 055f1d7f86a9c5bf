package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

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
