package warninglist

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/prototypes"
	"github.com/remeld/remeld/sdk"
)

type source struct {
	c      Config
	env    sdk.Env
	client *httpx.Client
}

var _ sdk.Source = (*source)(nil)

type state struct {
	Fingerprint string           `json:"fingerprint"`
	Origin      string           `json:"origin"`
	Validators  httpx.Validators `json:"validators"`
	SHA256      string           `json:"sha256"`
}

// Poll reads the list and adds its entries. A list that is not whole, or not a
// warninglist, is an error and changes nothing.
func (s *source) Poll(ctx context.Context, last []byte, out sdk.Sink) (sdk.Poll, error) {
	if err := ctx.Err(); err != nil {
		return sdk.Poll{}, err
	}
	info := s.Info()
	var prev state
	if json.Unmarshal(last, &prev) != nil || prev.Fingerprint != info.Fingerprint || prev.Origin != info.Origin {
		prev = state{}
	}
	bodies, validators, err := s.bodies(ctx, prev.Validators)
	if err != nil {
		return sdk.Poll{}, err
	}
	now := state{info.Fingerprint, info.Origin, validators, prev.SHA256}
	if bodies != nil {
		sum := sha256.New()
		for _, b := range bodies {
			fmt.Fprintf(sum, "%d\n%s", len(b), b)
		}
		now.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	next, err := json.Marshal(now)
	if err != nil {
		return sdk.Poll{}, fmt.Errorf("keep the state of %s: %w", info.Origin, err)
	}
	if now.SHA256 == prev.SHA256 {
		return sdk.Poll{NotModified: true, Body: now.SHA256, Next: next}, nil
	}
	for _, b := range bodies {
		if err := add(b, out); err != nil {
			return sdk.Poll{}, fmt.Errorf("read %s: %w", info.Origin, err)
		}
	}
	return sdk.Poll{Body: now.SHA256, Next: next}, nil
}

// bodies returns the JSON of the list or lists, nil if the server says that
// nothing changed.
func (s *source) bodies(ctx context.Context, v httpx.Validators) ([][]byte, httpx.Validators, error) {
	switch {
	case s.c.URL != "":
		return s.fetch(ctx, v)
	case s.c.Path != "":
		b, err := readFile(s.c.Path, int64(s.c.MaxSize))
		return [][]byte{b}, v, err
	}
	var out [][]byte
	for _, name := range prototypes.Expand(s.c.List) {
		b, ok := prototypes.Warninglist(name)
		if !ok {
			return nil, v, &sdk.Error{Failure: sdk.Missing, Message: fmt.Sprintf("no built-in warninglist is called %q", name)}
		}
		out = append(out, b)
	}
	return out, v, nil
}

func (s *source) fetch(ctx context.Context, v httpx.Validators) ([][]byte, httpx.Validators, error) {
	defer s.client.CloseIdle()
	path := filepath.Join(s.env.Dir, "body")
	defer func() { _ = os.Remove(path) }() // scratch
	d, err := s.client.Fetch(ctx, s.c.URL, v, path)
	if err != nil {
		return nil, v, err
	}
	if d.NotModified {
		return nil, v, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, v, fmt.Errorf("read the downloaded list: %w", err)
	}
	return [][]byte{b}, d.Validators, nil
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &sdk.Error{Failure: sdk.Missing, Message: path + " does not exist: check the path; the old rows stay"}
	}
	if err != nil {
		return nil, fmt.Errorf("read warninglist: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read warninglist %s: %w", path, err)
	}
	if int64(len(b)) > limit {
		return nil, &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf("%s is larger than max_size (%s)", path, sdk.Size(limit))}
	}
	return b, nil
}
