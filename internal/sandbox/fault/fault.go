// Package fault decides which calls to the sandbox go wrong, and how. Use it to
// rehearse throttling, outages, cut connections and refused rows: a Rule says
// which calls it means and what happens to them. Random rules draw from their
// own seeded sequence, so that a run can be repeated.
package fault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// MaxRules bounds how many rules may exist at once.
const MaxRules = 1000

// Rule is one fault. Empty match fields match every call.
type Rule struct {
	// ID is given by Add.
	ID string `json:"id,omitempty"`

	// Op is an operation as the journal names it: token, list, create, import, …
	Op string `json:"op,omitempty"`
	// Path is a regular expression over the request's path.
	Path   string `json:"path,omitempty"`
	Tenant string `json:"tenant,omitempty"`
	App    string `json:"app,omitempty"`

	// From is the first matching call (from 1) that is hit; 0 is the first.
	From int `json:"from,omitempty"`
	// Count is how many calls are hit; 0 is every one from From on.
	Count int `json:"count,omitempty"`
	// Probability hits each of those calls at random, 0 < p ≤ 1; 0 is always.
	Probability float64 `json:"probability,omitempty"`
	// Seed starts the random sequence.
	Seed uint64 `json:"seed,omitempty"`

	Action
}

// Moments of an effect.
const (
	Before = "before" // the service does nothing
	After  = "after"  // the service does its work, the client does not hear of it
)

// Ways of being slow.
const (
	Real    = "real"    // wall time passes
	Clock   = "clock"   // wait until the sandbox clock has been moved that far
	Advance = "advance" // the call itself moves the sandbox clock
)

