package engine

import (
	"testing"

	"github.com/remeld/remeld/sdk"
)

func TestFromSourceToDestination(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, b := list("a.example.com", "b.example.com"), list("b.example.com", "1.2.3.4")
		w.apply(source("a", a), source("b", b), reader("meld", sdk.RoleProcessor, "a", "b"), reader("edl", sdk.RoleFeed, "meld"))
		w.poll("a")
		w.settle()
		w.want("edl", "a.example.com", "b.example.com")
		w.poll("b")
		w.settle()
		w.want("edl", "a.example.com", "b.example.com", "1.2.3.4")
		if got := w.records("edl")["b.example.com"].Sources; len(got) != 2 {
			t.Errorf("sources %v", got)
		}
		a.set("a.example.com")
		w.poll("a")
		w.poll("a")
		w.settle()
		w.want("edl", "a.example.com", "b.example.com", "1.2.3.4")
		if got := w.records("edl")["b.example.com"].Sources; len(got) != 1 || got[0] != "b" {
			t.Errorf("withdrawing a must leave what b says: %v", got)
		}
		wm, err := w.eng.Watermark(t.Context(), "edl")
		if err != nil || !wm.Settled {
			t.Errorf("%+v %v", wm, err)
		}
	})
}
