package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/app/control"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/engine"
	"github.com/remeld/remeld/internal/sandbox"
)

// crashes is how often the process is killed: REMELD_CRASHES, or 5.
func crashes(t *testing.T) int {
	t.Helper()
	text := os.Getenv("REMELD_CRASHES")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCrash_D20_KilledProcessEndsWhereAnUndisturbedOneDoes kills the real process at
// random moments while its feeds change and calls to the tenant break, lets it come
// to rest, and compares tables, ledger and tenant with those of a process that saw
// only the last feeds; the journal shows that nothing was done that should not be.
func TestCrash_D20_KilledProcessEndsWhereAnUndisturbedOneDoes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	hurt := newWorld(t)
	var last versions
	for range crashes(t) {
		last = hurt.change(t, r)
		hurt.runAndKill(t, r)
	}
	hurt.sb.ClearFaults()
	calm := newWorld(t)
	calm.set(t, last)
	if diff := cmp.Diff(calm.rest(t), hurt.rest(t)); diff != "" {
		t.Errorf("after the kills (+) it is not what it is without (-):\n%s", diff)
	}
	hurt.judge(t, last)
}

// world is a tenant with feeds and one state directory.
type world struct {
	version int // of the feeds
	sb      *sandbox.Sandbox
	dir     string
	foreign []sandbox.Indicator
}

