package http

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

func section(f *os.File, size int64) io.Reader { return io.NewSectionReader(f, 0, size) }

// lastLine returns where the last complete line of a file ends, 0 if there is
// none.
func lastLine(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read what arrived of the body: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, fmt.Errorf("read what arrived of the body: %w", err)
	}
	buf := make([]byte, 64<<10)
	for end > 0 {
		piece := buf[:min(end, int64(len(buf)))]
		if _, err := f.ReadAt(piece, end-int64(len(piece))); err != nil {
			return 0, fmt.Errorf("read what arrived of the body: %w", err)
		}
		if i := bytes.LastIndexByte(piece, '\n'); i >= 0 {
			return end - int64(len(piece)) + int64(i) + 1, nil
		}
		end -= int64(len(piece))
	}
	return 0, nil
}
