package ipset

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go4.org/netipx"
	"pgregory.net/rapid"
)

func drawSet(t *rapid.T, name string) (*Set, *netipx.IPSet) {
	var b Builder
	var o netipx.IPSetBuilder
	for range rapid.IntRange(0, 12).Draw(t, name) {
		f := rapid.SampledFrom([]family{famV4, famV6}).Draw(t, "family")
		from := rapid.IntRange(0, small-1).Draw(t, "from")
		to := rapid.IntRange(from, small-1).Draw(t, "to")
		if !b.Add(smallAddr(f, from), smallTo(f, to)) {
			t.Fatal("range refused")
		}
		o.AddRange(netipx.IPRangeFrom(smallAddr(f, from), smallTo(f, to)))
	}
	s, err := o.IPSet()
	if err != nil {
		t.Fatal(err)
	}
	return b.Set(), s
}

func same(t *rapid.T, what string, got *Set, want *netipx.IPSetBuilder) {
	t.Helper()
	w, err := want.IPSet()
	if err != nil {
		t.Fatal(err)
	}
	var prefixes, wantPrefixes, ranges, wantRanges []string
	for p := range got.Prefixes() {
		prefixes = append(prefixes, p.String())
	}
	for _, p := range w.Prefixes() {
		wantPrefixes = append(wantPrefixes, p.String())
	}
	for from, to := range got.Ranges() {
		ranges = append(ranges, pieceKey(from, to))
	}
	for _, r := range w.Ranges() {
		wantRanges = append(wantRanges, r.String())
	}
	if d := cmp.Diff(wantPrefixes, prefixes); d != "" {
		t.Fatalf("%s CIDRs (-netipx +ours):\n%s", what, d)
	}
	if d := cmp.Diff(wantRanges, ranges); d != "" {
		t.Fatalf("%s ranges (-netipx +ours):\n%s", what, d)
	}
}

func oracle(add []*netipx.IPSet, remove ...*netipx.IPSet) *netipx.IPSetBuilder {
	var b netipx.IPSetBuilder
	for _, s := range add {
		b.AddSet(s)
	}
	for _, s := range remove {
		b.RemoveSet(s)
	}
	return &b
}

func TestSetAlgebraAgainstNetipx(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, oa := drawSet(t, "a")
		b, ob := drawSet(t, "b")
		c, oc := drawSet(t, "c")
		same(t, "a", a, oracle([]*netipx.IPSet{oa}))
		same(t, "union", Union(a, b, c), oracle([]*netipx.IPSet{oa, ob, oc}))
		same(t, "except", Except(a, b, c), oracle([]*netipx.IPSet{oa}, ob, oc))
		common := oracle([]*netipx.IPSet{oa})
		common.Intersect(ob)
		common.Intersect(oc)
		same(t, "common", Common(a, b, c), common)
		onlyA, _ := oracle([]*netipx.IPSet{oa}, ob).IPSet()
		onlyB, _ := oracle([]*netipx.IPSet{ob}, oa).IPSet()
		same(t, "diff", Diff(a, b), oracle([]*netipx.IPSet{onlyA, onlyB}))
		if !Equal(Diff(Diff(a, b), b), a) {
			t.Fatal("diff is not its own inverse")
		}
		for _, f := range []family{famV4, famV6} {
			for i := range small {
				if at := smallAddr(f, i); a.Contains(at) != oa.Contains(at) {
					t.Fatalf("Contains(%v) = %v", at, a.Contains(at))
				}
			}
		}
	})
}

// TestSortPacked goes over the size from which the radix sort is used.
func TestSortPacked(t *testing.T) {
	rnd := uint64(7)
	v := make([]uint64, 5000)
	for i := range v {
		rnd = rnd*6364136223846793005 + 1442695040888963407
		v[i] = rnd
	}
	v[17], v[99] = 0, ^uint64(0)
	sum := uint64(0)
	for _, x := range v {
		sum += x
	}
	sortPacked(v)
	for i := 1; i < len(v); i++ {
		if v[i-1]>>32 > v[i]>>32 {
			t.Fatalf("%d: %x before %x", i, v[i-1], v[i])
		}
	}
	for _, x := range v {
		sum -= x
	}
	if sum != 0 {
		t.Fatal("sorting lost a value")
	}
}

const textIn = "\xef\xbb\xbf# a comment\r\n" +
	"10.0.0.1\n" +
	"  10.0.0.2  ; trailing words\n" +
	"\n" +
	"10.0.1.77/24\n" +
	"10.0.2.0/255.255.255.0 # netmask\n" +
	"192.0.2.1 - 192.0.2.6\n" +
	"0.0.0.0\n255.255.255.255/32\n" +
	"2001:db8::1\n2001:DB8::/127\n2001:db8::8-2001:db8::f\n010::1\n" +
	"::ffff:198.51.100.7\n::ffff:203.0.113.9/120\n" +
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

