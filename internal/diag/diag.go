// Package diag holds what is wrong with a text a person wrote: a list of
// diagnostics, each with its place, the source line and what to do about it, and
// the printers that show them.
//
// Use it where all findings are to be shown at once (configuration, queries);
// an error that ends one operation is a plain error.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a finding stands in the way.
type Severity uint8

// The severities.
const (
	Error Severity = iota
	Warning
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// MarshalText writes the severity's word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Diagnostic is one finding. Line and Col are 1-based, Col counts characters; 0
// means the place is not known. Snippet is the source line, with secrets masked;
// SnippetCol is the caret's column in it where masking moved it, else 0.
type Diagnostic struct {
	Severity   Severity `json:"severity"`
	File       string   `json:"file,omitempty"`
	Line       int      `json:"line,omitempty"`
	Col        int      `json:"col,omitempty"`
	Msg        string   `json:"message"`
	Help       string   `json:"help,omitempty"`
	Snippet    string   `json:"snippet,omitempty"`
	SnippetCol int      `json:"-"`
}

// Place prints file:line:col as far as it is known.
func (d Diagnostic) Place() string {
	switch {
	case d.Line == 0:
		return d.File
	case d.File == "":
		return fmt.Sprintf("%d:%d", d.Line, d.Col)
	}
	return fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Col)
}

// Error prints place and message on one line, so that a Diagnostic can be
// returned as an error.
func (d Diagnostic) Error() string {
	s := d.Severity.String() + ": " + d.Msg
	if p := d.Place(); p != "" {
		s = p + ": " + s
	}
	if d.Help != "" {
		s += " (" + d.Help + ")"
	}
	return s
}

// List is everything found, errors and warnings.
type List []Diagnostic

// HasErrors tells whether any finding is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Count returns the numbers of errors and warnings.
func (l List) Count() (errors, warnings int) {
	for _, d := range l {
		if d.Severity == Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// Sort orders by file, line, column, then text, and drops exact repeats.
func (l List) Sort() List {
	slices.SortStableFunc(l, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Col, b.Col), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Msg, b.Msg))
	})
	return slices.Compact(l)
}

// Err returns the list as an error, nil if it holds no error. Warnings are not
// in its text.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	return listError{l}
}

type listError struct{ list List }

func (e listError) Error() string {
	var lines []string
	for _, d := range e.list {
		if d.Severity == Error {
			lines = append(lines, d.Error())
		}
	}
	return strings.Join(lines, "\n")
}
