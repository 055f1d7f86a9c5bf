package engine

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/sdk"
)

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
