package pattern

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a fault in a pattern, at a place.
type Error struct {
	// Pos is the byte of the pattern at which the fault is; Line and Column count
	// from 1, columns in characters.
	Pos, Line, Column int
	Msg               string
}

func (e *Error) Error() string {
	if e.Line > 1 {
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
	}
	return fmt.Sprintf("column %d: %s", e.Column, e.Msg)
}

// fault makes an Error for a byte of src.
func fault(src string, pos int, format string, args ...any) *Error {
	pos = min(max(pos, 0), len(src))
	before := src[:pos]
	line := strings.Count(before, "\n")
	begin := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Pos: pos, Line: line + 1, Column: utf8.RuneCountInString(before[begin:]) + 1,
		Msg: fmt.Sprintf(format, args...),
	}
}
