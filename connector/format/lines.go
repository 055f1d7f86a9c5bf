package format

import (
	"bytes"
	"context"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/remeld/remeld/sdk"
)

// MaxLine is the longest line in bytes that is read (SEMANTICS section F).
const MaxLine = 1 << 20

// chunkSize is how much one goroutine gets at a time.
const chunkSize = 256 << 10

// chunk is a piece of a body that ends with a line, or with the body.
type chunk struct {
	data  []byte
	first int // number of its first line
}

// chunker cuts a body into chunks in bounded memory.
type chunker struct {
	r       io.Reader
	carry   []byte
	line    int
	skip    bool // inside a line beyond MaxLine
	eof     bool
	tooLong func(line int, start []byte)
}

// next fills buf, which it may replace by a larger one, and returns it as a
// chunk; an empty chunk at the end of the body.
func (c *chunker) next(buf []byte) (chunk, error) {
	buf = append(buf[:0], c.carry...)
	c.carry = c.carry[:0]
	for {
		if cap(buf)-len(buf) < chunkSize {
			buf = append(make([]byte, 0, len(buf)+2*chunkSize), buf...)
		}
		if err := c.fill(&buf); err != nil {
			return chunk{}, err
		}
		cut := bytes.LastIndexByte(buf, '\n') + 1
		if c.eof {
			cut = len(buf)
		}
		switch {
		case cut > 0 || c.eof:
			c.carry = append(c.carry, buf[cut:]...)
			out := chunk{buf[:cut], c.line}
			c.line += bytes.Count(out.data, []byte{'\n'})
			return out, nil
		case len(buf) > MaxLine:
			c.tooLong(c.line, buf[:100])
			buf, c.skip = buf[:0], true
		}
	}
}

// fill reads one piece behind buf; in a line that is skipped, up to its end.
func (c *chunker) fill(buf *[]byte) error {
	b := *buf
	n, err := io.ReadAtLeast(c.r, b[len(b):len(b)+chunkSize], chunkSize)
	piece := b[len(b) : len(b)+n]
	if c.skip {
		end := bytes.IndexByte(piece, '\n') + 1
		if end > 0 {
			c.skip = false
			c.line++
		} else {
			end = len(piece)
		}
		n = copy(piece, piece[end:])
	}
	*buf = b[:len(b)+n]
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		c.eof, err = true, nil
	}
	return err
}

// lineFunc handles one line without its end. text is valid until it returns.
type lineFunc func(v *values, n int, text []byte) error

// eachLine calls handle for every line, on several goroutines when there is more
// than one chunk. Each goroutine has a fork of out.
func eachLine(ctx context.Context, r io.Reader, mk func(sdk.Sink) *values, out sdk.Sink, handle lineFunc) error {
	own := mk(out)
	c := &chunker{r: r, line: 1, tooLong: func(line int, start []byte) {
		own.refuseText(line, start, ReasonLineTooLong, "a line of more than 1 MB")
	}}
	first, err := c.next(nil)
	if err == nil && c.eof {
		err = chunkLines(own, first, handle)
	} else if err == nil {
		err = parallel(ctx, c, first, mk, out, handle)
	}
	if ferr := own.flush(); err == nil {
		err = ferr
	}
	return err
}

// parallel spreads the chunks over as many goroutines as there are processors,
// the calling one reading.
func parallel(ctx context.Context, c *chunker, first chunk, mk func(sdk.Sink) *values, out sdk.Sink, handle lineFunc) error {
	n := runtime.GOMAXPROCS(0)
	full, free := make(chan chunk), make(chan []byte, n+2)
	for range n + 2 {
		free <- nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for range n {
		v := mk(out.Fork())
		g.Go(func() error {
			for ch := range full {
				if err := chunkLines(v, ch, handle); err != nil {
					return err
				}
				if err := v.flush(); err != nil {
					return err
				}
				free <- ch.data[:0]
			}
			return nil
		})
	}
	err := distribute(ctx, c, first, full, free)
	close(full)
	if werr := g.Wait(); werr != nil {
		return werr // what stopped the distribution, if a worker failed
	}
	return err
}

func distribute(ctx context.Context, c *chunker, ch chunk, full chan<- chunk, free <-chan []byte) error {
	<-free // the buffer of the first chunk is one of them
	for {
		select {
		case full <- ch:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c.eof {
			return nil
		}
		var buf []byte
		select {
		case buf = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		if ch, err = c.next(buf); err != nil {
			return err
		}
	}
}

// chunkLines calls handle for the lines of one chunk.
func chunkLines(v *values, ch chunk, handle lineFunc) error {
	data := ch.data
	for n := ch.first; len(data) > 0; n++ {
		text := data
		if end := bytes.IndexByte(data, '\n'); end >= 0 {
			text, data = data[:end], data[end+1:]
		} else {
			data = nil
		}
		if len(text) > MaxLine {
			v.refuseText(n, text[:100], ReasonLineTooLong, "a line of more than 1 MB")
			continue
		}
		if err := handle(v, n, text); err != nil {
			return err
		}
	}
	return nil
}
