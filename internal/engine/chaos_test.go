package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// server is a source that tells what changed since a token, with explicit
// removals, and everything to who has none.
type server struct {
	mu  sync.Mutex
	has map[string]bool
	log []string // values that changed, in order
	cut bool
	all bool // tells everything to everybody
}

func (s *server) Info() sdk.SourceInfo {
	return sdk.SourceInfo{Shape: sdk.Changes, Origin: "server"}
}

func (s *server) set(v string, has bool) {
	if s.has[v] != has {
		s.has[v] = has
		s.log = append(s.log, v)
	}
}

func (s *server) Poll(_ ctxT, state []byte, out sdk.Sink) (sdk.Poll, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := sdk.Poll{Next: fmt.Append(nil, len(s.log))}
	var values []string
	if state == nil || s.all {
		answer.Shape = sdk.Snapshot
		for v, has := range s.has {
			if has {
				values = append(values, v)
			}
		}
	} else {
		var at int
		if _, err := fmt.Sscan(string(state), &at); err != nil {
			return answer, err
		}
		values = slices.Compact(slices.Sorted(slices.Values(s.log[at:])))
	}
	for i, v := range values {
		if s.cut && i >= len(values)/2 {
			return sdk.Poll{}, errCut
		}
		say := func(k []byte) error { return out.Add(k, nil) }
		if !s.has[v] {
			say = out.Remove
		}
		if err := say(key(v)); err != nil {
			return answer, err
		}
	}
	return answer, nil
}

// storm is chaos over everything at once: rows with an end of life, a source that
// tells changes, "not modified", pieces of address space, an allow edge on a
// destination, a clock that goes on.
type storm struct {
	chaos
	srv  *server
	edit int
}

func (s *storm) specs(t *testing.T) []NodeSpec {
	t.Helper()
	specs := s.base(t)
	specs[1].Source.Age.ValidUntil = true // b
	srv := source("srv", nil)
	srv.Build = func() (any, error) { return s.srv, nil }
	ips := reader("ips", sdk.RoleProcessor, "a", "b", "srv")
	ips.Build = func() (any, error) { return ranges{}, nil }
	ips.Allow = []string{"own"}
	ips.Fingerprint = fmt.Sprint(s.edit)
	all := reader("all", sdk.RoleProcessor, "srv", "a", "b")
	all.Fingerprint = fmt.Sprint(s.edit)
	if s.edit%2 == 1 {
		all.Inputs = []string{"b", "srv"}
	}
	def := reader("def", sdk.RoleTarget, "all")
	def.Allow = []string{"own"}
	return append(specs, srv, ips, all, def)
}

func (s *storm) act(t *testing.T) {
	t.Helper()
	w := s.w
	switch s.rnd.IntN(8) {
	case 0:
		for range 1 + s.rnd.IntN(10) {
			s.srv.set(universe[s.rnd.IntN(len(universe))], s.rnd.IntN(2) == 0)
		}
		s.srv.cut = s.rnd.IntN(3) == 0
		w.poll("srv")
		s.srv.cut = false
	case 1:
		s.edit = s.rnd.IntN(4)
		w.apply(s.specs(t)...)
	case 2:
		w.clock.Advance(time.Duration(s.rnd.IntN(180)) * time.Minute)
		w.age()
	case 3:
		f := []*feed{s.a, s.b, s.own}[s.rnd.IntN(3)]
		f.etag = !f.etag
	case 4:
		for v, a := range s.b.items {
			a.ValidUntil = w.clock.Now().Add(time.Duration(s.rnd.IntN(600)) * time.Minute).Truncate(time.Millisecond)
			s.b.items[v] = a
		}
	case 5:
		s.crashAny(t)
	default:
		s.chaos.act(t)
	}
}

// crashAny lets the power go after some commits of whatever is done next.
func (s *storm) crashAny(t *testing.T) {
	t.Helper()
	w := s.w
	w.eng.Store = &failing{Store: w.store, after: s.rnd.IntN(8)}
	var err error
	switch s.rnd.IntN(4) {
	case 0:
		_, err = w.eng.PollNow(t.Context(), []string{"a", "b", "own", "srv"}[s.rnd.IntN(4)])
	case 1:
		err = w.eng.Settle(t.Context())
	case 2:
		err = w.eng.Age(t.Context())
	case 3:
		s.edit = s.rnd.IntN(4)
		err = w.eng.Apply(t.Context(), s.specs(t))
	}
	if err != nil && !errors.Is(err, errPower) {
		t.Fatal(err)
	}
	w.eng.Store = w.store
	w.restart(s.specs(t)...)
}

