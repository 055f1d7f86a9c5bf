package deliver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

func TestD3_ForeignRowsFillTheTenant(t *testing.T) {
	r := newRig(t, 15000)
	for i := range 14900 {
		r.tenant.add(fmt.Sprintf("f%05d.other.net", i), "Block", "other", "")
	}
	same := r.tenant.add("h0000.evil.com", "Block", "other", "") // the value is the same
	allow := r.tenant.add("h0001.evil.com", "Allowed", "other", "")
	r.wantMany(400)
	res := r.sync()
	if res.Counts[Create] != 98 {
		t.Errorf("created %d, want 98 (14,902 foreign rows)", res.Counts[Create])
	}
	p := r.plan()
	if p.Reasons[reason.ForeignDuplicate] != 1 || p.Reasons[reason.ForeignAllow] != 1 || p.Reasons[reason.Quota] != 300 {
		t.Errorf("reasons %v", p.Reasons)
	}
	for _, id := range []string{same, allow} {
		if row := r.tenant.rows[id]; row.App != "other" || row.Mark != "" {
			t.Errorf("foreign row was written: %+v", row)
		}
	}
	r.quiet()
}

func TestD3_NoCreateWithoutAListing(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
		if op == sdk.OpList {
			return &sdk.Error{Failure: sdk.Unavailable, Message: "no listing today"}
		}
		return nil
	}
	p := r.plan()
	if p.Reasons[reason.NoListing] != 3 || p.Changes() != 0 {
		t.Errorf("reasons %v, actions %v", p.Reasons, p.Actions)
	}
	r.apply(p)
	r.tenantHas()
}

func TestD3_CapacityAnswerTeachesTheBudgetWhereForeignIsUnknown(t *testing.T) {
	r := newRig(t, 50)
	r.tenant.ownOnly = "app"
	for i := range 30 {
		r.tenant.add(fmt.Sprintf("f%05d.other.net", i), "Block", "other", "")
	}
	r.wantMany(60)
	res := r.sync()
	if len(r.tenant.live()) != 50 || !res.Partial() {
		t.Fatalf("%d live, %+v", len(r.tenant.live()), res)
	}
	p := r.plan()
	if p.Cut.Budget != 20 || p.Changes() != 0 || p.Reasons[reason.Quota] != 40 {
		t.Errorf("cut %+v, actions %v", p.Cut, p.Actions)
	}
	r.quiet()
}

func TestD3_ForeignTouchedIsNeverDeleted(t *testing.T) {
	r := newRig(t, 100)
	r.sync() // takes a listing
	r.want("def", "h1.evil.com", 80)
	p := r.plan()
	// Somebody else makes the same object between the listing and our call.
	id := r.tenant.add("h1.evil.com", "Block", "other", "theirs")
	r.m.lists["twin/t1"].rows[id] = sdk.Remote{ID: id, Identity: "other", App: "other"}
	r.apply(p)
	if !r.condition("foreign_touched") {
		t.Fatal("no condition")
	}
	r.unwant("def", "h1.evil.com")
	r.sync()
	if _, ok := r.tenant.rows[id]; !ok {
		t.Error("the foreign row was deleted")
	}
}

func TestD18_DeletedInThePortalIsFrozenAndRestoredOnDemand(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	r.sync()
	r.clock.Advance(2 * time.Hour)
	r.tenant.remove(r.tenant.live()["h0001.evil.com/Block"].ID)
	r.sync()
	r.tenantHas("h0000.evil.com/Block", "h0002.evil.com/Block")
	d, err := r.m.Drift(t.Context(), "def")
	if err != nil || len(d) != 1 || d[0].What != "missing" {
		t.Fatalf("drift %v, %v", d, err)
	}
	if p := r.plan(); p.Reasons[reason.ChangedByHand] != 1 {
		t.Errorf("reasons %v", p.Reasons)
	}
	if n, err := r.m.Restore(t.Context(), "def", nil); n != 1 || err != nil {
		t.Fatalf("restored %d, %v", n, err)
	}
	r.sync()
	if len(r.tenant.live()) != 3 {
		t.Errorf("live %v", r.tenant.names())
	}
	r.quiet()
}

func TestD18_EditedRowIsLeftUnlessRestoring(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(2)
	r.sync()
	r.clock.Advance(2 * time.Hour)
	id := r.tenant.live()["h0001.evil.com/Block"].ID
	r.tenant.rows[id].Note = "an analyst was here"
	r.sync()
	if r.tenant.rows[id].Note != "an analyst was here" {
		t.Error("the edit was overwritten")
	}
	r.dests[0].Restore = true
	r.configure()
	r.sync()
	if r.tenant.rows[id].Note != "" {
		t.Error("on_drift: restore did not re-assert")
	}
	r.quiet()
}

