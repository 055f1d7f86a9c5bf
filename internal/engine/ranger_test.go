package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// ranges is the default merge over pieces of address space.
type ranges struct{ most int }

func (ranges) Reduce(_ indicator.Indicator, in []sdk.Contribution) sdk.Verdict {
	var cs []indicator.Contribution
	for _, c := range in {
		cs = append(cs, indicator.Contribution{Order: c.Order, Attrs: c.Attrs})
	}
	return sdk.Verdict{Attrs: indicator.Merge(nil, cs)}
}

func (r ranges) MaxPieces() int { return r.most }

func cut(a, b, own *feed, most int) []NodeSpec {
	meld := reader("ips", sdk.RoleProcessor, "a", "b")
	meld.Allow = []string{"own"}
	meld.Build = func() (any, error) { return ranges{most}, nil }
	specs := []NodeSpec{source("a", a), source("b", b), source("own", own), meld, reader("edl", sdk.RoleFeed, "ips")}
	for i := range 3 {
		specs[i].Source.WithdrawAfter = 1
		specs[i].Source.Freeze = FreezeLimits{Share: 2, Count: 1 << 30, MinRows: 1 << 30}
	}
	return specs
}

func TestE13_PiecesFollowTheClaims(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, b, own := list("10.0.0.0/24"), list("10.0.0.64/26", "2001:db8::/32", "not-an-address.example.com"), list("192.0.2.1")
		specs := cut(a, b, own, 0)
		w.apply(specs...)
		w.poll("a")
		w.poll("own")
		w.settle()
		w.want("edl", "10.0.0.0/24")
		w.poll("b")
		w.settle()
		w.want("edl", "10.0.0.0/26", "10.0.0.64/26", "10.0.0.128/25", "2001:db8::/32")
		if got := w.records("edl")["10.0.0.64/26"].Sources; len(got) != 2 {
			t.Errorf("sources %v", got)
		}
		own.set("192.0.2.1", "10.0.0.128", "2001:db8::1")
		w.poll("own")
		w.settle()
		w.want("edl", "10.0.0.0/26", "10.0.0.64/26", "10.0.0.129-10.0.0.255", "2001:db8::", "2001:db8::2-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")
		w.restart(specs...)
		b.set()
		w.poll("b")
		w.settle()
		w.want("edl", "10.0.0.0/25", "10.0.0.129-10.0.0.255")
	})
}

func TestE13_LiftedPiecesKeepTheirMarkWhenCut(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, b, own := list("10.0.0.0/24"), list(), list(append(hosts(30), "10.0.0.0/25")...)
		w.apply(cut(a, b, own, 0)...)
		w.poll("a")
		w.poll("b")
		w.poll("own")
		w.settle()
		w.want("edl", "10.0.0.128/25")
		own.set(hosts(30)...)
		w.poll("own")
		w.settle()
		b.set("10.0.0.16/28")
		w.poll("b")
		w.settle()
		w.want("edl", "10.0.0.0/28", "10.0.0.16/28", "10.0.0.32-10.0.0.255")
		for v, a := range w.records("edl") {
			if a.Extra["allow_lifted"] != "own" {
				t.Errorf("%s holds addresses that were allow-listed and has no mark", v)
			}
		}
	})
}

func TestE13_PiecesAreBounded(t *testing.T) {
	t.Parallel()
	onStores(t, func(w *world) {
		t := w.t
		a, b := list("10.0.0.0/8"), list()
		for i := range 20 {
			b.items[fmt.Sprintf("10.%d.0.1", i)] = indicator.Attributes{}
		}
		w.apply(cut(a, b, list("192.0.2.1"), 9)...)
		w.poll("own")
		w.poll("a")
		w.poll("b")
		w.settle()
		if n := len(w.has("ips")); n > 9 || n < 5 {
			t.Errorf("%d pieces", n)
		}
		w.wantRaised("ips", "pieces_bound", true)
	})
}

// TestE13_AgainstOneAddressAtATime compares with a model that asks for each address
// who claims it.
func TestE13_AgainstOneAddressAtATime(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			onStores(t, func(w *world) {
				t := w.t
				if w.slow && seed%4 != 0 {
					t.Skip("this seed runs on memory alone")
				}
				rangeChaos(t, w, rand.New(rand.NewPCG(seed, 2)))
			})
		})
	}
}

func rangeChaos(t *testing.T, w *world, rnd *rand.Rand) {
	t.Helper()
	w.chunk, w.eng.Chunk = 4, 4
	feeds := []*feed{list(), list(), list("192.0.2.1")}
	names := []string{"a", "b", "own"}
	specs := cut(feeds[0], feeds[1], feeds[2], 0)
	w.apply(specs...)
	for range 40 {
		k := rnd.IntN(3)
		switch rnd.IntN(5) {
		case 0, 1:
			feeds[k].set(someRanges(rnd, []int{6, 6, 2}[k])...)
		case 2, 3:
			pollAccepting(w, names[k])
			w.settle()
		case 4:
			w.eng.Store = &failing{Store: w.store, after: rnd.IntN(5)}
			_ = w.eng.Settle(t.Context())
			w.eng.Store = w.store // the disk was full for a moment
			if rnd.IntN(2) == 0 {
				w.restart(specs...)
			}
		}
	}
	for _, n := range names {
		pollAccepting(w, n)
	}
	w.settle()
	got := map[string]string{}
	for v, a := range w.records("edl") {
		i, _ := indicator.Parse(indicator.Unknown, v)
		from, to, _ := i.Addrs()
		for at := from; ; at = at.Next() {
			got[at.String()] = fmt.Sprint(a.Sources)
			if at == to {
				break
			}
		}
	}
	if diff := cmp.Diff(addressModel(feeds), got); diff != "" {
		t.Fatalf("(-model +engine)\n%s", diff)
	}
}

func pollAccepting(w *world, name string) {
	if r := w.poll(name); r.Verdict == VerdictFrozen {
		if err := w.eng.Accept(w.t.Context(), name, r.ID); err != nil {
			w.t.Fatal(err)
		}
		w.poll(name)
	}
}

func someRanges(rnd *rand.Rand, n int) []string {
	base := netip.MustParseAddr("10.0.0.0").As4()
	var all []string
	for range rnd.IntN(n + 1) {
		lo := rnd.IntN(60)
		hi := lo + rnd.IntN(64-lo)
		from, to := base, base
		from[3], to[3] = byte(lo), byte(hi)
		all = append(all, indicator.FromAddrs(netip.AddrFrom4(from), netip.AddrFrom4(to)).Value)
	}
	if len(all) == 0 {
		return []string{"192.0.2.7"}
	}
	return all
}

func addressModel(feeds []*feed) map[string]string {
	want := map[string]string{}
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.7")}
	for i := range 64 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	for _, at := range addrs {
		i := indicator.FromAddrs(at, at)
		var by []string
		for k, f := range feeds {
			for v := range f.items {
				outer, _ := indicator.Parse(indicator.Unknown, v)
				if indicator.Covers(outer, i) {
					by = append(by, []string{"a", "b", "own"}[k])
				}
			}
		}
		slices.Sort(by)
		by = slices.Compact(by)
		if len(by) > 0 && !slices.Contains(by, "own") {
			want[at.String()] = fmt.Sprint(by)
		}
	}
	return want
}
