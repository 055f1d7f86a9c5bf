package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/remeld/remeld/internal/engine"
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
	return []row{
		against("b", "first load, durable, expiry index", us, them, wall, "wall", 3),
		memory("c", "first load, peak memory", us, them),
	}, nil
}

func benchPoll(ctx context.Context, s *session) ([]row, error) {
	one, other, err := s.bodies()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, "poll")
	if _, err := s.child(ctx, job{Measure: "load", Dir: dir, Body: one}); err != nil {
		return nil, err
	}
	ours := func(round int) (sample, error) {
		j := job{Measure: "poll", Dir: dir, Body: other, Other: one}
		if round%2 == 1 {
			j.Body, j.Other = one, other
		}
		return s.child(ctx, j)
	}
	rival := func(int) (sample, error) { return s.sortUnique(ctx, other, "") }
	us, them, err := s.rounds(ctx, "poll", ours, rival)
	if err != nil {
		return nil, err
	}
	again := row{
		line: "a", what: "the same by a process that polled before (order-free digest)", limit: "–",
		ours:  seconds(medianOf(us, value("again"))),
		rival: seconds(medianOf(them, wall)), ratio: ratio(medianOf(us, value("again")) / medianOf(them, wall)),
	}
	changed := row{
		line: "a", what: "the same with one line changed", limit: "–",
		ours:  seconds(medianOf(us, value("changed"))),
		rival: seconds(medianOf(them, wall)), ratio: ratio(medianOf(us, value("changed")) / medianOf(them, wall)),
	}
	return []row{
		against("a", "re-poll, shuffled, nothing changed: sorted and merged with the table", us, them, wall, "wall", 1),
		again, changed,
		memory("c", "re-poll, peak memory", us, them),
	}, errors.Join(os.RemoveAll(dir))
}

// put makes body the list's content, as a program that writes beside and renames.
func put(dir, body string) error {
	tmp := filepath.Join(dir, "new")
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.Link(body, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, listName))
}

// listWorld opens the store with the one source node of the list.
func listWorld(ctx context.Context, j job) (*world, error) {
	if err := os.MkdirAll(j.Dir, 0o750); err != nil {
		return nil, err
	}
	if err := put(j.Dir, j.Body); err != nil {
		return nil, err
	}
	w, err := openWorld(ctx, j.Dir)
	if err != nil {
		return nil, err
	}
	spec, err := w.source("list", filepath.Join(j.Dir, listName), nil)
	if err == nil {
		spec.Source.Age.FirstSeen = listAge
		spec.Source.WithdrawAfter = 1 // so that one poll takes back what childPoll adds
		err = w.engine.Apply(ctx, []engine.NodeSpec{spec})
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// childLoad measures the first poll of an empty store.
func childLoad(ctx context.Context, j job, m *watch) error {
	w, err := listWorld(ctx, j)
	if err != nil {
		return err
	}
	_, err = m.time(func() error {
		r, err := w.poll(ctx, "list")
		m.sample.Values["rows"] = float64(r.New)
		if err == nil && r.New == 0 {
			err = errors.New("nothing was loaded")
		}
		return err
	})
	return errors.Join(err, w.close())
}

// childPoll measures a poll of a loaded list in another order: the first of a
// process, which must sort it and merge it with the table; then the next, which
// may use what the process remembers; then one with a single line more.
func childPoll(ctx context.Context, j job, m *watch) error {
	w, err := listWorld(ctx, j)
	if err != nil {
		return err
	}
	_, err = m.time(func() error { return w.unchanged(ctx) })
	first := m.sample
	if err == nil {
		err = w.again(ctx, j, m)
	}
	if err == nil {
		err = w.changed(ctx, j, m)
	}
	m.sample.Wall, m.sample.User, m.sample.System = first.Wall, first.User, first.System
	return errors.Join(err, w.close())
}

// unchanged polls and insists that nothing was written.
func (w *world) unchanged(ctx context.Context) error {
	r, err := w.poll(ctx, "list")
	if err == nil && r.New+r.Changed+r.Missing+r.Revived+r.Withdrawn != 0 {
		err = fmt.Errorf("the poll changed something: %+v", r)
	}
	return err
}

func (w *world) again(ctx context.Context, j job, m *watch) error {
	if err := put(j.Dir, j.Other); err != nil {
		return err
	}
	var err error
	m.sample.Values["again"], err = m.time(func() error { return w.unchanged(ctx) })
	return err
}

// changed polls the list with one line more, then without it again: the table ends
// as it was.
func (w *world) changed(ctx context.Context, j job, m *watch) error {
	text, err := os.ReadFile(j.Body)
	if err != nil {
		return err
	}
	more := filepath.Join(j.Dir, "more")
	if err := os.WriteFile(more, append(text, "one-line-more.example.net\n"...), 0o600); err != nil {
		return err
	}
	if err := put(j.Dir, more); err != nil {
		return err
	}
	m.sample.Values["changed"], err = m.time(func() error {
		r, err := w.poll(ctx, "list")
		if err == nil && r.New != 1 {
			err = fmt.Errorf("one line more made %d rows", r.New)
		}
		return err
	})
	if err == nil {
		err = put(j.Dir, j.Other)
	}
	if err != nil {
		return err
	}
	_, err = w.poll(ctx, "list")
	return errors.Join(err, os.Remove(more))
}
