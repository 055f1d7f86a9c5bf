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
func (s *session) bodies(ctx context.Context) (one, other string, err error) {
	one, other = listPaths(s.dir)
	if _, err := os.Stat(other); err == nil {
		return one, other, nil
	}
	return one, other, s.generate(ctx, s.dir, s.size.lines)
}

// generate writes the lists in a process of its own: the memory this one has would
// count in the peaks of the programs that it starts.
func (s *session) generate(ctx context.Context, dir string, lines int) error {
	_, err := s.child(ctx, job{Measure: "lists", Dir: dir, Size: lines})
	return err
}

func benchLoad(ctx context.Context, s *session) ([]row, error) {
	one, _, err := s.bodies(ctx)
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
	// Each poll, also of a round that is repeated, takes the body the one before
	// did not.
	polls := 0
	next := func() job {
		polls++
		return job{Measure: "poll", Dir: dir, Body: []string{one, other}[polls%2]}
	}
	ours := func(int) (sample, error) { return s.child(ctx, next()) }
	rival := func(int) (sample, error) { return s.sortUnique(ctx, other, "") }
	us, them, err := s.rounds(ctx, "poll", ours, rival)
	if err != nil {
		return nil, err
	}
	rows := []row{
		against("a", "re-poll, shuffled, nothing changed: parsed, sorted, merged with the table", us, them, wall, "wall", 1),
		memory("c", "re-poll, peak memory", us, them),
	}
	return rows, errors.Join(s.explain(ctx, rows, next()), os.RemoveAll(dir))
}

// loaded is a store with the list in it.
func (s *session) loaded(ctx context.Context) (one, other, dir string, err error) {
	if one, other, err = s.bodies(ctx); err != nil {
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
