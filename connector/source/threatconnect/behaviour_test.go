package threatconnect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

// TestE4_ChangesOfAnAnalyst: each thing an analyst does there gives exactly what it
// should here at the next poll, which reads changes only.
func TestE4_ChangesOfAnAnalyst(t *testing.T) {
	rating := 4.0
	rate := func(i *sandbox.TCIndicator) { i.Rating = &rating }
	for name, c := range map[string]struct {
		config string
		do     func(w *twin, ids []int64)
		want   string
	}{
		"nothing":     {"{}", func(*twin, []int64) {}, ""},
		"new":         {"{}", func(w *twin, _ []int64) { w.seed(host("new.example")) }, "+new.example"},
		"delete":      {"{}", func(w *twin, ids []int64) { w.remove(ids[0]) }, "-a.example"},
		"deactivate":  {"{}", func(w *twin, ids []int64) { w.edit(ids[0], func(i *sandbox.TCIndicator) { i.Inactive = true }) }, "-a.example"},
		"rate":        {"{}", func(w *twin, ids []int64) { w.edit(ids[0], rate) }, "~a.example"},
		"rate away":   {"{minimum_threat_rating: 5}", func(w *twin, ids []int64) { w.edit(ids[1], rate) }, "-b.example"},
		"one of two":  {"{}", func(w *twin, ids []int64) { w.remove(ids[2]) }, "~c.example"},
		"both of two": {"{}", func(w *twin, ids []int64) { w.remove(ids[2]); w.remove(ids[3]) }, "-c.example"},
		"of another":  {"{owners: [demo organization]}", func(w *twin, ids []int64) { w.remove(ids[3]); w.remove(ids[0]) }, "-a.example"},
		"false positive": {
			"{false_positive_threshold: 0}",
			func(w *twin, ids []int64) { w.edit(ids[0], func(i *sandbox.TCIndicator) { i.FalseCount++ }) }, "-a.example",
		},
		"false positive told": {"{}", func(w *twin, ids []int64) { w.edit(ids[0], func(i *sandbox.TCIndicator) { i.FalseCount++ }) }, "~a.example"},
		"by query": {
			`{tql: 'rating < 4 or rating is null'}`,
			func(w *twin, ids []int64) { w.edit(ids[0], rate); w.remove(ids[3]) }, "-a.example ~c.example",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwin(t, c.config)
			b := host("b.example")
			five := 5.0
			b.Rating = &five
			ids := w.seed(host("a.example"), b, host("c.example"), at("Common Community", host("c.example")))
			w.poll()
			c.do(w, ids)
			w.want(w.poll(), c.want)
			if w.last.Shape != sdk.Changes {
				t.Errorf("shape %s", w.last.Shape)
			}
			if len(w.Journal(sandbox.Query{Op: "tc-list", Status: 4}))+len(w.Journal(sandbox.Query{Op: "tc-deleted", Status: 4})) > 0 {
				t.Error("calls were refused")
			}
		})
	}
}

// TestRetagIsFoundByTheFullRead: lastModified does not move with tags and labels.
func TestRetagIsFoundByTheFullRead(t *testing.T) {
	w := newTwin(t, "{full_every: 3h}")
	ids := w.seed(host("a.example"), host("b.example"))
	w.poll()
	w.edit(ids[0], func(i *sandbox.TCIndicator) { i.Tags = []string{"late"} })
	w.edit(ids[1], func(i *sandbox.TCIndicator) { i.Labels = []string{"TLP:RED"} })
	w.want(w.poll(), "")
	w.want(w.poll(), "")
	w.want(w.poll(), "~a.example ~b.example")
	if w.last.Shape != sdk.Snapshot {
		t.Errorf("shape %s", w.last.Shape)
	}
}