func TestD18_YoungRowsAreNoDrift(t *testing.T) {
	r := newRig(t, 100)
	r.tenant.lag = 15 * time.Second
	r.wantMany(3)
	r.sync()
	if d, err := r.m.Drift(t.Context(), "def"); err != nil || len(d) != 0 {
		t.Errorf("drift %v, %v", d, err)
	}
	r.unwant("def", "h0001.evil.com")
	r.clock.Advance(time.Minute)
	r.sync()
	if _, err := r.m.Drift(t.Context(), "def"); err != nil || r.condition("unknown_own") {
		t.Errorf("a row deleted a moment ago is taken for an unknown one (%v)", err)
	}
}

func TestD2_TwoStoresLeaveEachOtherAlone(t *testing.T) {
	r := newRig(t, 1000)
	other := newRig(t, 1000)
	other.tenant, other.clock = r.tenant, r.clock
	var err error
	other.m, err = Open(t.Context(), Deps{Store: other.store, Clock: r.clock, Upstream: other.graph, Owner: "second", Conditions: other.conds})
	if err != nil {
		t.Fatal(err)
	}
	other.dests[0].Target = r.tenant.door("app", "Block") // the same app, even
	other.configure()
	r.want("def", "a.evil.com", 80)
	r.want("def", "both.evil.com", 80)
	r.sync()
	other.want("def", "b.evil.com", 80)
	other.want("def", "both.evil.com", 80)
	other.sync()
	r.tenantHas("a.evil.com/Block", "b.evil.com/Block", "both.evil.com/Block")
	if !other.condition("foreign_mark") {
		t.Error("no condition about the other store's rows")
	}
	clear(other.graph.nodes["def"])
	other.sync()
	r.tenantHas("a.evil.com/Block", "both.evil.com/Block")
	clear(r.graph.nodes["def"])
	r.sync()
	r.tenantHas()
}

func TestD2_UnknownOwnIsAdoptedNeverDeleted(t *testing.T) {
	r := newRig(t, 100)
	r.tenant.add("lost.evil.com", "Block", "app", "mark")
	r.tenant.add("wanted.evil.com", "Block", "app", "mark")
	r.want("def", "wanted.evil.com", 80)
	r.sync()
	if p := r.plan(); p.Actions[Adopt] != 2 || !r.condition("unknown_own") {
		t.Fatalf("actions %v", p.Actions)
	}
	r.tenantHas("lost.evil.com/Block", "wanted.evil.com/Block")
	if n, err := r.m.Adopt(t.Context(), "def", ""); n != 2 || err != nil {
		t.Fatalf("adopted %d, %v", n, err)
	}
	r.sync()
	r.tenantHas("wanted.evil.com/Block")
	r.quiet()
}

// shifting is a target whose listing is not one state of the tenant.
type shifting struct {
	*door
	twice bool
	extra int
}

func (s shifting) List(ctx context.Context, gate sdk.Gate, fn func(sdk.Remote) error) (sdk.Listing, error) {
	l, err := s.door.List(ctx, gate, func(r sdk.Remote) error {
		if s.twice {
			if err := fn(r); err != nil {
				return err
			}
		}
		return fn(r)
	})
	l.Count += s.extra
	return l, err
}

func TestD3_IncompleteListingMarksNothingMissing(t *testing.T) {
	for _, bad := range []shifting{{twice: true}, {extra: 3}} {
		r := newRig(t, 100)
		r.wantMany(3)
		r.sync()
		r.clock.Advance(2 * time.Hour)
		r.tenant.remove(r.tenant.live()["h0001.evil.com/Block"].ID)
		bad.door = r.dests[0].Target.(*door)
		r.dests[0].Target = bad
		r.configure()
		if p := r.plan(); p.Reasons[reason.ChangedByHand] != 0 || len(p.Notes) == 0 {
			t.Errorf("%+v: reasons %v, notes %v", bad, p.Reasons, p.Notes)
		}
	}
}

func TestD1_RetiredDestinationIsWithdrawnAndOrphansAreKnown(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	r.sync()
	dests := r.dests
	r.dests = nil
	r.configure()
	if o, err := r.m.Orphans(t.Context()); err != nil || o["twin/t1"] != 3 {
		t.Errorf("orphans %v, %v", o, err)
	}
	r.dests = dests
	r.dests[0].Node = "renamed" // the ledger belongs to the tenant, not to the name
	r.dests[0].Retired = true
	r.configure()
	p, err := r.m.Plan(t.Context(), "renamed", PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.apply(p)
	r.tenantHas()
}

func TestD2_PredecessorsRowsAreTakenOverByPlan(t *testing.T) {
	r := newRig(t, 100)
	r.tenant.add("wanted.evil.com", "Block", "minemeld", "")
	r.tenant.add("stale.evil.com", "Block", "minemeld", "")
	r.tenant.add("portal.evil.com", "Block", "someone", "")
	r.want("def", "wanted.evil.com", 80)
	r.dests[0].Target.(*door).info.App = ""
	r.configure()
	if n, err := r.m.Adopt(t.Context(), "def", "minemeld"); n != 2 || err != nil {
		t.Fatalf("adopted %d, %v", n, err)
	}
	r.sync()
	r.tenantHas("wanted.evil.com/Block", "portal.evil.com/Block")
	if got := r.tenant.live()["wanted.evil.com/Block"].Mark; got != "mark" {
		t.Errorf("the adopted row carries the mark %q", got)
	}
	r.quiet()
}

// An app id is a GUID: what a person typed in capitals is the app that the service
// names in small letters.
func TestD2_AppIdsAreComparedWithoutCase(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].Target.(*door).info.App = "0A1B"
	r.configure()
	r.tenant.add("lost.evil.com", "Block", "0a1b", "mark")
	r.tenant.add("theirs.evil.com", "Block", "0c2d", "")
	r.sync()
	if n, err := r.m.Adopt(t.Context(), "def", "0C2D"); n != 2 || err != nil {
		t.Fatalf("adopted %d, %v", n, err)
	}
	r.sync()
	r.tenantHas()
}

