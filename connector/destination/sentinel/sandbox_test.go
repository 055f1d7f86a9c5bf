package sentinel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/microsoft/entra"
	"github.com/remeld/remeld/internal/microsoft/testroom"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"

	api "github.com/remeld/remeld/internal/microsoft/sentinel"
)

func open(t *testing.T, change func(*Config, *entra.Connection)) (*sandbox.Sandbox, sdk.Target, *bytes.Buffer) {
	t.Helper()
	room := testroom.Open(t, sandbox.Options{})
	cfg := defaults()
	cfg.Workspace, cfg.Subscription, cfg.ResourceGroup, cfg.WorkspaceName = sandbox.DemoWorkspace, sandbox.DemoSubscription, sandbox.DemoGroup, sandbox.DemoWorkspaceName
	if change != nil {
		change(&cfg, room.Login)
	}
	if errs := cfg.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	target, err := build(cfg, room.Env("sentinel"))
	if err != nil {
		t.Fatal(err)
	}
	return room.Sandbox, target, room.Log
}

func list(t *testing.T, target sdk.Target) (rows []sdk.Remote, count int) {
	t.Helper()
	l, err := target.List(t.Context(), testroom.Free, func(r sdk.Remote) error { rows = append(rows, r); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return rows, l.Count
}

func sendItems(t *testing.T, target sdk.Target, texts map[indicator.Kind]string) []sdk.SendItem {
	t.Helper()
	var out []sdk.SendItem
	now := time.Now().Truncate(time.Millisecond)
	for kind, text := range texts {
		objects, unfit := target.Map(fullRecord(t, kind, text))
		if unfit != nil {
			t.Fatalf("%s: %+v", text, unfit)
		}
		for _, o := range objects {
			out = append(out, sdk.SendItem{Object: o, Mark: "soc-1", Created: now, Modified: now, Expires: now.Add(24 * time.Hour).Truncate(time.Second)})
		}
	}
	return out
}

var allKinds = map[indicator.Kind]string{
	indicator.Domain: "bad.example", indicator.IPv4: "8.8.4.0-8.8.4.6", indicator.IPv6: "2001:4860:4860::8888",
	indicator.URL: "https://bad.example/a+b?c=%2B", indicator.Email: "a@bad.example", indicator.Certificate: strings.Repeat("cd", 20),
	indicator.SHA256: strings.Repeat("ab", 32), indicator.SHA1: strings.Repeat("ab", 20), indicator.MD5: strings.Repeat("ef", 16),
}

// TestD19_LifeOfAnObject: created, listed as sent, repeated and updated under the same
// id, revoked for good, and back in the next generation under another.
func TestD19_LifeOfAnObject(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"stix", "legacy"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			sb, target, _ := open(t, func(c *Config, _ *entra.Connection) { c.API = api })
			items := sendItems(t, target, allKinds)
			first := testroom.Send(t, target, sdk.OpUpsert, items)
			testroom.Send(t, target, sdk.OpUpsert, items) // exactly again
			checkListed(t, target, items, first)
			for i := range items {
				items[i].RemoteID, items[i].Modified = first[i].RemoteID, items[i].Modified.Add(time.Millisecond)
			}
			testroom.Send(t, target, sdk.OpDelete, items)
			rows, count := list(t, target)
			for _, r := range rows {
				if !r.Withdrawn || r.Mark != "soc-1" {
					t.Errorf("after the withdrawal: %+v", r)
				}
			}
			if count != 0 || len(rows) != len(items) {
				t.Errorf("%d counted, %d listed", count, len(rows))
			}
			for i := range items {
				items[i].RemoteID, items[i].Generation = "", 1
				items[i].Modified = items[i].Modified.Add(time.Millisecond)
			}
			for i, o := range testroom.Send(t, target, sdk.OpUpsert, items) {
				if o.Status != sdk.Accepted || o.RemoteID == first[i].RemoteID {
					t.Errorf("the next generation: %+v", o)
				}
			}
			if _, count := list(t, target); count != len(items) {
				t.Errorf("%d of %d live in the next generation", count, len(items))
			}
			objects, err := sb.Objects(sandbox.DemoWorkspace)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects {
				if o.ObservableKey == "" || o.TLPLevel != "Amber" || o.ValidUntil.IsZero() {
					t.Errorf("stored without observable, label or end: %+v", o)
				}
			}
		})
	}
}

