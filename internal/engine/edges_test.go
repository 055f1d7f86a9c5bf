package engine

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/graph"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
	"github.com/remeld/remeld/sdk"
)

// racing runs something before the n-th view is handed out, with a snapshot that
// was taken before.
type racing struct {
	store.Store
	mu   sync.Mutex
	at   int
	then func()
}

func (r *racing) View() (store.View, error) {
	v, err := r.Store.View()
	r.mu.Lock()
	r.at--
	then := r.then
	if r.at == 0 {
		r.then = nil
	} else {
		then = nil
	}
	r.mu.Unlock()
	if then != nil {
		then()
	}
	return v, err
}

// marked returns the values of a node that carry the mark of a lifted entry.
func (w *world) marked(name string) []string {
	w.t.Helper()
	got := []string{}
	for v, a := range w.records(name) {
		if a.Extra[liftedBy] != nil {
			got = append(got, v)
		}
	}
	return got
}

// The allow-list's first poll lands between the snapshot a step reads and the look
// whether the list was read.
func TestE10_AListReadDuringAStepLetsNothingThrough(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 3; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(w *world) {
				t := w.t
				a, own := list(hosts(5)...), list(hosts(5)...)
				w.apply(melded(a, own)...)
				w.poll("a")
				n, err := w.eng.node("meld")
				if err != nil {
					t.Fatal(err)
				}
				disk := w.store
				w.eng.Store = &racing{Store: disk, at: at, then: func() { w.poll("own") }}
				for range 20 {
					if _, err := n.step(t.Context()); err != nil {
						t.Fatal(err)
					}
					w.want("meld")
				}
				w.eng.Store = disk
				w.settle()
				w.want("edl")
			})
		})
	}
}

// An entry goes while its reader has a merge to do, or is down: what becomes
// visible needs approval all the same.
func TestE10_LiftedWhileTheReaderWasNotLooking(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"restart", "edit", "ranges restart", "ranges edit"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(w *world) {
				t := w.t
				a, own := list("10.0.0.1", "10.1.0.1", "10.2.0.1"), list("10.0.0.0/16", "10.1.0.0/16")
				specs := melded(a, own)
				specs[1].Source.Agree = 1
				specs[1].Source.WithdrawAfter = 1
				if strings.HasPrefix(way, "ranges") {
					specs[2].Build = func() (any, error) { return ranges{}, nil }
				}
				w.apply(specs...)
				w.poll("a")
				w.poll("own")
				w.settle()
				w.want("meld", "10.2.0.1")
				own.set("10.1.0.0/16")
				w.poll("own")
				if strings.HasSuffix(way, "edit") {
					specs[2].Fingerprint = "2"
					w.apply(specs...)
				} else {
					w.restart(specs...)
				}
				w.settle()
				w.want("meld", "10.0.0.1", "10.2.0.1")
				if got := w.marked("meld"); len(got) != 1 || got[0] != "10.0.0.1" {
					t.Errorf("marked: %v", got)
				}
				w.restart(specs...)
				w.settle()
				if got := w.marked("meld"); len(got) != 1 {
					t.Errorf("marked after a restart: %v", got)
				}
				if n, err := w.eng.ApproveLifted(t.Context(), "own"); err != nil || n != 1 {
					t.Errorf("approved %d, %v", n, err)
				}
				w.restart(specs...)
				w.settle()
				if got := w.marked("edl"); len(got) != 0 {
					t.Errorf("marked after the approval: %v", got)
				}
			})
		})
	}
}

