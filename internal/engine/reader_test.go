package engine

import (
	"errors"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

func TestE1_StepsAreIdempotentAndCoalesce(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(20)...)
		specs := []NodeSpec{source("a", a), reader("edl", sdk.RoleFeed, "a")}
		w.apply(specs...)
		w.poll("a")
		w.settle()
		head := w.head("edl")
		for i := range 6 { // every row changes six times before the reader looks
			for _, h := range hosts(20) {
				a.items[h] = indicator.Attributes{Confidence: indicator.Known(10 + i)}
			}
			w.poll("a")
		}
		w.settle()
		if got := w.head("edl") - head; got != 20 {
			t.Errorf("%d changes downstream of 20 rows that changed six times", got)
		}
		// The cursor is lost: the steps are done again and find nothing.
		head = w.head("edl")
		n, _ := w.eng.node("edl")
		st := n.st.Load().clone()
		st.Step.Cursors["a"] -= 15
		n.st.Store(st)
		w.settle()
		if w.head("edl") != head {
			t.Error("a step done twice must write nothing")
		}
	})
}

func TestE1_CursorCommitsWithTheRows(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(60)...)
		specs := []NodeSpec{source("a", a), reader("edl", sdk.RoleFeed, "a")}
		w.apply(specs...)
		w.poll("a")
		w.eng.Store = &failing{Store: w.store, after: 4}
		if err := w.eng.Settle(t.Context()); !errors.Is(err, errPower) {
			t.Fatal(err)
		}
		if got := len(w.has("edl")); got == 0 || got == 60 {
			t.Fatalf("%d rows", got)
		}
		w.restart(specs...)
		w.settle()
		w.want("edl", hosts(60)...)
	})
}

func TestE2_LeftBehindReaderMergesTheTable(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(40)...)
		specs := []NodeSpec{source("a", a), reader("edl", sdk.RoleFeed, "a")}
		w.apply(specs...)
		w.poll("a")
		w.settle()
		a.set(hosts(50)[15:]...)
		w.poll("a")
		w.poll("a")
		last := w.head("a")
		trim := &store.Commit{Trims: []store.Trim{{Log: "n/a", UpTo: last}}}
		if _, err := w.store.Commit(t.Context(), trim); err != nil {
			t.Fatal(err)
		}
		head := w.head("edl")
		w.settle()
		w.want("edl", hosts(50)[15:]...)
		if got := w.head("edl") - head; got != 25 {
			t.Errorf("%d changes, want the 15 withdrawn and the 10 new", got)
		}
	})
}

func TestE2_LogsAreTrimmed(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(40)...)
		w.apply(source("a", a), reader("edl", sdk.RoleFeed, "a"))
		w.poll("a")
		entries := func(log string) uint64 {
			v, err := w.store.View()
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			last, first, err := v.Head(t.Context(), log)
			if err != nil {
				t.Fatal(err)
			}
			return last + 1 - first
		}
		w.settle()
		a.set(hosts(43)...)
		w.poll("a")
		w.poll("a")
		if entries("n/a") != 3 {
			t.Errorf("%d entries while a reader has not seen 3 of them", entries("n/a"))
		}
		w.settle()
		w.poll("a")
		if entries("n/a") != 0 {
			t.Errorf("%d entries that everybody has seen", entries("n/a"))
		}
		a.set(hosts(45)...)
		w.poll("a")
		w.clock.Advance(9 * 24 * time.Hour)
		w.poll("a")
		w.clock.Advance(9 * 24 * time.Hour)
		w.poll("a")
		if entries("n/a") != 0 {
			t.Errorf("%d entries older than 7 days: nothing pins a log for ever", entries("n/a"))
		}
		w.settle()
		w.want("edl", hosts(45)...)
	})
}

func TestE8_FirstWinsMeansTheOrderOfInputs(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, b := list(), list()
		a.items["x.example.com"] = indicator.Attributes{ThreatType: "from-a"}
		b.items["x.example.com"] = indicator.Attributes{ThreatType: "from-b"}
		meld := reader("meld", sdk.RoleProcessor, "b", "a")
		meld.Build = func() (any, error) { return ruled{"threat_type": indicator.First}, nil }
		specs := []NodeSpec{source("a", a), source("b", b), meld}
		w.apply(specs...)
		for _, name := range []string{"a", "b"} {
			w.poll(name)
			w.settle()
		}
		if got := w.records("meld")["x.example.com"].ThreatType; got != "from-b" {
			t.Errorf("got %s", got)
		}
		specs[2].Inputs = []string{"a", "b"}
		w.apply(specs...)
		w.settle()
		if got := w.records("meld")["x.example.com"].ThreatType; got != "from-a" {
			t.Errorf("after another order of inputs: %s", got)
		}
	})
}

// ruled merges by rules, as the aggregate class does.
type ruled indicator.Rules

func (r ruled) Reduce(_ indicator.Indicator, in []sdk.Contribution) sdk.Verdict {
	var cs []indicator.Contribution
	for _, c := range in {
		cs = append(cs, indicator.Contribution{Order: c.Order, Attrs: c.Attrs})
	}
	return sdk.Verdict{Attrs: indicator.Merge(indicator.Rules(r), cs)}
}

func melded(a, own *feed) []NodeSpec {
	meld := reader("meld", sdk.RoleProcessor, "a")
	meld.Allow = []string{"own"}
	return []NodeSpec{source("a", a), source("own", own), meld, reader("edl", sdk.RoleFeed, "meld")}
}

