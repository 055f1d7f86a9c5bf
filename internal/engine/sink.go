package engine

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/engine/spool"
	"github.com/remeld/remeld/sdk"
)

// intake is what all sinks of one poll share.
type intake struct {
	ctx   context.Context
	node  *node
	spool *spool.Spool
	plain []byte // what is said where nothing is

	mu      sync.Mutex
	sinks   []*sink
	refused map[indicator.Reason]int
	samples []Refused
}

// maxSamples is how many refused values of a poll are shown.
const maxSamples = 20

// Refused is a sample of what a source refused.
type Refused struct {
	Line   int              `json:"line,omitempty"`
	Text   string           `json:"text"`
	Reason indicator.Reason `json:"reason"`
}

func (n *node) newIntake(ctx context.Context) *intake {
	in := &intake{ctx: ctx, node: n, refused: map[indicator.Reason]int{}}
	in.spool = spool.New(n.eng.Dir, n.eng.budget, n.bounds, n.fold)
	if n.enrich.plain() {
		var rec indicator.Record
		n.enrich.apply(&rec)
		first, last, blob := row.Split(&rec.Attrs, nil)
		said := row.Said{First: first, Last: last, Attrs: n.dict.Number(blob)}
		in.plain = said.Append(nil)
	}
	return in
}

// sink takes the items of one goroutine.
type sink struct {
	in      *intake
	w       *spool.Writer
	n       int
	blob    []byte
	said    []byte
	refused map[indicator.Reason]int
	digest  pollDigest
}

func (in *intake) sink() *sink {
	s := &sink{in: in, w: in.spool.Writer(), refused: map[indicator.Reason]int{}}
	in.mu.Lock()
	in.sinks = append(in.sinks, s)
	in.mu.Unlock()
	return s
}

// Fork implements sdk.Sink.
func (s *sink) Fork() sdk.Sink { return s.in.sink() }

// Add implements sdk.Sink.
func (s *sink) Add(key []byte, attrs *indicator.Attributes) error {
	if err := s.beat(key); err != nil {
		return err
	}
	if attrs == nil && s.in.plain != nil {
		return s.put(key, s.in.plain)
	}
	e := s.in.node.enrich
	var rec indicator.Record
	if attrs != nil {
		rec.Attrs = *attrs
		if e.edits() {
			rec.Attrs = attrs.Clone()
		}
	}
	if e.edits() {
		i, err := indicator.FromKey(key)
		if err != nil {
			return fmt.Errorf("source gives a key that is none: %w", err)
		}
		rec.Indicator = i
	}
	e.apply(&rec)
	first, last, blob := row.Split(&rec.Attrs, s.blob[:0])
	s.blob = blob
	said := row.Said{First: first, Last: last, Attrs: s.in.node.dict.Intern(blob)}
	s.said = said.Append(s.said[:0])
	return s.put(key, s.said)
}

// Remove implements sdk.Sink.
func (s *sink) Remove(key []byte) error {
	if err := s.beat(key); err != nil {
		return err
	}
	return s.put(key, removal)
}

var removal = (&row.Said{Remove: true}).Append(nil)

func (s *sink) put(key, said []byte) error {
	s.digest.add(key, said)
	if err := s.w.Add(key, said); err != nil {
		return fmt.Errorf("spool an item: %w", err)
	}
	return nil
}

// beat checks the key and, from time to time, whether the poll shall end.
func (s *sink) beat(key []byte) error {
	if indicator.KeyKind(key) == indicator.Unknown {
		return fmt.Errorf("source gives a key of no kind: %x", key)
	}
	if s.n++; s.n&0xFFF == 0 {
		return s.in.ctx.Err()
	}
	return nil
}

// Refuse implements sdk.Sink.
func (s *sink) Refuse(line int, why *indicator.Refusal) {
	s.refused[why.Reason]++
	if s.refused[why.Reason] > maxSamples {
		return
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	if len(s.in.samples) < maxSamples {
		s.in.samples = append(s.in.samples, Refused{line, why.Text, why.Reason})
	}
}

// close gathers what the sinks counted.
func (in *intake) close() (refused map[indicator.Reason]int, digest pollDigest) {
	digest.valid = true
	for _, s := range in.sinks {
		for reason, n := range s.refused {
			in.refused[reason] += n
		}
		digest.join(&s.digest)
	}
	return maps.Clone(in.refused), digest
}

// fold makes one statement of two about a key (SEMANTICS E8). What is listed is
// not removed, whatever came first: withdrawn and added again in one poll is
// listed.
func (n *node) fold(dst, a, b []byte) ([]byte, error) {
	var sa, sb row.Said
	if err := sa.Decode(a); err != nil {
		return nil, err
	}
	if err := sb.Decode(b); err != nil {
		return nil, err
	}
	switch {
	case sa.Remove:
		return append(dst, b...), nil
	case sb.Remove:
		return append(dst, a...), nil
	}
	var aa, ab indicator.Attributes
	if err := n.dict.Attrs(&aa, sa.Attrs, sa.First, sa.Last); err != nil {
		return nil, err
	}
	if err := n.dict.Attrs(&ab, sb.Attrs, sb.First, sb.Last); err != nil {
		return nil, err
	}
	merged := indicator.Merge(nil, []indicator.Contribution{{Attrs: &aa}, {Attrs: &ab}})
	first, last, blob := row.Split(&merged, nil)
	said := row.Said{First: first, Last: last, Attrs: n.dict.Intern(blob)}
	return said.Append(dst), nil
}
