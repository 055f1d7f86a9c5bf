package ipset

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// mixedIPv4 is n lines in random order: 70 % addresses, 20 % CIDRs, 10 % ranges.
func mixedIPv4(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for range n {
		a := r.Uint32()
		switch p := r.IntN(10); {
		case p < 7:
			b.Write(append4(nil, a))
		case p < 9:
			fmt.Fprintf(&b, "%s/%d", append4(nil, a), 20+r.IntN(13))
		default:
			fmt.Fprintf(&b, "%s-%s", append4(nil, a&^0xffff), append4(nil, a|0xff))
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// BenchmarkCollapse is `remeld ip collapse` of a million mixed lines without the
// process around it.
func BenchmarkCollapse(b *testing.B) {
	in := mixedIPv4(1_000_000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		s, err := ReadText(bytes.NewReader(in), func(r Refused) { b.Fatal(r) })
		if err != nil {
			b.Fatal(err)
		}
		if err := s.WriteCIDRs(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClaimsToggle loads a million segments inside one /8, so that every
// piece is touched, and inserts and removes the /8; and the same with segments all
// over the space.
func BenchmarkClaimsToggle(b *testing.B) {
	for _, c := range []struct {
		name string
		mask uint32
	}{{"in one /8", 1<<24 - 1}, {"everywhere", ^uint32(0)}} {
		b.Run(c.name, func(b *testing.B) { benchToggle(b, c.mask) })
	}
}

func segments(n int, mask uint32) []Claim {
	r := rand.New(rand.NewPCG(3, 4))
	out := make([]Claim, n)
	for i := range out {
		from := u128{0, uint64(10<<24 | r.Uint32()&mask)}
		to := min(from.lo+uint64(r.IntN(8)), famV4.last.lo)
		out[i] = Claim{From: famV4.addr(from), To: famV4.addr(u128{0, to}), ID: uint32(i)}
	}
	return out
}

func benchToggle(b *testing.B, mask uint32) {
	b.Helper()
	segs := segments(1_000_000, mask)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := NewClaims()
	begun := time.Now()
	if err := c.Load(segs); err != nil {
		b.Fatal(err)
	}
	load := time.Since(begun)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(segs)
	slash8 := Claim{From: netip.MustParseAddr("10.0.0.0"), To: netip.MustParseAddr("10.255.255.255"), ID: 1 << 30}
	pieces := 0
	for b.Loop() {
		pieces = 0
		for _, op := range []Op{Insert, Remove} {
			if err := c.Do(Change{op, slash8}, func(Piece) { pieces++ }); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(load.Seconds(), "load-s")
	b.ReportMetric(float64(pieces), "changed-pieces/op")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(segs)), "B/claim")
}

// BenchmarkClaimsInsert inserts one small claim among a million.
func BenchmarkClaimsInsert(b *testing.B) {
	c := NewClaims()
	if err := c.Load(segments(1_000_000, ^uint32(0))); err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for b.Loop() {
		a := famV4.addr(u128{0, uint64(r.Uint32())})
		ch := Change{Insert, Claim{From: a, To: a, ID: 7}}
		if err := c.Do(ch, func(Piece) {}); err != nil {
			b.Fatal(err)
		}
	}
}
