package deliver

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/sdk"
)

const day = 24 * time.Hour

func TestD1_RangeIsWithdrawnCompletely(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "8.8.4.0-8.8.4.5", 80)
	r.want("def", "8.8.4.3", 80, "other") // shares one object
	r.sync()
	if len(r.tenant.live()) != 6 {
		t.Fatalf("live %v", r.tenant.names())
	}
	r.unwant("def", "8.8.4.0-8.8.4.5")
	r.sync()
	r.tenantHas("8.8.4.3/Block")
	r.unwant("def", "8.8.4.3")
	r.sync()
	r.tenantHas()
	r.quiet()
}

func TestD15_RenewalBeforeExpiryAndSpread(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(200)
	r.sync()
	perDay := map[int]int{}
	for h := range 40 * 24 {
		r.clock.Advance(time.Hour)
		perDay[h/24] += r.sync().Counts[Renew]
		if n := len(r.tenant.live()); n != 200 {
			t.Fatalf("hour %d: %d live", h, n)
		}
	}
	busy := 0
	for _, n := range perDay {
		if n > 0 {
			busy++
		}
	}
	if busy < 2 {
		t.Errorf("renewals are not spread: %v", perDay)
	}
}

func TestD15_NeverPastValidUntil(t *testing.T) {
	r := newRig(t, 100)
	until := r.clock.Now().Add(10 * day).Truncate(time.Second)
	r.want("def", "h1.evil.com", 80).Attrs.ValidUntil = until
	r.sync()
	if got := r.tenant.live()["h1.evil.com/Block"].Expires; !got.Equal(until) {
		t.Errorf("expires %s, want %s", got, until)
	}
	for range 12 {
		r.clock.Advance(day)
		if n := r.sync().Counts[Renew]; n > 0 {
			t.Error("renewed though it may not live longer")
		}
	}
	r.tenantHas()
	r.quiet()
}

func TestD15_RenewOnChangeLetsLapse(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].RenewOnChange = true
	r.configure()
	r.want("def", "h1.evil.com", 80)
	r.sync()
	for range 35 {
		r.clock.Advance(day)
		r.sync()
	}
	r.tenantHas()
	r.quiet()
	r.want("def", "h1.evil.com", 80).Attrs.Description = "seen again"
	r.sync()
	r.tenantHas("h1.evil.com/Block")
}

// shortLived is a rig whose objects live two days, where the kind's live thirty.
func shortLived(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, 100)
	r.dests[0].Target.(*door).life = 2 * day
	r.configure()
	return r
}

// livesUntil asserts when an object ends at the tenant.
func (r *rig) livesUntil(name string, want time.Time) {
	r.t.Helper()
	if got := r.tenant.live()[name].Expires; !got.Equal(want.Truncate(time.Second)) {
		r.t.Errorf("%s expires %s, want %s", name, got, want)
	}
}

func TestD15_AnObjectsOwnLifeIsItsExpiry(t *testing.T) {
	r := shortLived(t)
	until := r.clock.Now().Add(day)
	r.want("def", "h1.evil.com", 80)
	r.want("def", "h2.evil.com", 80).Attrs.ValidUntil = until
	r.sync()
	r.livesUntil("h1.evil.com/Block", r.clock.Now().Add(2*day))
	r.livesUntil("h2.evil.com/Block", until)
	// It is renewed by a quarter of that life, for that life.
	r.clock.Advance(day)
	if n := r.sync().Counts[Renew]; n > 0 {
		t.Error("renewed with half of its life left")
	}
	r.clock.Advance(15 * time.Hour)
	if n := r.sync().Counts[Renew]; n != 1 {
		t.Errorf("%d renewals with 9 of 48 hours left, want 1", n)
	}
	r.livesUntil("h1.evil.com/Block", r.clock.Now().Add(2*day))
}

func TestD15_AnUpdateGivesTheOwnLife(t *testing.T) {
	r := shortLived(t)
	r.want("def", "h1.evil.com", 80)
	r.sync()
	r.clock.Advance(12 * time.Hour)
	r.want("def", "h1.evil.com", 80).Attrs.Description = "seen again"
	r.sync()
	r.livesUntil("h1.evil.com/Block", r.clock.Now().Add(2*day))
}

func TestD15_AFrozenRowIsRenewedForItsOwnLife(t *testing.T) {
	r := shortLived(t)
	r.dests[0].Guards.Delete = guard.Limit{}
	r.configure()
	r.want("def", "h1.evil.com", 80)
	r.sync()
	r.clock.Advance(39 * time.Hour)
	r.unwant("def", "h1.evil.com") // the guard keeps it
	r.open()                       // the renewal knows the life from the ledger alone
	r.sync()
	r.livesUntil("h1.evil.com/Block", r.clock.Now().Add(2*day))
}

func TestD15_ARollbackRestoresTheOwnLife(t *testing.T) {
	r := shortLived(t)
	r.want("def", "h1.evil.com", 80)
	r.sync()
	r.clock.Advance(2 * time.Minute)
	r.unwant("def", "h1.evil.com")
	gone := r.sync()
	r.tenantHas()
	r.rollBack(gone.ID)
	r.livesUntil("h1.evil.com/Block", r.clock.Now().Add(2*day))
}

func TestD15_ABlockByHandLivesByTheRuleToo(t *testing.T) {
	r := shortLived(t)
	if _, err := r.m.Block(t.Context(), "def", ind("h1.evil.com"), 7*day, "seen", "anna"); err != nil {
		t.Fatal(err)
	}
	r.sync()
	r.livesUntil("h1.evil.com/Block", r.clock.Now().Add(2*day))
}

