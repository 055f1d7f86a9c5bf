package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/store/pebblestore"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// lines is a source over generated lines: 70 % domains, 20 % IPv4, 10 % sha256.
// Two goroutines parse it, as a line format does.
type lines struct{ body []byte }

func generateLines(n int) *lines {
	rnd := rand.New(rand.NewPCG(1, 7))
	tlds := []string{"com", "net", "org", "info", "ru", "xyz", "top", "de"}
	var b []byte
	for range n {
		switch r := rnd.IntN(10); {
		case r < 7:
			b = fmt.Appendf(b, "h%d.%x.%s\n", rnd.IntN(100), rnd.Uint32(), tlds[min(rnd.IntN(16), 7)])
		case r < 9:
			v := rnd.Uint32()
			b = fmt.Appendf(b, "%d.%d.%d.%d\n", 1+v>>24%220, v>>16&255, v>>8&255, v&255)
		default:
			b = fmt.Appendf(b, "%016x%016x%016x%016x\n", rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64())
		}
	}
	return &lines{b}
}

// shuffled returns the same lines in another order.
func (l *lines) shuffled() *lines {
	all := strings.SplitAfter(strings.TrimSuffix(string(l.body), "\n"), "\n")
	all[len(all)-1] += "\n"
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return &lines{[]byte(strings.Join(all, ""))}
}

func (l *lines) Info() sdk.SourceInfo { return sdk.SourceInfo{Shape: sdk.Snapshot, Origin: "bench"} }

func (l *lines) Poll(_ context.Context, _ []byte, out sdk.Sink) (sdk.Poll, error) {
	half := len(l.body) / 2
	for half < len(l.body) && l.body[half-1] != '\n' {
		half++
	}
	var wg sync.WaitGroup
	errs := [2]error{}
	for i, part := range [][]byte{l.body[:half], l.body[half:]} {
		sink := out.Fork()
		wg.Go(func() { errs[i] = addLines(part, sink) })
	}
	wg.Wait()
	if errs[0] != nil {
		return sdk.Poll{}, errs[0]
	}
	return sdk.Poll{}, errs[1]
}

func addLines(b []byte, sink sdk.Sink) error {
	var key []byte
	for n, start := 1, 0; start < len(b); n++ {
		end := start
		for b[end] != '\n' {
			end++
		}
		var why *indicator.Refusal
		key, why = indicator.AppendKey(key[:0], indicator.Unknown, b[start:end])
		start = end + 1
		if why != nil {
			sink.Refuse(n, why)
			continue
		}
		if err := sink.Add(key, nil); err != nil {
			return err
		}
	}
	return nil
}

const benchLines = 5_000_000

func benchEngine(b *testing.B, src sdk.Source) *Engine {
	b.Helper()
	s, err := pebblestore.Open(b.TempDir(), pebblestore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	clock := sdktest.NewClock(time.Time{})
	conds, err := condition.Open(b.Context(), s, clock)
	if err != nil {
		b.Fatal(err)
	}
	e, err := New(b.Context(), Deps{Store: s, Clock: clock, Conditions: conds, Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	spec := source("a", nil)
	spec.Build = func() (any, error) { return src, nil }
	spec.Source.Age.FirstSeen = 24 * 365 * time.Hour
	if err := e.Apply(b.Context(), []NodeSpec{spec}); err != nil {
		b.Fatal(err)
	}
	return e
}

func benchPoll(b *testing.B, e *Engine) PollReport {
	b.Helper()
	r, err := e.PollNow(b.Context(), "a")
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// peak reports the process's VmHWM.
func peak(b *testing.B) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	var kb float64
	for line := range strings.Lines(string(data)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
			b.ReportMetric(kb/1024, "MB-peak")
		}
	}
}

func BenchmarkFirstLoad(b *testing.B) {
	src := generateLines(benchLines)
	for b.Loop() {
		b.StopTimer()
		e := benchEngine(b, src)
		b.StartTimer()
		if r := benchPoll(b, e); r.New < benchLines/2 {
			b.Fatalf("%+v", r)
		}
	}
	peak(b)
}

func BenchmarkPollAgain(b *testing.B) {
	src := generateLines(benchLines)
	e := benchEngine(b, src)
	benchPoll(b, e)
	again := src.shuffled()
	src.body = again.body
	n, err := e.node("a")
	if err != nil {
		b.Fatal(err)
	}
	for _, merged := range []bool{true, false} {
		name := "same-digest"
		if merged {
			name = "merged" // as when a single row changed: sort and one pass over the table
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if merged {
					n.digest = pollDigest{}
				}
				if r := benchPoll(b, e); r.New+r.Changed+r.Missing != 0 {
					b.Fatalf("%+v", r)
				}
			}
			peak(b)
		})
	}
}
