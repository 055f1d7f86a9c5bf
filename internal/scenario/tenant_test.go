package scenario

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/sandbox"
)

// foreigner is another app at the tenant.
func foreigner() sandbox.Author { return sandbox.Author{App: otherApp, Name: "another app"} }

// foreign are the rows of others, by id.
func (w *world) foreign() map[string]sandbox.Indicator {
	w.t.Helper()
	all, err := w.sb.Rows(tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]sandbox.Indicator{}
	for _, r := range all {
		if r.CreatedBy != sandbox.DemoApp {
			out[r.ID] = r
		}
	}
	return out
}

// 14,900 rows of others at a tenant of 15,000: 100 of ours are made, the rest is held
// out with a reason, and others' rows stay as they are even where the value is the
// same.
func TestD3_TenantFullOfOthers(t *testing.T) {
	w := newWorld(t)
	if _, err := w.sb.SeedForeign(tenant, foreigner(), 14_899); err != nil {
		t.Fatal(err)
	}
	if _, err := w.sb.Seed(tenant, foreigner(), []sandbox.Indicator{{Value: name(0), Type: "DomainName", Action: "Block", Title: "theirs", Description: "theirs"}}); err != nil {
		t.Fatal(err)
	}
	before := w.foreign()
	w.feed("feed", append([]string{host(0, 100)}, hosts(1, 250, 80)...)...)
	s := w.open(oneFeed)
	w.has(100)
	s.quiet()
	held := s.held("defender")
	if held[reason.ForeignDuplicate] != 1 || held[reason.Quota] != 149 {
		t.Errorf("held out %v, want 1 foreign duplicate and 149 for the quota", held)
	}
	if !cmp.Equal(before, w.foreign(), cmp.AllowUnexported(sandbox.Indicator{}), cmp.Comparer(func(a, b sandbox.Indicator) bool {
		return fmt.Sprint(a) == fmt.Sprint(b)
	})) {
		t.Error("a row of others changed")
	}
	// Others grow: nothing of ours is deleted for it.
	if ids := maps.Keys(before); ids != nil {
		s.leap(7*time.Hour, 5*time.Minute)
	}
	if n := len(w.rows()); n != 100 || len(w.deleted()) > 0 {
		t.Errorf("%d rows of ours, %d deleted", n, len(w.deleted()))
	}
}

// A row that somebody deletes in the portal stays deleted and is shown, and is put
// back on demand.
func TestD18_RowDeletedInThePortal(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 20, 80)...)
	s := w.open(oneFeed)
	w.has(20)
	s.advance(2 * time.Minute)
	if err := w.sb.DeleteRow(tenant, w.rows()[name(3)+" Block"].ID); err != nil {
		t.Fatal(err)
	}
	s.leap(8*time.Hour, time.Minute)
	if n := len(w.rows()); n != 19 {
		t.Errorf("%d rows, want 19", n)
	}
	if n := s.held("defender")[reason.ChangedByHand]; n != 1 {
		t.Errorf("%d changed by hand", n)
	}
	v, err := do(s.world, func(ctx context.Context) (app.DriftView, error) {
		return s.app.Drift(ctx, app.DriftArgs{Restore: true})
	})
	if err != nil || len(v.Rows) != 1 || v.Restored != 1 {
		t.Fatalf("drift %+v, %v", v, err)
	}
	w.has(20)
	s.quiet()
}

// A row that the service may not show yet is no drift when a person looks; later it is.
func TestD18_YoungRowIsNoDrift(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 20, 80)...)
	s := w.open(oneFeed)
	w.has(20)
	if err := w.sb.DeleteRow(tenant, w.rows()[name(3)+" Block"].ID); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{0, 1} {
		v, err := do(s.world, func(ctx context.Context) (app.DriftView, error) { return s.app.Drift(ctx, app.DriftArgs{}) })
		if err != nil || len(v.Rows) != want {
			t.Errorf("%d rows drifted, want %d; %v", len(v.Rows), want, err)
		}
		s.advance(time.Minute)
	}
}

// Two stores with the same app at one tenant leave each other's rows alone.
func TestD2_TwoStoresOnOneTenant(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 30, 80)...)
	w.feed("other", hosts(20, 60, 80)...)
	first := w.open(oneFeed)
	w.has(30)
	second := w.open(`
  other: {class: http, interval: 1m, jitter: 0, withdraw_after: 1, config: {url: "FEEDS/other", line: '^(?P<indicator>\S+)\s+(?P<confidence>\d+)'}}
  defender: {class: defender, inputs: [other], to: [contoso], mode: auto, settle: 2s, config: {action: block}}
`)
	w.has(60)
	if n := second.held("defender")[reason.ForeignDuplicate]; n != 10 {
		t.Errorf("%d held out as foreign duplicates, want 10", n)
	}
	if second.condition("foreign_mark") == nil {
		t.Errorf("no condition tells of the other store: %s", second.conditions())
	}
	// The second store loses nearly everything of its own; the first keeps its rows.
	w.feed("other", hosts(20, 31, 80)...)
	s := second
	s.until("the second store's rows went", func() bool { return len(w.rows()) == 31 })
	first.quiet()
	for i := range 31 {
		if _, there := w.rows()[name(i)+" Block"]; !there {
			t.Errorf("%s is gone", name(i))
		}
	}
}

