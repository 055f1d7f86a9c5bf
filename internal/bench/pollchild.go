package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/remeld/remeld/internal/engine"
)

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
		spec.Source.WithdrawAfter = 1 // so that one poll takes back what childPolls adds
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

// childPoll measures a poll of a loaded list in another order, the first of its
// process: whatever an earlier poll could remember is gone.
func childPoll(ctx context.Context, j job, m *watch) error {
	w, err := listWorld(ctx, j)
	if err != nil {
		return err
	}
	_, err = m.time(func() error { return w.unchanged(ctx) })
	return errors.Join(err, w.close())
}

// childPolls goes on: the next poll may use what the process remembers; then one
// has a single line more, and one takes it back.
func childPolls(ctx context.Context, j job, m *watch) error {
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
	more := filepath.Join(j.Dir, "more")
	if err := oneMore(more, j.Body); err != nil {
		return err
	}
	if err := put(j.Dir, more); err != nil {
		return err
	}
	var err error
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

// oneMore copies a list with one line more.
func oneMore(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	_, err = out.WriteString("one-line-more.example.net\n")
	return err
}
