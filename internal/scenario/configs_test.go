package scenario

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/sandbox"
)

func target(onRemove string) string {
	return feedNode + `
  defender: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 2s` + onRemove + `, config: {action: block}}
`
}

// A destination with live rows is taken out by word only: refused without one,
// withdrawn or kept with it.
func TestD1_DestinationTakenOut(t *testing.T) {
	for _, word := range []string{"", "withdraw", "keep"} {
		t.Run("on_remove "+word, func(t *testing.T) {
			w := newWorld(t)
			w.feed("feed", hosts(0, 300, 80)...)
			on := ""
			if word != "" {
				on = ", on_remove: " + word
			}
			s := w.open(target(on))
			w.has(300)
			s.write(feedNode + "\n")
			_, err := s.commit(app.CommitArgs{By: "alice"})
			switch word {
			case "":
				if err == nil || !strings.Contains(err.Error(), "on_remove") {
					t.Errorf("taken out with live rows: %v", err)
				}
				s.quiet()
				return
			case "keep":
				s.leap(3*time.Hour, time.Minute)
				if n := len(w.rows()); err != nil || n != 300 || s.condition("orphan_rows") == nil {
					t.Errorf("%d rows, %v; %s", n, err, s.conditions())
				}
				// It takes its ledger over when it comes back, under whatever name.
				s.write(strings.Replace(target(""), "  defender:", "  renamed:", 1))
				if _, err := s.commit(app.CommitArgs{By: "alice"}); err != nil {
					t.Fatal(err)
				}
				s.leap(time.Hour, time.Minute)
				if n := len(w.rows()); n != 300 || len(w.deleted()) > 0 || len(w.effects("updated")) > 0 {
					t.Errorf("%d rows, %d deleted, %d updated; %s", n, len(w.deleted()), len(w.effects("updated")), s.conditions())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s.until("the rows are withdrawn or a guard asks", func() bool { return len(w.rows()) == 0 || s.condition("guard_stop") != nil })
			if stop := s.condition("guard_stop"); stop != nil {
				s.approve(stop.ID)
			}
			w.has(0)
			lists := len(w.sb.Journal(sandbox.Query{Op: "list"}))
			s.until("what went is not shown any more", func() bool {
				v, err := s.app.Status(t.Context(), app.None{})
				return err == nil && len(v.Destinations) == 0
			})
			s.leap(day, time.Hour)
			if n := len(w.sb.Journal(sandbox.Query{Op: "list"})) - lists; n > 1 {
				t.Errorf("a tenant that nothing is aimed at any more is listed %d times", n)
			}
		})
	}
}

// A restart in the middle of a withdrawal by on_remove goes on with it, beside another
// destination at the same tenant, and forgets it when it is through.
func TestD1_DestinationTakenOutAndRestart(t *testing.T) {
	const stays = `
  stays: {class: http, interval: 1m, jitter: 0, config: {url: "FEEDS/stays"}}
  reports: {class: defender, inputs: [stays], to: [contoso], mode: auto, settle: 2s, min_confidence: 0, config: {action: audit}}
`
	for _, beside := range []string{"", stays} {
		t.Run(fmt.Sprint("another ", beside != ""), func(t *testing.T) {
			w := newWorld(t)
			w.feed("feed", hosts(0, 300, 80)...)
			w.feed("stays", "a.evil.org", "b.evil.org")
			left := strings.Count(beside, "class: defender") * 2
			s := w.open(target(", on_remove: withdraw") + beside)
			w.has(300 + left)
			end := w.fault(sandbox.Rule{Op: "batch_delete", Action: sandbox.Action{Status: 503}})
			s.write(feedNode + "\n" + beside)
			if _, err := s.commit(app.CommitArgs{By: "alice"}); err != nil {
				t.Fatal(err)
			}
			s.advance(5 * time.Minute)
			s.stop()
			end()
			if n := len(w.rows()); n != 300+left {
				t.Fatalf("%d rows before the restart", n)
			}
			s.start()
			s.until("the rows are withdrawn or a guard asks", func() bool { return len(w.rows()) == left || s.condition("guard_stop") != nil })
			if stop := s.condition("guard_stop"); stop != nil {
				s.approve(stop.ID)
			}
			w.has(left)
			s.stop()
			s.start()
			s.quiet()
			if v, err := s.app.Status(t.Context(), app.None{}); err != nil || len(v.Destinations) != left/2 {
				t.Errorf("%d destinations when it is through, %v", len(v.Destinations), err)
			}
		})
	}
}

// watched is how long one look at the configuration's files takes on the scenarios'
// clock.
const watched = grain

// A configuration file that somebody is in the middle of writing is not committed: what
// it does not name yet would go, and be read anew.
func TestE11_HalfWrittenEditWaits(t *testing.T) {
	const other = `
  other: {class: http, interval: 6h, jitter: 0, config: {url: "FEEDS/other"}}
`
	w := newWorld(t)
	w.feed("feed", hosts(0, 5, 80)...)
	w.feed("other", "a.evil.com")
	s := w.open(feedNode + other)
	reads := func() (n int) {
		for _, e := range w.sb.Journal(sandbox.Query{Op: "feed"}) {
			if strings.HasSuffix(e.Path, "/other") {
				n++
			}
		}
		return n
	}
	w.until("the other feed is read", func() bool { return reads() == 1 })
	s.write(feedNode + "\n")
	s.advance(watched)
	s.write(feedNode + other)
	s.advance(10 * time.Minute)
	if n := reads(); n != 1 {
		t.Errorf("the other feed was read %d times: it was taken out for a moment", n)
	}
	s.write(feedNode + "\n")
	s.advance(4 * watched)
	if v, err := s.app.Nodes(t.Context(), app.None{}); err != nil || len(v) != 1 {
		t.Errorf("an edit that stands is not in force: %d nodes, %v", len(v), err)
	}
}

// A rotated secret is one file; no node is touched, and nothing is written again.
func TestD12_SecretRotated(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 20, 80)...)
	s := w.open(oneFeed)
	w.has(20)
	s.settled(20) // a stop before the answer is kept would repeat the call
	tenants := w.sb.Tenants()
	tenants[0].Apps[0].Secrets = []sandbox.Secret{{Value: "another-fake-secret"}}
	if err := w.sb.SetTenant(tenants[0]); err != nil {
		t.Fatal(err)
	}
	s.stop() // the token it holds would go on for its life
	s.start()
	w.feed("feed", hosts(0, 25, 80)...)
	s.until("the refused secret is told", func() bool { return s.condition("secret_refused") != nil })
	if c := s.condition("secret_refused"); strings.Contains(c.Message+c.Help, "not-a-real-secret") {
		t.Error("the condition shows the secret")
	}
	s.file(secretFile, "another-fake-secret")
	s.commitReload()
	w.has(25)
	if s.condition("secret_refused") != nil {
		t.Errorf("the condition stays: %s", s.conditions())
	}
	if n := len(w.effects("updated")); n > 0 {
		t.Errorf("%d rows were written again", n)
	}
	s.quiet()
}

