package sdk

import (
	"context"
	"fmt"
	"time"
)

// FormSpec describes a form of jobs: a few parameters that stand for nodes one can
// see. C is its config struct with yaml tags.
type FormSpec[C any] struct {
	Name    string // as in form:
	Summary string
	Doc     string // Markdown, embedded from doc.md
	// Default returns the config before the user's YAML is laid over it.
	Default func() C
	// Expand says which nodes the parameters stand for. It is pure, and cfg passed its
	// Validate.
	Expand func(job string, cfg C) Expansion
}

// Form is a registered form with its type erased.
type Form struct {
	Name    string
	Summary string
	Doc     string
	// NewConfig returns a pointer to a fresh default config struct.
	NewConfig func() any
	// Expand takes a pointer that NewConfig returned.
	Expand func(job string, cfg any) Expansion
}

// Expansion is what a form's parameters stand for.
type Expansion struct {
	Nodes []FormNode
	// Idle says why a run has nothing to do with these parameters; "" where it has.
	Idle string
	// Notes are parameters that are given and mean nothing here, and why.
	Notes []string
	// Level is the least level of what a run logs: debug, info, warn or error; "" is info.
	Level string
}

// FormNode is one node as it would stand under nodes:. Values are strings, bools,
// ints, floats, durations, times, lists of strings, and maps of them.
type FormNode struct {
	Name string
	Keys map[string]any
	// Idle says why a run leaves a destination alone with these parameters; "" where it
	// does not. What is there stays until it ends.
	Idle string
}

var forms = map[string]Form{}

// RegisterForm registers a form of jobs; call it from init. A name taken twice panics.
func RegisterForm[C any](s FormSpec[C]) {
	mu.Lock()
	defer mu.Unlock()
	if _, taken := forms[s.Name]; taken || s.Name == "" || s.Expand == nil {
		panic(fmt.Sprintf("sdk: form %q: name empty or taken, or no Expand", s.Name))
	}
	forms[s.Name] = Form{
		Name: s.Name, Summary: s.Summary, Doc: s.Doc,
		NewConfig: func() any {
			var c C
			if s.Default != nil {
				c = s.Default()
			}
			return &c
		},
		Expand: func(job string, cfg any) Expansion { return s.Expand(job, *cfg.(*C)) },
	}
}

// Forms returns the registered forms by name.
func Forms() []Form { return sorted(forms, func(f Form) string { return f.Name }) }

// Counter is implemented by a Source that can say how many items each of its
// conditions leaves, one after the other.
type Counter interface {
	Counts(ctx context.Context) ([]Left, error)
}

// Left is how many items are left after a condition and those before it.
type Left struct {
	Condition string `json:"condition"`
	Items     int    `json:"items"`
}

// Asking is implemented by a Source's config that knows without a call what its polls
// ask for, in words of the system it reads.
type Asking interface {
	// Questions are those of a poll that begins at now.
	Questions(now time.Time) []Question
}

// Question is what a poll asks for.
type Question struct {
	When string `json:"when"`           // which polls, as a person reads it
	Text string `json:"text"`           // "" asks for everything
	Here string `json:"here,omitempty"` // what is looked at here, as the other side cannot be asked
}

// Cursored is implemented by a Source whose state has a time from which the next poll
// reads.
type Cursored interface {
	// Cursor reads the time from a state; ok is false where there is none.
	Cursor(state []byte) (at time.Time, ok bool)
	// WithCursor returns a state that reads from at.
	WithCursor(state []byte, at time.Time) ([]byte, error)
}
