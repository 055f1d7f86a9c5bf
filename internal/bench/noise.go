package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

const (
	// tooMuch is the share of the machine that others may take during a round.
	tooMuch = 0.15
	// retries is how often a disturbed measurement is repeated.
	retries = 3
	// patience is how long a whole run waits for a quiet machine, all together.
	patience = 2 * time.Minute
	probe    = 500 * time.Millisecond
)

// noise is what other programs did to the measurements.
type noise struct {
	waited   time.Duration
	repeated int     // measurements taken again
	worst    float64 // share of the machine taken during one that counts
}

// ticks is the machine's busy time so far in seconds, all processors together,
// time stolen by the host included; 0 where /proc is not there.
func ticks() float64 {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(data), "\n")
	var user, nice, system, idle, wait, irq, soft, steal float64
	if _, err := fmt.Sscanf(line, "cpu %f %f %f %f %f %f %f %f", &user, &nice, &system, &idle, &wait, &irq, &soft, &steal); err != nil {
		return 0
	}
	return (user + nice + system + irq + soft + steal) / 100
}

// quiet waits until others leave the machine alone, while there is patience left.
func (n *noise) quiet(ctx context.Context) {
	for n.waited < patience && ctx.Err() == nil {
		before := ticks()
		time.Sleep(probe)
		n.waited += probe
		if share(ticks()-before, probe.Seconds()) < tooMuch {
			return
		}
	}
}

func share(busy, seconds float64) float64 {
	return busy / (seconds * float64(runtime.NumCPU()))
}

// undisturbed takes a measurement, again while others disturb it; of those that
// were all disturbed the quietest counts.
func (s *session) undisturbed(ctx context.Context, take func() (sample, error)) (sample, error) {
	var best sample
	for try := range retries {
		if err := ctx.Err(); err != nil {
			return sample{}, err
		}
		if !s.quick {
			s.noise.quiet(ctx)
		}
		before, begun := ticks(), time.Now()
		got, err := take()
		if err != nil {
			return sample{}, err
		}
		// The whole process counts as ours, its preparation too.
		busy := ticks() - before - got.Total
		got.Foreign = max(0, share(busy, time.Since(begun).Seconds()))
		if try == 0 || got.Foreign < best.Foreign {
			best = got
		}
		if best.Foreign < tooMuch || s.quick {
			break
		}
		s.noise.repeated++
	}
	s.noise.worst = max(s.noise.worst, best.Foreign)
	return best, nil
}
