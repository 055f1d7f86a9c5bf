package cover

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"github.com/remeld/remeld/indicator"
	"pgregory.net/rapid"
)

func mustParse(t interface{ Fatal(...any) }, kind indicator.Kind, text string) indicator.Indicator {
	i, err := indicator.Parse(kind, text)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// genIndicator draws from a small world, so that values cover each other.
func genIndicator(t *rapid.T) indicator.Indicator {
	name := rapid.SampledFrom([]string{"example.com", "a.example.com", "b.a.example.com", "xexample.com", "example.co.uk", "co.uk", "a.co.uk"}).Draw(t, "name")
	at := func(label string) netip.Addr {
		n := rapid.IntRange(0, 40).Draw(t, label)
		return netip.AddrFrom4([4]byte{10, 0, byte(n % 2), byte(n)})
	}
	switch rapid.IntRange(0, 6).Draw(t, "form") {
	case 0:
		return mustParse(t, indicator.Domain, name)
	case 1:
		return mustParse(t, indicator.URL, rapid.SampledFrom([]string{"http://", ""}).Draw(t, "scheme")+name+"/x")
	case 2:
		return mustParse(t, indicator.URL, "http://"+at("host").String()+"/")
	case 3:
		return mustParse(t, indicator.Email, "u@"+name)
	case 4:
		a := at("address")
		return mustParse(t, indicator.IP, fmt.Sprintf("%s/%d", a, rapid.IntRange(20, 32).Draw(t, "bits")))
	case 5:
		a, b := at("from"), at("to")
		if b.Less(a) {
			a, b = b, a
		}
		return indicator.FromAddrs(a, b)
	}
	return mustParse(t, indicator.IPv6, fmt.Sprintf("2001:db8::%x/%d", rapid.IntRange(0, 9).Draw(t, "low"), rapid.IntRange(120, 128).Draw(t, "bits6")))
}

// The index answers as asking Covers of every value does, through adds and
// removals.
func TestSetAgreesWithCovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		held := map[indicator.Indicator]int{}
		for range rapid.IntRange(0, 40).Draw(t, "changes") {
			i := genIndicator(t)
			if held[i] > 0 && rapid.Bool().Draw(t, "remove") {
				s.Remove(i, "l")
				held[i]--
			} else {
				s.Add(i, "l")
				held[i]++
			}
			if held[i] == 0 {
				delete(held, i)
			}
		}
		if s.Len() != len(held) {
			t.Fatalf("Len %d, want %d", s.Len(), len(held))
		}
		for range 10 {
			compare(t, &s, held, genIndicator(t))
		}
	})
}

func compare(t *rapid.T, s *Set, held map[indicator.Indicator]int, i indicator.Indicator) {
	covering, inside := false, false
	for h := range held {
		covering = covering || indicator.Covers(h, i)
		inside = inside || indicator.Covers(i, h)
	}
	e, ok := s.Covering(i)
	if ok != covering || ok && (!indicator.Covers(e.Indicator, i) || held[e.Indicator] == 0) {
		t.Fatalf("Covering(%v) = %v, %v; want %v of %v", i, e, ok, covering, held)
	}
	e, ok = s.Inside(i)
	if ok != inside || ok && (!indicator.Covers(i, e.Indicator) || held[e.Indicator] == 0) {
		t.Fatalf("Inside(%v) = %v, %v; want %v of %v", i, e, ok, inside, held)
	}
}

func TestLabelsAreCounted(t *testing.T) {
	var s Set
	i := mustParse(t, indicator.Domain, "example.com")
	s.Add(i, "b")
	s.Add(i, "a")
	s.Add(i, "a")
	for _, step := range []struct{ remove, label string }{{"none", "a"}, {"a", "a"}, {"a", "b"}, {"a", "b"}} {
		s.Remove(i, step.remove)
		if e, ok := s.Covering(i); !ok || e.Label != step.label {
			t.Errorf("after removing %s: %v, %v", step.remove, e, ok)
		}
	}
	s.Remove(i, "b")
	if _, ok := s.Covering(i); ok || s.Len() != 0 || len(s.names.children) != 0 {
		t.Errorf("something is left of the set")
	}
}

// A URL protects itself and nothing else.
func TestURLCoversItselfOnly(t *testing.T) {
	var s Set
	s.Add(mustParse(t, indicator.URL, "http://example.com/a"), "l")
	for text, want := range map[string]bool{
		"http://example.com/a": true, "http://example.com/a/b": false, "http://example.com/": false, "https://example.com/a": false,
	} {
		if _, ok := s.Covering(mustParse(t, indicator.URL, text)); ok != want {
			t.Errorf("Covering(%s) = %v", text, ok)
		}
	}
	if _, ok := s.Covering(mustParse(t, indicator.Domain, "example.com")); ok {
		t.Error("a URL covers its host")
	}
}

// SEMANTICS D7: what contains a protected value is found too.
func TestD7_InsideFindsWhatABlockWouldHit(t *testing.T) {
	var s Set
	s.Add(mustParse(t, indicator.IP, "192.0.2.10"), "own")
	s.Add(mustParse(t, indicator.Domain, "mail.corp.example"), "own")
	s.Add(mustParse(t, indicator.URL, "http://198.51.100.7/x"), "own")
	for text, want := range map[string]bool{
		"192.0.2.0/24": true, "192.0.2.0-192.0.2.10": true, "192.0.3.0/24": false, "corp.example": true, "other.example": false, "198.51.100.0/24": true,
	} {
		if _, ok := s.Inside(mustParse(t, indicator.Unknown, text)); ok != want {
			t.Errorf("Inside(%s) = %v", text, ok)
		}
	}
}

func TestReadersMayMeet(t *testing.T) {
	var s Set
	s.Add(mustParse(t, indicator.IP, "10.0.0.1-10.0.0.6"), "l")
	inner := mustParse(t, indicator.IP, "10.0.0.3")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, ok := s.Covering(inner); !ok {
				t.Error("not covered")
			}
		})
	}
	wg.Wait()
}

func BenchmarkSet(b *testing.B) {
	var s Set
	rng := rand.New(rand.NewPCG(1, 2))
	var domains, addrs []indicator.Indicator
	for range 500_000 {
		d := mustParse(b, indicator.Domain, fmt.Sprintf("h%x.example%d.com", rng.Uint32(), rng.IntN(1000)))
		v := rng.Uint32()
		a := mustParse(b, indicator.IPv4, fmt.Sprintf("%d.%d.%d.0/24", v>>24, v>>16&255, v>>8&255))
		s.Add(d, "l")
		s.Add(a, "l")
		if len(domains) < 4096 {
			domains = append(domains, mustParse(b, indicator.Domain, "www."+d.Value))
			addrs = append(addrs, mustParse(b, indicator.IPv4, fmt.Sprintf("%d.%d.%d.7", v>>24, v>>16&255, v>>8&255)))
		}
	}
	for _, c := range []struct {
		name string
		ask  []indicator.Indicator
	}{{"domain", domains}, {"address", addrs}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, ok := s.Covering(c.ask[n%len(c.ask)]); !ok {
					b.Fatal("not covered")
				}
				n++
			}
		})
	}
}