func TestD10_DriftingScoresWriteLittle(t *testing.T) {
	r := newRig(t, 2000)
	r.wantMany(500)
	r.sync()
	r.tenant.calls = nil
	wrote := 0
	for d := range 30 {
		for i := range 500 { // 70..79, drifting every day
			r.want("def", fmt.Sprintf("h%04d.evil.com", i), 71+(i*7+d*3)%9)
		}
		r.clock.Advance(day)
		wrote += r.sync().Counts[Update]
	}
	if share := float64(wrote) / 500 / 30; share > 0.02 {
		t.Errorf("%.1f %% of the rows were updated each day", share*100)
	}
}

func TestD10_ScorePastTheMarginIsOneUpdate(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "h1.evil.com", 70)
	r.sync()
	r.want("def", "h1.evil.com", 79)
	r.quiet()
	r.want("def", "h1.evil.com", 80)
	before := r.tenant.writes()
	if res := r.sync(); res.Counts[Update] != 1 || r.tenant.writes() != before+1 {
		t.Errorf("result %+v", res)
	}
	r.quiet()
}

func TestD1_ScoreCrossingTwoBranchesLeavesNoGap(t *testing.T) {
	r := newRig(t, 10)
	r.dests = []Destination{
		{Node: "audit", Target: r.tenant.door("app", "Audit"), Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards, Keep: []Keep{{"low", filter(t, "confidence < 75")}}},
		{Node: "block", Target: r.tenant.door("app", "Block"), Mode: ModeAuto, ConfigVersion: "1", Guards: looseGuards, Keep: []Keep{{"high", filter(t, "confidence >= 75")}}},
	}
	r.configure()
	set := func(conf int) {
		for _, n := range []string{"audit", "block"} {
			r.want(n, "h1.evil.com", conf)
		}
	}
	sync := func() {
		p, err := r.m.Plan(t.Context(), "audit", PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r.apply(p)
	}
	set(74)
	sync()
	r.tenantHas("h1.evil.com/Audit")
	set(76)
	r.tenant.fault = func(int, sdk.OpName, string) error {
		if len(r.tenant.rows) == 0 {
			t.Error("for a moment nothing was at the tenant")
		}
		return nil
	}
	sync()
	r.tenant.fault = nil
	r.tenantHas("h1.evil.com/Block")
}

func TestD16_SavedPlanSkipsWhatChanged(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(5)
	p := r.plan()
	if err := r.m.SavePlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	r.open() // another process
	p, err := r.m.LoadPlan(t.Context(), p.ID)
	if err != nil || len(p.Items) != 5 {
		t.Fatalf("%d items, %v", len(p.Items), err)
	}
	r.unwant("def", "h0000.evil.com")
	r.want("def", "h0001.evil.com", 80).Attrs.Description = "changed"
	r.want("def", "late.evil.com", 80)
	if _, err := r.m.Plan(t.Context(), "def", PlanOptions{}); err != nil { // takes the listing
		t.Fatal(err)
	}
	res := r.apply(p)
	if len(res.Skipped) != 2 || !res.Partial() || len(r.tenant.live()) != 3 {
		t.Errorf("skipped %v, live %v", res.Skipped, r.tenant.names())
	}
	res = r.apply(p) // once more: every base has changed
	if res.Counts[Create] != 0 {
		t.Errorf("a second apply did %v", res.Counts)
	}
	r.clock.Advance(25 * time.Hour)
	if _, err := r.m.Apply(t.Context(), p, ApplyOptions{}); !errors.Is(err, ErrPlanExpired) {
		t.Errorf("after 25 h: %v", err)
	}
	p = r.plan()
	r.dests[0].ConfigVersion = "2"
	r.configure()
	if _, err := r.m.Apply(t.Context(), p, ApplyOptions{}); !errors.Is(err, ErrPlanConfig) {
		t.Errorf("with another config: %v", err)
	}
}

func TestD16_ApplyAsksProtectionAgain(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "www.corp.com", 80)
	p := r.plan()
	r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", []indicator.Indicator{ind("corp.com")})}}
	r.configure()
	if res := r.apply(p); len(res.Skipped) != 1 {
		t.Errorf("%+v", res)
	}
	r.tenantHas()
}

func TestD17_InversesAreRecorded(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "h1.evil.com", 80).Attrs.Description = "old"
	r.sync()
	r.want("def", "h1.evil.com", 80).Attrs.Description = "new"
	res := r.sync()
	undo, err := r.m.Inverses(t.Context(), res.ID)
	if err != nil || len(undo) != 1 || undo[0].Before == nil || !strings.Contains(string(undo[0].Body), "old") {
		t.Errorf("inverses %+v, %v", undo, err)
	}
}

func TestD1_WhyAnswersThroughCover(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "evil.com", 80)
	r.want("def", "8.8.4.4", 80)
	r.sync()
	for v, pick := range map[string]func(Why) []Object{
		"evil.com":            func(w Why) []Object { return w.Objects },
		"www.evil.com":        func(w Why) []Object { return w.Covering },
		"http://www.evil.com": func(w Why) []Object { return w.Covering },
		"8.8.4.0/24":          func(w Why) []Object { return w.Inside },
	} {
		ws, err := r.m.Why(t.Context(), ind(v))
		if err != nil || len(ws) != 1 || len(pick(ws[0])) != 1 {
			t.Errorf("%s: %+v, %v", v, ws, err)
		}
	}
}