func TestReadText(t *testing.T) {
	s, err := ReadText(strings.NewReader(textIn), func(r Refused) { t.Errorf("refused: %v", r) })
	if err != nil {
		t.Fatal(err)
	}
	var cidrs, ranges bytes.Buffer
	if err := s.WriteCIDRs(&cidrs); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteRanges(&ranges); err != nil {
		t.Fatal(err)
	}
	want := "0.0.0.0\n10.0.0.1\n10.0.0.2\n10.0.1.0/24\n10.0.2.0/24\n192.0.2.1\n192.0.2.2/31\n192.0.2.4/31\n192.0.2.6\n" +
		"255.255.255.255\n::ffff:198.51.100.7\n::ffff:203.0.113.0/120\n10::1\n2001:db8::/127\n2001:db8::8/125\nffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n"
	if d := cmp.Diff(want, cidrs.String()); d != "" {
		t.Errorf("CIDRs (-want +got):\n%s", d)
	}
	want = "0.0.0.0\n10.0.0.1-10.0.0.2\n10.0.1.0-10.0.2.255\n192.0.2.1-192.0.2.6\n" +
		"255.255.255.255\n::ffff:198.51.100.7\n::ffff:203.0.113.0-::ffff:203.0.113.255\n10::1\n2001:db8::-2001:db8::1\n2001:db8::8-2001:db8::f\nffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n"
	if d := cmp.Diff(want, ranges.String()); d != "" {
		t.Errorf("ranges (-want +got):\n%s", d)
	}
}

func TestReadTextRefuses(t *testing.T) {
	cases := map[string]string{
		"example.com": reasonAddress, "10.0.0": reasonAddress, "10.0.0.1 x": reasonAddress, "10.0.0.256": reasonAddress,
		"10.0.0.1/": reasonAddress, "10.0.0.01": reasonZeros, "010.0.0.1": reasonZeros, "10.0.0.1-10.0.0.09": reasonZeros,
		"10.0.0.1/33": reasonPrefix, "10.0.0.1/255.0.255.0": reasonMask, "10.0.0.2-10.0.0.1": reasonReversed,
		"10.0.0.1-2001:db8::1": reasonFamilies, "2001:db8::1-10.0.0.1": reasonFamilies, "fe80::1%eth0": reasonZone,
		"2001:db8::/129": reasonPrefix, "2001:db8::/x": reasonPrefix, "2001:db8::2-2001:db8::1": reasonReversed,
		"-": reasonAddress, "/": reasonAddress, "1.2.3.4/+8": reasonAddress,
		strings.Repeat("1", maxLine+1): reasonLong, "\x00\xff": reasonAddress,
	}
	for text, want := range cases {
		var got []Refused
		s, err := ReadText(strings.NewReader("10.9.9.9\n"+text+"\n10.9.9.8\n"), func(r Refused) { got = append(got, r) })
		if err != nil || len(got) != 1 || got[0].Reason != want || got[0].Line != 2 || s.Len() != 1 {
			t.Errorf("%.40q: refused %v, error %v, want line 2: %s", text, got, err, want)
		}
	}
}

func FuzzReadText(f *testing.F) {
	f.Add([]byte(textIn))
	f.Add([]byte("::1-::1:0:0:00\n::fffe:ffff:ffff-::1:0:0:0"))
	f.Add([]byte("1.2.3.4-1.2.3.9\r\n2001:db8::/32 ;x\n010::1\n1.2.3.4/255.0.0.0"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ReadText(bytes.NewReader(text), func(r Refused) {
			if r.Reason == "" || r.Line < 1 {
				t.Errorf("empty refusal %+v", r)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, write := range []func(*Set, *bytes.Buffer) error{
			func(s *Set, b *bytes.Buffer) error { return s.WriteCIDRs(b) },
			func(s *Set, b *bytes.Buffer) error { return s.WriteRanges(b) },
		} {
			var out bytes.Buffer
			if err := write(s, &out); err != nil {
				t.Fatal(err)
			}
			again, err := ReadText(&out, func(r Refused) { t.Errorf("own output refused: %v", r) })
			if err != nil || !Equal(s, again) {
				t.Fatalf("own output reads as another set (%v)", err)
			}
		}
	})
}

func TestBuilderRefusesNoRange(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	var s Builder
	if s.Add(a, b) || s.Add(netip.Addr{}, a) || s.Add(a, a.Prev()) {
		t.Fatal("took what is no range")
	}
}
