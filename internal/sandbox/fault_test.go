package sandbox

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

func (w *twin) fault(r Rule) string {
	w.t.Helper()
	id, err := w.AddFault(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// try sends an import and returns the error of the transport or of the body.
func (w *twin) try(body any) (*http.Response, []byte, error) {
	w.t.Helper()
	req := w.request("POST", "/api/indicators/import", body)
	req.Header.Set("Authorization", "Bearer "+w.token(testTenant, "a"))
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

func one(value string) props { return props{"Indicators": []props{domain(value, nil)}} }

func rowCount(t *testing.T, w *twin) int {
	t.Helper()
	rows, err := w.Rows(testTenant)
	if err != nil {
		t.Fatal(err)
	}
	return len(rows)
}

func TestFault_NthCallAndCount(t *testing.T) {
	w := newTwin(t)
	id := w.fault(Rule{Op: "import", From: 2, Count: 2, Action: Action{Status: 429, RetryAfter: "8", Body: `{"error":{"code":"429"}}`}})
	var got []int
	for range 5 {
		resp, _, err := w.try(one("a.example"))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, resp.StatusCode)
		if resp.StatusCode == 429 && (resp.Header.Get("Retry-After") != "8" || !strings.Contains(resp.Header.Get("Content-Type"), "json")) {
			t.Errorf("headers %v", resp.Header)
		}
	}
	if !slices.Equal(got, []int{200, 429, 429, 200, 200}) {
		t.Errorf("%v", got)
	}
	calls := w.Journal(Query{Op: "import", Status: 4})
	if len(calls) != 2 || calls[0].Fault != id || len(calls[0].Items) != 0 {
		t.Errorf("journal: %+v", calls)
	}
	if f := w.Faults(); f[0].Seen != 5 || f[0].Hits != 2 {
		t.Errorf("%+v", f)
	}
}

func TestFault_ProbabilityRepeatsWithItsSeed(t *testing.T) {
	draw := func(seed uint64) []bool {
		var s fault.Set
		if _, err := s.Add(Rule{Probability: 0.5, Seed: seed, Action: Action{Status: 500}}); err != nil {
			t.Fatal(err)
		}
		var out []bool
		for range 64 {
			a, _ := s.Decide(fault.Call{Op: "list"})
			out = append(out, len(a) == 1)
		}
		return out
	}
	a, b := draw(7), draw(7)
	if !slices.Equal(a, b) || slices.Equal(a, draw(8)) || !slices.Contains(a, true) || !slices.Contains(a, false) {
		t.Errorf("%v %v", a, b)
	}
}

func TestFault_ResetBeforeAndAfterTheEffect(t *testing.T) {
	for when, rows := range map[string]int{fault.Before: 0, fault.After: 1} {
		w := newTwin(t)
		w.fault(Rule{Op: "import", Count: 1, Action: Action{Reset: true, When: when}})
		if _, _, err := w.try(one("a.example")); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", when, err)
		}
		if n := rowCount(t, w); n != rows {
			t.Errorf("%s: %d rows, want %d", when, n, rows)
		}
		e := w.Journal(Query{Op: "import"})
		if len(e) != 1 || e[0].Status != 0 || len(e[0].Items) != rows {
			t.Errorf("%s: journal %+v", when, e)
		}
		// The repeat finds the row and returns its id: import is an upsert.
		if res := w.imports(domain("a.example", nil)); res[0].IsFailed || *res[0].ID != "1" {
			t.Errorf("%s: %+v", when, res)
		}
	}
}

func TestFault_StatusAfterTheEffect(t *testing.T) {
	w := newTwin(t)
	w.fault(Rule{Op: "import", Count: 1, Action: Action{Status: 500, When: fault.After}})
	resp, _, err := w.try(one("a.example"))
	if err != nil || resp.StatusCode != 500 || rowCount(t, w) != 1 {
		t.Errorf("%v %v, %d rows", resp, err, rowCount(t, w))
	}
}

func TestFault_TruncatedBody(t *testing.T) {
	w := newTwin(t)
	w.fault(Rule{Op: "import", Action: Action{Truncate: 10}})
	resp, body, err := w.try(one("a.example"))
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) != 10 || resp.ContentLength < 100 {
		t.Errorf("%d bytes of %d: %v", len(body), resp.ContentLength, err)
	}
}

