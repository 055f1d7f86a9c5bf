package list

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

	"github.com/remeld/remeld/sdk"
)

// maxSize bounds the file in bytes: more is no list that people edit.
const maxSize = 16 << 20

var _ sdk.Source = (*source)(nil)

type state struct {
	Fingerprint string `json:"fingerprint"`
	Origin      string `json:"origin"`
	SHA256      string `json:"sha256"`
}

// Poll reads the file and adds its entries if all of them are right: a list with a
// mistake in it is not half applied.
func (s *source) Poll(ctx context.Context, last []byte, out sdk.Sink) (sdk.Poll, error) {
	if err := ctx.Err(); err != nil {
		return sdk.Poll{}, err
	}
	text, err := read(s.path)
	if err != nil {
		return sdk.Poll{}, err
	}
	sum := sha256.Sum256(text)
	now := state{s.Info().Fingerprint, s.path, hex.EncodeToString(sum[:])}
	next, err := json.Marshal(now)
	if err != nil {
		return sdk.Poll{}, fmt.Errorf("keep the state of %s: %w", s.path, err)
	}
	var prev state
	if json.Unmarshal(last, &prev) == nil && prev == now {
		return sdk.Poll{NotModified: true, Body: now.SHA256, Next: last}, nil
	}
	entries, err := parse(s.path, text, s.kind)
	if err != nil {
		return sdk.Poll{}, err
	}
	var key []byte
	for _, e := range entries {
		key = e.Indicator.AppendKey(key[:0])
		if err := out.Add(key, &e.Attrs); err != nil {
			return sdk.Poll{}, err
		}
	}
	return sdk.Poll{Body: now.SHA256, Next: next}, nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &sdk.Error{Failure: sdk.Missing, Message: fmt.Sprintf("%s does not exist: create it (an empty file is an empty list); the old rows stay", path)}
	case errors.Is(err, fs.ErrPermission):
		return nil, &sdk.Error{Failure: sdk.Forbidden, Message: fmt.Sprintf("%s may not be read: give the user that runs this process the right to", path)}
	case err != nil:
		return nil, fmt.Errorf("read the list: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the list %s: %w", path, err)
	}
	if len(text) > maxSize {
		return nil, &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf("%s is larger than 16 MB: read it with class file", path)}
	}
	return text, nil
}