// said returns who says a value in the end.
func (s *storm) said(v string) []string {
	var by []string
	if _, ok := s.a.items[v]; ok {
		by = append(by, "a")
	}
	if a, ok := s.b.items[v]; ok && (a.ValidUntil.IsZero() || a.ValidUntil.After(s.w.clock.Now())) {
		by = append(by, "b")
	}
	if s.srv.has[v] {
		by = append(by, "srv")
	}
	return by
}

func (s *storm) allowed(v string) bool {
	inner, _ := indicator.Parse(indicator.Unknown, v)
	for o := range s.own.items {
		outer, _ := indicator.Parse(indicator.Unknown, o)
		if indicator.Covers(outer, inner) {
			return true
		}
	}
	return false
}

func (s *storm) wantDef() map[string]string {
	want := map[string]string{}
	for _, v := range universe {
		by := s.said(v)
		if s.edit%2 == 1 {
			by = slices.DeleteFunc(by, func(name string) bool { return name == "a" })
		}
		if len(by) > 0 && !s.allowed(v) {
			want[v] = strings.Join(by, " ")
		}
	}
	return want
}

// addresses returns who says each probed address: by the bodies, or by the pieces.
func (s *storm) addresses() (want, got map[string]string) {
	want, got = map[string]string{}, map[string]string{}
	pieces := s.w.records("ips")
	for i := range 12 {
		for _, last := range []int{0, 1, 2, 255} {
			probe := fmt.Sprintf("10.0.%d.%d", i, last)
			at, _ := indicator.Parse(indicator.Unknown, probe)
			by := s.said(fmt.Sprintf("10.0.%d.0/24", i))
			if last == 1 {
				by = append(by, s.said(probe)...)
			}
			slices.Sort(by)
			if by = slices.Compact(by); len(by) > 0 && !s.allowedAddr(at) {
				want[probe] = strings.Join(by, " ")
			}
			for v, a := range pieces {
				if p, _ := indicator.Parse(indicator.Unknown, v); covers1(p, at) {
					got[probe] += strings.Join(a.Sources, " ")
				}
			}
		}
	}
	return want, got
}

func (s *storm) allowedAddr(at indicator.Indicator) bool {
	for o := range s.own.items {
		if p, _ := indicator.Parse(indicator.Unknown, o); covers1(p, at) {
			return true
		}
	}
	return false
}

func covers1(outer, addr indicator.Indicator) bool {
	from, to, ok := outer.Addrs()
	at, _, _ := addr.Addrs()
	return ok && from.Compare(at) <= 0 && at.Compare(to) <= 0 && at != netip.Addr{}
}

func (s *storm) run(t *testing.T, actions int) {
	t.Helper()
	s.a, s.b, s.own = list(), list(), list("nothing.example.net")
	s.srv, s.whole = &server{has: map[string]bool{}}, s.specs
	s.body(s.a, 60)
	s.body(s.b, 60)
	s.w.chunk, s.w.eng.Chunk = 5, 5
	s.w.apply(s.specs(t)...)
	for range actions {
		s.act(t)
	}
	s.srv.all = true // what only a broken read told goes with two full ones
	for range 3 {
		for _, name := range []string{"a", "b", "own", "srv"} {
			s.poll(name)
		}
	}
	s.w.age()
	s.w.settle()
	got := map[string]string{}
	for v, a := range s.w.records("def") {
		got[v] = strings.Join(a.Sources, " ")
	}
	if diff := cmp.Diff(s.wantDef(), got); diff != "" {
		t.Fatalf("def (-model +engine)\n%s", diff)
	}
	want, pieces := s.addresses()
	if diff := cmp.Diff(want, pieces); diff != "" {
		t.Fatalf("addresses (-model +engine)\n%s", diff)
	}
	for _, name := range []string{"a", "b", "own", "srv", "ips", "all", "def"} {
		if st := s.w.status(name); int(st.Rows) != len(s.w.has(name)) || st.Missing != 0 || st.Lag != 0 {
			t.Errorf("%s counts %d rows, %d missing, lag %d; has %d", name, st.Rows, st.Missing, st.Lag, len(s.w.has(name)))
		}
	}
	if left := s.w.conds.List(); len(left) != 0 {
		t.Errorf("conditions left: %+v", left)
	}
}

func TestMetamorphicStorm(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(w *world) {
				if w.slow && seed%10 != 0 {
					w.t.Skip("this seed runs on memory alone")
				}
				s := &storm{chaos: chaos{w: w, rnd: rand.New(rand.NewPCG(seed, 9))}}
				s.run(w.t, 80)
			})
		})
	}
}
