package main

import (
	"context"
	"fmt"
	"os"
)

// sizes are the inputs' sizes.
type sizes struct {
	lines    int // of the list
	ranges   int // of the list of addresses
	segments int
	records  int // desired by the planned destination
	edl      int // rows of the feed
	listed   int // entries of the generated warninglist

	defender, sentinel, graph int // indicators that fill a door
	patterns                  int // milliseconds of parsing in a round
	bulk                      int // indicators in ThreatConnect
}

var (
	full  = sizes{lines: 5_000_000, ranges: 1_000_000, segments: 1_000_000, records: 1_000_000, edl: 1_000_000, listed: 100_000, defender: 60_000, sentinel: 100_000, graph: 20_000, patterns: 1000, bulk: 500_000}
	small = sizes{lines: 10_000, ranges: 10_000, segments: 10_000, records: 5_000, edl: 5_000, listed: 1_000, defender: 1_000, sentinel: 500, graph: 500, patterns: 200, bulk: 3_000}
)

// session is one run of the program.
type session struct {
	options
	dir   string
	size  sizes
	noise noise
}

// bench is one thing that can be measured by name.
type bench struct {
	name, about string
	measure     func(ctx context.Context, s *session) ([]row, error)
}

var suite []bench

func init() { // a variable would refer to itself through the names in the flags
	suite = []bench{
		{"poll", "re-poll of a shuffled list with nothing changed, against sort -u", benchPoll},
		{"polls", "one process polling again, and with one line changed", benchPolls},
		{"load", "first load of a list, durable, with expiry index, against sort -u", benchLoad},
		{"collapse", "remeld ip collapse of mixed IPv4 lines, against iprange", benchCollapse},
		{"toggle", "segments loaded, one /8 toggled", benchToggle},
		{"plan", "warm plan over desired records with TQL and warninglists", benchPlan},
		{"doors", "first loads of Defender, Sentinel and Graph against a perfect sender, on the sandbox's clock", benchDoors},
		{"patterns", "STIX patterns of the official examples, parsed", benchPatterns},
		{"bulk", "a job of many indicators in ThreatConnect to a full Defender, against its pages alone", benchBulk},
		{"edl", "body of a feed, first and repeated", benchEDL},
	}
}

func suiteNames() []string {
	return []string{"poll", "polls", "load", "collapse", "toggle", "plan", "doors", "patterns", "bulk", "edl"}
}

// rounds runs ours and the rival's measurement alternately, the rival first in
// every second round; a round that other programs disturbed is repeated.
func (s *session) rounds(ctx context.Context, name string, ours, rival func(round int) (sample, error)) (us, them []sample, err error) {
	for round := range s.runs {
		u, t, err := s.round(ctx, name, round, ours, rival)
		if err != nil {
			return nil, nil, err
		}
		us = append(us, u)
		if rival != nil {
			them = append(them, t)
		}
	}
	return us, them, nil
}

func (s *session) round(ctx context.Context, name string, round int, ours, rival func(int) (sample, error)) (u, t sample, err error) {
	take := func(fn func(int) (sample, error)) (sample, error) {
		if fn == nil {
			return sample{}, nil
		}
		return s.undisturbed(ctx, func() (sample, error) { return fn(round) })
	}
	if round%2 == 0 {
		if t, err = take(rival); err != nil {
			return u, t, err
		}
	}
	if u, err = take(ours); err != nil {
		return u, t, err
	}
	if round%2 == 1 {
		t, err = take(rival)
	}
	fmt.Fprintf(os.Stderr, "  %s %d/%d: %s", name, round+1, s.runs, u)
	if rival != nil {
		fmt.Fprintf(os.Stderr, "; rival %s", t)
	}
	fmt.Fprintln(os.Stderr)
	return u, t, err
}
