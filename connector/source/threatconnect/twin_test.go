package threatconnect

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/internal/threatconnect"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// twin is an instance of ThreatConnect and the source under test, which polls it over
// TLS and keeps what it was told, as the engine would.
type twin struct {
	*sandbox.Sandbox
	t     *testing.T
	off   time.Duration // of the source's clock
	src   sdk.Source
	state []byte
	table map[string]string // value -> attributes
	rows  map[string]indicator.Record
	last  sdk.Poll
}

var begin = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

func newTwin(t *testing.T, config string, edit ...func(*sandbox.Options)) *twin {
	t.Helper()
	opts := sandbox.Options{Start: begin, Frozen: true, Dir: t.TempDir(), ThreatConnect: sandbox.ThreatConnect{Size: -1}}
	for _, e := range edit {
		e(&opts)
	}
	sb, err := sandbox.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &twin{Sandbox: sb, t: t, table: map[string]string{}, rows: map[string]indicator.Record{}}
	w.build(config)
	return w
}

func (w *twin) build(config string) {
	w.t.Helper()
	w.src = sdktest.Build(w.t, sdktest.Class(w.t, sdk.RoleSource, "threatconnect"), config, w.env())
}

func (w *twin) env() sdk.Env {
	env := sdktest.Env(w.t)
	env.Clock = clock{w}
	env.Connection = &sdk.Connection{Name: "tc", Type: threatconnect.Type, Config: &threatconnect.Connection{
		URL: w.ThreatConnectURL(), AccessID: sandbox.DemoAccessID, SecretKey: sdk.Secret(sandbox.DemoSecretKey), CA: w.CAFile(),
	}}
	return env
}

// clock is the sandbox's, as far off as the test wants; sleeping moves it.
type clock struct{ w *twin }

func (c clock) Now() time.Time { return c.w.Now().Add(c.w.off) }

func (c clock) Sleep(ctx context.Context, d time.Duration) error {
	c.w.Clock().Advance(d)
	return ctx.Err()
}

func (w *twin) seed(rows ...sandbox.TCIndicator) []int64 {
	w.t.Helper()
	ids, err := w.SeedThreatConnect(rows...)
	if err != nil {
		w.t.Fatal(err)
	}
	return ids
}

func (w *twin) edit(id int64, edit func(*sandbox.TCIndicator)) {
	w.t.Helper()
	if err := w.EditThreatConnect(id, edit); err != nil {
		w.t.Fatal(err)
	}
}

func (w *twin) remove(id int64) {
	w.t.Helper()
	if err := w.DeleteThreatConnect(id); err != nil {
		w.t.Fatal(err)
	}
}

// poll polls an hour later and returns what changed in the table: "+a" came, "-a"
// went, "~a" is said otherwise.
func (w *twin) poll() string {
	w.t.Helper()
	got, err := w.try()
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *twin) try() (string, error) {
	w.t.Helper()
	w.Clock().Advance(time.Hour)
	var out sdktest.RecordingSink
	p, err := w.src.Poll(w.t.Context(), w.state, recalling{&out, w})
	if err != nil {
		return "", err
	}
	w.state, w.last = p.Next, p
	came := map[string]indicator.Record{}
	for _, rec := range out.Added() {
		if other, twice := came[rec.Value]; twice { // in several owners
			rec.Attrs = indicator.Merge(nil, []indicator.Contribution{{Attrs: &other.Attrs}, {Attrs: &rec.Attrs}})
		}
		came[rec.Value] = rec
	}
	maps.Copy(w.rows, came)
	return w.apply(&out, p.Shape), nil
}

// recalling is a sink that recalls what the table held, as the engine's does.
type recalling struct {
	*sdktest.RecordingSink
	w *twin
}

func (r recalling) Recall(_ context.Context, kinds []indicator.Kind, fn func([]byte, *indicator.Attributes) error) error {
	for value := range r.w.table {
		rec := r.w.rows[value]
		if !slices.Contains(kinds, rec.Kind) {
			continue
		}
		if err := fn(rec.AppendKey(nil), &rec.Attrs); err != nil {
			return err
		}
	}
	return nil
}

// apply does what the engine does with a complete poll (SEMANTICS E4).
func (w *twin) apply(out *sdktest.RecordingSink, shape sdk.Shape) string {
	next, removed := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(out.String()) {
		sign, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, rest, _ = strings.Cut(rest, " ")
		value, said, _ := strings.Cut(rest, " ")
		switch sign {
		case "+":
			next[value] += said + "\n" // of several owners
		case "-":
			removed[value] = true
		}
	}
	var diff []string
	for value := range w.table {
		if _, there := next[value]; !there && (shape == sdk.Snapshot || removed[value]) {
			diff = append(diff, "-"+value)
			delete(w.table, value)
		}
	}
	for value, said := range next {
		if old, there := w.table[value]; !there {
			diff = append(diff, "+"+value)
		} else if old != said {
			diff = append(diff, "~"+value)
		}
		w.table[value] = said
	}
	slices.Sort(diff)
	return strings.Join(diff, " ")
}

func (w *twin) want(got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("poll: %q, want %q", got, want)
	}
}

func host(name string, tags ...string) sandbox.TCIndicator {
	return sandbox.TCIndicator{Type: "Host", Summary: name, Tags: tags}
}

func at(owner string, i sandbox.TCIndicator) sandbox.TCIndicator {
	i.Owner = owner
	return i
}

func (w *twin) fault(r sandbox.Rule) {
	w.t.Helper()
	if _, err := w.AddFault(r); err != nil {
		w.t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	w := newTwin(t, "{}")
	w.seed(host("a.example", "x"), at("Common Community", host("b.example")))
	sdktest.TestSource(t, "threatconnect", sdktest.SourceCase{
		Config: "{}", Secrets: []string{sandbox.DemoSecretKey}, Env: func(e *sdk.Env) {
			own := w.env()
			e.Clock, e.Connection = own.Clock, own.Connection
		},
		Broken: "{owners: [Nobody]}",
	})
}

func sourceOf(t *testing.T, config string, env sdk.Env) sdk.Source {
	t.Helper()
	return sdktest.Build(t, sdktest.Class(t, sdk.RoleSource, "threatconnect"), config, env)
}

// tokenConnection logs in with a token of four hours.
func (w *twin) tokenConnection() threatconnect.Connection {
	return threatconnect.Connection{URL: w.ThreatConnectURL(), Token: sdk.Secret(w.ThreatConnectToken("API", 4*time.Hour)), CA: w.CAFile()}
}
