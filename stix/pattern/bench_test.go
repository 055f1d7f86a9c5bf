package pattern

import "testing"

// BenchmarkParse parses the patterns of the official examples, 596 bytes and eleven
// comparisons on average.
func BenchmarkParse(b *testing.B) {
	all := samples(b)
	n, bytes := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range all {
			if _, err := Parse(s.Pattern); err != nil {
				b.Fatal(err)
			}
			n++
			bytes += len(s.Pattern)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "patterns/s")
	b.ReportMetric(float64(bytes)/b.Elapsed().Seconds()/1e6, "MB/s")
}
