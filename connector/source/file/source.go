package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/remeld/remeld/connector/format"
	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"
)

type source struct {
	c      Config
	env    sdk.Env
	parser *format.Parser
	in     io.Reader

	mu   sync.Mutex
	read string // body of standard input, once it was read
}

var _ sdk.Source = (*source)(nil)

// state is what a poll hands to the next.
type state struct {
	Fingerprint string  `json:"fingerprint"`
	Origin      string  `json:"origin"`
	Stamps      []stamp `json:"stamps"`
	SHA256      string  `json:"sha256"`
}

// Poll reads the files, unless their sizes and times, or else their contents, are
// those of the last poll. A file that is missing, or that changes while it is
// read, makes the poll incomplete.
func (s *source) Poll(ctx context.Context, last []byte, out sdk.Sink) (sdk.Poll, error) {
	if err := ctx.Err(); err != nil {
		return sdk.Poll{}, err
	}
	if s.c.Path == stdin {
		return s.pollStdin(ctx, out)
	}
	prev := s.previous(last)
	stamps, err := s.stamps()
	if err != nil {
		return sdk.Poll{}, err
	}
	if prev.SHA256 != "" && slices.Equal(stamps, prev.Stamps) && settled(stamps, s.env.Clock.Now()) {
		return sdk.Poll{NotModified: true, Body: prev.SHA256, Next: last}, nil
	}
	if sameSizes(stamps, prev.Stamps) {
		sum, err := s.each(ctx, stamps, func(_ string, r io.Reader) error {
			_, err := io.Copy(io.Discard, &cancellable{ctx, r})
			return err
		})
		if err == nil && sum == prev.SHA256 {
			return sdk.Poll{NotModified: true, Body: sum, Next: s.next(stamps, sum)}, nil
		}
	}
	sum, err := s.each(ctx, stamps, func(path string, r io.Reader) error { return s.parse(ctx, path, r, out) })
	if err != nil {
		return sdk.Poll{}, err
	}
	return sdk.Poll{Body: sum, Next: s.next(stamps, sum)}, nil
}

// previous reads the last state, unless it belongs to another configuration
// (SEMANTICS E3).
func (s *source) previous(last []byte) state {
	var st state
	info := s.Info()
	if json.Unmarshal(last, &st) != nil || st.Fingerprint != info.Fingerprint || st.Origin != info.Origin {
		return state{}
	}
	return st
}

func (s *source) next(stamps []stamp, sum string) []byte {
	info := s.Info()
	b, err := json.Marshal(state{info.Fingerprint, info.Origin, stamps, sum})
	if err != nil {
		panic("file: state of strings and numbers does not marshal: " + err.Error())
	}
	return b
}

// each opens one file after the other, hands it to use and returns a digest of
// them all.
func (s *source) each(ctx context.Context, stamps []stamp, use func(path string, r io.Reader) error) (string, error) {
	all := sha256.New()
	for _, st := range stamps {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if err := readFile(st, all, use); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

func readFile(st stamp, all hash.Hash, use func(string, io.Reader) error) error {
	f, err := os.Open(st.Path)
	if err != nil {
		return explain(st.Path, err)
	}
	defer func() { _ = f.Close() }() // only read
	one := sha256.New()
	body := io.TeeReader(f, one)
	if err := use(st.Path, body); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, body); err != nil { // what a decompressor left
		return explain(st.Path, err)
	}
	now, err := stampOf(st.Path)
	if err != nil {
		return explain(st.Path, err)
	}
	if now != st {
		return &sdk.Error{Failure: sdk.Unavailable, Message: fmt.Sprintf(
			"read %s: it changed while it was read, so the read is incomplete and withdraws nothing; have it written under another name and renamed", st.Path)}
	}
	fmt.Fprintf(all, "%s\x00%x\x00", st.Path, one.Sum(nil))
	return nil
}

func (s *source) parse(ctx context.Context, path string, r io.Reader, out sdk.Sink) error {
	plain, err := httpx.Unpack(r, int64(s.c.MaxSize))
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	defer func() { _ = plain.Close() }() // frees memory only
	if _, err := s.parser.Parse(ctx, plain, out); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// pollStdin reads standard input once in the life of the process: it has one body,
// and an end of file afterwards that must not look like an empty list.
func (s *source) pollStdin(ctx context.Context, out sdk.Sink) (sdk.Poll, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read != "" {
		return sdk.Poll{NotModified: true, Body: s.read}, nil
	}
	sum := sha256.New()
	if err := s.parse(ctx, "standard input", io.TeeReader(&cancellable{ctx, s.in}, sum), out); err != nil {
		return sdk.Poll{}, err
	}
	s.read = hex.EncodeToString(sum.Sum(nil))
	return sdk.Poll{Body: s.read}, nil
}

// cancellable ends a long read between two pieces.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// quiet is how old a file's time must be to be trusted: within it, a second write
// of the same length could bear the same time.
const quiet = 2 * time.Second

func settled(stamps []stamp, now time.Time) bool {
	for _, st := range stamps {
		if now.Sub(time.Unix(0, st.Modified)) < quiet {
			return false
		}
	}
	return true
}