// TestFilesWithSeveralHashes: a File is its strongest hash; what changes among its
// hashes, or is held by another owner beside others, gives what a whole read would.
func TestFilesWithSeveralHashes(t *testing.T) {
	md5, sha1, sha256 := strings.Repeat("a1", 16), strings.Repeat("b2", 20), strings.Repeat("c3", 32)
	file := func(hashes ...string) sandbox.TCIndicator {
		return sandbox.TCIndicator{Type: "File", Summary: strings.ToUpper(strings.Join(hashes, " : "))}
	}
	w := newTwin(t, "{}")
	ids := w.seed(file(md5), at("Common Community", file(sha1, sha256)))
	w.want(w.poll(), "+"+md5+" +"+sha256)
	w.edit(ids[0], func(i *sandbox.TCIndicator) { i.Summary = file(md5, sha1).Summary })
	w.want(w.poll(), "+"+sha1+" -"+md5)
	// The community's file goes; the organisation's, which shares a hash, stays.
	w.remove(ids[1])
	w.want(w.poll(), "-"+sha256)
	w.remove(ids[0])
	w.want(w.poll(), "-"+sha1)
}

// TestHashTakenOutOfAFile: the value it stood under goes with the next poll of changes,
// also where the File was deleted since; what another File still has stays.
func TestHashTakenOutOfAFile(t *testing.T) {
	md5, sha1, sha256 := strings.Repeat("a1", 16), strings.Repeat("b2", 20), strings.Repeat("c3", 32)
	file := func(hashes ...string) sandbox.TCIndicator {
		return sandbox.TCIndicator{Type: "File", Summary: strings.ToUpper(strings.Join(hashes, " : "))}
	}
	say := func(hashes ...string) func(*sandbox.TCIndicator) {
		return func(i *sandbox.TCIndicator) { i.Summary = file(hashes...).Summary }
	}
	for name, c := range map[string]struct {
		rows []sandbox.TCIndicator
		do   func(w *twin, ids []int64)
		want string
	}{
		"strongest":   {[]sandbox.TCIndicator{file(md5, sha256)}, func(w *twin, ids []int64) { w.edit(ids[0], say(md5)) }, "+" + md5 + " -" + sha256},
		"all of them": {[]sandbox.TCIndicator{file(sha256)}, func(w *twin, ids []int64) { w.edit(ids[0], say(md5)) }, "+" + md5 + " -" + sha256},
		"weaker":      {[]sandbox.TCIndicator{file(md5, sha256)}, func(w *twin, ids []int64) { w.edit(ids[0], say(sha256)) }, "~" + sha256},
		"then deleted": {[]sandbox.TCIndicator{file(md5, sha256)}, func(w *twin, ids []int64) {
			w.edit(ids[0], say(md5))
			w.remove(ids[0])
		}, "-" + sha256},
		"held by another": {[]sandbox.TCIndicator{file(md5, sha256), at("Common Community", file(sha1, sha256))}, func(w *twin, ids []int64) {
			w.edit(ids[0], say(md5))
		}, "+" + md5 + " ~" + sha256},
		"of no concern": {[]sandbox.TCIndicator{file(md5), file(sha256)}, func(w *twin, ids []int64) { w.edit(ids[0], say(md5, sha1)) }, "+" + sha1 + " -" + md5},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwin(t, "{full_every: 1000h}")
			ids := w.seed(c.rows...)
			w.poll()
			c.do(w, ids)
			w.want(w.poll(), c.want)
			if w.last.Shape != sdk.Changes {
				t.Errorf("shape %s", w.last.Shape)
			}
		})
	}
}

// TestDataChangesWhileItIsRead: paging by id misses nothing that stood all the while.
func TestDataChangesWhileItIsRead(t *testing.T) {
	w := newTwin(t, "{page_size: 10}")
	var rows []sandbox.TCIndicator
	for i := range 45 {
		rows = append(rows, host(fmt.Sprintf("h%02d.example", i)))
	}
	ids := w.seed(rows...)
	// Each page takes a while, in which a row that was read already goes.
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, id := range ids[:5] {
			_ = w.DeleteThreatConnect(id)
		}
	}()
	w.poll()
	<-done
	for _, r := range rows[5:] {
		if _, there := w.table[r.Summary]; !there {
			t.Errorf("%s was missed", r.Summary)
		}
	}
	w.poll()
	if len(w.table) != 40 {
		t.Errorf("%d values in the end, want 40", len(w.table))
	}
}

