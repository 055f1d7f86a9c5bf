package scenario

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/sandbox"
)

const sentTag = "Sent to Defender"

// tagging is a ThreatConnect source that tells what of it stands at Defender.
const tagging = `
  tc: {class: threatconnect, connection: tc, interval: 10m, jitter: 0, withdraw_after: 1, config: {minimum_threat_rating: 2, feedback: {sent_tag: Sent to Defender, reports: true}}}
  defender: {class: defender, inputs: [tc], to: [contoso], mode: auto, settle: 2s, REST}
`

func (w *world) threatConnect() string {
	return "  tc: {type: threatconnect, url: \"" + w.sb.ThreatConnectURL() + "\", access_id: \"" + sandbox.DemoAccessID + "\", secret_key: \"${file:tckey}\", ca: \"" + w.sb.CAFile() + "\"}"
}

func (w *world) openTagging(rest string) *site {
	w.t.Helper()
	s := w.prepare(strings.Replace(tagging, "REST", rest, 1), w.threatConnect())
	s.file("tckey", sandbox.DemoSecretKey)
	s.start()
	return s
}

func (w *world) rated(owner string, rating float64, names ...string) []int64 {
	w.t.Helper()
	sure := 90
	var rows []sandbox.TCIndicator
	for _, n := range names {
		rows = append(rows, sandbox.TCIndicator{Owner: owner, Type: "Host", Summary: n, Rating: &rating, Confidence: &sure})
	}
	ids, err := w.sb.SeedThreatConnect(rows...)
	if err != nil {
		w.t.Fatal(err)
	}
	return ids
}

func (w *world) edit(id int64, edit func(*sandbox.TCIndicator)) {
	w.t.Helper()
	if err := w.sb.EditThreatConnect(id, edit); err != nil {
		w.t.Fatal(err)
	}
}

// tagged tells whether an indicator at ThreatConnect has the tag.
func (w *world) tagged(id int64) bool {
	w.t.Helper()
	row, err := w.sb.ThreatConnectRow(id)
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.Contains(row.Tags, sentTag)
}

func (w *world) updates() int { return len(w.sb.Journal(sandbox.Query{Op: "tc-update"})) }

// The tag comes after delivery and goes after withdrawal, one call each; that it moves
// lastModified is no change of ours: nothing is written at the tenant for it.
func TestFeedback_SentTag(t *testing.T) {
	w := newWorld(t)
	ids := w.rated("", 4, "a.example", "b.example", "c.example")
	ids = append(ids, w.rated("Common Community", 4, "a.example")...)
	closed := w.rated("Technical Blogs and Reports", 4, "a.example", "closed.example") // may only be read
	s := w.openTagging("config: {action: block}")
	w.has(4)
	w.until("all that was delivered is tagged", func() bool {
		return !slices.ContainsFunc(ids, func(id int64) bool { return !w.tagged(id) })
	})
	w.until("a person is told of the owner that may only be read", func() bool {
		c := s.condition("feedback_failing")
		return c != nil && strings.Contains(c.Message, "of 1 delivered") && strings.Contains(c.Message, "Technical Blogs")
	})
	before := w.writes()
	s.leap(36*time.Hour, 5*time.Minute) // a full read and many of changes
	if n := w.updates(); n != len(ids) {
		t.Errorf("%d calls to tag %d indicators", n, len(ids))
	}
	if n := w.writes() - before; n > 0 {
		t.Errorf("%d writes at the tenant because of our own tag", n)
	}
	w.edit(ids[1], func(i *sandbox.TCIndicator) { one := 1.0; i.Rating = &one })
	w.has(3)
	w.until("what was withdrawn is tagged no more", func() bool { return !w.tagged(ids[1]) })
	if !w.tagged(ids[0]) || !w.tagged(ids[3]) || w.tagged(closed[0]) || w.tagged(closed[1]) {
		t.Error("another indicator lost its tag, or one that may only be read has it")
	}
	if n := w.updates(); n != len(ids)+1 {
		t.Errorf("%d calls after one withdrawal, want %d", n, len(ids)+1)
	}
}

