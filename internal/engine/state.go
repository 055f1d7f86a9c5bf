package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// docSpace holds one document a node, key "node/NAME".
const docSpace = "doc"

// state is the durable document of a node. A *state that was published is not
// changed any more: a commit takes a copy, and publishes it when it is durable.
type state struct {
	// What the node was when it was last applied.
	Role        string   `json:"role"`
	Class       string   `json:"class"`
	Origin      string   `json:"origin,omitempty"`
	Fingerprint string   `json:"fingerprint"`
	Login       string   `json:"login,omitempty"`
	Inputs      []string `json:"inputs,omitempty"`
	Allow       []string `json:"allow,omitempty"`
	Guarding    bool     `json:"guarding,omitempty"`
	Protect     bool     `json:"protect,omitempty"`

	Rows    int64 `json:"rows"` // all rows of the table
	Dropped int64 `json:"dropped,omitempty"`
	Aged    int64 `json:"aged,omitempty"`
	Missing int64 `json:"missing,omitempty"`
	// Gone is at least the number of notes on explicit removals.
	Gone      int64 `json:"gone,omitempty"`
	GoneSwept int64 `json:"goneSwept,omitempty"`

	Poll pollState `json:"poll"`
	Step stepState `json:"step"`

	// Marks are heads of the log by day, for trimming by age.
	Marks []logMark `json:"marks,omitempty"`
}

type logMark struct {
	At   int64  `json:"at"`
	Head uint64 `json:"head"`
}

// pollState is what a source remembers.
type pollState struct {
	// Accepted counts accepted complete polls; rows count absences by it.
	Accepted     uint64 `json:"accepted"`
	LastComplete int64  `json:"lastComplete,omitempty"` // of the last accepted one
	LastAttempt  int64  `json:"lastAttempt,omitempty"`
	LastEnd      int64  `json:"lastEnd,omitempty"`
	Next         []byte `json:"next,omitempty"`    // the source's own state
	NextFor      string `json:"nextFor,omitempty"` // the fingerprint it belongs to
	// Judged: there was a complete poll since the node was (re)created.
	Judged    bool        `json:"judged,omitempty"`
	Failures  int         `json:"failures,omitempty"`
	Error     string      `json:"error,omitempty"`
	Failure   sdk.Failure `json:"failure,omitempty"`
	RetryAt   int64       `json:"retryAt,omitempty"`
	Baseline  []dayMax    `json:"baseline,omitempty"`
	Frozen    *frozen     `json:"frozen,omitempty"`
	AcceptID  string      `json:"acceptID,omitempty"`
	Applying  *pollRecord `json:"applying,omitempty"`
	StaleDone bool        `json:"staleDone,omitempty"`
	// Torn: the table holds something of a poll that was not accepted, or only a
	// part of one that was; "not modified" does not confirm that (SEMANTICS E3).
	Torn bool `json:"torn,omitempty"`
	// Moved: another thing is read, or by another class; what its first complete
	// poll does not list goes with it (SEMANTICS E11).
	Moved bool `json:"moved,omitempty"`
	// Rejudge: conditions or ages changed, so the rows must be judged again.
	Rejudge bool       `json:"rejudge,omitempty"`
	Last    PollReport `json:"last"`
}

// dayMax is the largest accepted set of a day (SEMANTICS E7).
type dayMax struct {
	Day  int64 `json:"day"`
	Rows int64 `json:"rows"`
}

// frozen says that a complete poll was not accepted.
type frozen struct {
	ID       string `json:"id"`
	Since    int64  `json:"since"`
	Rows     int64  `json:"rows"` // what the poll listed
	Was      int64  `json:"was"`  // the baseline
	Agreeing int    `json:"agreeing"`
}

// pollRecord is a verdict whose application has begun (SEMANTICS E3).
type pollRecord struct {
	At       int64 `json:"at"`
	Accepted bool  `json:"accepted"`
}

// stepState is what a reader remembers.
type stepState struct {
	Cursors map[string]uint64 `json:"cursors,omitempty"` // of each input's log, allow edges too
	Rebuild *rebuild          `json:"rebuild,omitempty"`
	// AllowReady names the allow edges that had one complete poll (SEMANTICS E10).
	AllowReady map[string]bool `json:"allowReady,omitempty"`
	// Lifting names the allow edges whose mark rows of the node may carry.
	Lifting []string `json:"lifting,omitempty"`
}

// rebuild is an outer merge under way (SEMANTICS E2).
type rebuild struct {
	Why   string            `json:"why"`
	Heads map[string]uint64 `json:"heads,omitempty"` // nil until it began
	Key   []byte            `json:"key,omitempty"`   // done up to here
	// Lifted names the allow edge that shrank beyond recall: what becomes visible
	// is marked (SEMANTICS E10).
	Lifted string `json:"lifted,omitempty"`
}

func docKey(name string) []byte { return []byte("node/" + name) }

// loadState reads a node's document, nil if there is none.
func loadState(ctx context.Context, v store.View, name string) (*state, error) {
	data, err := v.Get(ctx, docSpace, docKey(name))
	if err != nil || data == nil {
		return nil, err
	}
	st := new(state)
	if err := json.Unmarshal(data, st); err != nil {
		return nil, fmt.Errorf("read the state of node %s: %w", name, err)
	}
	return st, nil
}

// clone returns a copy that may be changed.
func (s *state) clone() *state {
	c := *s
	c.Step.Cursors = copyMap(s.Step.Cursors)
	c.Step.AllowReady = copyMap(s.Step.AllowReady)
	c.Poll.Baseline = append([]dayMax(nil), s.Poll.Baseline...)
	c.Marks = append([]logMark(nil), s.Marks...)
	if s.Step.Rebuild != nil {
		r := *s.Step.Rebuild
		c.Step.Rebuild = &r
	}
	if s.Poll.Frozen != nil {
		f := *s.Poll.Frozen
		c.Poll.Frozen = &f
	}
	return &c
}

func copyMap[V any](m map[string]V) map[string]V {
	c := make(map[string]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

// present is how many rows the source listed when it was last read whole.
func (s *state) present() int64 { return max(0, s.Rows-s.Missing) }

// baseline is the largest accepted set of the last 7 days.
func (p *pollState) baseline() int64 {
	var most int64
	for _, d := range p.Baseline {
		most = max(most, d.Rows)
	}
	return most
}

const (
	day          = 24 * time.Hour
	baselineDays = 7
)

// note adds an accepted set to the baseline.
func (p *pollState) note(now time.Time, rows int64) {
	today := now.Unix() / int64(day/time.Second)
	keep := p.Baseline[:0]
	for _, d := range p.Baseline {
		if d.Day > today-baselineDays && d.Day != today {
			keep = append(keep, d)
		} else if d.Day == today {
			rows = max(rows, d.Rows)
		}
	}
	p.Baseline = append(keep, dayMax{today, rows})
}