// TestFailuresAndTheCursor: what time heals is healed within the poll; a poll that
// fails moves no cursor, so the next one finds everything.
func TestFailuresAndTheCursor(t *testing.T) {
	for name, c := range map[string]struct {
		action sandbox.Action
		count  int
		fails  bool
	}{
		"502 once":   {sandbox.Action{Status: 502}, 1, false},
		"504 twice":  {sandbox.Action{Status: 504}, 2, false},
		"truncated":  {sandbox.Action{Truncate: 40}, 1, false},
		"cut":        {sandbox.Action{Reset: true}, 1, false},
		"slow":       {sandbox.Action{Latency: sandbox.Duration(2 * time.Minute), LatencyMode: "advance"}, 1, false},
		"500 always": {sandbox.Action{Status: 500, Body: `{"message":"no","status":"Error"}`}, 0, true},
		"loop":       {sandbox.Action{Status: 200, Body: `{"next":"https://127.0.0.1/api/v3/indicators","data":[],"status":"Success"}`}, 0, true},
		"no JSON":    {sandbox.Action{Status: 200, Body: "<html>"}, 0, true},
		"403":        {sandbox.Action{Status: 403, Body: `{"message":"Access Denied","status":"Error"}`}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwin(t, "{}")
			ids := w.seed(host("a.example"), host("b.example"))
			w.poll()
			w.remove(ids[0])
			w.fault(sandbox.Rule{Op: "tc-list", Count: c.count, Action: c.action})
			got, err := w.try()
			if (err != nil) != c.fails {
				t.Fatalf("poll: %v", err)
			}
			if c.fails {
				w.ClearFaults()
				w.Clock().Advance(12 * time.Hour)
				got = w.poll()
			}
			w.want(got, "-a.example")
		})
	}
}

// TestTextsThatNoQueryHolds: what an instance says was touched is asked for in queries that
// it and we can read, whatever its texts are; one that cannot be asked for keeps no other
// from being withdrawn.
func TestTextsThatNoQueryHolds(t *testing.T) {
	for name, texts := range map[string][]string{
		"no hash":  {`"type":"File","summary":""`},
		"no text":  {`"type":"URL","summary":""`, `"type":"Email Subject","summary":"\u0000\\"`},
		"too long": {`"type":"URL","summary":"http://c.example/` + strings.Repeat("x", 2<<20) + `"`},
		"too many": slices.Collect(func(yield func(string) bool) {
			for n := range maxAsked {
				if !yield(fmt.Sprintf(`"type":"URL","summary":"http://c.example/%d/%s"`, n, strings.Repeat("x", 6_000))) {
					return
				}
			}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwin(t, "{owners: [Demo Organization]}")
			ids := w.seed(host("a.example"), host("b.example"))
			w.poll()
			w.remove(ids[0])
			body := `{"data":[{"ownerName":"Demo Organization",` + strings.Join(append(texts, `"type":"Host","summary":"a.example"`), `},{"ownerName":"Demo Organization",`) + `}],"status":"Success"}`
			w.fault(sandbox.Rule{Op: "tc-deleted", Action: sandbox.Action{Status: 200, Body: body}})
			w.want(w.poll(), "-a.example")
		})
	}
}

// TestTokenRefusedOnce: a 401 renews a temporary token, and nobody hears of it.
func TestTokenRefusedOnce(t *testing.T) {
	w := newTwin(t, "{}")
	w.seed(host("a.example"))
	env := w.env()
	conn := *env.Connection
	cfg := w.tokenConnection()
	conn.Config = &cfg
	env.Connection = &conn
	w.src = sourceOf(t, "{}", env)
	w.fault(sandbox.Rule{Op: "tc-list", Count: 1, Action: sandbox.Action{Status: 401, Body: `{"message":"Unauthorized","status":"Error"}`}})
	w.want(w.poll(), "+a.example")
	w.Clock().Advance(10 * time.Hour) // the token has ended
	w.want(w.poll(), "")
	if n := len(w.Journal(sandbox.Query{Op: "tc-renew"})); n != 2 {
		t.Errorf("%d renewals, want 2", n)
	}
}

