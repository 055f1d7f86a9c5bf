package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/remeld/remeld/internal/ipset"
)

// benchCollapse measures whole processes by their user time.
func benchCollapse(ctx context.Context, s *session) ([]row, error) {
	what := "ip collapse of mixed IPv4 lines, user time"
	if !installed("iprange") {
		return []row{{line: "d", what: what, rival: "iprange is not installed (apt-get install iprange)", limit: "0.60", verdict: "not measured"}}, nil
	}
	list, tool := filepath.Join(s.dir, "ranges.txt"), filepath.Join(s.dir, "remeld")
	if err := mixedIPv4(list, s.size.ranges); err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", tool, "./cmd/remeld")
	build.Dir, build.Env = s.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build remeld: %w: %s", err, out)
	}
	mine, theirs := filepath.Join(s.dir, "ours.txt"), filepath.Join(s.dir, "theirs.txt")
	ours := func(int) (sample, error) { return s.outputTo(ctx, mine, tool, "ip", "collapse", list) }
	rival := func(int) (sample, error) { return s.outputTo(ctx, theirs, "iprange", list) }
	us, them, err := s.rounds(ctx, "collapse", ours, rival)
	if err != nil {
		return nil, err
	}
	if err := same(mine, theirs); err != nil {
		return nil, err
	}
	return []row{against("d", what+" (identical output)", us, them, user, "user", 0.6)}, nil
}

func (s *session) outputTo(ctx context.Context, path, name string, args ...string) (got sample, err error) {
	f, err := os.Create(path)
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return program(ctx, f, nil, name, args...)
}

// same insists that two programs said the same, byte for byte.
func same(mine, theirs string) error {
	a, err := os.ReadFile(mine)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(theirs)
	if err != nil {
		return err
	}
	if len(a) == 0 || !bytes.Equal(a, b) {
		return fmt.Errorf("the sets differ: ours has %d lines, iprange's %d", bytes.Count(a, []byte("\n")), bytes.Count(b, []byte("\n")))
	}
	return nil
}

func benchToggle(ctx context.Context, s *session) ([]row, error) {
	us, _, err := s.rounds(ctx, "toggle", func(int) (sample, error) {
		return s.child(ctx, job{Measure: "toggle", Size: s.size.segments})
	}, nil)
	if err != nil {
		return nil, err
	}
	r := under("d", "segments loaded and one /8 inserted and removed over them", medianOf(us, wall), 2)
	r.notes = fmt.Sprintf("load %s, toggle %s, %.0f pieces delivered",
		seconds(medianOf(us, value("load"))), seconds(medianOf(us, value("toggle"))), medianOf(us, value("pieces")))
	rows := []row{r}
	return rows, s.explain(ctx, rows, job{Measure: "toggle", Size: s.size.segments})
}

// childToggle loads segments that all lie in 10.0.0.0/8, so that the toggle
// touches every one.
func childToggle(_ context.Context, j job, m *watch) error {
	segs := segments(j.Size)
	var pieces int
	_, err := m.time(func() error {
		c := ipset.NewClaims()
		begun := time.Now()
		if err := c.Load(segs); err != nil {
			return err
		}
		m.sample.Values["load"] = time.Since(begun).Seconds()
		all := ipset.Claim{From: netip.MustParseAddr("10.0.0.0"), To: netip.MustParseAddr("10.255.255.255"), ID: 1 << 30}
		for _, op := range []ipset.Op{ipset.Insert, ipset.Remove} {
			if err := c.Do(ipset.Change{Op: op, Claim: all}, func(ipset.Piece) { pieces++ }); err != nil {
				return err
			}
		}
		return nil
	})
	m.sample.Values["toggle"] = m.sample.Wall - m.sample.Values["load"]
	m.sample.Values["pieces"] = float64(pieces)
	return err
}

func segments(n int) []ipset.Claim {
	r := rand.New(rand.NewPCG(seed, 3))
	addr := func(a uint32) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
	}
	out := make([]ipset.Claim, n)
	for i := range out {
		from := 10<<24 | r.Uint32N(1<<24)
		out[i] = ipset.Claim{From: addr(from), To: addr(min(from+r.Uint32N(8), 11<<24-1)), ID: uint32(i)}
	}
	return out
}
