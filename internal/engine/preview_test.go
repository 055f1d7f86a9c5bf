package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// previewed is a graph with a merge, pieces of address space and two destinations.
func previewed(t *testing.T, a, b, own *feed, edit int) []NodeSpec {
	t.Helper()
	sa, sb := source("a", a), source("b", b)
	meld := reader("meld", sdk.RoleProcessor, "a", "b")
	ips := reader("ips", sdk.RoleProcessor, "meld", "b")
	ips.Build = func() (any, error) { return ranges{}, nil }
	ips.Allow = []string{"own"}
	edl, def := reader("edl", sdk.RoleFeed, "ips"), reader("def", sdk.RoleTarget, "meld")
	switch edit {
	case 1:
		sa.Keep, sa.Fingerprint = []Keep{keep(t, "sure", "confidence >= 50")}, "2"
	case 2:
		meld.Inputs, meld.Fingerprint = []string{"b"}, "2"
	case 3:
		meld.Allow, meld.Fingerprint = []string{"own"}, "2"
	case 4:
		ips.Allow, ips.Fingerprint = nil, "2"
	case 5:
		edl.Inputs = []string{"ips", "a"}
		edl.Keep, edl.Fingerprint = []Keep{keep(t, "not_t1", `not hasTag(name = "t1")`)}, "2"
	}
	return []NodeSpec{sa, sb, source("own", own), meld, ips, edl, def}
}

func TestE11_PreviewSaysWhatApplyDoes(t *testing.T) {
	t.Parallel()
	for edit := range 6 {
		t.Run(fmt.Sprint("edit", edit), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(w *world) {
				t := w.t
				c := &chaos{w: w, rnd: rand.New(rand.NewPCG(uint64(edit), 3))}
				a, b, own := list(), list(), list()
				c.body(a, 60)
				c.body(b, 60)
				c.body(own, 20)
				w.apply(previewed(t, a, b, own, 0)...)
				for _, name := range []string{"a", "b", "own"} {
					w.poll(name)
				}
				w.settle()
				before := map[string]map[string]indicator.Attributes{"edl": w.records("edl"), "def": w.records("def")}
				next := previewed(t, a, b, own, edit)
				p, err := w.eng.Preview(t.Context(), next)
				if err != nil {
					t.Fatal(err)
				}
				w.apply(next...)
				w.poll("a")
				w.settle()
				for name, was := range before {
					now := w.records(name)
					want := DestinationChange{Rows: int64(len(was))}
					for v := range was {
						if _, stays := now[v]; !stays {
							want.Withdrawn++
						}
					}
					for v := range now {
						if _, old := was[v]; !old {
							want.Added++
						}
					}
					got := p.Destinations[name]
					got.Sample = nil
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s (-applied +previewed)\n%s", name, diff)
					}
				}
			})
		})
	}
}

// BenchmarkPreview is an edit above three destinations of 250,000 rows.
func BenchmarkPreview(b *testing.B) {
	src := &lines{filepath.Join(b.TempDir(), "list")}
	src.generate(b, 250_000, 0)
	e := benchEngine(b, src)
	benchPoll(b, e)
	spec := source("a", nil)
	spec.Build = func() (any, error) { return src, nil }
	spec.Source.Age.FirstSeen = 24 * 365 * time.Hour
	meld := reader("meld", sdk.RoleProcessor, "a")
	specs := []NodeSpec{spec, meld, reader("edl", sdk.RoleFeed, "meld"), reader("csv", sdk.RoleFeed, "meld"), reader("def", sdk.RoleTarget, "meld")}
	if err := errors.Join(e.Apply(b.Context(), specs), e.Settle(b.Context())); err != nil {
		b.Fatal(err)
	}
	specs[1].Fingerprint = "2"
	for b.Loop() {
		p, err := e.Preview(b.Context(), specs)
		if err != nil || p.Destinations["def"].Rows == 0 || p.Destinations["def"].Withdrawn != 0 {
			b.Fatalf("%+v %v", p, err)
		}
	}
}
