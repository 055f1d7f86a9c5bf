package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/sandbox"
)

// dated is a source whose rows say when they end.
const dated = `
  feed: {class: http, interval: 1m, jitter: 0, withdraw_after: 1, config: {url: "FEEDS/feed", csv: {columns: [{name: value, kind: domain}], fields: {confidence: confidence, valid_until: valid_until}}}}`

// validUntil is a row of dated.
func validUntil(value string, at time.Time) string {
	return value + ",90," + at.UTC().Format(time.RFC3339)
}

const datedHeader = "value,confidence,valid_until"

// refusals are the write calls that a service refused whole.
func (w *world) refusals() (out []string) {
	for _, op := range []string{"import", "upload", "ti-submit", "ti-create"} {
		for _, e := range w.sb.Journal(sandbox.Query{Op: op}) {
			if e.Status == 400 {
				out = append(out, fmt.Sprint(e.Op, " ", e.Status))
			}
		}
	}
	return out
}

var datedDoors = dated + atDefender("") + atSentinel("") + atGraph("") + "\n"

// A past expiry makes Defender refuse a whole import of 500: no row with one is sent, be
// it past when it is read, by the service's clock alone, or while the call waits its turn.
func TestPastExpiryNeverFailsAWholeImport(t *testing.T) {
	for _, c := range []struct {
		name string
		off  time.Duration // of this machine's clock
		ends time.Duration // of the one row, from the start
		wait string        // that a service asks for before anything is written
	}{
		{"already", 0, -time.Hour, ""},
		{"by the service's clock", -30 * time.Minute, -10 * time.Minute, ""},
		{"while the call waits", 0, 90 * time.Second, "180"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.clock.jump(c.off)
			for _, name := range []string{"graph_past_expiry=reject", "past_expiry=fail_call"} {
				key, value, _ := strings.Cut(name, "=")
				if err := w.sb.SetSwitch(key, value); err != nil {
					t.Fatal(err)
				}
			}
			lines := []string{datedHeader, validUntil("past.evil.com", w.sb.Now().Add(c.ends))}
			var want []string
			for i := range 40 {
				want = append(want, fmt.Sprintf("good-%02d.evil.com", i))
				lines = append(lines, validUntil(want[i], w.sb.Now().Add(20*day)))
			}
			w.feed("feed", lines...)
			if c.wait != "" {
				for _, op := range []string{"import", "upload", "ti-submit"} {
					w.fault(sandbox.Rule{Op: op, Count: 1, Action: sandbox.Action{Status: 429, RetryAfter: c.wait, Body: `{"statusCode":429,"message":"Rate limit is exceeded. Try again in ` + c.wait + ` seconds."}`}})
				}
			}
			s := w.open(datedDoors)
			for _, door := range []string{"defender", "sentinel", "graph"} {
				w.holdsAt(door, want...)
				s.advance(time.Minute)
				if held := s.held(door); held[reason.Expired] != 1 {
					t.Errorf("%s holds out %v, want 1 that has expired", door, held)
				}
			}
			w.met()
			if bad := w.refusals(); len(bad) > 0 {
				t.Errorf("refused whole: %v", bad)
			}
		})
	}
}

// other are the answers of the services that differ from one tenant or year to the next
// and must not matter.
var other = []string{
	"batch_delete_missing=ignore", "throttle_shape=2021", "top_over_max=cap", "gzip_requests=reject", "get_token=reject", "description_on_import=required",
	"sentinel_errors=validationErrorMessages", "sentinel_all_invalid=400", "sentinel_default_spec=2.0", "sentinel_older_modified=fail_item",
	"sentinel_retry_after=header", "sentinel_id=raw", "graph_result_code=string", "graph_bulk_order=reversed", "graph_partial_status=200",
	"graph_empty_list=404", "graph_profile=observed", "graph_page_size=2",
}

// A life at every door (created, changed, one refused, withdrawn, looked at for drift) ends
// the same where the services answer the other way.
func TestOtherAnswersOfTheServicesChangeNothing(t *testing.T) {
	w := newWorld(t)
	for _, pair := range other {
		key, value, _ := strings.Cut(pair, "=")
		if err := w.sb.SetSwitch(key, value); err != nil {
			t.Fatal(err)
		}
	}
	for _, op := range []string{"import", "upload", "ti-submit"} {
		w.fault(sandbox.Rule{Op: op, Action: sandbox.Action{Refuse: []sandbox.Refusal{{Value: "bad.evil.com", Reason: "the moon is full"}}}})
	}
	rows := func(score, n int) []string {
		out := []string{header, "domain,bad.evil.com,90,green"}
		for i := range n {
			out = append(out, fmt.Sprintf("domain,a%d.evil.com,%d,green", i, score))
		}
		return out
	}
	doors := []string{"defender", "sentinel", "graph"}
	w.feed("feed", rows(70, 7)...)
	s := w.open(everyDoor)
	for _, door := range doors {
		w.holdsAt(door, values(7)...)
		w.until(door+" has parked the one", func() bool { return s.held(door)[reason.Rejected] == 1 })
	}
	w.feed("feed", rows(95, 4)...)
	for _, door := range doors {
		w.holdsAt(door, values(4)...)
	}
	s.noDrift(doors...)
	w.feed("feed", header)
	w.feed("feed", rows(95, 1)...)
	for _, door := range doors {
		w.holdsAt(door, values(1)...)
	}
	s.noDrift(doors...)
	w.met()
}