// commitReload reads the configuration again, as a person's commit does.
func (s *site) commitReload() {
	s.t.Helper()
	if _, err := s.commit(app.CommitArgs{By: "alice"}); err != nil {
		s.t.Fatal(err)
	}
}

// A renamed destination takes the ledger of its tenant over: nothing is written.
func TestD1_DestinationRenamed(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 300, 80)...)
	s := w.open(target(""))
	w.has(300)
	before := w.writes()
	s.write(strings.Replace(target(""), "  defender:", "  blocking:", 1))
	if _, err := s.commit(app.CommitArgs{By: "alice"}); err != nil {
		t.Fatal(err)
	}
	s.leap(time.Hour, time.Minute)
	if n := w.writes() - before; n > 0 || len(w.rows()) != 300 {
		t.Errorf("%d calls, %d rows; %s", n, len(w.rows()), s.conditions())
	}
	w.feed("feed", hosts(0, 290, 80)...)
	w.has(290)
	s.quiet()
}

// secondTenant is another tenant with our app; second is its connection.
const secondTenant = "5a4db0c5-0000-4000-8000-0000000000c3"

func (w *world) addTenant() (second string) {
	w.t.Helper()
	app := w.sb.Tenants()[0].Apps[0]
	if err := w.sb.SetTenant(sandbox.Tenant{ID: secondTenant, Apps: []sandbox.App{app}}); err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("  second: {type: entra, tenant_id: %s, client_id: %s, client_secret: %q, authority: %[4]q, defender: %[4]q, ca: %[5]q}",
		secondTenant, sandbox.DemoApp, sandbox.DemoSecret, w.sb.URL(), w.sb.CAFile())
}

