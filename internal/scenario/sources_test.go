package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/internal/sandbox/journal"
)

// A body that is cut off in the middle withdraws nothing, however often it comes.
func TestE4_BodyCutInTheMiddle(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 200, 80)...)
	s := w.open(oneFeed)
	w.has(200)
	end := w.fault(sandbox.Rule{Op: "feed", Action: sandbox.Action{Truncate: 90}})
	w.feed("feed", append(hosts(200, 203, 80), hosts(0, 150, 80)...)...)
	s.leap(30*time.Minute, 20*time.Second)
	if n := len(w.deleted()); n > 0 {
		t.Errorf("%d rows were withdrawn by a cut body", n)
	}
	if s.condition("source_failing") == nil {
		t.Errorf("no condition says so: %s", s.conditions())
	}
	end()
	w.has(153)
	s.quiet()
}

// A source that is empty after 2,000 rows is frozen: nothing goes, a person's word
// for that very body lets it.
func TestE7_EmptyAfterTwoThousand(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 2000, 80)...)
	s := w.open(waiting)
	s.until("the plan waits", func() bool { return s.condition("plan_waiting") != nil })
	s.apply()
	w.has(2000)
	w.feed("feed")
	s.advance(10 * time.Minute)
	if n := len(w.rows()); n != 2000 || s.condition("source_frozen") == nil {
		t.Errorf("%d rows; conditions: %s", n, s.conditions())
	}
	w.feed("feed", hosts(0, 2001, 80)...)
	w.has(2001)
	if s.condition("source_frozen") != nil {
		t.Error("still frozen by a poll within bounds")
	}
}

// A score that moves past the margin is one update; a small move is none.
func TestD10_ChangedScore(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 20, 80)...)
	s := w.open(oneFeed)
	w.has(20)
	w.feed("feed", append(hosts(0, 18, 80), host(18, 84), host(19, 95))...)
	s.advance(10 * time.Minute)
	updated := w.effects(journal.Updated)
	if len(updated) != 1 || updated[name(19)] != 1 {
		t.Errorf("updated %v, want %s once", updated, name(19))
	}
	s.quiet()
}

// Withdrawn in one poll and there again in the next, before anything was planned:
// nothing is written.
func TestE8_WithdrawnAndAddedAgain(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 20, 80)...)
	s := w.open(feedNode + `
  defender: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 5m, config: {action: block}}
`)
	w.has(20)
	before := w.writes()
	w.feed("feed", hosts(1, 20, 80)...)
	s.poll("feed")
	w.feed("feed", hosts(0, 20, 80)...)
	s.poll("feed")
	s.advance(20 * time.Minute)
	if n := w.writes() - before; n > 0 {
		t.Errorf("%d write calls", n)
	}
	if n := len(w.rows()); n != 20 {
		t.Errorf("%d rows", n)
	}
}

// Of two feeds the removed one's sole contributions are withdrawn and nothing else,
// past the guard, because a person approved that commit.
func TestE11_FeedRemovedByApprovedCommit(t *testing.T) {
	const second = `
  other: {class: http, interval: 1m, jitter: 0, config: {url: "FEEDS/other", line: '^(?P<indicator>\S+)\s+(?P<confidence>\d+)'}}`
	meld := func(inputs string) string {
		return `
  meld: {class: aggregate, inputs: [` + inputs + `]}
  defender: {class: defender, inputs: [meld], to: [contoso], mode: auto, settle: 2s, config: {action: block}}
`
	}
	w := newWorld(t)
	w.feed("feed", hosts(0, 300, 80)...)
	w.feed("other", hosts(250, 500, 80)...)
	s := w.open(feedNode + second + meld("feed, other"))
	w.has(500)
	s.write(feedNode + meld("feed"))
	v, err := s.commit(app.CommitArgs{Preview: true})
	if err != nil || v.Withdrawals["defender"]["other"] != 200 {
		t.Fatalf("the preview says %v, %v; want 200 of other", v.Withdrawals, err)
	}
	if v, err = s.commit(app.CommitArgs{Approve: v.ID, By: "alice"}); err != nil || !v.Committed {
		t.Fatalf("commit: %+v, %v", v, err)
	}
	w.has(300)
	if n := len(w.deleted()); n != 200 {
		t.Errorf("%d withdrawn, want 200; %s", n, s.conditions())
	}
	for i := 250; i < 300; i++ {
		if _, there := w.rows()[name(i)+" Block"]; !there {
			t.Errorf("%s, which the other feed says too, is gone", name(i))
		}
	}
	s.quiet()
}

// What was approved for a commit that is refused is no word for another one: its
// withdrawals meet the guard.
func TestE11_ApprovalOfAFailedCommitIsTakenBack(t *testing.T) {
	const second = `
  other: {class: http, interval: 1m, jitter: 0, config: {url: "FEEDS/other", line: '^(?P<indicator>\S+)\s+(?P<confidence>\d+)'}}`
	const reports = `
  reports: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 2s, keep: {one: 'confidence >= 95'}, config: {action: audit}}`
	meld := func(inputs string) string {
		return `
  meld: {class: aggregate, inputs: [` + inputs + `]}
  defender: {class: defender, inputs: [meld], to: [contoso], mode: auto, settle: 2s, keep: {many: 'confidence < 95'}, config: {action: block}}
`
	}
	w := newWorld(t)
	w.feed("feed", append(hosts(0, 300, 80), host(900, 95))...)
	w.feed("other", hosts(250, 500, 80)...)
	s := w.open(feedNode + second + reports + meld("feed, other"))
	w.has(501)
	s.write(feedNode + meld("feed")) // takes a destination out as well, without a word for its row
	for range 2 {
		v, err := s.commit(app.CommitArgs{Preview: true})
		if err != nil || v.Withdrawals["defender"]["other"] != 200 {
			t.Fatalf("the preview says %v, %v; want 200 of other", v.Withdrawals, err)
		}
		if _, err = s.commit(app.CommitArgs{Approve: v.ID, By: "alice"}); err == nil || !strings.Contains(err.Error(), "on_remove") {
			t.Fatalf("taken out with a live row: %v", err)
		}
	}
	s.write(feedNode + reports + meld("feed"))
	if _, err := s.commit(app.CommitArgs{By: "alice"}); err != nil {
		t.Fatal(err)
	}
	s.until("the guard asks", func() bool { return s.condition("guard_stop") != nil })
	if n := len(w.deleted()); n != 0 {
		t.Errorf("%d withdrawn by the word for another commit", n)
	}
}
