package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

func TestD12_ThrottlingLosesNothingAndRepeatsNothing(t *testing.T) {
	for k := 1; k <= 4; k++ {
		r := newRig(t, 1000)
		r.wantMany(350)
		r.tenant.fault = failOn(k, sdk.Throttled)
		res := r.sync()
		if res.Partial() || res.Counts[Create] != 350 || len(r.tenant.live()) != 350 {
			t.Fatalf("throttled at call %d: %d live, %+v", k, len(r.tenant.live()), res)
		}
		sent := map[string]int{}
		for _, c := range r.tenant.calls {
			if c.Op == sdk.OpUpsert && c.OK {
				for _, n := range c.Names {
					sent[n]++
				}
			}
		}
		for n, times := range sent {
			if times != 1 {
				t.Fatalf("%s was written %d times", n, times)
			}
		}
		r.quiet()
	}
}

func TestD12_RetryAfterIsKept(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	r.tenant.skew = 10 * time.Minute // RetryAt is on the service's clock
	at := r.tenant.now().Add(90 * time.Second)
	n := 0
	r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
		if op != sdk.OpUpsert {
			return nil
		}
		if n++; n == 1 {
			return &sdk.Error{Failure: sdk.Throttled, Message: "slow down", RetryAt: at}
		}
		return nil
	}
	r.sync()
	calls := r.tenant.calls
	if got := calls[len(calls)-1].At.Add(r.tenant.skew); got.Before(at) || got.After(at.Add(5*time.Second)) {
		t.Errorf("the call was repeated at %s, the service asked for %s", got, at)
	}
}

