package scenario

import (
	"testing"
	"time"

	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/sandbox"
)

const withAllow = feedNode + `
  ours: {class: http, interval: 1m, jitter: 0, config: {url: "FEEDS/ours"}}
  meld: {class: aggregate, inputs: [feed], allow: [ours]}
  defender: {class: defender, inputs: [meld], to: [contoso], mode: auto, settle: 2s, config: {action: block}}
`

// An allow-list that was never read: nothing is sent.
func TestE10_AllowListNotYetLoaded(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 30, 80)...)
	w.feed("ours", name(3))
	end := w.fault(sandbox.Rule{Path: "/ours$", Action: sandbox.Action{Status: 503}})
	s := w.open(withAllow)
	s.leap(3*time.Hour, 30*time.Second)
	if n := w.writes(); n > 0 {
		t.Errorf("%d calls before the allow-list was read", n)
	}
	end()
	s.poll("ours") // it would come again by itself, within hours by now
	w.has(29)
	if _, there := w.rows()[name(3)+" Block"]; there {
		t.Error("an allowed value is blocked")
	}
	s.quiet()
}

// An allow-list that shrinks or becomes empty blocks nothing new without a person.
func TestE10_AllowListEmptied(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 30, 80)...)
	var ours []string
	for i := range 12 {
		ours = append(ours, name(i))
	}
	w.feed("ours", ours...)
	s := w.open(withAllow)
	w.has(18)
	w.feed("ours", ours[1:]...) // one of twelve: within the freeze's bounds
	s.leap(30*time.Minute, 15*time.Second)
	if n := len(w.rows()); n != 18 {
		t.Errorf("%d rows: something was blocked because the allow-list shrank", n)
	}
	stop := s.condition("guard_stop")
	if stop == nil {
		t.Fatalf("nobody is asked: %s", s.conditions())
	}
	w.feed("ours")
	s.leap(time.Hour, 15*time.Second)
	if n := len(w.rows()); n != 18 {
		t.Errorf("%d rows: something was blocked because the allow-list is empty", n)
	}
	s.approve(stop.ID)
	w.has(19)
	if _, there := w.rows()[name(0)+" Block"]; !there {
		t.Error("what was approved is not blocked")
	}
	s.quiet()
}

// What an allow-list takes in is withdrawn at once, whatever the guards count.
func TestD4_AllowListWithdraws(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 400, 80)...)
	w.feed("ours", "harmless.example.net")
	s := w.open(withAllow)
	w.has(400)
	w.feed("ours", "harmless.example.net", "evil.com")
	s.leap(30*time.Minute, 15*time.Second)
	// 400 of 400 are beyond the protective limit: a person is asked.
	stop := s.condition("guard_stop")
	if n := len(w.rows()); n != 400 || stop == nil {
		t.Fatalf("%d rows, conditions: %s", n, s.conditions())
	}
	s.approve(stop.ID)
	w.has(0)
}

// A parent domain of a protected host and a network around a protected address are
// held out, and what lies inside.
func TestD7_ProtectionActsBothWays(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", append(hosts(0, 5, 80), "corp-example.com 90", "www.corp-example.com 90", "x.login.corp-example.com 90",
		"http://login.corp-example.com/a 90", "45.33.32.0/29 90", "45.33.32.4 90", "45.33.32.8 90")...)
	s := w.prepare(feedNode+`
  assets: {class: list, config: {path: assets.yaml}}
  defender: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 2s, config: {action: block}}
`, `protect: {lists: [assets]}`)
	s.file("assets.yaml", "- login.corp-example.com\n- 45.33.32.4\n")
	s.start()
	w.has(5 + 2)
	w.holds(name(0)+" Block", name(1)+" Block", name(2)+" Block", name(3)+" Block", name(4)+" Block", "www.corp-example.com Block", "45.33.32.8 Block")
	if held := s.held("defender"); held[reason.Protected.With("assets")] != 5 {
		t.Errorf("held out %v, want 5 protected", held)
	}
	s.quiet()
	// The list grows: what is live and protected now is withdrawn.
	s.file("assets.yaml", "- login.corp-example.com\n- 45.33.32.4\n- "+name(2)+"\n")
	w.has(6)
	s.quiet()
	// The list shrinks: nothing is blocked for it without a person.
	s.file("assets.yaml", "- login.corp-example.com\n- 45.33.32.4\n")
	s.advance(10 * time.Minute)
	if n := len(w.rows()); n != 6 {
		t.Errorf("%d rows after the protected list shrank; %s", n, s.conditions())
	}
}

// A protected list that was never read: nothing is sent.
func TestD7_ProtectedListNotYetLoaded(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 30, 80)...)
	w.feed("ours", name(3))
	end := w.fault(sandbox.Rule{Path: "/ours$", Action: sandbox.Action{Status: 503}})
	s := w.open(feedNode+`
  ours: {class: http, interval: 1m, jitter: 0, config: {url: "FEEDS/ours"}}
  defender: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 0s, config: {action: block}}
`, `protect: {lists: [ours]}`)
	s.leap(3*time.Hour, 30*time.Second)
	if n := w.writes(); n > 0 {
		t.Errorf("%d calls before the protected list was read", n)
	}
	end()
	s.poll("ours")
	w.has(29)
	s.quiet()
	if n := len(w.effects("created")); n != 29 {
		t.Errorf("%d values were made, one of them protected", n)
	}
}
