package threatconnect

import (
	"strings"
	"testing"

	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

// TestOneRefusalKeepsNoOtherFromItsTag: an object that the instance does not change is
// told as such and is no failure of the rest; a failure of the moment is one, and what
// was tagged before it is told.
func TestOneRefusalKeepsNoOtherFromItsTag(t *testing.T) {
	for status, c := range map[int]struct {
		fails bool
		tags  string // which of the two have it
	}{400: {false, "b"}, 503: {true, "a"}} {
		w := newTwin(t, "{feedback: {sent_tag: Sent}}")
		ids := w.seed(host("a.example"), host("b.example"))
		w.poll()
		m := w.src.(sdk.Marker)
		items := func() []sdk.Marked {
			var out []sdk.Marked
			for _, v := range []string{"a.example", "b.example"} {
				rec := w.rows[v]
				out = append(out, sdk.Marked{Indicator: rec.Indicator, Attrs: &rec.Attrs})
			}
			return out
		}
		on := items()
		rule := sandbox.Rule{Op: "tc-update", Count: 1, Action: sandbox.Action{Status: status, Body: `{"message":"no such thing","status":"Error"}`}}
		if c.fails {
			rule.From = 2
		}
		w.fault(rule)
		err := m.SetMark(t.Context(), m.Mark(), true, on)
		if (err != nil) != c.fails {
			t.Fatalf("%d: %v", status, err)
		}
		var has string
		for i, id := range ids {
			row, err := w.ThreatConnectRow(id)
			if err != nil {
				t.Fatal(err)
			}
			if len(row.Tags) > 0 {
				has += string("ab"[i])
			}
		}
		if has != c.tags {
			t.Errorf("%d: tagged %q, want %q", status, has, c.tags)
		}
		if c.fails != (on[1].Told == nil) || on[0].Told == nil || strings.Contains(on[0].Barred, "no such thing") == c.fails {
			t.Errorf("%d: told %+v", status, on)
		}
	}
}

// TestOwnTagIsNotAskedFor: neither way round, or delivery would turn in a circle.
func TestOwnTagIsNotAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		tags []string
		tql  string
		want string
	}{
		"a filter":    {tags: []string{"other", "sent to defender"}, want: "tags_filter"},
		"a query":     {tql: `not hasTag(name = 'Sent To Defender')`, want: "also in tql"},
		"another tag": {tags: []string{"Sent"}},
		"a part":      {tql: `tag = "Not Sent to Defender"`},
	} {
		cfg := defaults()
		cfg.Feedback.SentTag, cfg.Tags, cfg.TQL = "Sent to Defender", c.tags, c.tql
		errs := cfg.Validate()
		if c.want == "" && len(errs) > 0 || c.want != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), c.want)) {
			t.Errorf("%s: %v", name, errs)
		}
	}
}
