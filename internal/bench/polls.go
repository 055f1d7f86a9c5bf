package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

const (
	memoryLimit = 600e6
	listName    = "list.txt"
)

// listAge gives the source an expiry index.
const listAge = 30 * 24 * time.Hour

// bodies makes the two orders of the list, once a session.
func (s *session) bodies() (one, other string, err error) {
	one, other = filepath.Join(s.dir, "list-1.txt"), filepath.Join(s.dir, "list-2.txt")
	if _, err := os.Stat(other); err == nil {
		return one, other, nil
	}
	return lists(s.dir, s.size.lines)
}

func benchLoad(ctx context.Context, s *session) ([]row, error) {
	one, _, err := s.bodies()
	if err != nil {
		return nil, err
	}
	ours := func(int) (got sample, err error) {
		dir := filepath.Join(s.dir, "load")
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		return s.child(ctx, job{Measure: "load", Dir: dir, Body: one})
	}
	target := filepath.Join(s.dir, "sorted.txt")
	rival := func(int) (sample, error) { return s.sortUnique(ctx, one, target) }
	us, them, err := s.rounds(ctx, "load", ours, rival)
	if err != nil {
		return nil, err
	}
	rows := []row{
		against("b", "first load, durable, expiry index", us, them, wall, "wall", 3),
		memory("c", "first load, peak memory", us, them),
	}
	dir := filepath.Join(s.dir, "load")
	return rows, errors.Join(s.explain(ctx, rows, job{Measure: "load", Dir: dir, Body: one}), os.RemoveAll(dir))
}

func benchPoll(ctx context.Context, s *session) ([]row, error) {
	one, other, dir, err := s.loaded(ctx)
	if err != nil {
		return nil, err
	}
	// Each round takes the body the round before did not.
	do := func(round int) job {
		j := job{Measure: "poll", Dir: dir, Body: other}
		if round%2 == 1 {
			j.Body = one
		}
		return j
	}
	ours := func(round int) (sample, error) { return s.child(ctx, do(round)) }
	rival := func(int) (sample, error) { return s.sortUnique(ctx, other, "") }
	us, them, err := s.rounds(ctx, "poll", ours, rival)
	if err != nil {
		return nil, err
	}
	rows := []row{
		against("a", "re-poll, shuffled, nothing changed: parsed, sorted, merged with the table", us, them, wall, "wall", 1),
		memory("c", "re-poll, peak memory", us, them),
	}
	return rows, errors.Join(s.explain(ctx, rows, do(s.runs)), os.RemoveAll(dir))
}

// loaded is a store with the list in it.
func (s *session) loaded(ctx context.Context) (one, other, dir string, err error) {
	if one, other, err = s.bodies(); err != nil {
		return one, other, "", err
	}
	dir = filepath.Join(s.dir, "poll")
	_, err = s.child(ctx, job{Measure: "load", Dir: dir, Body: one})
	return one, other, dir, err
}

// benchPolls measures a process that goes on polling. It is no line of its own.
func benchPolls(ctx context.Context, s *session) ([]row, error) {
	one, other, dir, err := s.loaded(ctx)
	if err != nil {
		return nil, err
	}
	// A round ends with the body it found there, so that every one polls the other.
	j := job{Measure: "polls", Dir: dir, Body: other, Other: one}
	us, them, err := s.rounds(ctx, "polls", func(int) (sample, error) { return s.child(ctx, j) },
		func(int) (sample, error) { return s.sortUnique(ctx, other, "") })
	if err != nil {
		return nil, err
	}
	rows := []row{memory("c", "four polls in one process, one after the other, peak memory", us, them)}
	for _, m := range []struct{ name, what string }{
		{"again", "the second re-poll of a process (sum of the items' hashes, no sorting)"}, {"changed", "a re-poll with one line more"},
	} {
		got := ratioBy(us, value(m.name), them, wall)
		rows = append(rows, row{line: "a", what: m.what, ours: seconds(medianOf(us, value(m.name))), rival: seconds(medianOf(them, wall)), ratio: ratio(got)})
	}
	return rows, errors.Join(s.explain(ctx, rows, j), os.RemoveAll(dir))
}