// A range of several addresses is several rows, and goes as one.
func TestD1_RangeWithdrawnCompletely(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", append(hosts(0, 5, 80), "93.184.216.0/29 90", "45.33.32.156-45.33.32.158 90")...)
	s := w.open(oneFeed)
	w.has(5 + 8 + 3)
	w.feed("feed", hosts(0, 5, 80)...)
	w.has(5)
	if n := len(w.deleted()); n != 11 {
		t.Errorf("%d rows deleted, want 11", n)
	}
	s.quiet()
}

// Rows are renewed before they expire, month after month, and only then.
func TestD15_MonthsOfRenewals(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 60, 80)...)
	s := w.open(`
  feed: {class: http, interval: 1h, jitter: 0, config: {url: "FEEDS/feed", line: '^(?P<indicator>\S+)\s+(?P<confidence>\d+)'}}
  defender: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 2s, config: {action: block}}
`)
	w.has(60)
	for range 50 {
		s.leap(day, time.Hour)
		if n := len(w.rows()); n != 60 {
			t.Fatalf("%d rows on %s; %s", n, w.sb.Now(), s.conditions())
		}
	}
	made, renewed := w.effects("created"), w.effects("updated")
	for i := range 60 {
		// 50 days of a life of 30, renewed with a quarter to five sixteenths left.
		if v := name(i); made[v] != 1 || renewed[v] != 2 {
			t.Errorf("%s was made %d times and renewed %d times", v, made[v], renewed[v])
		}
	}
	if len(w.deleted()) > 0 || len(w.effects("expired")) > 0 {
		t.Errorf("deleted %v, expired %v", w.deleted(), w.effects("expired"))
	}
}

// This machine's clock jumps ten years ahead: nothing expires, nothing is sent, a
// condition says so; when it is right again everything goes on.
func TestE16_ClockJumpsTenYears(t *testing.T) {
	for _, back := range []bool{true, false} {
		t.Run(fmt.Sprintf("set right %v", back), func(t *testing.T) {
			w := newWorld(t)
			w.feed("feed", hosts(0, 30, 80)...)
			s := w.open(oneFeed)
			w.has(30)
			before := w.writes()
			w.clock.jump(10 * 365 * day)
			w.feed("feed", hosts(2, 33, 80)...)
			s.leap(2*time.Hour, time.Minute)
			if w.writes() != before || len(w.rows()) != 30 {
				t.Errorf("%d calls, %d rows after the jump", w.writes()-before, len(w.rows()))
			}
			if s.condition("clock_jump") == nil {
				t.Errorf("no condition says so: %s", s.conditions())
			}
			if back {
				w.clock.jump(-10 * 365 * day)
			} else if _, err := do(s.world, func(ctx context.Context) (app.None, error) {
				return s.app.Approve(ctx, app.ApproveArgs{ID: "clock", By: "alice", Reason: "it is right"})
			}); err != nil {
				t.Fatal(err)
			}
			s.leap(time.Hour, time.Minute)
			if n := len(w.rows()); n != 31 {
				t.Errorf("%d rows after the clock was right; %s", n, s.conditions())
			}
			if s.condition("clock_jump") != nil {
				t.Errorf("the condition stays: %s", s.conditions())
			}
		})
	}
}

// A jump while the process is down is seen at its start.
func TestE16_ClockJumpsWhileDown(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(0, 30, 80)...)
	s := w.open(oneFeed)
	w.has(30)
	s.settled(30)
	s.stop()
	w.clock.jump(10 * 365 * day)
	w.feed("feed", hosts(0, 25, 80)...)
	before := w.writes()
	s.start()
	s.leap(2*time.Hour, time.Minute)
	if w.writes() != before || s.condition("clock_jump") == nil {
		t.Errorf("%d calls; conditions: %s", w.writes()-before, s.conditions())
	}
}

// A tenant that cannot be listed for long is no matter of the log alone: people are told,
// status says it, nothing is created, and it is over with the next listing.
func TestD3_TenantNotListedForLong(t *testing.T) {
	w := newWorld(t)
	end := w.fault(sandbox.Rule{Op: "list", Action: sandbox.Action{Status: 503}})
	w.feed("feed", hosts(0, 20, 80)...)
	s := w.open(oneFeed)
	s.leap(time.Hour, 30*time.Second)
	v, err := s.app.Status(t.Context(), app.None{})
	if err != nil || len(v.Destinations) != 1 || v.Destinations[0].Unlisted == "" {
		t.Errorf("status %+v, %v", v.Destinations, err)
	}
	if c := s.condition(deliver.ListingFailing); c == nil || s.clock.Now().Sub(c.Since) < 50*time.Minute {
		t.Errorf("conditions: %s", s.conditions())
	}
	if n := w.writes(); n != 0 {
		t.Errorf("%d writes without a listing", n)
	}
	end()
	w.has(20)
	s.until("it is over", func() bool { return s.condition(deliver.ListingFailing) == nil })
	if v, err = s.app.Status(t.Context(), app.None{}); err != nil || v.Destinations[0].Unlisted != "" {
		t.Errorf("status %+v, %v", v.Destinations, err)
	}
}
