package engine

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/graph"
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

func TestE11_EditsWriteOnlyDifferences(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, b := list(), list(hosts(5)...)
		for i, h := range hosts(30) {
			a.items[h] = indicator.Attributes{Confidence: indicator.Known(i * 3)}
		}
		edl := reader("edl", sdk.RoleFeed, "a", "b")
		specs := []NodeSpec{source("a", a), source("b", b), edl}
		w.apply(specs...)
		w.poll("a")
		w.poll("b")
		w.settle()
		polls, head := a.polls, w.head("edl")
		specs[2].Keep = []Keep{keep(t, "sure", "confidence >= 30")}
		specs[2].Fingerprint = "2"
		w.apply(specs...)
		w.settle()
		w.want("edl", hosts(30)[10:]...)
		if got := w.head("edl") - head; got != 10 {
			t.Errorf("%d changes for 10 rows that go", got)
		}
		if a.polls != polls {
			t.Error("a reader's edit must not poll")
		}
		specs[2].Keep, specs[2].Fingerprint = nil, "3"
		specs[2].Inputs = []string{"b"}
		w.apply(specs[1], specs[2])
		w.settle()
		w.want("edl", hosts(5)...)
		v, err := w.store.View()
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if left, err := v.Spaces(t.Context(), "n/a/"); err != nil || len(left) > 0 {
			t.Errorf("a removed node leaves %v, %v", left, err)
		}
	})
}

func TestE11_AnotherOriginKeepsRowsUntilItsFirstCompletePoll(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(300)...)
		s := source("a", a)
		s.Source.WithdrawAfter = 1
		w.apply(s, reader("edl", sdk.RoleFeed, "a"))
		w.poll("a")
		w.settle()
		moved := list("elsewhere.example.org")
		moved.info.Origin, moved.err = "other", errCut
		s.Build, s.Fingerprint = func() (any, error) { return moved, nil }, "2"
		w.apply(s, reader("edl", sdk.RoleFeed, "a"))
		if wm, err := w.eng.Watermark(t.Context(), "edl"); err != nil || wm.Settled {
			t.Errorf("%+v %v", wm, err)
		}
		w.poll("a")
		w.settle()
		w.want("edl", hosts(300)...)
		moved.err = nil
		w.poll("a")
		w.settle()
		w.want("edl", "elsewhere.example.org")
	})
}

func TestE11_FailedApplyChangesNothing(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(3)...)
		w.apply(source("a", a), reader("edl", sdk.RoleFeed, "a"))
		w.poll("a")
		w.settle()
		bad := source("b", nil)
		bad.Build = func() (any, error) { return nil, errors.New("no such file") }
		for _, specs := range [][]NodeSpec{{bad}, {source("a", a), reader("edl", sdk.RoleFeed, "gone")}} {
			if err := w.eng.Apply(t.Context(), specs); err == nil {
				t.Error("must fail")
			}
		}
		a.set(hosts(4)...)
		w.poll("a")
		w.settle()
		w.want("edl", hosts(4)...)
	})
}

func TestE11_PreviewNamesWithdrawals(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, b := list(hosts(10)...), list(hosts(4)...)
		specs := []NodeSpec{source("a", a), source("b", b), reader("meld", sdk.RoleProcessor, "a", "b"), reader("edl", sdk.RoleFeed, "meld")}
		w.apply(specs...)
		w.poll("a")
		w.poll("b")
		w.settle()
		same, err := w.eng.Preview(t.Context(), specs)
		if err != nil || same.Destinations["edl"].Withdrawn != 0 {
			t.Errorf("%+v %v", same, err)
		}
		without := []NodeSpec{specs[1], reader("meld", sdk.RoleProcessor, "b"), specs[3]}
		p, err := w.eng.Preview(t.Context(), without)
		if err != nil {
			t.Fatal(err)
		}
		if d := p.Destinations["edl"]; d.Rows != 10 || d.Withdrawn != 6 || d.Added != 0 || len(d.Sample) != 6 {
			t.Errorf("%+v", d)
		}
		actions := map[string]graph.Action{}
		for _, s := range p.Steps {
			actions[s.Name] = s.Action
		}
		if actions["a"] != graph.Remove || actions["b"] != graph.Keep || actions["meld"] != graph.Replay {
			t.Errorf("%v", actions)
		}
		w.want("edl", hosts(10)...)
		w.apply(without...)
		w.settle()
		w.want("edl", hosts(4)...)
	})
}

func TestE16_ClockJumpStopsUntilAcknowledged(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(5)...)
		s := source("a", a)
		s.Source.Age.FirstSeen = 24 * time.Hour
		w.apply(s, reader("edl", sdk.RoleFeed, "a"))
		w.poll("a")
		w.settle()
		w.store.Close()
		w.clock.Advance(10 * 365 * 24 * time.Hour)
		w.start()
		w.apply(s, reader("edl", sdk.RoleFeed, "a"))
		w.wantRaised("engine", "clock_jump", true)
		if err := w.eng.Age(t.Context()); !errors.Is(err, errClockJump) {
			t.Errorf("ageing after a jump of ten years: %v", err)
		}
		if _, err := w.eng.PollNow(t.Context(), "a"); !errors.Is(err, errClockJump) {
			t.Errorf("%v", err)
		}
		w.want("edl", hosts(5)...)
		if wm, err := w.eng.Watermark(t.Context(), "edl"); err != nil || wm.Settled {
			t.Errorf("%+v %v", wm, err)
		}
		if err := w.eng.AcceptClock(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantRaised("engine", "clock_jump", false)
		w.age()
		w.settle()
		w.want("edl")
	})
}