func TestD12_RateWindowsHoldAcrossRestarts(t *testing.T) {
	r := newRig(t, 100000)
	r.wantMany(4500) // 45 calls of 100; 30 a minute
	r.plan()
	ctx, cancel := context.WithCancel(t.Context())
	p := r.plan()
	_, err := r.m.Apply(ctx, p, ApplyOptions{Progress: func(pr Progress) {
		if pr.Done >= 2000 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("err %v", err)
	}
	r.open()
	r.sync()
	if n := len(r.tenant.live()); n != 4500 {
		t.Fatalf("%d live", n)
	}
	var at []time.Time
	for _, c := range r.tenant.calls {
		if c.Op == sdk.OpUpsert {
			at = append(at, c.At)
		}
	}
	for i := 30; i < len(at); i++ {
		if d := at[i].Sub(at[i-30]); d < time.Minute {
			t.Fatalf("calls %d to %d within %s", i-30, i, d)
		}
	}
}

func TestD13_OneBadRowIsParkedAndTheOthersGo(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(100)
	bad := "h0042.evil.com"
	r.tenant.badRow = func(v string) string {
		if v == bad {
			return "Indicator " + v + " is not valid"
		}
		return ""
	}
	res := r.sync()
	if len(r.tenant.live()) != 99 || len(res.Rejected) != 1 || !strings.Contains(res.Rejected[0].Why, "not valid") {
		t.Fatalf("%d live, rejected %v", len(r.tenant.live()), res.Rejected)
	}
	r.quiet()
	if p := r.plan(); p.Reasons[reason.Rejected] != 1 {
		t.Errorf("reasons %v", p.Reasons)
	}
	// Another body is another question.
	r.tenant.badRow = nil
	r.want("def", bad, 80).Attrs.Description = "changed"
	r.sync()
	if len(r.tenant.live()) != 100 {
		t.Error("the changed row was not tried again")
	}
	r.quiet()
}

func TestD13_RejectedItemIsParked(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(10)
	r.tenant.badItem = func(v string) string {
		if v == "h0003.evil.com" {
			return "no"
		}
		return ""
	}
	if res := r.sync(); len(res.Rejected) != 1 || len(r.tenant.live()) != 9 {
		t.Fatalf("%+v", res)
	}
	r.quiet()
}

func TestD13_EverythingRefusedStopsTheDestination(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(100)
	r.tenant.badRow = func(string) string { return "rbac group does not exist" }
	res := r.sync()
	if n := r.tenant.writes(); n != 5 {
		t.Errorf("%d calls before the stop, want 5", n)
	}
	if !res.Partial() || !r.condition("destination_stopped") || len(res.Rejected) != 0 {
		t.Errorf("partial %v, conditions %v, rejected %d", res.Partial(), r.conds.List(), len(res.Rejected))
	}
	before := r.tenant.writes()
	r.sync()
	if r.tenant.writes() != before {
		t.Error("a stopped destination was called")
	}
	r.tenant.badRow = nil
	r.dests[0].ConfigVersion = "2"
	r.configure()
	r.sync()
	if len(r.tenant.live()) != 100 || r.condition("destination_stopped") {
		t.Errorf("after the config changed: %d live", len(r.tenant.live()))
	}
}

func TestD13_DeletionOfUnknownIdListsAndSubtracts(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(20)
	r.sync()
	p := func() *Plan { // planned before somebody deletes a row by hand
		for i := range 10 {
			r.unwant("def", fmt.Sprintf("h%04d.evil.com", i))
		}
		return r.plan()
	}()
	r.tenant.remove(r.tenant.live()["h0003.evil.com/Block"].ID)
	res := r.apply(p)
	if len(r.tenant.live()) != 10 || res.Counts[Delete] != 10 || res.Partial() {
		t.Fatalf("%d live, %+v", len(r.tenant.live()), res)
	}
	r.quiet()
}

func TestD12_ServerErrorsForEverEndInBoundedWaits(t *testing.T) {
	r := newRig(t, 1000)
	r.wantMany(300)
	r.tenant.fault = func(_ int, op sdk.OpName, _ string) error {
		if op == sdk.OpUpsert {
			return &sdk.Error{Failure: sdk.Unavailable, Code: "500", Message: "internal error"}
		}
		return nil
	}
	before := r.clock.Now()
	res := r.sync()
	if !res.Partial() || r.tenant.writes() > 6 {
		t.Errorf("partial %v after %d calls", res.Partial(), r.tenant.writes())
	}
	waits := r.clock.Slept()
	if !slices.IsSorted(waits) || r.clock.Now().Sub(before) > 5*time.Minute {
		t.Errorf("waits %v", waits)
	}
	r.tenant.fault = nil
	r.sync()
	if len(r.tenant.live()) != 300 {
		t.Errorf("%d live after the service came back", len(r.tenant.live()))
	}
	r.quiet()
}

func TestD11_ResetAfterEffectIsResolvedWithoutDuplicate(t *testing.T) {
	for _, phase := range []string{"before", "after"} {
		r := newRig(t, 1000)
		r.wantMany(50)
		dead := true
		r.tenant.fault = func(_ int, op sdk.OpName, at string) error {
			if dead && op != sdk.OpList && at == phase {
				return &sdk.Error{Failure: sdk.InDoubt, Message: "connection reset"}
			}
			return nil
		}
		if res := r.sync(); !res.Partial() {
			t.Fatal("an unanswered call is no success")
		}
		if p := r.plan(); p.Reasons[reason.InDoubt] != 50 || p.Changes() != 0 {
			t.Errorf("%s: in doubt is planned as %v %v", phase, p.Actions, p.Reasons)
		}
		dead = false
		r.sync()
		if len(r.tenant.live()) != 50 {
			t.Errorf("%d live", len(r.tenant.live()))
		}
		r.quiet()
		// The same for a deletion, which may not be repeated blindly.
		clear(r.graph.nodes["def"])
		dead = true
		r.sync()
		dead = false
		r.sync()
		r.tenantHas()
		r.quiet()
	}
}

func TestD11_DoubtIsNotRepeatedOnceProtected(t *testing.T) {
	r := newRig(t, 100)
	r.want("def", "own.corp.com", 80)
	r.tenant.fault = func(_ int, op sdk.OpName, at string) error {
		if op == sdk.OpUpsert {
			return &sdk.Error{Failure: sdk.InDoubt, Message: "connection reset"}
		}
		return nil
	}
	r.sync()
	r.tenant.fault = nil
	before := r.tenant.writes()
	r.dests[0].Protect = &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", []indicator.Indicator{ind("corp.com")})}}
	r.configure()
	r.sync()
	if r.tenant.writes() != before {
		t.Error("a protected value was sent")
	}
	r.tenantHas()
}

func TestD12_SecretRefusedStopsUntilTheConfigChanges(t *testing.T) {
	for failure, kind := range map[sdk.Failure]string{sdk.Unauthorized: "secret_refused", sdk.Forbidden: "role_missing"} {
		r := newRig(t, 100)
		r.wantMany(3)
		r.tenant.fault = func(int, sdk.OpName, string) error { return &sdk.Error{Failure: failure, Message: "no"} }
		r.sync()
		calls := len(r.tenant.calls)
		r.sync()
		if !r.condition(kind) || len(r.tenant.calls) != calls {
			t.Errorf("%s: condition %v, %d calls after the stop", failure, r.condition(kind), len(r.tenant.calls)-calls)
		}
		r.tenant.fault = nil
		r.dests[0].ConfigVersion = "2"
		r.configure()
		r.sync()
		if len(r.tenant.live()) != 3 || r.condition(kind) {
			t.Errorf("%s: %d live", failure, len(r.tenant.live()))
		}
	}
}

func TestD12_EmergenciesFirstThenRenewalsByDeadline(t *testing.T) {
	r := newRig(t, 1000)
	r.dests[0].Target.(*door).info.Ops[sdk.OpUpsert] = sdk.Op{Batch: 1, RateKey: "u", Idempotent: true}
	r.configure()
	for i, v := range []string{"c.evil.com", "a.evil.com", "b.evil.com"} {
		until := r.clock.Now().Add(time.Duration(20+i) * day)
		r.want("def", v, 80).Attrs.ValidUntil = until
	}
	r.want("def", "plain.evil.com", 80)
	r.want("def", "own.evil.com", 80)
	r.sync()
	for _, v := range []string{"a.evil.com", "b.evil.com", "c.evil.com"} {
		r.graph.nodes["def"][ind(v)].Attrs.ValidUntil = time.Time{} // wanted for longer: renewable
	}
	r.clock.Advance(19 * day)
	r.plan() // takes the listing
	r.tenant.calls = nil
	own := r.tenant.live()["own.evil.com/Block"].ID
	plain := r.tenant.live()["plain.evil.com/Block"].ID
	r.graph.cause[ind("own.evil.com")] = reason.AllowListed
	r.unwant("def", "own.evil.com")
	r.unwant("def", "plain.evil.com")
	r.want("def", "new.evil.com", 80)
	r.sync()
	var order []string
	for _, c := range r.tenant.calls {
		if c.Op != sdk.OpList {
			order = append(order, c.Names...)
		}
	}
	if want := []string{own, "c.evil.com", "a.evil.com", "b.evil.com", plain, "new.evil.com"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestD12_AnotherSecretLiftsTheStopAndKeepsThePlan(t *testing.T) {
	r := newRig(t, 100)
	r.wantMany(3)
	p := r.plan()
	r.tenant.fault = func(int, sdk.OpName, string) error { return &sdk.Error{Failure: sdk.Unauthorized, Message: "no"} }
	r.sync()
	if !r.condition("secret_refused") {
		t.Fatal("no condition")
	}
	r.tenant.fault = nil
	r.dests[0].Login = "another"
	r.configure()
	r.apply(p)
	if len(r.tenant.live()) != 3 || r.condition("secret_refused") {
		t.Errorf("%d live, conditions %v", len(r.tenant.live()), r.conds.List())
	}
}
