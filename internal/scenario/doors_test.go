package scenario

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/sandbox"
)

// kinds is a source that is read every minute: kind, value, score and label.
const kinds = `
  feed: {class: http, interval: 1m, jitter: 0, withdraw_after: 1, config: {url: "FEEDS/feed", csv: {columns: [{name: value, kind_from: kind}], fields: {confidence: confidence, tlp: tlp}}}}`

const header = "kind,value,confidence,tlp"

// The doors of Microsoft, each over the same source; more is for each.
func atDefender(more string) string {
	return "\n  defender: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 2s" + more + ", config: {action: block}}"
}

func atSentinel(more string) string {
	return fmt.Sprintf("\n  sentinel: {class: sentinel, inputs: [feed], to: [contoso], mode: auto, settle: 2s%s, config: {workspace: %s, subscription: %s, resource_group: %s, workspace_name: %s}}",
		more, sandbox.DemoWorkspace, sandbox.DemoSubscription, sandbox.DemoGroup, sandbox.DemoWorkspaceName)
}

func atGraph(more string) string {
	return "\n  graph: {class: graph_tiindicators, inputs: [feed], to: [contoso], mode: auto, settle: 2s" + more + "}"
}

var everyDoor = kinds + atDefender("") + atSentinel("") + atGraph("") + "\n"