// D15: under renew: on_change what nobody modified dies, and neither the tag nor its
// going, which move lastModified, brings it back.
func TestFeedback_D15_TagRenewsNothing(t *testing.T) {
	w := newWorld(t)
	ids := w.rated("", 4, "a.example", "b.example")
	s := w.openTagging("renew: on_change, config: {action: block, expiration: {network: 2d}}")
	w.has(2)
	w.until("both are tagged", func() bool { return w.tagged(ids[0]) && w.tagged(ids[1]) })
	before := w.writes()
	s.leap(50*time.Hour, 10*time.Minute)
	w.edit(ids[1], func(i *sandbox.TCIndicator) { five := 5.0; i.Rating = &five; i.Tags = append(i.Tags, "new") })
	s.leap(3*time.Hour, 10*time.Minute)
	if w.tagged(ids[0]) {
		t.Error("what lapsed is still tagged as sent")
	}
	if got := w.writes() - before; got > 1 {
		t.Errorf("%d writes: want none but for the one that was modified", got)
	}
	if n := w.effects("created")["a.example"]; n != 1 {
		t.Errorf("a.example was made %d times", n)
	}
}

// A service that does not take the tag costs growing waits and a condition, never
// delivery; the tag comes when it does.
func TestFeedback_Failing(t *testing.T) {
	w := newWorld(t)
	ids := w.rated("", 4, "a.example", "b.example")
	end := w.fault(sandbox.Rule{Op: "tc-update", Action: sandbox.Action{Status: 503, Body: `{"message":"down","status":"Error"}`}})
	s := w.openTagging("config: {action: block}")
	w.has(2)
	s.leap(8*time.Hour, time.Minute)
	if n := w.updates(); n < 4 || n > 12 {
		t.Errorf("%d attempts within 8 hours: the waits do not grow, or nothing is tried", n)
	}
	if c := s.condition("feedback_failing"); c == nil || !strings.Contains(c.Message, "down") {
		t.Errorf("conditions: %s", s.conditions())
	}
	w.rated("", 4, "c.example")
	w.has(3)
	end()
	s.leap(7*time.Hour, time.Minute)
	if !w.tagged(ids[0]) || !w.tagged(ids[1]) || s.condition("feedback_failing") != nil {
		t.Errorf("not told after all: %s", s.conditions())
	}
}

// A process that ended between the call and its record says it again, to no effect.
func TestFeedback_Restart(t *testing.T) {
	w := newWorld(t)
	ids := w.rated("", 4, "a.example", "b.example")
	s := w.openTagging("config: {action: block}")
	w.has(2)
	w.until("tagged", func() bool { return w.tagged(ids[0]) && w.tagged(ids[1]) })
	w.advance(time.Minute)
	s.stop()
	s.start()
	n := w.updates()
	w.advance(10 * time.Minute)
	if w.updates() != n {
		t.Errorf("%d calls after a restart", w.updates()-n)
	}
}

// What a person found goes back once, to every owner that takes it.
func TestFeedback_Report(t *testing.T) {
	w := newWorld(t)
	ids := w.rated("", 4, "a.example")
	w.rated("Technical Blogs and Reports", 4, "a.example")
	s := w.openTagging("config: {action: block}")
	w.has(1)
	v, err := s.app.Report(t.Context(), app.ReportArgs{Value: "a[.]example", FalsePositive: true, Seen: 3})
	if err != nil || v.Told["tc"] != 1 {
		t.Errorf("told %v, %v", v.Told, err)
	}
	row, err := w.sb.ThreatConnectRow(ids[0])
	if err != nil || row.FalseCount != 1 || row.Observed != 3 {
		t.Errorf("%d false positives, %d observations, %v", row.FalseCount, row.Observed, err)
	}
	for _, bad := range []app.ReportArgs{{Value: "a.example"}, {Value: "b.example", Seen: 1}, {Value: "a.example", Seen: 1, Node: "defender"}} {
		if _, err := s.app.Report(t.Context(), bad); err == nil {
			t.Errorf("%+v was reported", bad)
		}
	}
}