func (w *world) atSecond() int {
	w.t.Helper()
	rows, err := w.sb.Rows(secondTenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(rows)
}

// A destination that is turned to another tenant asks for the same word as one that is
// taken out, about the rows at the tenant that it leaves.
func TestD1_DestinationTurnedToAnotherTenant(t *testing.T) {
	for _, word := range []string{"", "withdraw", "keep"} {
		t.Run("on_remove "+word, func(t *testing.T) {
			w := newWorld(t)
			second := w.addTenant()
			w.feed("feed", hosts(0, 30, 80)...)
			on := ""
			if word != "" {
				on = ", on_remove: " + word
			}
			s := w.open(target(on), second)
			w.has(30)
			s.write(strings.Replace(target(on), "to: [contoso]", "to: [second]", 1), second)
			_, err := s.commit(app.CommitArgs{By: "alice"})
			if word == "" {
				if err == nil || !strings.Contains(err.Error(), "on_remove") {
					t.Errorf("turned away from live rows: %v", err)
				}
				s.quiet()
				if len(w.rows()) != 30 || w.atSecond() != 0 {
					t.Errorf("%d and %d rows", len(w.rows()), w.atSecond())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			left := map[string]int{"keep": 30}[word]
			s.until("the other tenant has the rows, and the first what it is to have", func() bool { return w.atSecond() == 30 && len(w.rows()) == left })
			s.leap(3*time.Hour, time.Minute)
			if len(w.rows()) != left || w.atSecond() != 30 || len(w.deleted()) != 30-left {
				t.Errorf("%d and %d rows, %d deleted; %s", len(w.rows()), w.atSecond(), len(w.deleted()), s.conditions())
			}
			if told := s.condition("orphan_rows") != nil; told != (word == "keep") {
				t.Errorf("rows that belong to no node are told: %v; %s", told, s.conditions())
			}
		})
	}
}

// Rows cannot be kept where another node is kept in step with the tenant, which would
// take them away: that is said, and withdrawing them leaves the other's.
func TestD1_RowsBesideAnotherNodeCannotBeKept(t *testing.T) {
	const stays = `
  stays: {class: http, interval: 1m, jitter: 0, config: {url: "FEEDS/stays"}}
  reports: {class: defender, inputs: [stays], to: [contoso], mode: auto, settle: 2s, config: {action: audit}}
`
	w := newWorld(t)
	w.feed("feed", hosts(0, 30, 80)...)
	w.feed("stays", "a.evil.org", "b.evil.org")
	s := w.open(target(", on_remove: keep") + stays)
	w.has(32)
	s.write(feedNode + "\n" + stays)
	if _, err := s.commit(app.CommitArgs{By: "alice"}); err == nil || !strings.Contains(err.Error(), "set on_remove: withdraw") {
		t.Errorf("kept beside another node: %v", err)
	}
	s.quiet()
	for _, nodes := range []string{target(", on_remove: withdraw") + stays, feedNode + "\n" + stays} {
		s.write(nodes)
		if _, err := s.commit(app.CommitArgs{By: "alice"}); err != nil {
			t.Fatal(err)
		}
	}
	w.has(2)
	if s.condition("orphan_rows") != nil || len(w.deleted()) != 30 {
		t.Errorf("%d deleted; %s", len(w.deleted()), s.conditions())
	}
}
