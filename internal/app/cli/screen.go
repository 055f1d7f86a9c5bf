package cli

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"
)

// screen redraws a block of text in place on a terminal; elsewhere it draws nothing,
// since the log tells what happens.
type screen struct {
	out   io.Writer
	live  bool
	lines int // drawn last, to be drawn over
	last  string
}

func newScreen(out io.Writer, live bool) *screen { return &screen{out: out, live: live} }

// draw paints over what it painted before.
func (s *screen) draw(paint func(io.Writer)) {
	if !s.live {
		return
	}
	var b bytes.Buffer
	paint(&b)
	text := fit(b.String(), s.width())
	if text == s.last {
		return
	}
	if s.lines > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.lines)
	}
	s.last, s.lines = text, strings.Count(text, "\n")
	fmt.Fprint(s.out, text)
}

// keep leaves what was drawn where it is: the next draw begins below.
func (s *screen) keep() { s.last, s.lines = "", 0 }

const defaultWidth = 120

func (s *screen) width() int {
	if f, ok := s.out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return defaultWidth
}

// fit cuts lines at the width, since a wrapped line would be drawn over only in
// part.
func fit(text string, width int) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if r := []rune(l); len(r) > width {
			lines[i] = string(r[:width-1]) + "…"
		}
	}
	return strings.Join(lines, "\n")
}

// discard drops what would disturb a live screen; conditions show what matters.
func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