// live are the values that our app has at a door, sorted.
func (w *world) live(door string) (out []string) {
	w.t.Helper()
	switch door {
	case "defender":
		for _, r := range w.rows() {
			out = append(out, r.Value)
		}
	case "sentinel":
		for _, o := range w.objects() {
			if !o.Revoked {
				out = append(out, o.ObservableValue)
			}
		}
	case "graph":
		rows, err := w.sb.TiRows(tenant)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range rows {
			for _, p := range []string{"networkIPv4", "networkIPv6", "networkCidrBlock", "domainName", "url", "emailSenderAddress", "fileMutexName", "fileHashValue"} {
				if v, _ := r.Properties[p].(string); v != "" {
					out = append(out, v)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) objects() []sandbox.Object {
	w.t.Helper()
	all, err := w.sb.Objects(sandbox.DemoWorkspace)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// holdsAt waits until a door has exactly these values.
func (w *world) holdsAt(door string, want ...string) {
	w.t.Helper()
	slices.Sort(want)
	end := w.sb.Now().Add(30 * time.Minute)
	for !slices.Equal(w.live(door), want) {
		if !w.sb.Now().Before(end) {
			w.t.Fatalf("%s holds %q, want %q", door, w.live(door), want)
		}
		w.step(end, 0)
	}
}

func TestD4_RedInAnyCaseLeavesToNoDoor(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", header, "domain,ok.evil.com,90,green", "domain,a.evil.com,90,RED", "domain,b.evil.com,90,red", "domain,c.evil.com,90,TLP:Red", "domain,d.evil.com,90,tlp:rEd")
	s := w.open(everyDoor)
	for _, door := range []string{"defender", "sentinel", "graph"} {
		w.holdsAt(door, "ok.evil.com")
		s.advance(time.Minute)
		if held := s.held(door); held[reason.TLP] != 4 {
			t.Errorf("%s holds out %v, want 4 for their label", door, held)
		}
	}
}

func TestD4_StricterThanTheCeilingLeavesToNoDoor(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", header, "domain,ok.evil.com,90,amber", "domain,a.evil.com,90,amber+strict", "domain,b.evil.com,90,TLP:AMBER+STRICT")
	s := w.open(kinds + atDefender(", max_tlp: amber") + atSentinel(", max_tlp: amber") + atGraph("") + "\n")
	w.holdsAt("defender", "ok.evil.com")
	w.holdsAt("sentinel", "ok.evil.com")
	w.holdsAt("graph", "ok.evil.com", "a.evil.com", "b.evil.com") // its ceiling is that of one's own tenant
	for _, door := range []string{"defender", "sentinel"} {
		if held := s.held(door); held[reason.TLP] != 2 {
			t.Errorf("%s holds out %v, want 2 for their label", door, held)
		}
	}
}

// What a door has no word for is held out with the reason, never passed over.
func TestD4_KindsADoorLacksAreHeldOut(t *testing.T) {
	w := newWorld(t)
	cidr, six, mail, mutex := "45.33.0.0/20", "2a00:1450:4001:82a::200e", "bad@evil.com", "Global\\EvilMutex"
	w.feed("feed", header, "ip,"+cidr+",90,green", "ip,"+six+",90,green", "email,"+mail+",90,green", "mutex,"+mutex+",90,green", "domain,ok.evil.com,90,green")
	s := w.open(everyDoor)
	w.holdsAt("defender", "ok.evil.com", "2a00:1450:4001:82a:0:0:0:200e") // in the service's spelling
	w.holdsAt("sentinel", "ok.evil.com", six, cidr, mail)
	w.holdsAt("graph", "ok.evil.com", six, cidr, mail, mutex)
	for door, want := range map[string]int{"defender": 3, "sentinel": 1, "graph": 0} {
		n := 0
		for code, count := range s.held(door) {
			if strings.HasPrefix(string(code), "unfit/") {
				n += count
			}
		}
		if n != want {
			t.Errorf("%s holds out %v, want %d that are unfit", door, s.held(door), want)
		}
	}
}

// A URL arrives as it is, or is held out: it is never altered on the way. What stands for
// itself in two spellings (letters of scheme and host, a default port, a Unicode host and
// its A-label, which is what the doors match) has one of them here; behind the host no
// byte is touched.
func TestHostileURLsAreNeverAltered(t *testing.T) {
	w := newWorld(t)
	const evil = "http://evil.com/"
	long := func(n int) string { return evil + strings.Repeat("x", n-len(evil)) }
	urls := []string{
		"http://[2a00:1450:4001:82a::200e]/a", "http://evil.com/a+b?c=d+e", "http://evil.com/a%2Bb", "http://evil.com/a%2bb%20c",
		long(800), long(801), long(1000), long(1001), "http://xn--bcher-kva.example.evil.com/", "http://evil.com/'quote'\\back",
		"http://evil.com/b\u00fccher?q=\u4f8b", "http://evil.com/A/../b;c#d", "http://user:pw@evil.com:8080/", "http://evil.com/a%00%",
	}
	spelled := map[string]string{
		"http://b\u00fccher.evil.com/\u00fc": "http://xn--bcher-kva.evil.com/\u00fc", "HTTP://EVIL.com:80/Q": "http://evil.com/Q",
	}
	lines := []string{header}
	for _, u := range slices.Concat(urls, slices.Collect(maps.Keys(spelled))) {
		lines = append(lines, "url,"+u+",90,green")
	}
	w.feed("feed", lines...)
	s := w.open(everyDoor)
	wanted := append(slices.Collect(maps.Values(spelled)), urls...)
	for door, tooLong := range map[string][]string{"defender": {long(801), long(1000), long(1001)}, "sentinel": {long(1000), long(1001)}, "graph": nil} {
		want := slices.DeleteFunc(slices.Clone(wanted), func(u string) bool { return slices.Contains(tooLong, u) })
		w.holdsAt(door, want...)
		s.advance(time.Minute)
		if n := s.held(door)["unfit/too_long"]; n != len(tooLong) {
			t.Errorf("%s holds out %v, want %d that are too long", door, s.held(door), len(tooLong))
		}
	}
}

// A range is its CIDRs, an object each, and goes whole.
func TestD1_RangeIsCIDRsWithAnIDEachAndGoesWhole(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", header, "ip,45.33.32.1-45.33.32.6,90,green", "domain,ok.evil.com,90,green")
	w.open(kinds + atSentinel("") + atGraph("") + "\n")
	pieces := []string{"45.33.32.1", "45.33.32.2/31", "45.33.32.4/31", "45.33.32.6"}
	w.holdsAt("graph", append(pieces, "ok.evil.com")...)
	w.holdsAt("sentinel", append(pieces, "ok.evil.com")...)
	ids := map[string]bool{}
	for _, o := range w.objects() {
		ids[o.StixID] = true
	}
	if len(ids) != len(pieces)+1 {
		t.Errorf("%d ids", len(ids))
	}
	w.feed("feed", header, "domain,ok.evil.com,90,green")
	w.holdsAt("graph", "ok.evil.com")
	w.holdsAt("sentinel", "ok.evil.com")
}

// A value that was revoked and is wanted again is another object, in the next generation,
// and a workspace with revoked objects can be listed as ever.
func TestD19_RevokedAndWantedAgain(t *testing.T) {
	w := newWorld(t)
	both := []string{header, "domain,a.evil.com,90,green", "domain,b.evil.com,90,green"}
	w.feed("feed", both...)
	s := w.open(kinds + atSentinel("") + "\n")
	for range 2 {
		w.feed("feed", both...)
		w.holdsAt("sentinel", "a.evil.com", "b.evil.com")
		w.feed("feed", slices.Clip(both[:2])...)
		w.holdsAt("sentinel", "a.evil.com")
	}
	w.feed("feed", both...)
	w.holdsAt("sentinel", "a.evil.com", "b.evil.com")
	ids := map[string]int{}
	for _, o := range w.objects() {
		ids[o.ObservableValue]++
	}
	if ids["a.evil.com"] != 1 || ids["b.evil.com"] != 3 {
		t.Errorf("objects of each value: %v", ids)
	}
	s.advance(20 * time.Minute) // beyond the read lag
	v, err := do(s.world, func(ctx context.Context) (app.DriftView, error) { return s.app.Drift(ctx, app.DriftArgs{}) })
	if err != nil || len(v.Rows) != 0 {
		t.Errorf("drift %+v, %v", v, err)
	}
}

// Somebody deletes a row at Graph and an object at Sentinel: each is drift at its door,
// stays away, and comes back on demand.
func TestD18_DriftAtEveryDoor(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", header, "domain,a.evil.com,90,green", "domain,b.evil.com,90,green")
	s := w.open(kinds + atSentinel("") + atGraph("") + "\n")
	w.holdsAt("sentinel", "a.evil.com", "b.evil.com")
	w.holdsAt("graph", "a.evil.com", "b.evil.com")
	s.advance(20 * time.Minute)
	rows, err := w.sb.TiRows(tenant)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sb.DeleteTi(tenant, rows[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := w.sb.DeleteObject(sandbox.DemoWorkspace, w.objects()[0].StixID); err != nil {
		t.Fatal(err)
	}
	for _, door := range []string{"sentinel", "graph"} {
		v, err := do(s.world, func(ctx context.Context) (app.DriftView, error) {
			return s.app.Drift(ctx, app.DriftArgs{Destination: door, Restore: true})
		})
		if err != nil || len(v.Rows) != 1 || v.Restored != 1 {
			t.Errorf("%s: drift %+v, %v", door, v, err)
		}
		w.holdsAt(door, "a.evil.com", "b.evil.com")
	}
}

// An answer of 200 (Sentinel) or 206 (Graph) that refuses one of the items: the others are
// there, the one is parked with the service's words, and is not tried again as it is.
func TestD13_PartialAnswersParkTheOne(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", header, "domain,a.evil.com,90,green", "domain,b.evil.com,90,green", "domain,c.evil.com,90,green")
	for _, op := range []string{"upload", "ti-submit"} {
		w.fault(sandbox.Rule{Op: op, Action: sandbox.Action{Refuse: []sandbox.Refusal{{Value: "b.evil.com", Reason: "the moon is full"}}}})
	}
	s := w.open(kinds + atSentinel("") + atGraph("") + "\n")
	for _, door := range []string{"sentinel", "graph"} {
		w.holdsAt(door, "a.evil.com", "c.evil.com")
		w.until("the one is parked", func() bool { return s.held(door)[reason.Rejected] == 1 })
	}
	v, err := s.app.Why(t.Context(), app.WhyArgs{Value: "b.evil.com"})
	if text := fmt.Sprintf("%+v", v.Destinations); err != nil || strings.Count(text, "the moon is full") < 2 {
		t.Errorf("why says %s, %v", text, err)
	}
	calls := len(w.sb.Journal(sandbox.Query{Op: "upload"})) + len(w.sb.Journal(sandbox.Query{Op: "ti-submit"}))
	s.advance(15 * time.Minute)
	if n := len(w.sb.Journal(sandbox.Query{Op: "upload"})) + len(w.sb.Journal(sandbox.Query{Op: "ti-submit"})) - calls; n > 0 {
		t.Errorf("%d calls at rest", n)
	}
}

// A POST to Graph that was answered by a reset connection, before or after its effect, is
// looked up and never makes a second row.
func TestD11_GraphPostInDoubtMakesNoDuplicate(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t)
			w.feed("feed", header, "domain,a.evil.com,90,green", "domain,b.evil.com,90,green")
			w.fault(sandbox.Rule{Op: "ti-submit", Count: 1, Action: sandbox.Action{Reset: true, When: when}})
			s := w.open(kinds + atGraph("") + "\n")
			w.holdsAt("graph", "a.evil.com", "b.evil.com")
			s.advance(30 * time.Minute)
			w.holdsAt("graph", "a.evil.com", "b.evil.com")
		})
	}
}

// Past the life of its token a process gets another by itself.
func TestTokenEndsInMidRun(t *testing.T) {
	w := newWorldWith(t, time.Hour)
	w.feed("feed", header, "domain,a.evil.com,90,green")
	s := w.open(everyDoor)
	for i := range 3 {
		for _, door := range []string{"defender", "sentinel", "graph"} {
			w.holdsAt(door, fmt.Sprintf("%c.evil.com", 'a'+i))
		}
		s.leap(2*time.Hour, 30*time.Second)
		w.feed("feed", header, fmt.Sprintf("domain,%c.evil.com,90,green", 'a'+i+1))
	}
	if text := s.conditions(); text != "" {
		t.Errorf("conditions: %s", text)
	}
}

// One service that throttles without end holds up no other.
func TestD12_ThrottledDoorHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", header, "domain,a.evil.com,90,green")
	end := w.fault(sandbox.Rule{Op: "upload", Action: sandbox.Action{Status: 429, RetryAfter: "120"}})
	w.open(everyDoor)
	began := w.sb.Now()
	w.holdsAt("defender", "a.evil.com")
	w.holdsAt("graph", "a.evil.com")
	if took := w.sb.Now().Sub(began); took > 2*time.Minute {
		t.Errorf("the others took %s", took)
	}
	if n := w.live("sentinel"); len(n) > 0 {
		t.Errorf("sentinel has %v", n)
	}
	end()
	w.holdsAt("sentinel", "a.evil.com")
}
