package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// lines is a source over a generated file: 70 % domains, 20 % IPv4, 10 % sha256.
// Two goroutines parse it, as a line format does.
type lines struct{ path string }

// line appends the n-th line of the list.
func line(b []byte, n int) []byte {
	tlds := [...]string{"com", "net", "org", "info", "ru", "xyz", "top", "de"}
	rnd := rand.New(rand.NewPCG(uint64(n), 7))
	switch r := rnd.IntN(10); {
	case r < 7:
		return fmt.Appendf(b, "h%d.%x.%s\n", rnd.IntN(100), rnd.Uint32(), tlds[min(rnd.IntN(16), 7)])
	case r < 9:
		v := rnd.Uint32()
		return fmt.Appendf(b, "%d.%d.%d.%d\n", 1+v>>24%220, v>>16&255, v>>8&255, v&255)
	}
	return fmt.Appendf(b, "%016x%016x%016x%016x\n", rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64())
}

// generate writes n lines in one of many orders.
func (l *lines) generate(b *testing.B, n, order int) {
	b.Helper()
	f, err := os.Create(l.path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	step := []int{1, 2_750_159, 1_299_709}[order] // primes: each order is a permutation
	var buf []byte
	for i := range n {
		buf = line(buf[:0], i*step%n)
		if _, err := w.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
}

func (l *lines) Info() sdk.SourceInfo { return sdk.SourceInfo{Shape: sdk.Snapshot, Origin: "bench"} }

func (l *lines) Poll(_ context.Context, _ []byte, out sdk.Sink) (sdk.Poll, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return sdk.Poll{}, err
	}
	defer f.Close()
	blocks, free := make(chan []byte, 4), make(chan []byte, 8)
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i := range errs {
		sink := out.Fork()
		wg.Go(func() {
			for b := range blocks {
				if errs[i] == nil {
					errs[i] = addLines(b, sink)
				}
				select {
				case free <- b[:0]:
				default:
				}
			}
		})
	}
	err = readBlocks(f, blocks, free)
	wg.Wait()
	return sdk.Poll{}, errors.Join(err, errs[0], errs[1])
}

// readBlocks cuts a file into blocks of whole lines.
func readBlocks(r io.Reader, blocks chan<- []byte, free <-chan []byte) error {
	defer close(blocks)
	const size = 256 << 10
	var rest []byte
	for {
		var b []byte
		select {
		case b = <-free:
		default:
			b = make([]byte, 0, size+4096)
		}
		b = append(b, rest...)
		n, err := io.ReadFull(r, b[len(b):size])
		b = b[:len(b)+n]
		end := bytes.LastIndexByte(b, '\n') + 1
		rest = append(rest[:0], b[end:]...)
		blocks <- b[:end]
		if err != nil {
			return nil
		}
	}
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
	b.Helper()
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
	src := &lines{filepath.Join(b.TempDir(), "list")}
	src.generate(b, benchLines, 0)
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

// BenchmarkPollAgain polls the list in another order. "merged" is the full way, as
// when a single row changed: sort and one pass over the table; "digest" is what a
// poll costs that says the same as the one before.
func BenchmarkPollAgain(b *testing.B) {
	src := &lines{filepath.Join(b.TempDir(), "list")}
	src.generate(b, benchLines, 0)
	e := benchEngine(b, src)
	benchPoll(b, e)
	n, err := e.node("a")
	if err != nil {
		b.Fatal(err)
	}
	order := 0
	for _, way := range []string{"merged", "digest"} {
		b.Run(way, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				order++
				src.generate(b, benchLines, order%3)
				if way == "merged" {
					n.digest = pollDigest{}
				}
				b.StartTimer()
				if r := benchPoll(b, e); r.New+r.Changed+r.Missing != 0 {
					b.Fatalf("%+v", r)
				}
			}
			peak(b)
		})
	}
}

// BenchmarkBootstrap fills a destination's table from a source of a million rows.
func BenchmarkBootstrap(b *testing.B) {
	src := &lines{filepath.Join(b.TempDir(), "list")}
	src.generate(b, 1_000_000, 0)
	for b.Loop() {
		b.StopTimer()
		e := benchEngine(b, src)
		benchPoll(b, e)
		spec := source("a", nil)
		spec.Build = func() (any, error) { return src, nil }
		spec.Source.Age.FirstSeen = 24 * 365 * time.Hour
		if err := e.Apply(b.Context(), []NodeSpec{spec, reader("edl", sdk.RoleFeed, "a")}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := e.Settle(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	peak(b)
}