func TestE10_AllowEdgeOnADestination(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a, own := list("h1.example.com", "www.h1.example.com", "h2.example.com"), list("h1.example.com")
		def := reader("def", sdk.RoleTarget, "a")
		def.Allow = []string{"own"}
		specs := []NodeSpec{source("a", a), source("own", own), def}
		w.apply(specs...)
		w.poll("a")
		w.settle()
		w.want("def")
		own.err = errCut
		w.poll("own")
		w.settle()
		w.want("def")
		own.err = nil
		w.poll("own")
		w.settle()
		w.want("def", "h2.example.com")
		// A failing or emptied list takes nothing back, also across a restart.
		own.set()
		w.poll("own")
		w.wantRaised("own", "source_frozen", true)
		w.restart(specs...)
		own.err = errCut
		w.poll("own")
		w.settle()
		w.want("def", "h2.example.com")
	})
}

func TestE10_ReadyIsForgottenWithTheEdge(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, own := list(hosts(3)...), list("h0001.example.com")
		specs := melded(a, own)
		w.apply(specs...)
		w.poll("a")
		w.poll("own")
		n, err := w.eng.node("meld")
		if err != nil {
			t.Fatal(err)
		}
		// The power goes after the list was found ready and before it was read.
		w.eng.Store = &failing{Store: w.store, after: 1}
		if _, err := n.step(t.Context()); err == nil {
			t.Fatal("the power must go")
		}
		w.restart(specs...)
		without := melded(a, own)
		without[2].Allow = nil
		w.apply(without[0], without[2], without[3])
		own.err = errCut
		w.apply(specs...)
		if n, err = w.eng.node("meld"); err != nil || n.st.Load().Step.AllowReady["own"] {
			t.Errorf("the new list was never read: %v", err)
		}
	})
}

// A node of another role under the same name begins empty, without a word in its
// log; readers must see that what it had is gone.
func TestE11_AnotherRoleWithdrawsWhatTheOldOneHad(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a, b := list(hosts(5)...), list("b.example.org")
		w.apply(source("x", a), source("b", b), reader("edl", sdk.RoleFeed, "x"))
		w.poll("x")
		w.poll("b")
		w.settle()
		w.want("edl", hosts(5)...)
		w.apply(reader("x", sdk.RoleProcessor, "b"), source("b", b), reader("edl", sdk.RoleFeed, "x"))
		w.settle()
		w.want("edl", "b.example.org")
	})
}

// A poll by hand that is under way while the configuration changes must not write
// behind the new node's back.
func TestE11_APollDuringApplyIsFencedOff(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a := list(hosts(30)...)
		s := source("a", a)
		w.apply(s)
		w.poll("a")
		s.Keep, s.Fingerprint = []Keep{keep(t, "some", `not indicator = "nothing"`)}, "2"
		disk := w.store
		old, err := w.eng.node("a")
		if err != nil {
			t.Fatal(err)
		}
		for at := 1; at <= 4; at++ {
			a.set(hosts(30 + 30*at)...)
			w.eng.Store = &racing{Store: disk, at: at, then: func() { _, _ = old.poll(t.Context()) }}
			s.Fingerprint += "x"
			w.apply(s)
			w.eng.Store = disk
			if old, err = w.eng.node("a"); err != nil {
				t.Fatal(err)
			}
			w.poll("a")
			if st, got := w.status("a"), w.has("a"); int(st.Rows) != len(got) {
				t.Fatalf("counts %d rows, has %d", st.Rows, len(got))
			}
		}
	})
}

func TestE13_LeftOutRangesAreTakenOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		var many []string
		for i := range 20 {
			many = append(many, fmt.Sprintf("10.0.%d.0/24", i))
		}
		a, b, own := list(many...), list("192.0.2.0/24"), list("198.51.100.1")
		specs := cut(a, b, own, 20)
		w.apply(specs...)
		for _, name := range []string{"a", "own"} {
			w.poll(name)
		}
		w.settle()
		w.poll("b")
		w.settle()
		w.wantRaised("ips", "pieces_bound", true)
		w.want("ips", many...)
		a.set(many[:5]...)
		w.poll("a")
		w.settle()
		w.want("ips", append([]string{"192.0.2.0/24"}, many[:5]...)...)
		w.wantRaised("ips", "pieces_bound", false)
	})
}

