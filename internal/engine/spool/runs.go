package spool

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// spill writes what the writer holds as one sorted run.
func (w *Writer) spill() error {
	run := &Sorted{spool: w.spool, bounds: w.spool.router.bounds, parts: make([]sortedPart, len(w.parts))}
	var held int64
	for p := range w.parts {
		_, n := w.parts[p].bytes()
		held += n
		run.parts[p].part = w.parts[p]
		w.parts[p] = part{}
	}
	if held == 0 {
		return nil
	}
	name, err := run.writeRun()
	if err != nil {
		return fmt.Errorf("write sorted run: %w", err)
	}
	w.spool.release(held)
	w.spool.mu.Lock()
	w.spool.runs = append(w.spool.runs, name)
	w.spool.mu.Unlock()
	return nil
}

func (s *Sorted) writeRun() (name string, err error) {
	f, err := os.CreateTemp(s.spool.dir, "run-*.tmp")
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	out := bufio.NewWriterSize(f, 1<<20)
	var buf []byte
	for p := range s.Parts() {
		it, err := s.Part(p)
		if err != nil {
			return "", err
		}
		for it.Next() {
			buf = appendItem(buf[:0], it.Key(), it.Value())
			if _, err := out.Write(buf); err != nil {
				return "", err
			}
		}
		if it.Err() != nil {
			return "", it.Err()
		}
	}
	return f.Name(), out.Flush()
}

// run reads one sorted run.
type run struct {
	file       *os.File
	in         *bufio.Reader
	key, value []byte
}

func (r *run) next() (bool, error) {
	key, err := r.field(r.key[:0])
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.key = key
	if r.value, err = r.field(r.value[:0]); err != nil {
		return false, fmt.Errorf("sorted run is cut short: %w", err)
	}
	return true, nil
}

func (r *run) field(dst []byte) ([]byte, error) {
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		return nil, err
	}
	if n > Limit {
		return nil, fmt.Errorf("sorted run is damaged: an item of %d bytes", n)
	}
	dst = slices.Grow(dst, int(n))[:n]
	_, err = io.ReadFull(r.in, dst)
	return dst, err
}

type runHeap []*run

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return bytes.Compare(h[i].key, h[j].key) < 0 }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *runHeap) Push(x any) { *h = append(*h, x.(*run)) }

// Pop implements heap.Interface.
func (h *runHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// mergeRuns opens all runs as one ascending walk.
func (s *Sorted) mergeRuns() (*Iter, error) {
	m := &merge{}
	for _, name := range s.runs {
		f, err := os.Open(name)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open sorted run: %w", err), m.close())
		}
		m.files = append(m.files, f)
		r := &run{file: f, in: bufio.NewReaderSize(f, 256<<10)}
		ok, err := r.next()
		if err != nil {
			return nil, errors.Join(err, m.close())
		}
		if ok {
			m.heap = append(m.heap, r)
		}
	}
	heap.Init(&m.heap)
	return &Iter{fold: s.spool.fold, next: m.next, close: m.close}, nil
}

type merge struct {
	heap  runHeap
	files []*os.File
	// Two items are out at a time: the current one and the one read ahead.
	out [2][2][]byte
	at  int
}

func (m *merge) next() (key, value []byte, ok bool, err error) {
	if len(m.heap) == 0 {
		return nil, nil, false, nil
	}
	top := m.heap[0]
	m.at = 1 - m.at
	buf := &m.out[m.at]
	buf[0] = append(buf[0][:0], top.key...)
	buf[1] = append(buf[1][:0], top.value...)
	more, err := top.next()
	if err != nil {
		return nil, nil, false, err
	}
	if more {
		heap.Fix(&m.heap, 0)
	} else {
		heap.Pop(&m.heap)
	}
	return buf[0], buf[1], true, nil
}

func (m *merge) close() error {
	var err error
	for _, f := range m.files {
		err = errors.Join(err, f.Close())
	}
	m.files = nil
	return err
}