func checkListed(t *testing.T, target sdk.Target, items []sdk.SendItem, sent []sdk.Outcome) {
	t.Helper()
	byIdentity := map[string]sdk.Remote{}
	rows, count := list(t, target)
	for _, r := range rows {
		byIdentity[r.Identity] = r
	}
	if count != len(items) {
		t.Errorf("%d listed of %d", count, len(items))
	}
	for i, item := range items {
		r := byIdentity[item.Object.Identity]
		if sent[i].Status != sdk.Accepted || r.ID != sent[i].RemoteID || r.Mark != "soc-1" || r.Generation != 0 || r.Hash != item.Object.Hash ||
			r.App != target.Info().App || !r.Modified.Equal(item.Modified) || !r.Expires.Equal(item.Expires) {
			t.Errorf("%s: sent %+v, listed %+v", item.Object.Identity, sent[i], r)
		}
	}
}

// TestPagesAndForeign: a workspace of others' objects, more of ours than a page.
func TestPagesAndForeign(t *testing.T) {
	t.Parallel()
	sb, target, _ := open(t, nil)
	if _, err := sb.SeedForeignObjects(sandbox.DemoWorkspace, "", "Other", 50); err != nil {
		t.Fatal(err)
	}
	if _, err := sb.SeedForeignObjects(sandbox.DemoWorkspace, "", "Remeld", 2500); err != nil {
		t.Fatal(err)
	}
	rows, count := list(t, target)
	if count != 2500 || len(rows) != 2500 {
		t.Fatalf("%d counted, %d listed", count, len(rows))
	}
	for _, r := range rows {
		if r.Mark != "" {
			t.Fatalf("a foreign object carries a mark: %+v", r)
		}
	}
}

// TestRecordErrorsAreOutcomes: by both names of the messages, and by a 400 that says
// that no object was valid.
func TestRecordErrorsAreOutcomes(t *testing.T) {
	t.Parallel()
	for name, value := range map[string][2]string{
		"documented": {"sentinel_errors", "errorMessages"}, "API description": {"sentinel_errors", "validationErrorMessages"},
		"all invalid": {"sentinel_all_invalid", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sb, target, _ := open(t, nil)
			testroom.Set(t, sb, value[0], value[1])
			texts := map[indicator.Kind]string{indicator.Domain: "poison.example"}
			if name != "all invalid" {
				texts[indicator.IPv6] = "2001:4860:4860::8888"
			}
			if _, err := sb.AddFault(sandbox.Rule{Op: "upload", Action: sandbox.Action{Refuse: []sandbox.Refusal{{Value: "poison.example", Reason: "we do not like it"}}}}); err != nil {
				t.Fatal(err)
			}
			items := sendItems(t, target, texts)
			for i, o := range testroom.Send(t, target, sdk.OpUpsert, items) {
				bad := items[i].Object.Indicator.Value == "poison.example"
				if bad != (o.Status == sdk.Rejected) || bad && !strings.Contains(o.Reason, "do not like") {
					t.Errorf("%s: %+v", items[i].Object.Identity, o)
				}
			}
		})
	}
}

