package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
	"github.com/remeld/remeld/internal/store/pebblestore"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// feed is a source whose next body a test writes.
type feed struct {
	mu       sync.Mutex // for tests in which the engine runs
	info     sdk.SourceInfo
	items    map[string]indicator.Attributes
	order    []string // if set, the items in this order, repeats allowed
	removed  []string
	err      error
	cut      int // with err: how many items come before it
	notMod   bool
	etag     bool // answers "not modified" to the state of the very same body
	next     []byte
	gotState []byte
	shape    sdk.Shape
	polls    int
}

func list(values ...string) *feed {
	f := &feed{info: sdk.SourceInfo{Shape: sdk.Snapshot, Origin: "test"}}
	f.set(values...)
	return f
}

func (f *feed) set(values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items = map[string]indicator.Attributes{}
	for _, v := range values {
		f.items[v] = indicator.Attributes{}
	}
}

// polled returns how often the feed was read.
func (f *feed) polled() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.polls
}

func (f *feed) Info() sdk.SourceInfo { return f.info }

func (f *feed) Poll(_ context.Context, state []byte, out sdk.Sink) (sdk.Poll, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.polls++
	f.gotState = slices.Clone(state)
	if f.notMod && state != nil {
		return sdk.Poll{NotModified: true}, nil
	}
	next := f.next
	if f.etag {
		next = fmt.Append(nil, slices.Sorted(maps.Keys(f.items)), f.items, f.removed)
		if slices.Equal(next, state) {
			return sdk.Poll{NotModified: true, Next: next}, nil
		}
	}
	order := f.order
	if order == nil {
		order = slices.Sorted(maps.Keys(f.items))
	}
	if f.err != nil {
		order = order[:min(f.cut, len(order))]
	}
	sinks := []sdk.Sink{out, out.Fork()}
	for i, v := range order {
		a, said := f.items[v]
		var attrs *indicator.Attributes
		if said && !a.Equal(nil) {
			attrs = &a
		}
		if err := sinks[i%2].Add(key(v), attrs); err != nil {
			return sdk.Poll{}, err
		}
	}
	for _, v := range f.removed {
		if err := out.Remove(key(v)); err != nil {
			return sdk.Poll{}, err
		}
	}
	return sdk.Poll{Next: next, Shape: f.shape}, f.err
}

func key(v string) []byte {
	i, err := indicator.Parse(indicator.Unknown, v)
	if err != nil {
		panic(err)
	}
	return i.AppendKey(nil)
}

func source(name string, f *feed) NodeSpec {
	return NodeSpec{
		Node:  graph.Node{Name: name, Class: "test", Role: sdk.RoleSource, Fingerprint: "1"},
		Build: func() (any, error) { return f, nil },
	}
}

func reader(name string, role sdk.Role, inputs ...string) NodeSpec {
	return NodeSpec{Node: graph.Node{Name: name, Class: "aggregate", Role: role, Inputs: inputs, Fingerprint: "1"}}
}

// world is an engine on a store that can be restarted.
type world struct {
	t     *testing.T
	open  func() store.Store
	store store.Store
	clock *sdktest.Clock
	conds *condition.Set
	eng   *Engine
	chunk int
	dir   string
	slow  bool // on disk
}

// onStores runs a test on every store.
func onStores(t *testing.T, test func(w *world)) {
	t.Helper()
	for name, open := range map[string]func(t *testing.T) func() store.Store{
		"memory": func(t *testing.T) func() store.Store {
			t.Helper()
			disk := memstore.NewDisk()
			return func() store.Store {
				s, err := disk.Open()
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
		},
		"pebble": func(t *testing.T) func() store.Store {
			t.Helper()
			dir := t.TempDir()
			return func() store.Store {
				s, err := pebblestore.Open(dir, pebblestore.Options{CacheSize: 8 << 20})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, open: open(t), clock: sdktest.NewClock(time.Time{}), chunk: 7, dir: t.TempDir(), slow: name == "pebble"}
			w.start()
			t.Cleanup(func() { w.store.Close() })
			w.t = t
			test(w)
		})
	}
}

func (w *world) start() {
	w.t.Helper()
	w.store = w.open()
	var err error
	if w.conds, err = condition.Open(w.t.Context(), w.store, w.clock); err != nil {
		w.t.Fatal(err)
	}
	w.eng, err = New(w.t.Context(), Deps{Store: w.store, Clock: w.clock, Conditions: w.conds, Dir: w.dir, Chunk: w.chunk})
	if err != nil {
		w.t.Fatal(err)
	}
}

// restart ends the process without a word and starts another on the same store.
func (w *world) restart(specs ...NodeSpec) {
	w.t.Helper()
	w.store.Close()
	w.start()
	w.apply(specs...)
}

func (w *world) apply(specs ...NodeSpec) {
	w.t.Helper()
	if err := w.eng.Apply(w.t.Context(), specs); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) poll(name string) PollReport {
	w.t.Helper()
	w.clock.Advance(time.Minute)
	r, err := w.eng.PollNow(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) settle() {
	w.t.Helper()
	if err := w.eng.Settle(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// has returns what a node emits, as sorted values.
func (w *world) has(name string) []string {
	w.t.Helper()
	got := []string{}
	for v := range w.records(name) {
		got = append(got, v)
	}
	sort.Strings(got)
	return got
}

func (w *world) records(name string) map[string]indicator.Attributes {
	w.t.Helper()
	got := map[string]indicator.Attributes{}
	err := w.eng.Desired(w.t.Context(), name, func(r *indicator.Record) error {
		got[r.Value] = r.Attrs.Clone()
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) want(name string, values ...string) {
	w.t.Helper()
	sort.Strings(values)
	if got := w.has(name); !slices.Equal(got, values) {
		w.t.Errorf("%s has %v, want %v", name, brief(got), brief(values))
	}
}

func brief(v []string) string {
	if len(v) > 12 {
		return fmt.Sprintf("%d values from %s", len(v), strings.Join(v[:5], " "))
	}
	return strings.Join(v, " ")
}

func (w *world) head(name string) uint64 {
	w.t.Helper()
	t, err := w.eng.Table(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return t.Version()
}

func (w *world) raised(node, kind string) *condition.Condition {
	for _, c := range w.conds.List() {
		if c.Node == node && c.Kind == kind {
			return &c
		}
	}
	return nil
}

func (w *world) wantRaised(node, kind string, want bool) {
	w.t.Helper()
	if got := w.raised(node, kind) != nil; got != want {
		w.t.Errorf("condition %s of %s stands: %v, want %v", kind, node, got, want)
	}
}

func keep(t *testing.T, name, src string) Keep {
	t.Helper()
	f, err := tql.Compile(src, tql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return Keep{Name: name, Filter: f}
}

func hosts(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("h%04d.example.com", i))
	}
	return all
}

var errCut = errors.New("connection reset")

type ctxT = context.Context