// met asserts that every fault happened.
func (w *world) met() {
	w.t.Helper()
	for _, f := range w.sb.Faults() {
		if f.Hits == 0 {
			w.t.Errorf("the fault of %s was never met", f.Op)
		}
	}
}

func values(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("a%d.evil.com", i))
	}
	return out
}

// noDrift lists every door beyond its read lag and finds what the ledger says.
func (s *site) noDrift(doors ...string) {
	s.t.Helper()
	s.advance(20 * time.Minute)
	for _, door := range doors {
		v, err := do(s.world, func(ctx context.Context) (app.DriftView, error) {
			return s.app.Drift(ctx, app.DriftArgs{Destination: door})
		})
		if err != nil || len(v.Rows) != 0 {
			s.t.Errorf("%s: drift %+v, %v", door, v.Rows, err)
		}
	}
}

// Graph lists enumerations by number and numbers as text, as it did in other years: the
// rows are those that were sent.
func TestGraphListsEnumsByNumber(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", header, "domain,a0.evil.com,80,green", "sha256,"+strings.Repeat("ab", 32)+",80,amber", "ip,45.33.32.1,80,white")
	s := w.open(kinds + atGraph("") + "\n")
	w.holdsAt("graph", "a0.evil.com", strings.Repeat("ab", 32), "45.33.32.1")
	before := w.sb.Counters()
	end := w.fault(sandbox.Rule{Op: "ti-list", Action: sandbox.Action{Status: 200, Body: w.numbered()}})
	s.noDrift("graph")
	s.advance(30 * time.Minute)
	w.met()
	end()
	if n := writesAt(w.sb.Counters(), "ti-") - writesAt(before, "ti-"); n > 0 {
		t.Errorf("%d write calls at rest; %s", n, s.conditions())
	}
}

func writesAt(all []sandbox.Counter, prefix string) (n int64) {
	for _, c := range all {
		if strings.HasPrefix(c.Op, prefix) && c.Op != "ti-list" && c.Op != "ti-get" {
			n += c.Calls
		}
	}
	return n
}

// numbered is the list of tiIndicators with enumerations by number and numbers as text.
func (w *world) numbered() string {
	w.t.Helper()
	rows, err := w.sb.TiRows(tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	members := map[string][]string{
		"action": {"unknown", "allow", "block", "alert"}, "tlpLevel": {"unknown", "white", "green", "amber", "red"},
		"fileHashType": {"unknown", "sha1", "sha256", "md5"},
	}
	var list []map[string]any
	changed := 0
	for _, r := range rows {
		row := map[string]any{"id": r.ID}
		for name, v := range r.Properties {
			row[name] = v
			if n := slices.Index(members[name], fmt.Sprint(v)); n >= 0 {
				row[name] = n
				changed++
			}
			if f, ok := v.(float64); ok {
				row[name] = strconv.Itoa(int(f))
				changed++
			}
		}
		list = append(list, row)
	}
	if changed < 8 {
		w.t.Fatalf("only %d values have another form: %v", changed, rows)
	}
	body, err := json.Marshal(map[string]any{"value": list})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(body)
}

// Rows of others at Defender carry what no page of the API promises: categories by number,
// fields that are null, device groups by number.
func TestDefenderListsWhatNoPagePromises(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", header, "domain,a0.evil.com,90,green", "domain,a1.evil.com,90,green")
	s := w.open(kinds + atDefender("") + "\n")
	w.holdsAt("defender", values(2)...)
	rows, err := w.sb.Rows(tenant)
	if err != nil {
		t.Fatal(err)
	}
	var list []any
	for _, r := range rows {
		list = append(list, r)
	}
	list = append(list, map[string]any{"id": "77777", "indicatorValue": "a2.evil.com", "indicatorType": "DomainName", "action": "Block", "createdBy": otherApp,
		"severity": nil, "title": nil, "category": 7, "rbacGroupIds": []int{12}, "mitreTechniques": nil, "expirationTime": nil, "externalId": nil, "somethingNew": map[string]any{"a": 1}})
	body, err := json.Marshal(map[string]any{"value": list})
	if err != nil {
		t.Fatal(err)
	}
	end := w.fault(sandbox.Rule{Op: "list", Action: sandbox.Action{Status: 200, Body: string(body)}})
	defer end()
	s.noDrift("defender")
	w.met()
	w.feed("feed", header, "domain,a0.evil.com,90,green", "domain,a1.evil.com,90,green", "domain,a2.evil.com,90,green")
	w.until("the value of another is held out", func() bool { return s.held("defender")[reason.ForeignDuplicate] == 1 })
	w.holdsAt("defender", values(2)...)
}
