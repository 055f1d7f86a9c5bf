package format

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// nothing is a sink that keeps nothing: what is measured is the reading.
type nothing struct{}

func (nothing) Add([]byte, *indicator.Attributes) error { return nil }
func (nothing) Remove([]byte) error                     { return nil }
func (nothing) Refuse(int, *indicator.Refusal)          {}
func (nothing) Fork() sdk.Sink                          { return nothing{} }

// list generates first-token lines: 70 % domains, 20 % IPv4, 10 % SHA-256.
func list(lines int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	tlds := []string{"com", "net", "org", "info", "ru", "xyz", "top"}
	for i := range lines {
		switch n := r.IntN(10); {
		case n < 7:
			fmt.Fprintf(&b, "%s%d.example%d.%s\n", []string{"www.", "cdn-", "mail.a."}[n%3], i, r.IntN(100000), tlds[r.IntN(len(tlds))])
		case n < 9:
			fmt.Fprintf(&b, "%d.%d.%d.%d\n", 1+r.IntN(223), r.IntN(256), r.IntN(256), r.IntN(256))
		default:
			fmt.Fprintf(&b, "%x\n", sha256.Sum256(b.Bytes()[max(0, b.Len()-20):]))
		}
	}
	return b.Bytes()
}

func benchmark(b *testing.B, o Options, body []byte, lines int) {
	b.Helper()
	p, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if res, err := p.Parse(context.Background(), bytes.NewReader(body), nothing{}); err != nil || res.Refused > 0 {
			b.Fatal(res, err)
		}
	}
	perSecond := float64(lines) * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(perSecond, "lines/s")
	b.ReportMetric(perSecond/float64(runtime.GOMAXPROCS(0)), "lines/s/core")
}

func BenchmarkLine(b *testing.B) {
	const lines = 1_000_000
	benchmark(b, Defaults(), list(lines), lines)
}

func BenchmarkLineRegexp(b *testing.B) {
	const lines = 200_000
	body := bytes.ReplaceAll(list(lines), []byte("\n"), []byte("\t5\n"))
	o := with(func(o *Options) { o.Line = `^(?P<indicator>\S+)\s+(?P<lists>\d+)` })
	benchmark(b, o, body, lines)
}

func BenchmarkCSV(b *testing.B) {
	const lines = 200_000
	body := bytes.ReplaceAll(list(lines), []byte("\n"), []byte(",x,80\n"))
	o := with(func(o *Options) {
		o.CSV = &CSV{Columns: []Column{{Index: 1}}, Fields: map[string]string{"confidence": "3"}}
	})
	benchmark(b, o, body, lines)
}

func BenchmarkJSON(b *testing.B) {
	const lines = 200_000
	var body bytes.Buffer
	body.WriteString(`{"data":[`)
	for i, l := range bytes.Split(bytes.TrimSpace(list(lines)), []byte("\n")) {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"ioc":%q,"score":80,"note":"some words about it"}`, l)
	}
	body.WriteString(`]}`)
	o := with(func(o *Options) {
		o.JSON = &JSON{Items: "data[]", Values: []Value{{Path: "ioc"}}, Fields: map[string]string{"confidence": "score"}}
	})
	benchmark(b, o, body.Bytes(), lines)
}

func TestFirstWordDoesNotAllocate(t *testing.T) {
	body := list(2000)
	p, err := New(Defaults())
	if err != nil {
		t.Fatal(err)
	}
	r := bytes.NewReader(body)
	perRun := testing.AllocsPerRun(5, func() {
		r.Reset(body)
		if _, err := p.Parse(context.Background(), r, nothing{}); err != nil {
			t.Error(err)
		}
	})
	if perRun > 40 { // set-up of one parse; none a line
		t.Errorf("%.0f allocations for 2,000 lines", perRun)
	}
}
