package condition

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/internal/store/memstore"
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func kinds(s *Set) []string {
	var out []string
	for _, c := range s.List() {
		out = append(out, c.Node+" "+c.Kind+" "+c.ID)
	}
	return out
}

// TestConditionsBeginEndAndOutliveTheProcess: one condition a cause, its start kept,
// its end final, all of it on disk.
func TestConditionsBeginEndAndOutliveTheProcess(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	st := memstore.New()
	defer st.Close()
	now := &clock{time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	set, err := Open(ctx, st, now)
	if err != nil {
		t.Fatal(err)
	}
	raise := func(c Condition) {
		t.Helper()
		if err := set.Raise(ctx, c); err != nil {
			t.Fatal(err)
		}
		now.now = now.now.Add(time.Minute)
	}
	raise(Condition{Node: "feed", Kind: "source_failing", Message: "timeout"})
	raise(Condition{Node: "feed", Kind: "source_failing", Message: "refused"})
	raise(Condition{Node: "defender", Kind: "guard_stop", ID: "a", Message: "a"})
	raise(Condition{Node: "defender", Kind: "guard_stop", ID: "b", Message: "b"})
	raise(Condition{Node: "gone", Kind: "source_frozen", Message: "x"})

	if set, err = Open(ctx, st, now); err != nil { // as after a restart
		t.Fatal(err)
	}
	first := set.List()[0]
	if first.Message != "refused" || first.Updated.Sub(first.Since) != time.Minute {
		t.Errorf("raised twice: %+v", first)
	}
	if err := set.ClearID(ctx, "defender", "guard_stop", "a"); err != nil {
		t.Fatal(err)
	}
	if err := set.Retain(ctx, func(node string) bool { return node != "gone" }); err != nil {
		t.Fatal(err)
	}
	want := []string{"feed source_failing ", "defender guard_stop b"}
	if diff := cmp.Diff(want, kinds(set)); diff != "" {
		t.Error(diff)
	}
	if err := set.Clear(ctx, "feed", "source_failing"); err != nil {
		t.Fatal(err)
	}
	if set, err = Open(ctx, st, now); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[1:], kinds(set)); diff != "" {
		t.Error(diff)
	}
}
