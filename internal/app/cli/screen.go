package cli

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
)

// screen redraws a block of text in place on a terminal, and prints it only when
// it changed elsewhere.
type screen struct {
	out   io.Writer
	live  bool
	lines int
	last  string
}

func newScreen(out io.Writer, live bool) *screen { return &screen{out: out, live: live} }

func (s *screen) draw(paint func(io.Writer)) {
	var b bytes.Buffer
	paint(&b)
	if !s.live {
		return // the log tells what happens
	}
	if b.String() == s.last {
		return
	}
	if s.lines > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.lines)
	}
	s.last, s.lines = b.String(), bytes.Count(b.Bytes(), []byte("\n"))
	fmt.Fprint(s.out, s.last)
}

// discard drops what would disturb a live screen; conditions show what matters.
func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