const crashConfig = `instance: crash
connections:
  tenant: {type: entra, tenant_id: %[1]q, client_id: %[2]q, client_secret: %[3]q, authority: %[4]q, defender: %[4]q, ca: %[5]q}
web: {listen: "127.0.0.1:0"}
nodes:
  one: {class: http, interval: 1s, config: {url: "%[6]s/one", kind: domain, line: '^(?P<indicator>\S+) (?P<confidence>\d+)'}}
  two: {class: http, interval: 1s, config: {url: "%[6]s/two", kind: domain, line: '^(?P<indicator>\S+) (?P<confidence>\d+)'}}
  allowed: {class: http, interval: 1s, config: {url: "%[6]s/allowed", kind: domain}}
  meld: {class: aggregate, inputs: [one, two], allow: [allowed]}
  edl: {class: feed, inputs: [meld]}
  defender:
    class: defender
    inputs: [meld]
    to: [tenant]
    mode: auto
    settle: 0s
    guard: {deletes: {count: 1000000}, creates: {count: 1000000}, source: {count: 1000000}}
    config: {action: block}
`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	var err error
	if w.sb, err = sandbox.Start(t.Context(), sandbox.Options{Dir: w.dir, PlainAddr: "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.sb.Close() })
	limits := map[string]sandbox.Limit{}
	for _, op := range []string{"list", "import", "create", "delete", "batch_delete"} {
		limits[op] = sandbox.Limit{}
	}
	if err := w.sb.SetLimits(limits); err != nil {
		t.Fatal(err)
	}
	by := sandbox.Author{App: "other-app", Name: "Other"}
	if _, err := w.sb.SeedForeign(sandbox.DemoTenant, by, 20); err != nil {
		t.Fatal(err)
	}
	if w.foreign, err = w.sb.Rows(sandbox.DemoTenant); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(crashConfig, sandbox.DemoTenant, sandbox.DemoApp, sandbox.DemoSecret, w.sb.URL(), w.sb.CAFile(), w.sb.PlainURL()+"/feeds-src")
	if err := os.WriteFile(filepath.Join(w.dir, "remeld.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// versions are the feeds at one moment: value to confidence.
type versions map[string]map[string]int

// core values are in every version: they must never be deleted, nor made twice.
const core = 150

// allowed values are never sent.
var allowed = []string{"tide-007.evil-two.com", "tide-008.evil-two.com"}

// A lost change is mended by the next one of the same row, so every version also
// brings rows that stay as they are for ever, and takes some away that never return.
const (
	stays  = 6   // rows a version adds for good
	leaves = 300 // rows at first, some of which every version takes away for good
	goes   = 4
)

// change writes the next version of the feeds: the core, what comes to stay, what
// goes for good, and some of what comes and goes.
func (w *world) change(t *testing.T, r *rand.Rand) versions {
	t.Helper()
	v := versions{"one": {}, "two": {}}
	for i := range core {
		v[[]string{"one", "two"}[i%2]][fmt.Sprintf("core-%03d.evil-one.com", i)] = 95
	}
	w.version++
	for i := range stays * w.version {
		v[[]string{"one", "two"}[i%2]][fmt.Sprintf("stay-%03d.evil-three.com", i)] = 95
	}
	for i := goes * w.version; i < leaves; i++ {
		v[[]string{"one", "two"}[i%2]][fmt.Sprintf("leave-%03d.evil-three.com", i)] = 95
	}
	for i := range 120 {
		for _, feed := range []string{"one", "two"} {
			if r.IntN(3) > 0 {
				v[feed][fmt.Sprintf("tide-%03d.evil-two.com", i)] = []int{75, 95}[r.IntN(2)]
			}
		}
	}
	w.set(t, v)
	return v
}

func (w *world) set(t *testing.T, v versions) {
	t.Helper()
	feeds := map[string][]string{"allowed": allowed}
	for name, values := range v {
		for _, value := range slices.Sorted(maps.Keys(values)) {
			feeds[name] = append(feeds[name], fmt.Sprintf("%s %d", value, values[value]))
		}
	}
	for name, lines := range feeds {
		if err := w.sb.SetFeed(sandbox.Feed{Name: name, Steps: []sandbox.Step{{Lines: lines}}}); err != nil {
			t.Fatal(err)
		}
	}
}

// start runs the command in a process of its own.
func (w *world) start(t *testing.T) (cmd *exec.Cmd, said *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said = &bytes.Buffer{}
	cmd = exec.Command(exe, "run", "-c", filepath.Join(w.dir, "remeld.yaml"), "--state", w.state())
	cmd.Env = append(os.Environ(), asCommand+"=1")
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, said
}

func (w *world) state() string { return filepath.Join(w.dir, "state") }

// runAndKill lets the process poll and apply for a random while, with broken calls,
// and kills it.
func (w *world) runAndKill(t *testing.T, r *rand.Rand) {
	t.Helper()
	w.sb.ClearFaults()
	for _, rule := range []string{"import", "batch_delete", "feed"} {
		f := sandbox.Rule{Op: rule, Probability: 0.2, Seed: r.Uint64()}
		f.Reset, f.When = true, []string{"before", "after"}[r.IntN(2)]
		if _, err := w.sb.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	cmd, said := w.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(100+r.IntN(1400))*time.Millisecond)
	defer cancel()
	for ctx.Err() == nil {
		// What fails here fails because calls break, or because it is not up yet.
		_ = w.call(ctx, "poll", app.PollArgs{Node: "one"}, &engine.PollReport{})
		_ = w.call(ctx, "poll", app.PollArgs{Node: "two"}, &engine.PollReport{})
		_ = w.call(ctx, "apply", app.ApplyArgs{By: "test"}, &deliver.Result{})
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("it ended before it was killed: %v\n%s", err, said)
	}
	if bytes.Contains(said.Bytes(), []byte("panic:")) {
		t.Fatalf("it crashed by itself:\n%s", said)
	}
}

func (w *world) call(ctx context.Context, name string, args, out any) error {
	c, err := control.Dial(ctx, w.state())
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
		return err
	}
	defer c.Close()
	return c.Call(ctx, name, args, out)
}

// outcome is what must not depend on what happened on the way: no numbers, ids,
// attempts or times are in it.
type outcome struct {
	Tables map[string][]string // by node: value, confidence, sources
	Tenant []string
	Ledger map[string]int // rows by state
	Keep   int            // rows that the plan finds right as they are
	Held   map[string]int
}

// restMost is how long a process may take to have nothing to do; a wait after a failure
// is a minute.
const restMost = 5 * time.Minute

// rest starts the process, waits until it has nothing to do, and looks.
func (w *world) rest(t *testing.T) outcome {
	t.Helper()
	cmd, said := w.start(t)
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended badly: %v\n%s", err, said)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), restMost)
	defer cancel()
	var plan app.PlanView
	var why error
	for quiet := 0; quiet < 3; {
		if ctx.Err() != nil {
			t.Fatalf("it never came to rest: %v, %v %v\n%s", why, plan.Plan, plan.Items, said)
		}
		plan = app.PlanView{}
		var one, two engine.PollReport
		var status app.StatusView
		why = errors.Join(w.call(ctx, "poll", app.PollArgs{Node: "one"}, &one), w.call(ctx, "poll", app.PollArgs{Node: "two"}, &two),
			w.call(ctx, "apply", app.ApplyArgs{By: "test"}, &deliver.Result{}),
			w.call(ctx, "plan", app.PlanArgs{Items: 5}, &plan), w.call(ctx, "status", app.None{}, &status))
		quiet++
		if why != nil || plan.Changes() > 0 || len(plan.Notes) > 0 || busy(status) {
			quiet = 0
		}
	}
	return w.look(t, ctx, plan)
}

func busy(v app.StatusView) bool {
	for _, n := range v.Nodes {
		if n.Lag != 0 || n.Missing > 0 || n.State == "polling" {
			return true
		}
	}
	return v.Destinations[0].InDoubt > 0
}

func (w *world) look(t *testing.T, ctx context.Context, plan app.PlanView) outcome {
	t.Helper()
	o := outcome{Tables: map[string][]string{}, Ledger: map[string]int{}, Held: map[string]int{}, Keep: plan.Keep}
	for _, node := range []string{"one", "two", "allowed", "meld", "edl", "defender"} {
		var q app.QueryView
		if err := w.call(ctx, "query", app.QueryArgs{TQL: `kind = "domain"`, Node: node, Most: 1 << 20}, &q); err != nil {
			t.Fatal(err)
		}
		for _, row := range q.Rows {
			conf, _ := row.Attrs.Confidence.Get()
			o.Tables[node] = append(o.Tables[node], fmt.Sprint(row.Kind, " ", row.Value, " ", conf, " ", row.Attrs.Sources, " ", row.Attrs.TLP))
		}
	}
	var status app.StatusView
	var held app.HeldView
	if err := errors.Join(w.call(ctx, "status", app.None{}, &status), w.call(ctx, "held", app.HeldArgs{Most: 1}, &held)); err != nil {
		t.Fatal(err)
	}
	for state, n := range status.Destinations[0].States {
		o.Ledger[fmt.Sprint(state)] = n
	}
	for code, n := range held.Counts {
		o.Held[string(code)] = n
	}
	rows, err := w.sb.Rows(sandbox.DemoTenant)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		o.Tenant = append(o.Tenant, fmt.Sprint(r.CreatedBy, " ", r.Type, " ", r.Value, " ", r.Action, " ", r.Severity))
	}
	slices.Sort(o.Tenant)
	return o
}

// judge reads the journal: a creation more than deletions for what is there, none
// for what is not; the core made once and never deleted; nothing of others touched.
func (w *world) judge(t *testing.T, last versions) {
	t.Helper()
	created, deleted := map[string]int{}, map[string]int{}
	for _, e := range w.sb.Journal(sandbox.Query{}) {
		for _, it := range e.Items {
			switch it.Effect {
			case "created":
				created[it.Value]++
			case "deleted":
				deleted[it.Value]++
			}
		}
	}
	for _, value := range allowed {
		if created[value] > 0 {
			t.Errorf("%s is on the allow-list and was created", value)
		}
	}
	for value, n := range created {
		want := 0
		if _, one := last["one"][value]; one {
			want = 1
		} else if _, two := last["two"][value]; two {
			want = 1
		}
		if n-deleted[value] != want {
			t.Errorf("%s: created %d times, deleted %d times, should be there: %d", value, n, deleted[value], want)
		}
	}
	for i := range core {
		value := fmt.Sprintf("core-%03d.evil-one.com", i)
		if created[value] != 1 || deleted[value] != 0 {
			t.Errorf("%s was in every list: created %d times, deleted %d times", value, created[value], deleted[value])
		}
	}
	var foreign []sandbox.Indicator
	rows, err := w.sb.Rows(sandbox.DemoTenant)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.CreatedBy != sandbox.DemoApp {
			foreign = append(foreign, r)
		}
	}
	if diff := cmp.Diff(text(t, w.foreign), text(t, foreign)); diff != "" {
		t.Errorf("rows of others changed:\n%s", diff)
	}
}

func text(t *testing.T, rows []sandbox.Indicator) string {
	t.Helper()
	b, err := json.MarshalIndent(rows, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
