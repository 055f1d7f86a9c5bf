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