// Action is what happens to a call that is hit. At least one part is set.
type Action struct {
	// Status answers with that status, Body and Headers instead of the service.
	Status  int               `json:"status,omitempty"`
	Body    string            `json:"body,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	// RetryAfter is sent as it is: seconds or an HTTP date.
	RetryAfter string `json:"retry_after,omitempty"`
	// When is when Status or Reset strikes: "before" (default) or "after" the effect.
	When string `json:"when,omitempty"`
	// Reset cuts the connection without an answer.
	Reset bool `json:"reset,omitempty"`
	// Latency delays the call; LatencyMode is "real" (default), "clock" or "advance".
	Latency     wire.Duration `json:"latency,omitempty"`
	LatencyMode string        `json:"latency_mode,omitempty"`
	// Truncate sends so many bytes of the answer under the full Content-Length,
	// then cuts the connection; -1 sends headers only.
	Truncate int `json:"truncate,omitempty"`
	// Chunk sends the answer so many bytes at a time, with ChunkDelay between
	// (in LatencyMode).
	Chunk      int           `json:"chunk,omitempty"`
	ChunkDelay wire.Duration `json:"chunk_delay,omitempty"`
	// Endless repeats the answer's body until the client hangs up or MaxEndless.
	Endless bool `json:"endless,omitempty"`
	// Refuse makes the service refuse rows.
	Refuse []Refusal `json:"refuse,omitempty"`
}

// Refusal refuses rows by value.
type Refusal struct {
	// Value is the exact value, Match a regular expression; one of them is set.
	Value string `json:"value,omitempty"`
	Match string `json:"match,omitempty"`
	// Reason is the failureReason, or the message of a 400.
	Reason string `json:"reason"`
	// Code is the error code where the whole call fails; default InvalidInput.
	Code string `json:"code,omitempty"`
	// FailCall refuses the whole import with a 400 instead of the row.
	FailCall bool `json:"fail_call,omitempty"`

	re *regexp.Regexp
}

// Hits reports whether the refusal means the value.
func (r *Refusal) Hits(value string) bool {
	if r.re != nil {
		return r.re.MatchString(value)
	}
	return r.Value == value
}

// Call is what a rule is matched with.
type Call struct{ Op, Path, Tenant, App string }

type rule struct {
	Rule
	path *regexp.Regexp
	rng  *rand.Rand
	seen int
	hits int
}

// Set is the rules in force. It is safe for concurrent use.
type Set struct {
	mu    sync.Mutex
	rules []*rule
	next  int
}

// Add puts a rule in force and returns its id.
func (s *Set) Add(r Rule) (string, error) {
	c, err := compile(r)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rules) >= MaxRules {
		return "", fmt.Errorf("there are already %d fault rules; delete some first", MaxRules)
	}
	s.next++
	c.ID = fmt.Sprintf("f%d", s.next)
	s.rules = append(s.rules, c)
	return c.ID, nil
}

func compile(r Rule) (*rule, error) {
	c := &rule{Rule: r, rng: rand.New(rand.NewPCG(r.Seed, 0x5eed))}
	if err := check(r); err != nil {
		return nil, err
	}
	var err error
	if r.Path != "" {
		if c.path, err = regexp.Compile(r.Path); err != nil {
			return nil, fmt.Errorf("fault rule: path: %w", err)
		}
	}
	c.Refuse = append([]Refusal(nil), r.Refuse...)
	for i := range c.Refuse {
		f := &c.Refuse[i]
		if (f.Value == "") == (f.Match == "") {
			return nil, errors.New("fault rule: refuse needs either value or match")
		}
		if f.Match != "" {
			if f.re, err = regexp.Compile(f.Match); err != nil {
				return nil, fmt.Errorf("fault rule: refuse: %w", err)
			}
		}
	}
	return c, nil
}

func check(r Rule) error {
	a := r.Action
	switch {
	case a.Status == 0 && !a.Reset && a.Latency == 0 && a.Truncate == 0 && a.Chunk == 0 && !a.Endless && len(a.Refuse) == 0:
		return errors.New("fault rule: no action; give status, reset, latency, truncate, chunk, endless or refuse")
	case a.Status != 0 && (a.Status < 200 || a.Status > 599):
		return fmt.Errorf("fault rule: status %d is not from 200 to 599", a.Status)
	case a.When != "" && a.When != Before && a.When != After:
		return fmt.Errorf("fault rule: when %q is neither before nor after", a.When)
	case a.LatencyMode != "" && a.LatencyMode != Real && a.LatencyMode != Clock && a.LatencyMode != Advance:
		return fmt.Errorf("fault rule: latency_mode %q is none of real, clock, advance", a.LatencyMode)
	case !(r.Probability >= 0 && r.Probability <= 1):
		return errors.New("fault rule: probability is not from 0 to 1")
	case r.From < 0 || r.Count < 0 || a.Latency < 0 || a.ChunkDelay < 0 || a.Chunk < 0:
		return errors.New("fault rule: from, count, latency, chunk and chunk_delay cannot be negative")
	}
	return nil
}

// Decide counts the call on every rule that matches it and returns the actions
// of those that hit, with their ids, in the order the rules were added.
func (s *Set) Decide(c Call) (actions []Action, ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		if r.matches(c) && r.hit() {
			actions = append(actions, r.Action)
			ids = append(ids, r.ID)
		}
	}
	return actions, ids
}

func (r *rule) matches(c Call) bool {
	return (r.Op == "" || r.Op == c.Op) && (r.Tenant == "" || r.Tenant == c.Tenant) &&
		(r.App == "" || r.App == c.App) && (r.path == nil || r.path.MatchString(c.Path))
}

func (r *rule) hit() bool {
	r.seen++
	if r.seen < r.From || (r.Count > 0 && r.hits >= r.Count) {
		return false
	}
	if r.Probability > 0 && r.rng.Float64() >= r.Probability {
		return false
	}
	r.hits++
	return true
}

// Status is a rule with how often it matched and struck.
type Status struct {
	Rule
	Seen int `json:"seen"`
	Hits int `json:"hits"`
}

// List returns the rules in force.
func (s *Set) List() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Status, 0, len(s.rules))
	for _, r := range s.rules {
		out = append(out, Status{Rule: r.Rule, Seen: r.seen, Hits: r.hits})
	}
	return out
}

// Remove takes the rule away and reports whether there was one.
func (s *Set) Remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range s.rules {
		if r.ID == id {
			s.rules = append(s.rules[:i:i], s.rules[i+1:]...)
			return true
		}
	}
	return false
}

// Clear takes all rules away.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}
