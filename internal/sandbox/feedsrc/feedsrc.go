// Package feedsrc serves feeds whose content follows a script over the sandbox
// clock. Use it for demos and tests of sources: conditional requests, logins
// and compression behave as on a good web server, and faults are injected by
// the sandbox around it.
package feedsrc

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Feed is a scripted feed.
type Feed struct {
	Name string `json:"name"`
	// ContentType; default text/plain.
	ContentType string `json:"content_type,omitempty"`
	// Steps are the contents over time, by After; at least one.
	Steps []Step `json:"steps"`
	// User and Password ask for basic auth, Bearer for a token.
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	Bearer   string `json:"bearer,omitempty"`
	// NoETag and NoLastModified leave the validator out.
	NoETag         bool `json:"no_etag,omitempty"`
	NoLastModified bool `json:"no_last_modified,omitempty"`
	// NoGzip sends the body unpacked even where the client takes gzip.
	NoGzip bool `json:"no_gzip,omitempty"`
}

// Step is the content from a moment on.
type Step struct {
	// After counts from when the feed was set, by the sandbox clock.
	After time.Duration `json:"-"`
	// Body is the content as it is; else Lines, each ended by a newline.
	Body  []byte   `json:"body,omitempty"`
	Lines []string `json:"lines,omitempty"`
	// Add and Remove change the lines of the step before instead.
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// UnmarshalJSON reads a step with After as text ("90m") under "after"; unknown
// keys are errors.
func (st *Step) UnmarshalJSON(b []byte) error {
	type plain Step
	in := struct {
		After wire.Duration `json:"after"`
		*plain
	}{plain: (*plain)(st)}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return fmt.Errorf("feed step: %w", err)
	}
	st.After = time.Duration(in.After)
	return nil
}

// Bounds of the scripts.
const (
	maxFeeds = 1000
	maxSteps = 10_000
)

type content struct {
	from time.Time
	body []byte
	etag string
}

type feed struct {
	Feed
	contents []content
}

// Server holds feeds by name. It is safe for concurrent use.
type Server struct {
	mu    sync.Mutex
	feeds map[string]*feed
}

// New returns a server without feeds.
func New() *Server { return &Server{feeds: map[string]*feed{}} }

// Set adds a feed or replaces the one of its name; its script starts at now.
func (s *Server) Set(f Feed, now time.Time) error {
	c := &feed{Feed: f}
	if f.Name == "" || len(f.Steps) == 0 || len(f.Steps) > maxSteps {
		return fmt.Errorf("feed %q: needs a name and 1 to %d steps", f.Name, maxSteps)
	}
	var lines []string
	for i, st := range f.Steps {
		if i > 0 && st.After <= f.Steps[i-1].After {
			return fmt.Errorf("feed %s: step %d is not later than the one before", f.Name, i+1)
		}
		lines = st.lines(lines)
		body := st.Body
		if body == nil {
			body = text(lines)
		}
		sum := sha256.Sum256(body)
		c.contents = append(c.contents, content{now.Add(st.After), body, `"` + hex.EncodeToString(sum[:12]) + `"`})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feeds[f.Name] == nil && len(s.feeds) >= maxFeeds {
		return errors.New("too many feeds")
	}
	s.feeds[f.Name] = c
	return nil
}

// lines applies a step to the lines before it.
func (st *Step) lines(before []string) []string {
	if st.Lines != nil || st.Add == nil && st.Remove == nil {
		return st.Lines
	}
	drop := map[string]bool{}
	for _, l := range st.Remove {
		drop[l] = true
	}
	out := slices.DeleteFunc(slices.Clone(before), func(l string) bool { return drop[l] })
	return append(out, st.Add...)
}

func text(lines []string) []byte {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

// Remove takes a feed away and reports whether there was one.
func (s *Server) Remove(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.feeds[name]
	delete(s.feeds, name)
	return ok
}

// Names returns the feeds' names, sorted.
func (s *Server) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, 0, len(s.feeds))
	for n := range s.feeds {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// Reset forgets all feeds.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feeds = map[string]*feed{}
}

// Serve answers a request for a feed.
func (s *Server) Serve(name string, req *wire.Request) wire.Reply {
	s.mu.Lock()
	f := s.feeds[name]
	s.mu.Unlock()
	switch {
	case f == nil:
		return wire.Empty(http.StatusNotFound)
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		return wire.Empty(http.StatusMethodNotAllowed).With("Allow", "GET, HEAD")
	case !f.allowed(req.Header):
		return wire.Empty(http.StatusUnauthorized).With("WWW-Authenticate", f.challenge())
	}
	return f.answer(req)
}

func (f *feed) challenge() string {
	if f.Bearer != "" {
		return "Bearer"
	}
	return `Basic realm="feed"`
}

func (f *feed) allowed(h http.Header) bool {
	r := http.Request{Header: h}
	same := func(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	if f.Bearer != "" && same(h.Get("Authorization"), "Bearer "+f.Bearer) {
		return true
	}
	user, password, ok := r.BasicAuth()
	if f.User != "" && ok && same(user, f.User) && same(password, f.Password) {
		return true
	}
	return f.Bearer == "" && f.User == ""
}

// answer serves the content of the moment; before the first step it is the first.
func (f *feed) answer(req *wire.Request) wire.Reply {
	c := f.contents[0]
	for _, x := range f.contents {
		if !x.from.After(req.Now) {
			c = x
		}
	}
	kind := f.ContentType
	if kind == "" {
		kind = "text/plain; charset=utf-8"
	}
	reply := wire.Reply{Status: http.StatusOK, Header: http.Header{}, Body: c.body}.With("Content-Type", kind)
	if !f.NoETag {
		reply = reply.With("ETag", c.etag)
	}
	if !f.NoLastModified {
		reply = reply.With("Last-Modified", c.from.UTC().Format(http.TimeFormat))
	}
	if f.NoGzip {
		reply = reply.With("Content-Encoding", "identity")
	}
	if f.unchanged(req.Header, c) {
		reply.Status, reply.Body = http.StatusNotModified, nil
	}
	return reply
}

// unchanged follows RFC 9110: If-None-Match decides where it is sent.
func (f *feed) unchanged(h http.Header, c content) bool {
	if tags := h.Get("If-None-Match"); tags != "" {
		return !f.NoETag && slices.ContainsFunc(strings.Split(tags, ","), func(t string) bool {
			t = strings.TrimSpace(t)
			return t == "*" || strings.TrimPrefix(t, "W/") == c.etag
		})
	}
	since, err := http.ParseTime(h.Get("If-Modified-Since"))
	return err == nil && !f.NoLastModified && !c.from.Truncate(time.Second).After(since)
}
