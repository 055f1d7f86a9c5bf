package sdktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// Refused is a refusal with its line.
type Refused struct {
	Line int
	Why  indicator.Refusal
}

// RecordingSink is a sdk.Sink that remembers everything. Its forks write into it,
// so it is safe for concurrent use.
type RecordingSink struct {
	mu      sync.Mutex
	added   []indicator.Record
	removed []indicator.Indicator
	refused []Refused
	// Fail is returned by Add and Remove once it is set.
	Fail error
}

// Add decodes the key and keeps a copy of both.
func (s *RecordingSink) Add(key []byte, attrs *indicator.Attributes) error {
	i, err := indicator.FromKey(key)
	if err != nil {
		return fmt.Errorf("sdktest: a source added a key that is none: %w", err)
	}
	rec := indicator.Record{Indicator: i}
	if attrs != nil {
		rec.Attrs = attrs.Clone()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.added = append(s.added, rec)
	return s.Fail
}

// Remove keeps the indicator.
func (s *RecordingSink) Remove(key []byte) error {
	i, err := indicator.FromKey(key)
	if err != nil {
		return fmt.Errorf("sdktest: a source removed a key that is none: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed = append(s.removed, i)
	return s.Fail
}

// Refuse keeps the refusal.
func (s *RecordingSink) Refuse(line int, why *indicator.Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, Refused{line, *why})
}

// Fork returns the sink itself.
func (s *RecordingSink) Fork() sdk.Sink { return s }

// Added returns the records in the order of their kinds and values.
func (s *RecordingSink) Added() []indicator.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.added)
	slices.SortStableFunc(out, func(a, b indicator.Record) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return strings.Compare(a.Value, b.Value)
	})
	return out
}

// Refused returns the refusals by line.
func (s *RecordingSink) Refused() []Refused {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.refused)
	slices.SortStableFunc(out, func(a, b Refused) int { return a.Line - b.Line })
	return out
}

// String prints what was recorded, one line each, in an order that does not
// depend on arrival: "+ kind value attributes", "- kind value",
// "! line reason text".
func (s *RecordingSink) String() string {
	var b strings.Builder
	for _, r := range s.Added() {
		fmt.Fprintf(&b, "+ %s %s%s\n", r.Kind, r.Value, attrText(&r.Attrs))
	}
	s.mu.Lock()
	removed := slices.Clone(s.removed)
	s.mu.Unlock()
	slices.SortFunc(removed, func(a, b indicator.Indicator) int { return strings.Compare(a.Value, b.Value) })
	for _, i := range removed {
		fmt.Fprintf(&b, "- %s %s\n", i.Kind, i.Value)
	}
	for _, r := range s.Refused() {
		fmt.Fprintf(&b, "! %d %s %q\n", r.Line, r.Why.Reason, r.Why.Text)
	}
	return b.String()
}

func attrText(a *indicator.Attributes) string {
	b, err := json.Marshal(a)
	if err != nil {
		return " (" + err.Error() + ")"
	}
	if string(b) == "{}" {
		return ""
	}
	return " " + string(b)
}