// Some predecessors leave several rows of one identity. The ledger has a place for one:
// the row that lasts longest, whatever the order of the listing, and a later adopt does
// not take the place of a row that is there.
func TestD2_OfSeveralRowsOfOneIdentityTheLastToEndIsAdopted(t *testing.T) {
	r := newRig(t, 100)
	longest := r.clock.Now().Add(500 * time.Hour)
	for n := range 8 {
		for _, mark := range []string{"", "mark"} {
			id := r.tenant.add("w"+mark+".evil.com", "Block", "app", mark)
			r.tenant.rows[id].Expires = longest.Add(-time.Duration((n+3)%8) * time.Hour)
		}
	}
	for _, want := range []int{2, 0} {
		if n, err := r.m.Adopt(t.Context(), "def", "app"); n != want || err != nil {
			t.Errorf("adopted %d, %v, want %d", n, err, want)
		}
		deletes := 0
		for _, it := range r.plan().Items {
			if it.Action == Delete {
				deletes++
			}
			if it.Action == Delete && !it.Expires.Equal(longest) {
				t.Errorf("%s ends at %s, want %s", it.Identity, it.Expires, longest)
			}
		}
		if deletes != 2 || r.condition("unknown_own") {
			t.Errorf("%d deletions planned, condition %v", deletes, r.condition("unknown_own"))
		}
	}
}

// hollow answers some listings with no rows at all, as if they were complete.
type hollow struct {
	*door
	empty int // how many more
}

func (h *hollow) List(ctx context.Context, gate sdk.Gate, fn func(sdk.Remote) error) (sdk.Listing, error) {
	if h.empty == 0 {
		return h.door.List(ctx, gate, fn)
	}
	h.empty--
	l, err := h.door.List(ctx, gate, func(sdk.Remote) error { return nil })
	l.Count = 0
	return l, err
}

// TestD3_AListingThatLostMostOfOursIsTakenTwice: one hollow answer marks nothing;
// two that agree are believed.
func TestD3_AListingThatLostMostOfOursIsTakenTwice(t *testing.T) {
	for empty, missing := range map[int]int{1: 0, 2: 40} {
		r := newRig(t, 100)
		r.wantMany(40)
		r.sync()
		r.clock.Advance(2 * time.Hour)
		r.dests[0].Target = &hollow{door: r.dests[0].Target.(*door), empty: empty}
		r.configure()
		if p := r.plan(); p.Reasons[reason.ChangedByHand] != missing {
			t.Errorf("%d hollow listings: %v, notes %v", empty, p.Reasons, p.Notes)
		}
	}
}

// A tenant that cannot be listed needs a person when it lasts: it is a condition from the
// first failure to the next complete listing, and one that a stop takes the place of.
func TestD3_AFailingListingIsACondition(t *testing.T) {
	r := newRig(t, 100)
	var failure sdk.Failure
	r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
		if op == sdk.OpList && failure != "" {
			return &sdk.Error{Failure: failure, Message: "injected"}
		}
		return nil
	}
	r.want("def", "a.evil.com", 80)
	r.sync()
	if r.condition(ListingFailing) {
		t.Fatal("a condition without a failure")
	}
	failure = sdk.Unavailable
	r.clock.Advance(2 * time.Hour)
	r.plan()
	began := r.clock.Now()
	r.clock.Advance(time.Hour)
	r.plan()
	stands := r.conds.List()
	if len(stands) != 1 || stands[0].Kind != ListingFailing || stands[0].ID != "twin/t1" || stands[0].Node != "def" || !stands[0].Since.Equal(began.UTC()) || !strings.Contains(stands[0].Message, "injected") {
		t.Errorf("conditions %+v", stands)
	}
	failure = ""
	r.plan()
	if r.condition(ListingFailing) {
		t.Error("the tenant was listed, and the condition stands")
	}
	failure = sdk.Unavailable
	r.clock.Advance(2 * time.Hour)
	r.plan()
	failure = sdk.Forbidden
	r.plan()
	if r.condition(ListingFailing) || !r.condition("role_missing") {
		t.Errorf("a stop is told beside what it is the cause of: %+v", r.conds.List())
	}
}
