package threatconnect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

// TestProgress: who watches a read is told of each page, of how many indicators there
// will be, and of those that were handed on; who does not costs no count.
func TestProgress(t *testing.T) {
	t.Parallel()
	w := newTwin(t, "{page_size: 2}")
	w.seed(
		sandbox.TCIndicator{Type: "Host", Summary: "a.example"}, sandbox.TCIndicator{Type: "Host", Summary: "b.example"},
		sandbox.TCIndicator{Type: "Hashtag", Summary: "#none-of-ours"}, sandbox.TCIndicator{Type: "Host", Summary: "c.example"},
		sandbox.TCIndicator{Type: "Host", Summary: "d.example"},
	)
	var got []sdk.Progress
	ctx := sdk.WithProgress(t.Context(), func(p sdk.Progress) { got = append(got, p) })
	if _, err := w.src.Poll(ctx, nil, discard{}); err != nil {
		t.Fatal(err)
	}
	want := []sdk.Progress{{Pages: 1, Read: 2, Kept: 2, Total: 5}, {Pages: 2, Read: 4, Kept: 3, Total: 5}, {Pages: 3, Read: 5, Kept: 4, Total: 5}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	w.ResetJournal()
	if _, err := w.src.Poll(t.Context(), nil, discard{}); err != nil {
		t.Fatal(err)
	}
	if n := len(w.Journal(sandbox.Query{Op: "tc-list"})); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

// TestProgressOfVersion2: each page of each listing is told; how many there will be is
// not known.
func TestProgressOfVersion2(t *testing.T) {
	t.Parallel()
	w := newTwin(t, "{api: v2, page_size: 2, owners: [Demo Organization], minimum_threat_rating: 2}", oldInstance)
	high := 3.0
	rated := func(name string) sandbox.TCIndicator {
		i := host(name)
		i.Rating = &high
		return i
	}
	w.seed(rated("a.example"), rated("b.example"), host("c.example"), sandbox.TCIndicator{Type: "Address", Summary: "203.0.113.7", Rating: &high})
	var got []sdk.Progress
	ctx := sdk.WithProgress(t.Context(), func(p sdk.Progress) { got = append(got, p) })
	if _, err := w.src.Poll(ctx, nil, discard{}); err != nil {
		t.Fatal(err)
	}
	want := []sdk.Progress{{Pages: 1, Read: 1, Kept: 1}, {Pages: 2, Read: 3, Kept: 3}, {Pages: 3, Read: 4, Kept: 3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
