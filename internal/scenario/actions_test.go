package scenario

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/internal/sandbox/journal"
)

// gaps replays the journal and tells after which calls a value that was there had no
// row at all.
func (w *world) gaps(value string) (gaps int) {
	live := map[string]bool{}
	was := false
	for _, e := range w.sb.Journal(sandbox.Query{}) {
		for _, it := range e.Items {
			if it.Value != value {
				continue
			}
			switch it.Effect {
			case journal.Created, journal.Updated:
				live[it.ID] = true
			case journal.Deleted, journal.Expired:
				delete(live, it.ID)
			}
		}
		if was && len(live) == 0 {
			gaps++
		}
		was = len(live) > 0
	}
	return gaps
}

// Another action is another row at the tenant: at the end there is one for each
// value, without a gap where a slot is free, with a short one at a full tenant.
func TestD14_ChangedAction(t *testing.T) {
	for _, capacity := range []int{15_000, 40} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			w := newWorld(t)
			if err := w.sb.SetSwitch("capacity", fmt.Sprint(capacity)); err != nil {
				t.Fatal(err)
			}
			nodes := func(action string) string {
				return feedNode + fmt.Sprintf(`
  defender: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 2s, config: {action: %s, capacity: %d}}
`, action, capacity)
			}
			w.feed("feed", hosts(0, 40, 80)...)
			s := w.open(nodes("audit"))
			w.has(40)
			s.write(nodes("block"))
			if _, err := s.commit(app.CommitArgs{By: "alice"}); err != nil {
				t.Fatal(err)
			}
			most := 0
			w.until("every row blocks", func() bool {
				blocks := 0
				for v := range w.rows() {
					if strings.HasSuffix(v, " Block") {
						blocks++
					}
				}
				most = max(most, len(w.rows()))
				return blocks == 40 && len(w.rows()) == 40
			})
			if most > capacity && capacity == 40 {
				t.Errorf("%d rows at once", most)
			}
			for i := range 40 {
				if n := w.gaps(name(i)); n > 0 && capacity != 40 {
					t.Errorf("%s was gone after %d calls", name(i), n)
				}
			}
			s.quiet()
		})
	}
}

// At a full tenant the creation that should follow a deletion fails for a while: the
// values come back, and not all of them were gone.
func TestD14_FullTenantAndFailureBetweenTheHalves(t *testing.T) {
	w := newWorld(t)
	if err := w.sb.SetSwitch("capacity", "60"); err != nil {
		t.Fatal(err)
	}
	nodes := func(action string) string {
		return feedNode + fmt.Sprintf(`
  defender: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 2s, config: {action: %s, capacity: 60}}
`, action)
	}
	w.feed("feed", hosts(0, 60, 80)...)
	s := w.open(nodes("audit"))
	w.has(60)
	end := w.fault(sandbox.Rule{Op: "import", Action: sandbox.Action{Status: 500}})
	s.write(nodes("block"))
	if _, err := s.commit(app.CommitArgs{By: "alice"}); err != nil {
		t.Fatal(err)
	}
	s.leap(time.Hour, 15*time.Second)
	if n := len(w.rows()); n < 40 {
		t.Errorf("%d rows are left while the service refuses creations: more than one small batch was deleted", n)
	}
	end()
	w.until("every row blocks", func() bool {
		blocks := 0
		for v := range w.rows() {
			if strings.HasSuffix(v, " Block") {
				blocks++
			}
		}
		return blocks == 60 && len(w.rows()) == 60
	})
	s.quiet()
}

const branches = feedNode + `
  audit: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 2s, keep: {low: 'confidence < 75'}, config: {action: audit}}
  block: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 2s, keep: {high: 'confidence >= 75'}, config: {action: block}}
`

// A score that crosses from the branch that reports to the one that blocks is never
// without a row.
func TestD1_ScoreCrossesBranches(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", append(hosts(0, 10, 90), host(10, 74))...)
	s := w.open(branches)
	w.has(11)
	if _, there := w.rows()[name(10)+" Audit"]; !there {
		t.Fatal("the row that reports is not there")
	}
	w.feed("feed", append(hosts(0, 10, 90), host(10, 76))...)
	w.until("the row blocks", func() bool {
		_, blocks := w.rows()[name(10)+" Block"]
		_, reports := w.rows()[name(10)+" Audit"]
		return blocks && !reports
	})
	w.feed("feed", append(hosts(0, 10, 90), host(10, 74))...)
	w.until("the row reports again", func() bool {
		_, blocks := w.rows()[name(10)+" Block"]
		_, reports := w.rows()[name(10)+" Audit"]
		return !blocks && reports
	})
	if n := w.gaps(name(10)); n > 0 {
		t.Errorf("the value had no row after %d calls", n)
	}
	s.quiet()
}
