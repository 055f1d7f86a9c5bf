package condition

import (
	"context"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
	"github.com/remeld/remeld/sdk/sdktest"
)

// counting counts commits.
type counting struct {
	store.Store
	commits int
}

func (c *counting) Commit(ctx context.Context, k *store.Commit) (store.Receipt, error) {
	c.commits++
	return c.Store.Commit(ctx, k)
}

func open(t *testing.T, s store.Store, clock Clock) *Set {
	t.Helper()
	set, err := Open(t.Context(), s, clock)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestAConditionIsRaisedOnceAndKeepsItsStartAcrossARestart(t *testing.T) {
	t.Parallel()
	s, clock := &counting{Store: memstore.New()}, sdktest.NewClock(time.Time{})
	began := clock.Now()
	set := open(t, s, clock)
	for range 3 {
		if err := set.Raise(t.Context(), Condition{Node: "a", Kind: "failing", Message: "no route"}); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Hour)
	}
	if s.commits != 1 {
		t.Errorf("%d writes of what did not change", s.commits)
	}
	set = open(t, s, clock)
	if err := set.Raise(t.Context(), Condition{Node: "a", Kind: "failing", Message: "refused"}); err != nil {
		t.Fatal(err)
	}
	got := open(t, s, clock).List()
	if len(got) != 1 || !got[0].Since.Equal(began) || !got[0].Updated.Equal(clock.Now()) || got[0].Message != "refused" {
		t.Errorf("%+v", got)
	}
}

func TestClearEndsWhatItNamesAndNothingElse(t *testing.T) {
	t.Parallel()
	s, clock := &counting{Store: memstore.New()}, sdktest.NewClock(time.Time{})
	set := open(t, s, clock)
	for _, c := range []Condition{
		{Node: "a", Kind: "failing"}, {Node: "a", Kind: "frozen", ID: "1"}, {Node: "a", Kind: "frozen", ID: "2"},
		{Node: "b", Kind: "failing"}, {Node: "gone", Kind: "failing"},
	} {
		if err := set.Raise(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	left := func(want int) {
		t.Helper()
		if got := open(t, s, clock).List(); len(got) != want || len(set.List()) != want {
			t.Errorf("%d stand, %d are kept, want %d", len(set.List()), len(got), want)
		}
	}
	for _, err := range []error{
		set.ClearID(t.Context(), "a", "frozen", "1"),
		set.Clear(t.Context(), "a", "failing"),
		set.Retain(t.Context(), func(node string) bool { return node != "gone" }),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	left(2)
	before := s.commits
	if err := set.Clear(t.Context(), "a", "failing"); err != nil || s.commits != before {
		t.Errorf("clearing what does not stand: %v, %d writes", err, s.commits-before)
	}
	if err := set.Clear(t.Context(), "a", "frozen"); err != nil {
		t.Fatal(err)
	}
	left(1)
}
