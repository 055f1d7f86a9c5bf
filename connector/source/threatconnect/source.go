package threatconnect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/internal/threatconnect"
	"github.com/remeld/remeld/sdk"
)

// maxAnswer caps one answer in bytes: 10,000 indicators with many attributes.
const maxAnswer = 512 << 20

// quick is a pace no instance complains of; pages are asked for one by one anyway.
const quick = 20

type source struct {
	c      Config
	env    sdk.Env
	conn   *threatconnect.Connection
	http   *httpx.Client
	client *threatconnect.Client
	asked  asked
}

var _ sdk.Source = (*source)(nil)

// state is what a poll hands to the next.
type state struct {
	Fingerprint string `json:"fingerprint"`
	Origin      string `json:"origin"`
	// Cursor is the start of the last whole poll, less the overlap.
	Cursor time.Time `json:"cursor"`
	// First is where the source began where it reads only what was modified since.
	First time.Time `json:"first,omitzero"`
	// Full is the start of the last poll that read everything.
	Full time.Time `json:"full"`
}

func build(c Config, env sdk.Env) (sdk.Source, error) {
	if env.Connection == nil {
		return nil, errConnection
	}
	conn, ok := env.Connection.Config.(*threatconnect.Connection)
	if !ok {
		return nil, errConnection
	}
	conn = conn.Rooted(env.BaseDir)
	http, err := httpx.New(httpx.Options{
		Clock: env.Clock, Log: env.Log, CAFile: conn.CA, MaxBody: maxAnswer, Retries: -1, PerSecond: quick, UserAgent: "Remeld",
	})
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", env.Connection.Name, err)
	}
	if names := c.ignored(); len(names) > 0 {
		env.Log.Warn("a TQL query is given, so these filters are ignored", "filters", strings.Join(names, ", "))
	}
	client := threatconnect.New(threatconnect.Options{Connection: *conn, HTTP: http, Clock: env.Clock, Log: env.Log})
	return &source{c: c, env: env, conn: conn, http: http, client: client}, nil
}

var errConnection = errors.New("class threatconnect needs a connection of type threatconnect")

// Info says what the node is to the engine.
func (s *source) Info() sdk.SourceInfo {
	sum := sha256.Sum256([]byte(fmt.Sprint("threatconnect 1 ", s.c.wanted(), s.c.ModifiedWithin, sinceText(s.c.ModifiedSince), windowText(s.c.Window))))
	return sdk.SourceInfo{
		Shape: sdk.Changes, Interval: time.Hour, Login: true,
		Fingerprint: hex.EncodeToString(sum[:12]), Origin: s.conn.URL,
	}
}

// Poll reads everything at first and every FullEvery, else what changed since the
// last poll. The cursor is the poll's start less the overlap, by the instance's clock,
// and it moves only with a poll that read all it asked for.
func (s *source) Poll(ctx context.Context, last []byte, out sdk.Sink) (sdk.Poll, error) {
	defer s.http.CloseIdle()
	start := s.env.Clock.Now().UTC()
	prev, known := s.previous(last)
	next := prev
	wanted, err := s.cutOf(ctx, s.c.wanted())
	if err != nil {
		return sdk.Poll{}, err
	}
	p := &poll{source: s, out: out, wanted: wanted, mark: s.Mark()}
	full := s.c.API == v2 || !known || s.c.Full > 0 && start.Sub(prev.Full) >= s.c.Full
	if !known {
		next.First = s.c.first(start)
	}
	since := next.First
	if s.c.Window > 0 {
		since = s.c.start(s.now())
	}
	if !full {
		full, err = p.changes(ctx, prev.Cursor, since)
	}
	shape := sdk.Changes
	if full && err == nil {
		next.Full, shape = start, sdk.Snapshot
		err = p.everything(ctx, since)
	}
	if err != nil {
		return sdk.Poll{}, explain(err)
	}
	next.Cursor = start.Add(s.client.Skew() - s.c.Overlap)
	data, err := json.Marshal(next)
	if err != nil {
		return sdk.Poll{}, fmt.Errorf("keep the cursor: %w", err)
	}
	return sdk.Poll{Shape: shape, Body: p.digest(), Next: data, Notes: p.notes()}, nil
}

// now is the instance's time.
func (s *source) now() time.Time { return s.env.Clock.Now().Add(s.client.Skew()) }

// sinceText is "" where there is no such time, so that it changes no fingerprint.
func sinceText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// windowText is "" where there is no window, for the same reason.
func windowText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// first is where a source begins that starts reading now; zero is everything.
func (c *Config) first(now time.Time) time.Time {
	if c.ModifiedWithin > 0 {
		return now.Add(-c.ModifiedWithin)
	}
	return c.ModifiedSince.UTC()
}

// start is what a poll without a state reads from; zero is everything.
func (c *Config) start(now time.Time) time.Time {
	if c.Window > 0 {
		return now.UTC().Add(-c.Window)
	}
	return c.first(now)
}

// previous reads the last state, unless it belongs to another configuration: what
// its filters left out would then never come.
func (s *source) previous(last []byte) (state, bool) {
	info := s.Info()
	var st state
	if json.Unmarshal(last, &st) != nil || st.Fingerprint != info.Fingerprint || st.Origin != info.Origin {
		return state{Fingerprint: info.Fingerprint, Origin: info.Origin}, false
	}
	return st, true
}

// explain says where a query that the instance refuses comes from.
func explain(err error) error {
	var e *sdk.Error
	if errors.As(err, &e) && e.Failure == sdk.Refused {
		return &sdk.Error{Failure: sdk.Permanent, Code: e.Code, Message: "ThreatConnect refuses the query; check tql and the filters of the node against what this instance knows", Err: err}
	}
	return err
}
