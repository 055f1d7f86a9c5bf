package defender

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/entra"
	"github.com/remeld/remeld/internal/microsoft/testroom"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

func open(t *testing.T, change func(*entra.Connection)) (*sandbox.Sandbox, sdk.Target, *bytes.Buffer) {
	t.Helper()
	room := testroom.Open(t, sandbox.Options{})
	if change != nil {
		change(room.Login)
	}
	cfg := defaults()
	cfg.Action = "block"
	target, err := build(cfg, room.Env("defender"))
	if err != nil {
		t.Fatal(err)
	}
	return room.Sandbox, target, room.Log
}

func list(t *testing.T, target sdk.Target) []sdk.Remote {
	t.Helper()
	var rows []sdk.Remote
	if _, err := target.List(t.Context(), testroom.Free, func(r sdk.Remote) error { rows = append(rows, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestLifeOfAnObject: created, listed as sent, updated under the same id, deleted.
func TestLifeOfAnObject(t *testing.T) {
	t.Parallel()
	_, target, _ := open(t, nil)
	var items []sdk.SendItem
	for kind, text := range map[indicator.Kind]string{
		indicator.Domain: "bad.example", indicator.IPv4: "8.8.4.4", indicator.IPv6: "2001:4860:4860::8888",
		indicator.URL: "https://bad.example/A?b=%2B", indicator.SHA256: strings.Repeat("ab", 32),
		indicator.Certificate: strings.Repeat("cd", 20), indicator.MD5: strings.Repeat("ef", 16),
	} {
		objects, unfit := target.Map(testroom.Record(t, kind, text))
		if unfit != nil {
			t.Fatalf("%s: %+v", text, unfit)
		}
		items = append(items, sdk.SendItem{Object: objects[0], Mark: "soc-1", Expires: time.Now().Add(24 * time.Hour)})
	}
	body, err := target.Encode(sdk.OpUpsert, items)
	if err != nil {
		t.Fatal(err)
	}
	ids := send(t, target, sdk.OpUpsert, body)
	again := send(t, target, sdk.OpUpsert, body)
	byIdentity := map[string]sdk.Remote{}
	for _, r := range list(t, target) {
		byIdentity[r.Identity] = r
	}
	for i, item := range items {
		r := byIdentity[item.Object.Identity]
		if r.ID != ids[i] || ids[i] != again[i] || r.Mark != "soc-1" || r.Hash != item.Object.Hash || r.App != sandbox.DemoApp {
			t.Errorf("%s: sent as %s and %s, listed %+v", item.Object.Identity, ids[i], again[i], r)
		}
		items[i].RemoteID = ids[i]
	}
	body, err = target.Encode(sdk.OpDelete, items)
	if err != nil {
		t.Fatal(err)
	}
	send(t, target, sdk.OpDelete, body)
	if rows := list(t, target); len(rows) != 0 {
		t.Errorf("%d rows left", len(rows))
	}
	if _, err := target.Send(t.Context(), sdk.OpDelete, body); sdk.FailureOf(err) != sdk.Missing {
		t.Errorf("second delete: %v", err)
	}
}

func send(t *testing.T, target sdk.Target, op sdk.OpName, body []byte) []string {
	t.Helper()
	answer, err := target.Send(t.Context(), op, body)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, o := range answer.Outcomes {
		if o.Status != sdk.Accepted {
			t.Fatalf("%+v", o)
		}
		ids = append(ids, o.RemoteID)
	}
	return ids
}

// TestRefusalsSayWhatToDo: the classes of failure and the words for each.
func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change  func(*entra.Connection)
		failure sdk.Failure
		words   string
	}{
		"wrong secret":   {change: func(c *entra.Connection) { c.ClientSecret = "fake-wrong" }, failure: sdk.Unauthorized, words: "use the secret's Value"},
		"unknown tenant": {change: func(c *entra.Connection) { c.TenantID = "00000000-0000-0000-0000-00000000dead" }, failure: sdk.Unauthorized, words: "tenant_id"},
		"unknown app":    {change: func(c *entra.Connection) { c.ClientID = "00000000-0000-0000-0000-00000000dead" }, failure: sdk.Unauthorized, words: "client_id"},
		"no listener":    {change: func(c *entra.Connection) { c.Defender = "https://127.0.0.1:1" }, failure: sdk.NotSent, words: "refused"},
		"unknown CA":     {change: func(c *entra.Connection) { c.CA = "" }, failure: sdk.NotSent, words: "authority"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, target, log := open(t, test.change)
			_, err := target.List(t.Context(), testroom.Free, func(sdk.Remote) error { return nil })
			if sdk.FailureOf(err) != test.failure || !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %s: %v", sdk.FailureOf(err), err)
			}
			if text := err.Error() + log.String(); strings.Contains(text, sandbox.DemoSecret) || strings.Contains(text, "fake-wrong") || strings.Contains(text, "eyJ") {
				t.Errorf("a secret or token shows in %s", text)
			}
		})
	}
}

func TestMissingRoleIsNamed(t *testing.T) {
	t.Parallel()
	sb, target, _ := open(t, nil)
	tenants := sb.Tenants()
	for i := range tenants[0].Apps {
		tenants[0].Apps[i].Roles = nil
	}
	if err := sb.SetTenant(tenants[0]); err != nil {
		t.Fatal(err)
	}
	_, err := target.List(t.Context(), testroom.Free, func(sdk.Remote) error { return nil })
	if sdk.FailureOf(err) != sdk.Forbidden || !strings.Contains(err.Error(), "Ti.ReadWrite.All") {
		t.Errorf("%s: %v", sdk.FailureOf(err), err)
	}
}

// TestD11_LostAnswerIsInDoubt: a connection that dies after the request left is
// not "not sent"; what a 429 says is read.
func TestD11_LostAnswerIsInDoubt(t *testing.T) {
	t.Parallel()
	sb, target, _ := open(t, nil)
	objects, _ := target.Map(testroom.Record(t, indicator.Domain, "bad.example"))
	body, err := target.Encode(sdk.OpUpsert, []sdk.SendItem{{Object: objects[0], Mark: "m", Expires: time.Now().Add(time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		action sandbox.Action
		want   sdk.Failure
	}{
		{sandbox.Action{Reset: true, When: "after"}, sdk.InDoubt},
		{sandbox.Action{Truncate: 10}, sdk.InDoubt},
		{sandbox.Action{Status: 500}, sdk.Unavailable},
		{sandbox.Action{Status: 429, RetryAfter: "8"}, sdk.Throttled},
		{sandbox.Action{Status: 400}, sdk.Refused},
	}
	for _, test := range tests {
		sb.ClearFaults()
		if _, err := sb.AddFault(sandbox.Rule{Op: "import", Count: 1, Action: test.action}); err != nil {
			t.Fatal(err)
		}
		_, err := target.Send(t.Context(), sdk.OpUpsert, body)
		if sdk.FailureOf(err) != test.want {
			t.Errorf("%+v: got %s: %v", test.action, sdk.FailureOf(err), err)
		}
		var e *sdk.Error
		if test.want == sdk.Throttled && (!errors.As(err, &e) || e.RetryAt.Before(time.Now().Add(5*time.Second))) {
			t.Errorf("retry at %v", e.RetryAt)
		}
	}
	if rows := list(t, target); len(rows) != 1 {
		t.Errorf("%d rows after a lost answer, want the one that was made", len(rows))
	}
}
