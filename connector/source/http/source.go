package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/remeld/remeld/connector/format"
	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"
)

type source struct {
	c      Config
	env    sdk.Env
	parser *format.Parser
	client *httpx.Client
}

var _ sdk.Source = (*source)(nil)

// state is what a poll hands to the next: what the server gave to ask later
// whether anything changed, and what it was parsed with.
type state struct {
	Fingerprint string           `json:"fingerprint"`
	Origin      string           `json:"origin"`
	Validators  httpx.Validators `json:"validators"`
	SHA256      string           `json:"sha256"`
}

// Info says what the node is to the engine.
func (s *source) Info() sdk.SourceInfo {
	return sdk.SourceInfo{
		Shape: s.c.Shape, Interval: time.Hour,
		Login:       s.c.Auth != Auth{} || len(s.c.Headers) > 0 || len(s.c.Params) > 0 || s.c.CertFile != "",
		Fingerprint: s.c.Options.Fingerprint() + " " + string(s.c.Shape),
		Origin:      httpx.RedactURL(s.c.URL),
	}
}

// Poll downloads the body wholly before it reads it. A transfer that breaks off is
// an error; of formats whose lines stand for themselves, the complete lines that
// did arrive are added first (SEMANTICS E4: an incomplete read may add).
func (s *source) Poll(ctx context.Context, last []byte, out sdk.Sink) (sdk.Poll, error) {
	defer s.client.CloseIdle()
	spool := filepath.Join(s.env.Dir, "body")
	defer func() { _ = os.Remove(spool) }() // scratch; the next poll replaces it
	prev := s.previous(last)
	d, err := s.client.Fetch(ctx, s.c.URL, prev.Validators, spool)
	if err != nil {
		if d != nil && ctx.Err() == nil && s.parser.WholeLines() {
			err = errors.Join(err, s.salvage(ctx, spool, out))
		}
		return sdk.Poll{}, err
	}
	next := s.next(d, prev)
	if d.NotModified || d.SHA256 == prev.SHA256 {
		return sdk.Poll{NotModified: true, Body: prev.SHA256, Next: next}, nil
	}
	if err := s.parse(ctx, spool, d.Size, out); err != nil {
		return sdk.Poll{}, err
	}
	return sdk.Poll{Body: d.SHA256, Next: next}, nil
}

// previous reads the last state, unless it belongs to another configuration: a 304
// or an equal body would then hide what the new one makes of it (SEMANTICS E3).
func (s *source) previous(last []byte) state {
	var st state
	info := s.Info()
	if json.Unmarshal(last, &st) != nil || st.Fingerprint != info.Fingerprint || st.Origin != info.Origin {
		return state{}
	}
	return st
}

func (s *source) next(d *httpx.Download, prev state) []byte {
	info := s.Info()
	st := state{Fingerprint: info.Fingerprint, Origin: info.Origin, Validators: d.Validators, SHA256: d.SHA256}
	if d.NotModified {
		st.SHA256 = prev.SHA256
	}
	b, err := json.Marshal(st)
	if err != nil {
		panic("http: state of strings does not marshal: " + err.Error())
	}
	return b
}

// parse reads the first size bytes of the spooled body.
func (s *source) parse(ctx context.Context, spool string, size int64, out sdk.Sink) error {
	f, err := os.Open(spool)
	if err != nil {
		return fmt.Errorf("read the downloaded body: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	if _, err := s.parser.Parse(ctx, section(f, size), out); err != nil {
		return fmt.Errorf("read the body of %s: %w", httpx.RedactURL(s.c.URL), err)
	}
	return nil
}

// salvage adds the complete lines of a body that broke off. That it may hold
// nothing of use is no second failure.
func (s *source) salvage(ctx context.Context, spool string, out sdk.Sink) error {
	end, err := lastLine(spool)
	if err != nil || end == 0 {
		return err
	}
	if err := s.parse(ctx, spool, end, out); err != nil && !errors.Is(err, format.ErrNoFeed) {
		return err
	}
	return nil
}