func TestFault_RefusedRows(t *testing.T) {
	w := newTwin(t)
	w.fault(Rule{Action: Action{Refuse: []Refusal{{Value: "b.example", Reason: "no"}, {Match: `^c\d+\.`, Reason: "never"}}}})
	res := w.imports(domain("a.example", nil), domain("b.example", nil), domain("c12.example", nil))
	if res[0].IsFailed || !res[1].IsFailed || *res[1].FailureReason != "no" || *res[2].FailureReason != "never" {
		t.Errorf("%+v", res)
	}
	w.ClearFaults()
	w.fault(Rule{Action: Action{Refuse: []Refusal{{Value: "poison.example", Reason: "poison", Code: "BadRequest", FailCall: true}}}})
	r := w.call("POST", "/api/indicators/import", props{"Indicators": []props{domain("d.example", nil), domain("poison.example", nil)}})
	if r.code() != "400 BadRequest" || r.message(t) != "poison" || rowCount(t, w) != 1 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestFault_LatencyByTheClock(t *testing.T) {
	w := newTwin(t)
	w.token(testTenant, "a")
	w.fault(Rule{Op: "import", Count: 1, Action: Action{Latency: wire.Duration(time.Minute), LatencyMode: fault.Clock}})
	done := make(chan error, 1)
	go func() {
		_, _, err := w.try(one("a.example"))
		done <- err
	}()
	// Move the clock until the call has come and waited long enough.
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			e := w.Journal(Query{Op: "import"})
			if waited := e[0].Time.Sub(start); waited < time.Minute {
				t.Errorf("waited %v", waited)
			}
			return
		default:
			w.Clock().Advance(time.Second)
		}
	}
}

func TestFault_RealLatency(t *testing.T) {
	w := newTwin(t)
	w.token(testTenant, "a")
	w.fault(Rule{Op: "list", Action: Action{Latency: wire.Duration(time.Millisecond)}})
	begin := time.Now()
	if w.list(""); time.Since(begin) < time.Millisecond || !w.Now().Equal(start) {
		t.Errorf("took %v, clock %v", time.Since(begin), w.Now())
	}
}

func TestFault_LatencyAdvancesTheClock(t *testing.T) {
	w := newTwin(t)
	w.token(testTenant, "a")
	w.fault(Rule{Op: "list", Action: Action{Latency: wire.Duration(30 * time.Second), LatencyMode: fault.Advance}})
	r := w.call("GET", "/api/indicators", nil)
	if want := start.Add(30 * time.Second).Format(http.TimeFormat); r.header.Get("Date") != want {
		t.Errorf("Date %q, want %q", r.header.Get("Date"), want)
	}
}

func TestFault_SlowBody(t *testing.T) {
	w := newTwin(t)
	w.token(testTenant, "a")
	w.fault(Rule{Op: "import", Action: Action{Chunk: 50, ChunkDelay: wire.Duration(time.Second), LatencyMode: fault.Advance}})
	_, body, err := w.try(one("a.example"))
	if want := start.Add(time.Duration((len(body)-1)/50) * time.Second); err != nil || !w.Now().Equal(want) {
		t.Errorf("%d bytes, clock %v, want %v: %v", len(body), w.Now(), want, err)
	}
}

func TestFault_TokenCallOfOneApp(t *testing.T) {
	w := newTwin(t)
	w.fault(Rule{Op: "token", App: "b", Action: Action{Status: 503}})
	if r := w.form(v2path, v2form("client_id", "b")...); r.status != 503 {
		t.Errorf("%d", r.status)
	}
	if r := w.form(v2path, v2form()...); r.status != 200 {
		t.Errorf("%d", r.status)
	}
}

func TestFault_BadRules(t *testing.T) {
	var s fault.Set
	for _, r := range []Rule{
		{}, {Action: Action{Status: 99}}, {Path: "(", Action: Action{Status: 500}}, {Probability: 2, Action: Action{Status: 500}}, {From: -1, Action: Action{Status: 500}},
		{Action: Action{Status: 500, When: "later"}}, {Action: Action{Latency: 1, LatencyMode: "x"}}, {Action: Action{Refuse: []Refusal{{}}}}, {Action: Action{Refuse: []Refusal{{Match: "("}}}},
	} {
		if _, err := s.Add(r); err == nil {
			t.Errorf("accepted %+v", r)
		}
	}
}

// A rule whose operation no service has would never strike: it is refused, with the names.
func TestFault_UnknownOperation(t *testing.T) {
	w := newTwin(t)
	_, err := w.AddFault(Rule{Op: "batchdelete", Action: Action{Status: 500}})
	if err == nil || !strings.Contains(err.Error(), `"batchdelete"`) || !strings.Contains(err.Error(), "batch_delete, ") {
		t.Errorf("%v", err)
	}
	if r := w.control("POST", "faults", `{"op":"imports","status":500}`); r.status != 400 || !strings.Contains(string(r.body), "import, ") {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, op := range operations() {
		w.fault(Rule{Op: op, Action: Action{Status: 500}})
	}
}

// Every Op constant of a service is one that a rule can name.
func TestFault_OperationsAreComplete(t *testing.T) {
	known, n := operations(), 0
	for _, pkg := range []string{"entra", "mde", "sentinel", "graph", "threatconnect"} {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(pkg, "route.go"), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Op") || len(spec.Values) != 1 {
				return true
			}
			op, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if n++; err != nil || !slices.Contains(known, op) {
				t.Errorf("%s.%s %q is missing: %v", pkg, spec.Names[0].Name, op, err)
			}
			return true
		})
	}
	if n < 40 {
		t.Errorf("%d constants found", n)
	}
}
