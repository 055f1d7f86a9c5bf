// Package control carries the commands of the CLI to a running remeld process
// over its local socket: one HTTP request a call, JSON in, a stream of JSON lines
// out (progress, then one result or error). Use Serve in the long-running process
// and Dial in a command; the methods themselves live in package app.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Progress is called by a method while it works; nil-safe through Report.
type Progress func(text string)

type progressKey struct{}

// WithProgress returns a context whose Report calls go to p.
func WithProgress(ctx context.Context, p Progress) context.Context {
	return context.WithValue(ctx, progressKey{}, p)
}

// Report tells the caller of the method in ctx how far the work is.
func Report(ctx context.Context, format string, args ...any) {
	if p, ok := ctx.Value(progressKey{}).(Progress); ok && p != nil {
		p(fmt.Sprintf(format, args...))
	}
}

// Error is a failed call as the caller sees it. Code lets a command choose its
// exit status.
type Error struct {
	Code string `json:"code,omitempty"`
	Text string `json:"text"`
}

func (e *Error) Error() string { return e.Text }

// Coder is implemented by errors that carry a code over the socket.
type Coder interface{ Code() string }

// Methods is the set of calls a process answers, by name.
type Methods map[string]func(ctx context.Context, args []byte) (any, error)

// Add registers fn under name.
func Add[A, R any](m Methods, name string, fn func(context.Context, A) (R, error)) {
	m[name] = func(ctx context.Context, data []byte) (any, error) {
		var args A
		if err := json.Unmarshal(data, &args); err != nil {
			return nil, fmt.Errorf("read the arguments of %s: %w", name, err)
		}
		return fn(ctx, args)
	}
}

// line is one line of an answer.
type line struct {
	Progress string          `json:"progress,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Error    *Error          `json:"error,omitempty"`
}

// maxArgs bounds the body of a call.
const maxArgs = 16 << 20

func (m Methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/v1/")
	method, ok := m[name]
	if !ok || r.Method != http.MethodPost {
		http.Error(w, "no such call: "+name, http.StatusNotFound)
		return
	}
	var args json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxArgs)).Decode(&args); err != nil {
		http.Error(w, "the arguments are not JSON", http.StatusBadRequest)
		return
	}
	out := &stream{w: w}
	ctx := WithProgress(r.Context(), func(text string) { out.write(line{Progress: text}) })
	result, err := method(ctx, args)
	out.finish(result, err)
}

// stream writes lines one at a time; a method may report from several goroutines.
type stream struct {
	mu sync.Mutex
	w  http.ResponseWriter
}

func (s *stream) write(l line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The caller may be gone; its context ends the method, not this write.
	_ = json.NewEncoder(s.w).Encode(l)
	if f, ok := s.w.(http.Flusher); ok {
		f.Flush()
	}
}

func (s *stream) finish(result any, err error) {
	if err != nil {
		s.write(line{Error: asError(err)})
		return
	}
	data, err := json.Marshal(result)
	if err != nil {
		s.write(line{Error: asError(fmt.Errorf("write the answer: %w", err))})
		return
	}
	s.write(line{Result: data})
}

func asError(err error) *Error {
	e := &Error{Text: err.Error()}
	var c Coder
	if errors.As(err, &c) {
		e.Code = c.Code()
	}
	return e
}

// Call runs a method in this process, as a Client would in another.
func (m Methods) Call(ctx context.Context, name string, args, out any) error {
	method, ok := m[name]
	if !ok {
		return fmt.Errorf("no such call: %s", name)
	}
	data, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("write the arguments of %s: %w", name, err)
	}
	result, err := method(ctx, data)
	if err != nil {
		return err
	}
	if data, err = json.Marshal(result); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return json.Unmarshal(data, out)
}