// TestClockOffByTenMinutes: signing follows the instance's clock, and so does the
// cursor, or changes would be missed for good.
func TestClockOffByTenMinutes(t *testing.T) {
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		w := newTwin(t, "{full_every: 1000h}")
		w.off = off
		w.seed(host("a.example"))
		w.want(w.poll(), "+a.example")
		w.Clock().Advance(time.Minute)
		w.seed(host("b.example")) // after the poll by its clock, before it by ours where ours is ahead
		w.want(w.poll(), "+b.example")
	}
}

func TestTooManyChangesReadEverything(t *testing.T) {
	w := newTwin(t, "{page_size: 10000}", func(o *sandbox.Options) { o.ThreatConnect.Size = maxChanged + 5_000 })
	w.poll()
	for id := int64(2); id < 2*(maxChanged+3_000); id += 2 {
		rating := 2.5
		_ = w.EditThreatConnect(id, func(i *sandbox.TCIndicator) { i.Rating, i.Confidence = &rating, new(int) })
	}
	w.poll()
	if w.last.Shape != sdk.Snapshot {
		t.Errorf("shape %s", w.last.Shape)
	}
}

// TestParameterOnlyTheServerKnows: it is checked there, and a refusal says so.
func TestParameterOnlyTheServerKnows(t *testing.T) {
	w := newTwin(t, "{}")
	w.seed(host("a.example"))
	for _, query := range []string{`quantumRiskIndex > 5`, `quantumRiskIndex = "high" and typeName = "Host"`} {
		w.build("{tql: '" + query + "'}")
		_, err := w.try()
		if sdk.FailureOf(err) != sdk.Permanent || !strings.Contains(err.Error(), "quantumRiskIndex") || !strings.Contains(err.Error(), "refuses the query") {
			t.Errorf("%s: %v", query, err)
		}
	}
	bad := Config{TQL: `confidnce > 5`, Page: 1, Full: time.Hour}
	var field *sdk.FieldError
	if errs := bad.Validate(); len(errs) != 1 || !errors.As(errs[0], &field) || !strings.Contains(field.Help, "confidence") {
		t.Errorf("a misspelling: %v", errs)
	}
}

func TestUnknownOwnerIsSaidOnce(t *testing.T) {
	for _, name := range []string{"Nobody", "Sealed Community"} {
		w := newTwin(t, fmt.Sprintf("{owners: [Demo Organization, %s]}", name))
		w.seed(host("a.example"))
		_, err := w.try()
		if sdk.FailureOf(err) != sdk.Forbidden || strings.Count(err.Error(), name) != 1 || !strings.Contains(err.Error(), "ThreatConnect") {
			t.Errorf("%v", err)
		}
	}
}

// TestALivingInstance: after ten days of polls every hour or six, with a full read
// each day, the table is what a first read gives.
func TestALivingInstance(t *testing.T) {
	w := newTwin(t, "{minimum_threat_rating: 2}", func(o *sandbox.Options) { o.ThreatConnect.Size = 1_000 })
	for range 20 {
		w.poll()
		w.Clock().Advance(6 * time.Hour)
	}
	w.Clock().Advance(24 * time.Hour)
	w.poll()
	kept := w.table
	w.state, w.table = nil, map[string]string{}
	w.Clock().Advance(-time.Hour)
	w.poll()
	for value, said := range w.table {
		if kept[value] != said {
			t.Errorf("%s: kept %q, is %q", value, kept[value], said)
		}
	}
	if len(kept) != len(w.table) || len(kept) < 300 {
		t.Errorf("%d kept, %d there", len(kept), len(w.table))
	}
}
