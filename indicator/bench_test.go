package indicator

import (
	"fmt"
	"testing"
)

// BenchmarkAppendKey is the hot path of a poll: one line of a list.
func BenchmarkAppendKey(b *testing.B) {
	for _, c := range []struct {
		name string
		kind Kind
		text string
	}{
		{"domain", Domain, "mail-google-login.blogspot.com"},
		{"domain/detect", Unknown, "mail-google-login.blogspot.com"},
		{"ipv4", IPv4, "198.51.100.207"},
		{"ipv4/detect", Unknown, "198.51.100.207"},
		{"sha256", SHA256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"sha256/detect", Unknown, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"ipv6", IPv6, "2001:db8::1:0:0:1"},
		{"url", URL, "http://www.example.com/a/b?c=d"},
		{"idn", Domain, "bücher.example"},
	} {
		b.Run(c.name, func(b *testing.B) {
			text, dst := []byte(c.text), make([]byte, 0, 512)
			b.ReportAllocs()
			for b.Loop() {
				var fault *Refusal
				if dst, fault = AppendKey(dst[:0], c.kind, text); fault != nil {
					b.Fatal(fault)
				}
			}
		})
	}
}

// BenchmarkAppendKeyMixed walks many different values, as a list does: branches
// are not learnt.
func BenchmarkAppendKeyMixed(b *testing.B) {
	var lines [][]byte
	for n := range 1 << 16 {
		switch h := uint32(n) * 2654435761; {
		case n%10 < 7:
			lines = append(lines, fmt.Appendf(nil, "h%x.d%x-x.example%d.com", h%1000, h, h%7))
		case n%10 < 9:
			lines = append(lines, fmt.Appendf(nil, "%d.%d.%d.%d", h>>24, h>>16&255, h>>8&255, h&255))
		default:
			lines = append(lines, fmt.Appendf(nil, "%064x", uint64(h)*0x9E3779B97F4A7C15))
		}
	}
	dst := make([]byte, 0, 512)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		dst, _ = AppendKey(dst[:0], Unknown, lines[n&(1<<16-1)])
		n++
	}
}

func BenchmarkAttributes(b *testing.B) {
	a := &Attributes{Confidence: Known(80), TLP: Green, Tags: []string{"c2", "malware"}, Sources: []string{"ipsum"}}
	b.Run("append", func(b *testing.B) {
		dst := make([]byte, 0, 256)
		b.ReportAllocs()
		for b.Loop() {
			dst = a.AppendBinary(dst[:0])
		}
	})
	data := a.AppendBinary(nil)
	b.Run("unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		var out Attributes
		for b.Loop() {
			if err := out.UnmarshalBinary(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("merge", func(b *testing.B) {
		in := []Contribution{{0, a}, {1, &Attributes{Confidence: Known(50), Description: "d", Sources: []string{"tc"}}}}
		b.ReportAllocs()
		for b.Loop() {
			Merge(nil, in)
		}
	})
}

func BenchmarkCovers(b *testing.B) {
	outer, _ := Parse(Domain, "example.com")
	inner, _ := Parse(URL, "http://www.example.com/x")
	for b.Loop() {
		Covers(outer, inner)
	}
}