func TestE16_WallClockAgainstMonotonicTime(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		var mono time.Duration
		w.eng.Monotonic = func() time.Duration { return mono }
		step := func(wall, counted time.Duration) bool {
			w.clock.Advance(wall)
			mono += counted
			return w.eng.ClockOK(t.Context())
		}
		if !step(5*time.Hour, 5*time.Hour) {
			t.Error("both moved alike")
		}
		if step(2*time.Hour, time.Minute) {
			t.Error("two hours in a minute")
		}
		if step(time.Minute, time.Minute) {
			t.Error("still off")
		}
		if !step(-2*time.Hour, time.Minute) {
			t.Error("right again")
		}
	})
}

func TestExplainFindsCoversAndRules(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list("bad.example.org", "10.0.0.0/8", "www.ours.example.com", "low.example.net")
		a.items["low.example.net"] = indicator.Attributes{Confidence: indicator.Known(10)}
		own := list("ours.example.com")
		specs := melded(a, own)
		specs[3].Keep = []Keep{keep(t, "not_net", `value != "low.example.net"`)}
		w.apply(specs...)
		w.poll("a")
		w.poll("own")
		w.settle()
		find := func(v, node string) *Finding {
			i, err := indicator.Parse(indicator.Unknown, v)
			if err != nil {
				t.Fatal(err)
			}
			all, err := w.eng.Explain(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range all {
				if f.Node == node {
					return &f
				}
			}
			return nil
		}
		if f := find("http://www.bad.example.org/path", "edl"); f == nil || f.Found.Value != "bad.example.org" || !f.Emitted {
			t.Errorf("by URL host: %+v", f)
		}
		if f := find("10.20.30.40", "a"); f == nil || f.Found.Value != "10.0.0.0/8" {
			t.Errorf("by CIDR: %+v", f)
		}
		if f := find("www.ours.example.com", "meld"); f == nil || f.Emitted || f.Rule != "allow" || f.Reason != "own" {
			t.Errorf("by allow-list: %+v", f)
		}
		if f := find("low.example.net", "edl"); f == nil || f.Emitted || f.Rule != "keep" || f.Reason != "not_net" {
			t.Errorf("by condition: %+v", f)
		}
		if f := find("unknown.example.com", "edl"); f != nil {
			t.Errorf("unknown: %+v", f)
		}
	})
}

func TestCauseTellsWhyARecordLeft(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, own := list(hosts(6)...), list("ours.example.org")
		specs := melded(a, own)
		specs[0].Source.WithdrawAfter = 1
		w.apply(specs...)
		w.poll("a")
		w.poll("own")
		w.settle()
		a.set(hosts(6)[2:]...)
		a.removed = hosts(1)
		own.set("ours.example.org", hosts(6)[5])
		w.poll("a")
		w.poll("own")
		w.settle()
		w.want("edl", hosts(6)[2:5]...)
		causes := func(want ...string) {
			t.Helper()
			for i, k := range []int{0, 1, 5} {
				ind, _ := indicator.Parse(indicator.Domain, hosts(6)[k])
				if got, err := w.eng.Cause(t.Context(), "edl", ind); got != want[i] || err != nil {
					t.Errorf("%s: %s, want %s (%v)", ind.Value, got, want[i], err)
				}
			}
		}
		causes(CauseRemoved, CauseWithdrawn, CauseAllowListed)
		w.clock.Advance(10 * 24 * time.Hour)
		w.age()
		causes(CauseWithdrawn, CauseWithdrawn, CauseAllowListed)
	})
}

func TestE12_ConditionsOnTheClockAreRefused(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		edl := reader("edl", sdk.RoleFeed, "a")
		edl.Keep = []Keep{keep(t, "recent", "last_seen > NOW() - 7 DAYS")}
		if err := w.eng.Apply(t.Context(), []NodeSpec{source("a", list()), edl}); err == nil {
			t.Error("a condition on last seen at a feed must be refused")
		}
		edl.Role = sdk.RoleTarget
		if err := w.eng.Apply(t.Context(), []NodeSpec{source("a", list()), edl}); err != nil {
			t.Error(err)
		}
	})
}

func TestRowsCarryNoSharedBytes(t *testing.T) {
	t.Parallel()
	// The key of a table's row must not be kept past the callback; the memory store
	// overwrites it, so a copy that was forgotten shows here.
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(25)...)
		w.apply(source("a", a))
		w.poll("a")
		table, err := w.eng.Table("a")
		if err != nil {
			t.Fatal(err)
		}
		var prev []byte
		err = table.Scan(t.Context(), func(r sdk.Row) error {
			if prev != nil && bytes.Compare(prev, r.Key) >= 0 {
				return fmt.Errorf("%x after %x", r.Key, prev)
			}
			prev = bytes.Clone(r.Key)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