// TestFailures: the classes of failure and the words for each.
func TestFailures(t *testing.T) {
	t.Parallel()
	sb, target, log := open(t, nil)
	body, err := target.Encode(sdk.OpUpsert, sendItems(t, target, map[indicator.Kind]string{indicator.Domain: "bad.example"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		action sandbox.Action
		want   sdk.Failure
	}{
		{sandbox.Action{Reset: true, When: "after"}, sdk.InDoubt},
		{sandbox.Action{Status: 500}, sdk.Unavailable},
		{sandbox.Action{Status: 400}, sdk.Refused},
		{sandbox.Action{Status: 403}, sdk.Forbidden},
	} {
		sb.ClearFaults()
		if _, err := sb.AddFault(sandbox.Rule{Op: "upload", Count: 1, Action: test.action}); err != nil {
			t.Fatal(err)
		}
		_, err := target.Send(t.Context(), sdk.OpUpsert, body)
		if sdk.FailureOf(err) != test.want {
			t.Errorf("%+v: got %s: %v", test.action, sdk.FailureOf(err), err)
		}
		if test.want == sdk.Forbidden && !strings.Contains(err.Error(), "Microsoft Sentinel Contributor") {
			t.Errorf("%v does not name the role", err)
		}
	}
	if text := log.String(); strings.Contains(text, sandbox.DemoSecret) || strings.Contains(text, "eyJ") {
		t.Error("a secret or token shows in the log")
	}
}

// TestD12_WindowOfUploads: the 101st call of a minute is told when to come again,
// though the seconds stand in the body alone.
func TestD12_WindowOfUploads(t *testing.T) {
	t.Parallel()
	_, target, _ := open(t, nil)
	body, err := target.Encode(sdk.OpUpsert, sendItems(t, target, map[indicator.Kind]string{indicator.Domain: "bad.example"}))
	if err != nil {
		t.Fatal(err)
	}
	op := target.Info().Ops[sdk.OpUpsert]
	if op.Batch != 100 || op.PerMinute != 100 || !op.Idempotent || op.RateKey != target.Info().Ops[sdk.OpDelete].RateKey {
		t.Errorf("declared %+v", op)
	}
	for range op.PerMinute {
		if _, err = target.Send(t.Context(), sdk.OpUpsert, body); err != nil {
			t.Fatal(err)
		}
	}
	_, err = target.Send(t.Context(), sdk.OpUpsert, body)
	var e *sdk.Error
	if !errors.As(err, &e) || e.Failure != sdk.Throttled || !e.RetryAt.After(time.Now()) {
		t.Errorf("call %d: %+v", op.PerMinute+1, err)
	}
}

// TestBlindWithoutPlace: without the management plane nothing can be listed, and the
// class says so.
func TestBlindWithoutPlace(t *testing.T) {
	t.Parallel()
	_, target, _ := open(t, func(c *Config, _ *entra.Connection) { c.Subscription, c.ResourceGroup, c.WorkspaceName = "", "", "" })
	if info := target.Info(); !strings.Contains(info.Blind, "workspace_name") || !info.Retires {
		t.Errorf("%+v", info)
	}
	if _, err := target.List(t.Context(), testroom.Free, nil); sdk.FailureOf(err) != sdk.Permanent {
		t.Errorf("listed: %v", err)
	}
}

// TestCostIsWhatIsWritten: the rows the plan names are those the workspace's tables
// get, and their size is of the same order.
func TestCostIsWhatIsWritten(t *testing.T) {
	t.Parallel()
	sb, target, _ := open(t, nil)
	items := sendItems(t, target, allKinds)
	testroom.Send(t, target, sdk.OpUpsert, items)
	bill, err := sb.Bill(sandbox.DemoWorkspace)
	if err != nil {
		t.Fatal(err)
	}
	if text := target.(sdk.Coster).Cost(len(items), 1_000_000); bill.Rows != int64(len(items)) || !strings.Contains(text, "4000000 rows (8.000 GB) a month") {
		t.Errorf("billed %+v; said %s", bill, text)
	}
}

// workspace answers a query with pages of one object each, by source, and a count.
type workspace struct {
	sources []string
	count   int
	loops   bool
}

func (w *workspace) Do(r *http.Request) (*http.Response, error) {
	body := fmt.Sprintf(`{"count":%d}`, w.count)
	if strings.HasSuffix(r.URL.Path, "/query") {
		n, _ := strconv.Atoi(r.URL.Query().Get("page")) // the first has none
		link := ""
		if n+1 < len(w.sources) {
			link = fmt.Sprintf("https://arm.example%s?page=%d", r.URL.Path, n+1)
		}
		if w.loops && n > 0 {
			link = r.URL.String()
		}
		body = fmt.Sprintf(`{"value":[{"properties":{"source":%q,"data":{"id":"indicator--%d","pattern":"[domain-name:value = 'h.example']"}}}],"nextLink":%q}`, w.sources[n], n, link)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (w *workspace) Token(context.Context, string) (string, bool, error) { return "fake", true, nil }
func (w *workspace) Forget()                                             {}

// TestD3_AListingIsWholeByTheServicesOwnCount, which may compare sources without case:
// objects of another source are not ours, but are counted; pages that end early, or
// name themselves, are no listing.
func TestD3_AListingIsWholeByTheServicesOwnCount(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		w    workspace
		want int // -1 = not whole
	}{
		"all ours":         {workspace{[]string{"Remeld", "Remeld"}, 2, false}, 2},
		"another spelling": {workspace{[]string{"Remeld", "REMELD", "Remeld"}, 3, false}, 2},
		"ends early":       {workspace{[]string{"Remeld", "REMELD"}, 3, false}, -1},
		"names itself":     {workspace{[]string{"Remeld", "Remeld"}, 2, true}, -1},
	} {
		_, made, _ := open(t, nil)
		tgt := made.(*target)
		tgt.manager = api.NewManager("https://arm.example", "scope", api.Place{Subscription: "s", ResourceGroup: "g", Workspace: "w"}, &test.w, &test.w)
		l, err := tgt.List(t.Context(), testroom.Free, func(sdk.Remote) error { return nil })
		if (err != nil) != (test.want < 0) || err == nil && l.Count != test.want {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}
