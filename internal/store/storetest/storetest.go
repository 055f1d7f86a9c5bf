// Package storetest is what every engine of package store must pass: a conformance
// suite of the contract sentence by sentence (Run), a metamorphic suite that compares
// an engine with the in-memory model under random operations (Metamorphic), and a
// crash suite (Crash). Call them from the tests of an engine.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/internal/store"
)

// Medium opens the store that lies on one medium. It is called again after Close, and
// must then show the same contents.
type Medium func() (store.Store, error)

// Run checks the contract of package store on fresh media made by newMedium.
func Run(t *testing.T, newMedium func(t *testing.T) Medium) {
	t.Helper()
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"Commit", commitCases}, {"Read", readCases}, {"Cursor", cursorCases},
		{"Log", logCases}, {"Fence", fenceCases}, {"Ingest", ingestCases}, {"Life", lifeCases},
	}
	for _, g := range groups {
		for _, c := range g.cases {
			t.Run(g.name+"/"+c.name, func(t *testing.T) {
				h := &harness{T: t, ctx: t.Context(), medium: newMedium(t)}
				h.open()
				t.Cleanup(func() { _ = h.s.Close() })
				c.run(h)
			})
		}
	}
}

type testCase struct {
	name string
	run  func(h *harness)
}

// harness is one store under test with short forms of its operations.
type harness struct {
	*testing.T
	ctx    context.Context
	medium Medium
	s      store.Store
}

func (h *harness) open() {
	h.Helper()
	s, err := h.medium()
	if err != nil {
		h.Fatalf("open: %v", err)
	}
	h.s = s
}

func (h *harness) reopen() {
	h.Helper()
	h.ok(h.s.Close())
	h.open()
}

func (h *harness) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatalf("unexpected error: %v", err)
	}
}

func (h *harness) is(err, want error) {
	h.Helper()
	if !errors.Is(err, want) {
		h.Fatalf("error is %v, want %v", err, want)
	}
}

func (h *harness) equal(what string, got, want any) {
	h.Helper()
	if d := cmp.Diff(want, got); d != "" {
		h.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func (h *harness) commit(c store.Commit) store.Receipt {
	h.Helper()
	r, err := h.s.Commit(h.ctx, &c)
	h.ok(err)
	return r
}

// set writes key=value pairs into a space.
func (h *harness) set(space string, pairs ...string) {
	h.Helper()
	var w []store.Write
	for i := 0; i < len(pairs); i += 2 {
		w = append(w, store.Write{Space: space, Key: []byte(pairs[i]), Value: []byte(pairs[i+1])})
	}
	h.commit(store.Commit{Writes: w})
}

func (h *harness) append(log string, keys ...string) store.Receipt {
	h.Helper()
	return h.commit(store.Commit{Appends: []store.Append{{Log: log, Keys: bs(keys...)}}})
}

func (h *harness) view() store.View {
	h.Helper()
	v, err := h.s.View()
	h.ok(err)
	h.Cleanup(func() { _ = v.Close() })
	return v
}

// rows of a space in a new view, as "key=value".
func (h *harness) rows(space string) []string {
	h.Helper()
	v := h.view()
	rows, err := scan(h.ctx, v, space, store.Range{})
	h.ok(err)
	h.ok(v.Close())
	return rows
}

func (h *harness) head(log string) (last, first uint64) {
	h.Helper()
	v := h.view()
	last, first, err := v.Head(h.ctx, log)
	h.ok(err)
	h.ok(v.Close())
	return last, first
}

// changes of a log in a new view, as "number=key".
func (h *harness) changes(log string, after uint64, limit int) ([]string, error) {
	h.Helper()
	v := h.view()
	got, err := changes(h.ctx, v, log, after, limit)
	h.ok(v.Close())
	return got, err
}

func scan(ctx context.Context, v store.View, space string, r store.Range) ([]string, error) {
	var rows []string
	err := v.Scan(ctx, space, r, func(k, val []byte) error {
		rows = append(rows, string(k)+"="+string(val))
		return nil
	})
	return rows, err
}

func changes(ctx context.Context, v store.View, log string, after uint64, limit int) ([]string, error) {
	var got []string
	err := v.Changes(ctx, log, after, limit, func(seq uint64, key []byte) error {
		got = append(got, fmt.Sprintf("%d=%s", seq, key))
		return nil
	})
	return got, err
}

// load makes a BulkSpace of key=value pairs.
func load(space string, pairs ...string) store.BulkSpace {
	return store.BulkSpace{Space: space, Rows: func(put func(k, v []byte) error) error {
		for i := 0; i < len(pairs); i += 2 {
			if err := put([]byte(pairs[i]), []byte(pairs[i+1])); err != nil {
				return err
			}
		}
		return nil
	}}
}

func bs(keys ...string) [][]byte {
	out := make([][]byte, len(keys))
	for i, k := range keys {
		out[i] = []byte(k)
	}
	return out
}

func rng(from, to string) store.Range {
	r := store.Range{}
	if from != "" {
		r.From = []byte(from)
	}
	if to != "" {
		r.To = []byte(to)
	}
	return r
}
