package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/remeld/remeld/internal/engine"
	"github.com/remeld/remeld/sdk"
)

const (
	firstRate    = 40e6
	repeatedRate = 300e6
)

func benchEDL(ctx context.Context, s *session) ([]row, error) {
	dir := filepath.Join(s.dir, "edl")
	input := filepath.Join(s.dir, "edl-list")
	if err := os.Mkdir(input, 0o750); err != nil {
		return nil, err
	}
	if err := s.generate(ctx, input, s.size.edl); err != nil {
		return nil, err
	}
	list, _ := listPaths(input)
	got, err := s.undisturbed(ctx, func() (sample, error) {
		got, err := s.child(ctx, job{Measure: "edl", Dir: dir, Body: list, Runs: s.runs})
		return got, errors.Join(err, os.RemoveAll(dir))
	})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "  edl: %s\n", got)
	size := got.Values["bytes"]
	first := over("f", "first body of a version, over HTTP", size/median(got.Series["first"]), firstRate)
	first.notes = fmt.Sprintf("%.0f lines, %s, %s; peak of the process with the load %s", got.Values["lines"], megabytes(size), seconds(median(got.Series["first"])), megabytes(got.Peak))
	rows := []row{first, over("f", "the same body again, over HTTP", size/median(got.Series["repeated"]), repeatedRate)}
	return rows, errors.Join(s.explain(ctx, rows, job{Measure: "edl", Dir: dir, Body: list, Runs: 1}), os.RemoveAll(dir))
}

// childEDL serves a feed node's table; each round is a feed without a cache.
func childEDL(ctx context.Context, j job, m *watch) (err error) {
	w, err := openWorld(ctx, j.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	spec, err := w.source("list", j.Body, nil)
	if err != nil {
		return err
	}
	if err := w.engine.Apply(ctx, []engine.NodeSpec{spec, reader("edl", sdk.RoleFeed, "list")}); err != nil {
		return err
	}
	r, err := w.poll(ctx, "list")
	if err == nil {
		err = w.engine.Settle(ctx)
	}
	if err != nil {
		return err
	}
	m.sample.Values["lines"] = float64(r.New)
	table, err := w.engine.Table("edl")
	if err != nil {
		return err
	}
	for range j.Runs {
		if err := w.serve(ctx, table, m); err != nil {
			return err
		}
	}
	return nil
}

// repeats is how often a finished body is fetched in a round.
const repeats = 5

// serve measures one round of a fresh feed.
func (w *world) serve(ctx context.Context, table sdk.Table, m *watch) error {
	c, err := class("feed")
	if err != nil {
		return err
	}
	feed, err := c.New(c.NewConfig(), w.env("edl"))
	if err != nil {
		return err
	}
	srv := httptest.NewServer(feed.(sdk.Feed).Handler(table))
	defer srv.Close()
	first, err := m.time(func() error { return fetch(ctx, srv, m) })
	m.sample.Series["first"] = append(m.sample.Series["first"], first)
	for range repeats {
		if err != nil {
			return err
		}
		begun := time.Now()
		err = fetch(ctx, srv, m)
		m.sample.Series["repeated"] = append(m.sample.Series["repeated"], time.Since(begun).Seconds())
	}
	return err
}

// fetch reads one whole body, not compressed.
func fetch(ctx context.Context, srv *httptest.Server, m *watch) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/feeds/edl", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := srv.Client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || n == 0) {
		err = fmt.Errorf("the feed answered %s with %d bytes", resp.Status, n)
	}
	m.sample.Values["bytes"] = float64(n)
	return err
}
