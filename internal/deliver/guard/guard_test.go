package guard

import (
	"encoding/json"
	"testing"
	"time"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestD6_ShareAndCountMustBothBeExceeded(t *testing.T) {
	del := Key{Class: Delete}
	for _, c := range []struct {
		live, n int
		stop    bool
	}{{1000, 100, false}, {1000, 101, true}, {5000, 400, false}, {5000, 501, true}, {50, 50, false}} {
		w := &Window{}
		got := len(w.Judge(t0, Defaults(), Counts{del: c.n}, Live{"": c.live})) > 0
		if got != c.stop {
			t.Errorf("%d of %d: stop %v, want %v", c.n, c.live, got, c.stop)
		}
	}
}

func TestD6_WindowRollsAndKeepsTheBaseOfItsStart(t *testing.T) {
	w := &Window{}
	src := Key{Class: Source, Of: "feed/a"}
	w.Done(t0, Counts{src: 40}, Live{"": 1000, "feed/a": 200})
	live := Live{"": 960, "feed/a": 160}
	if s := w.Judge(t0.Add(time.Hour), Defaults(), Counts{src: 15}, live); len(s) != 1 || s[0].Base != 200 || s[0].Counted != 40 {
		t.Errorf("stops %v", s)
	}
	data, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var back Window
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if s := back.Judge(t0.Add(time.Hour), Defaults(), Counts{src: 15}, live); len(s) != 1 {
		t.Errorf("after a restart: %v", s)
	}
	if s := w.Judge(t0.Add(25*time.Hour), Defaults(), Counts{src: 15}, live); len(s) != 0 {
		t.Errorf("a day later: %v", s)
	}
}

func TestD6_ApprovalCoversItsCountUntilItsEnd(t *testing.T) {
	w := &Window{}
	del := Key{Class: Delete}
	live := Live{"": 1000}
	w.Allow(Allowance{Key: del, Left: 500, Until: t0.Add(time.Hour), By: "ana"})
	if s := w.Judge(t0, Defaults(), Counts{del: 500}, live); len(s) != 0 {
		t.Errorf("approved: %v", s)
	}
	if s := w.Judge(t0, Defaults(), Counts{del: 700}, live); len(s) != 1 {
		t.Errorf("more than approved: %v", s)
	}
	w.Done(t0, Counts{del: 500}, live)
	if s := w.Judge(t0, Defaults(), Counts{del: 100}, Live{"": 500}); len(s) != 0 {
		t.Errorf("what was approved counts against the day: %v", s)
	}
	if s := w.Judge(t0, Defaults(), Counts{del: 500}, Live{"": 500}); len(s) != 1 {
		t.Error("an approval was used twice")
	}
}

func TestE10_LiftedAlwaysNeedsApproval(t *testing.T) {
	w := &Window{}
	if s := w.Judge(t0, Defaults(), Counts{{Class: Lifted, Of: "own"}: 1}, Live{"": 1000}); len(s) != 1 {
		t.Errorf("stops %v", s)
	}
}

func TestE16_CountsOfATimeToComeDoNotStay(t *testing.T) {
	w := &Window{}
	del := Key{Class: Delete}
	live := Live{"": 1000}
	w.Done(t0.Add(10*365*24*time.Hour), Counts{del: 900}, live) // before the clock was set back
	if s := w.Judge(t0, Defaults(), Counts{del: 100}, live); len(s) != 0 {
		t.Errorf("stops %v", s)
	}
}

func TestD6_TheStricterOfTwoNodesLimitsCounts(t *testing.T) {
	a, b := Defaults(), Defaults()
	a.Delete, b.Delete = Limit{Share: 0.5, Count: 10}, Limit{Share: 0.1, Count: 100}
	if got := a.Stricter(b); got.Delete != (Limit{Share: 0.1, Count: 10}) || got.Create != Defaults().Create {
		t.Errorf("%+v", got)
	}
}
