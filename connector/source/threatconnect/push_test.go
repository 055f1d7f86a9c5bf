package threatconnect

import (
	"strings"
	"testing"

	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

// TestPushdown: the instance gets what it can evaluate and the rest is looked at here,
// in a whole read as in one of changes; what it lacks and we would have asked for is
// noted for the record of the run.
func TestPushdown(t *testing.T) {
	high, low := 4.0, 1.0
	rated := func(name string, r *float64, labels ...string) sandbox.TCIndicator {
		i := host(name)
		i.Rating, i.Labels = r, labels
		return i
	}
	rows := []sandbox.TCIndicator{rated("high.example", &high, "TLP:GREEN"), rated("low.example", &low, "TLP:GREEN"), rated("red.example", &high, "TLP:RED"), host("unrated.example")}
	for name, c := range map[string]struct {
		config string
		lacks  []string
		want   string
		sent   string // what the instance is asked
		note   string
	}{
		"all of it":   {config: `{tql: 'rating >= 3'}`, want: "+high.example +red.example", sent: "rating >= 3"},
		"ours":        {config: `{tql: 'rating >= 3 and tlp <= "amber"'}`, want: "+high.example", sent: "rating >= 3"},
		"it lacks":    {config: `{tql: 'rating >= 3'}`, lacks: []string{"rating"}, want: "+high.example +red.example", note: "rating >= 3"},
		"of a filter": {config: `{minimum_threat_rating: 3, indicator_types: [Host]}`, lacks: []string{"rating"}, want: "+high.example +red.example", sent: `typeName IN ("Host")`, note: "rating >= 3"},
		"an or":       {config: `{tql: 'rating < 3 or rating is null'}`, want: "+low.example +unrated.example", sent: "rating < 3 OR rating IS NULL"},
		"a not":       {config: `{tql: 'not securityLabel = "TLP:RED" and rating > 0'}`, want: "+high.example +low.example", sent: "rating > 0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwin(t, c.config, func(o *sandbox.Options) { o.ThreatConnect.Lacks = c.lacks })
			ids := w.seed(rows...)
			w.want(w.poll(), c.want)
			if got := strings.Join(w.last.Notes, "\n"); !strings.Contains(got, c.note) || (c.note == "") != (got == "") {
				t.Errorf("noted %q, want %q", got, c.note)
			}
			// What leaves the condition is found by reading changes.
			w.edit(ids[0], func(i *sandbox.TCIndicator) { five := 5.0; i.Rating = &five })
			w.remove(ids[2])
			w.poll()
			if w.last.Shape != sdk.Changes {
				t.Errorf("shape %s", w.last.Shape)
			}
			if _, there := w.table["red.example"]; there {
				t.Error("what was deleted is still there")
			}
			src := w.src.(*source)
			asked, err := src.cutOf(t.Context(), src.c.wanted())
			if err != nil || asked.server != c.sent {
				t.Errorf("asks %q, %v; want %q", asked.server, err, c.sent)
			}
			if n := len(w.Journal(sandbox.Query{Op: "tc-options"})); n != 1 {
				t.Errorf("asked %d times what it has, want once", n)
			}
			if n := len(w.Journal(sandbox.Query{Op: "tc-list", Status: 4})); n > 0 {
				t.Errorf("%d calls were refused", n)
			}
		})
	}
}

// TestPushdownWithoutOptions: an instance that does not say what it has is asked as if it
// had what is documented; a failure of the moment is forgotten.
func TestPushdownWithoutOptions(t *testing.T) {
	for _, status := range []int{404, 405, 429, 503} {
		w := newTwin(t, `{tql: 'rating is null and tlp is null'}`)
		w.seed(host("a.example"))
		w.fault(sandbox.Rule{Op: "tc-options", Action: sandbox.Action{Status: status, Body: `{"message":"no","status":"Error"}`}})
		w.want(w.poll(), "+a.example")
		w.want(w.poll(), "")
		calls := map[bool]int{true: 2, false: 1}[status >= 429]
		if n := len(w.Journal(sandbox.Query{Op: "tc-options"})); n != calls {
			t.Errorf("%d: asked %d times, want %d", status, n, calls)
		}
	}
}