func TestE10_NothingIsEmittedBeforeTheAllowListWasRead(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, own := list("www.bad.example.org", "www.ours.example.com"), list("ours.example.com")
		own.err = errCut
		specs := melded(a, own)
		w.apply(specs...)
		w.poll("a")
		w.poll("own") // fails: what it gave does not count
		w.settle()
		w.want("edl")
		wm, err := w.eng.Watermark(t.Context(), "edl")
		if err != nil || wm.Settled || wm.AllowReady {
			t.Errorf("%+v %v", wm, err)
		}
		own.err = nil
		w.poll("own")
		w.settle()
		w.want("edl", "www.bad.example.org")
		if wm, err := w.eng.Watermark(t.Context(), "edl"); err != nil || !wm.Settled || !wm.AllowReady {
			t.Errorf("%+v %v", wm, err)
		}
		// Loaded once is loaded: a restart with a failing list goes on.
		own.err = errCut
		w.restart(specs...)
		a.set("www.bad.example.org", "www.ours.example.com", "more.example.org", "x.ours.example.com")
		w.poll("a")
		w.settle()
		w.want("edl", "www.bad.example.org", "more.example.org")
	})
}

func TestE10_AllowEntriesCoverAndUncoverExactly(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list("www.ours.example.com", "http://cdn.ours.example.com/x", "10.1.2.3", "http://10.1.2.4/x", "notours.example.com", "8.8.8.8")
		own := list("other.example.com")
		w.apply(melded(a, own)...)
		w.poll("a")
		w.poll("own")
		w.settle()
		if n := len(w.has("edl")); n != 6 {
			t.Fatalf("%v", w.has("edl"))
		}
		own.set("other.example.com", "ours.example.com", "10.0.0.0/8")
		w.poll("own")
		w.settle()
		w.want("edl", "notours.example.com", "8.8.8.8")
		own.set("other.example.com", "ours.example.com")
		own.removed = []string{"10.0.0.0/8"}
		w.poll("own")
		w.settle()
		w.want("edl", "notours.example.com", "8.8.8.8")
		w.wantRaised("own", "source_frozen", true) // a third of an allow-list is gone
	})
}

func TestE10_WhatAShrunkenAllowListUncoversIsMarkedUntilApproved(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list("www.ours.example.com", "bad.example.org")
		own := list(append(hosts(40), "ours.example.com")...)
		specs := melded(a, own)
		w.apply(specs...)
		w.poll("a")
		w.poll("own")
		w.settle()
		w.want("edl", "bad.example.org")
		own.set(hosts(40)...)
		own.removed = []string{"ours.example.com"}
		w.poll("own")
		w.settle()
		w.want("edl", "bad.example.org", "www.ours.example.com")
		marked := func(v string) any { return w.records("edl")[v].Extra["allow_lifted"] }
		if marked("www.ours.example.com") != "own" || marked("bad.example.org") != nil {
			t.Fatalf("marks: %v %v", marked("www.ours.example.com"), marked("bad.example.org"))
		}
		a.items["www.ours.example.com"] = indicator.Attributes{Confidence: indicator.Known(99)}
		w.poll("a")
		w.settle()
		if marked("www.ours.example.com") != "own" {
			t.Error("an update must not wash the mark off")
		}
		w.restart(specs...)
		w.settle()
		if marked("www.ours.example.com") != "own" {
			t.Error("a restart must not wash the mark off")
		}
		if n, err := w.eng.ApproveLifted(t.Context(), "own"); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		w.settle()
		if marked("www.ours.example.com") != nil {
			t.Error("approved, and still marked")
		}
	})
}

func TestE10_RemovingAnAllowEdgeMarksToo(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, own := list("www.ours.example.com", "bad.example.org"), list("ours.example.com")
		specs := melded(a, own)
		w.apply(specs...)
		w.poll("a")
		w.poll("own")
		w.settle()
		specs[2].Allow = nil
		w.apply(specs...)
		w.settle()
		if got := w.records("edl")["www.ours.example.com"].Extra["allow_lifted"]; got != "own" {
			t.Errorf("mark %v", got)
		}
		if got := w.records("edl")["bad.example.org"].Extra["allow_lifted"]; got != nil {
			t.Errorf("mark of what was never covered: %v", got)
		}
	})
}

func TestE10_AllowListsDoNotAgeAndFreezeEarly(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		own := list(hosts(20)...)
		specs := melded(list(), own)
		specs[1].Source.Age.FirstSeen = time.Hour
		specs[1].Source.EmptyOK = false
		w.apply(specs...)
		w.poll("own")
		w.clock.Advance(100 * time.Hour)
		w.age()
		w.want("own", hosts(20)...)
		own.set(hosts(17)...)
		if r := w.poll("own"); r.Verdict != VerdictFrozen {
			t.Errorf("an allow-list that lost 15 %%: %+v", r)
		}
		own.set(hosts(19)...)
		if r := w.poll("own"); r.Verdict != VerdictAccepted {
			t.Errorf("an allow-list that lost 5 %%: %+v", r)
		}
	})
}

func TestE10_StringEntriesMatchExactlyOnly(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a, own := list("com.example.com", "www.com.example.com"), list()
		own.items["com.example.com"] = indicator.Attributes{Extra: map[string]any{"match": "string"}}
		w.apply(melded(a, own)...)
		w.poll("a")
		w.poll("own")
		w.settle()
		w.want("edl", "www.com.example.com")
	})
}