func TestE2_ChainsFanInAndLateReaders(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		var specs []NodeSpec
		var names []string
		feeds := map[string]*feed{}
		for i := range 50 {
			name := fmt.Sprintf("f%02d", i)
			feeds[name] = list("shared.example.com", fmt.Sprintf("only%d.example.com", i))
			s := source(name, feeds[name])
			s.Source.WithdrawAfter = 1
			specs, names = append(specs, s), append(names, name)
		}
		specs = append(specs, reader("one", sdk.RoleProcessor, names...), reader("two", sdk.RoleProcessor, "one"), reader("edl", sdk.RoleFeed, "two"))
		w.apply(specs...)
		for _, name := range names {
			w.poll(name)
		}
		w.settle()
		if got := w.records("edl"); len(got) != 51 || len(got["shared.example.com"].Sources) != 50 {
			t.Errorf("%d rows, %d sources", len(got), len(got["shared.example.com"].Sources))
		}
		for _, name := range names[1:] {
			feeds[name].set()
			w.poll(name)
		}
		// A reader that comes now, to logs that are trimmed.
		specs = append(specs, reader("late", sdk.RoleFeed, append([]string{"two"}, names...)...))
		w.apply(specs...)
		w.settle()
		w.want("edl", "shared.example.com", "only0.example.com")
		w.want("late", "shared.example.com", "only0.example.com")
		if got := w.records("late")["shared.example.com"].Sources; len(got) != 1 {
			t.Errorf("sources %v", got)
		}
	})
}

// Another name is another node: its rows come with its first poll and the old ones
// go with the old name, whatever the readers were doing.
func TestE11_RenamedNode(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := list(hosts(12)...)
		w.apply(source("a", a), reader("meld", sdk.RoleProcessor, "a"), reader("edl", sdk.RoleFeed, "meld"))
		w.poll("a")
		w.settle()
		w.apply(source("b", a), reader("m2", sdk.RoleProcessor, "b"), reader("edl", sdk.RoleFeed, "m2"))
		w.poll("b")
		w.settle()
		w.want("edl", hosts(12)...)
		if got := w.records("edl")[hosts(1)[0]].Sources; len(got) != 1 || got[0] != "b" {
			w.t.Errorf("sources %v", got)
		}
	})
}

func TestE6_LastSeenIsNeverBeforeFirstSeen(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := list(hosts(3)...)
		w.apply(source("a", a), reader("edl", sdk.RoleFeed, "a"))
		w.poll("a")
		a.set(append(hosts(3), "new.example.com")...)
		a.err, a.cut = errCut, 4
		w.poll("a")
		w.settle()
		for _, name := range []string{"a", "edl"} {
			if got := w.records(name)["new.example.com"]; got.LastSeen.Before(got.FirstSeen) {
				w.t.Errorf("%s: last %s before first %s", name, got.LastSeen, got.FirstSeen)
			}
		}
	})
}

// deaf is a source that hangs and does not hear that its context ended.
type deaf struct{ release chan struct{} }

func (*deaf) Info() sdk.SourceInfo { return sdk.SourceInfo{Shape: sdk.Snapshot, Origin: "deaf"} }

func (d *deaf) Poll(_ ctxT, _ []byte, out sdk.Sink) (sdk.Poll, error) {
	<-d.release
	return sdk.Poll{}, out.Add(key("late.example.com"), nil)
}

func TestRunStopsThoughASourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deaf{make(chan struct{})}
		var said bytes.Buffer
		e, cancel, done := runningWith(t, memstore.New(), slog.New(slog.NewTextHandler(&said, nil)),
			NodeSpec{Node: graph.Node{Name: "hangs", Class: "test", Role: sdk.RoleSource, Fingerprint: "1"},
				Build: func() (any, error) { return d, nil }},
			source("a", list(hosts(3)...)), reader("edl", sdk.RoleFeed, "a", "hangs"))
		if got := values(t, e, "edl"); len(got) != 3 {
			t.Errorf("the other source: %v", got)
		}
		at := time.Now()
		cancel()
		if err := <-done; err != nil || !strings.Contains(said.String(), "node=hangs") {
			t.Errorf("stopping must name the node: %v %s", err, &said)
		}
		if took := time.Since(at); took > time.Second {
			t.Errorf("stopped after %v", took)
		}
		close(d.release)
		synctest.Wait()
	})
}

func TestRunAppliesThoughASourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deaf{make(chan struct{})}
		spec := NodeSpec{Node: graph.Node{Name: "hangs", Class: "test", Role: sdk.RoleSource, Fingerprint: "1"},
			Build: func() (any, error) { return d, nil }}
		e, stop := running(t, memstore.New(), spec)
		defer stop()
		at := time.Now()
		other := source("hangs", list(hosts(3)...))
		other.Fingerprint = "2"
		if err := e.Apply(t.Context(), []NodeSpec{other}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(at); took > time.Minute {
			t.Errorf("applied after %v", took)
		}
		synctest.Wait()
		close(d.release)
		synctest.Wait()
		if got := values(t, e, "hangs"); len(got) != 3 {
			t.Errorf("%v", got)
		}
	})
}

func TestRunHangingSourcesDoNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deaf{make(chan struct{})}
		var specs []NodeSpec
		for i := range 4 {
			specs = append(specs, NodeSpec{Node: graph.Node{Name: fmt.Sprint("a_hangs", i), Class: "test", Role: sdk.RoleSource, Fingerprint: "1"},
				Build: func() (any, error) { return d, nil }})
		}
		e, stop := running(t, memstore.New(), append(specs, source("good", list(hosts(3)...)))...)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := values(t, e, "good"); len(got) != 3 {
			t.Errorf("%v", got)
		}
		close(d.release)
		stop()
	})
}

type panicking struct{ *feed }

func (panicking) Poll(ctxT, []byte, sdk.Sink) (sdk.Poll, error) {
	var a *indicator.Attributes
	return sdk.Poll{}, fmt.Errorf("%v", a.Tags)
}

func TestE4_APanicInASourceIsAFailure(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		s := source("a", nil)
		s.Build = func() (any, error) { return panicking{list()}, nil }
		w.apply(s)
		if r := w.poll("a"); r.Verdict != VerdictIncomplete || !strings.Contains(r.Error, "nil pointer") {
			w.t.Errorf("%+v", r)
		}
		w.wantRaised("a", "source_failing", true)
	})
}

func TestRunDoesNotWaitForYearsBecauseASourceSaysSo(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		a := list(hosts(3)...)
		a.err = &sdk.Error{Failure: sdk.Throttled, Message: "429", RetryAt: w.clock.Now().Add(10 * 365 * 24 * time.Hour)}
		w.apply(source("a", a))
		w.poll("a")
		if wait := w.status("a").Next.Sub(w.clock.Now()); wait > 25*time.Hour || wait < 23*time.Hour {
			w.t.Errorf("next poll in %v", wait)
		}
	})
}

// What changed nothing is no news.
func TestUnchangedPollsAreLoggedAtDebug(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		var said bytes.Buffer
		w.eng.Log = slog.New(slog.NewTextHandler(&said, nil))
		a := list(hosts(3)...)
		w.apply(source("a", a))
		for range 5 {
			w.poll("a")
		}
		if n := strings.Count(said.String(), "polled"); n != 1 {
			w.t.Errorf("%d lines\n%s", n, &said)
		}
		a.set(hosts(4)...)
		w.poll("a")
		a.err = errCut
		w.poll("a")
		if n := strings.Count(said.String(), "polled"); n != 3 {
			w.t.Errorf("%d lines\n%s", n, &said)
		}
	})
}
