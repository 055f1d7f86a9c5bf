package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/deliver/reason"
)

// liftedSet is what protection lists of a domain lost since they were last known,
// and nobody approved yet (SEMANTICS E10, D7).
type liftedSet struct {
	lists map[string][]indicator.Indicator
	sets  []protect.Own
}

func newLifted(lists map[string][]indicator.Indicator) *liftedSet {
	l := &liftedSet{lists: lists}
	for name, entries := range lists {
		if len(entries) > 0 {
			l.sets = append(l.sets, protect.NewOwn(name, entries))
		}
	}
	return l
}

// by names the list whose shrinking uncovered the record: the engine's mark for an
// allow edge, our own memory for a protection list.
func (l *liftedSet) by(rec *indicator.Record) (list string, code reason.Code) {
	if allow, ok := rec.Attrs.Extra[extraLifted].(string); ok && allow != "" {
		return allow, reason.AllowLifted
	}
	if l == nil {
		return "", ""
	}
	for _, s := range l.sets {
		if _, ok := s.List.Match(rec.Indicator); ok {
			return s.Name, reason.ProtectionLifted
		}
		if _, ok := s.List.Inside(rec.Indicator); ok {
			return s.Name, reason.ProtectionLifted
		}
	}
	return "", ""
}

// protectSpace remembers the protection lists by domain.
const protectSpace = "protect"

// protectDoc is what is remembered of a domain's protection lists: what they held
// when they were last known, and what they lost since without approval.
type protectDoc struct {
	Known map[string][]indicator.Indicator `json:"known"`
	Lost  map[string][]indicator.Indicator `json:"lost,omitempty"`
}

// liftedOf compares the domain's protection lists with what is remembered of them
// and remembers the new state.
func (m *Manager) liftedOf(ctx context.Context, s *site) (*liftedSet, error) {
	doc, err := m.protectDoc(ctx, s.domain)
	if err != nil {
		return nil, err
	}
	next := protectDoc{Known: map[string][]indicator.Indicator{}, Lost: map[string][]indicator.Indicator{}}
	for _, d := range s.dests {
		if d.Protect == nil {
			continue
		}
		for _, o := range d.Protect.Own {
			next.Known[o.Name] = o.Entries
		}
	}
	names := maps.Clone(doc.Known)
	maps.Copy(names, doc.Lost)
	for name := range names {
		if lost := missing(append(doc.Known[name][:len(doc.Known[name]):len(doc.Known[name])], doc.Lost[name]...), next.Known[name]); len(lost) > 0 {
			next.Lost[name] = lost
		}
	}
	if !reflect.DeepEqual(normal(doc), normal(next)) {
		if err := m.put(ctx, protectSpace, s.domain, next); err != nil {
			return nil, err
		}
	}
	return newLifted(next.Lost), nil
}

func (m *Manager) protectDoc(ctx context.Context, domain string) (protectDoc, error) {
	var doc protectDoc
	val, err := m.get(ctx, protectSpace, domain)
	if err != nil || val == nil {
		return doc, err
	}
	if err := json.Unmarshal(val, &doc); err != nil {
		return doc, fmt.Errorf("read the protection lists of %s: %w", domain, err)
	}
	return doc, nil
}

// missing returns the entries of was, without repeats, that is does not have.
func missing(was, is []indicator.Indicator) []indicator.Indicator {
	seen := make(map[indicator.Indicator]bool, len(is))
	for _, i := range is {
		seen[i] = true
	}
	var out []indicator.Indicator
	for _, i := range was {
		if !seen[i] {
			seen[i] = true
			out = append(out, i)
		}
	}
	return out
}

// normal makes empty and absent alike, so that documents compare.
func normal(d protectDoc) protectDoc {
	out := protectDoc{Known: map[string][]indicator.Indicator{}, Lost: map[string][]indicator.Indicator{}}
	for k, v := range d.Known {
		if len(v) > 0 {
			out.Known[k] = v
		}
	}
	for k, v := range d.Lost {
		if len(v) > 0 {
			out.Lost[k] = v
		}
	}
	return out
}

// unlift forgets what a list lost: a person approved it.
func (m *Manager) unlift(ctx context.Context, c *ledger.Change, s *site, list string) error {
	doc, err := m.protectDoc(ctx, s.domain)
	if err != nil {
		return err
	}
	delete(doc.Lost, list)
	return writeDoc(c, protectSpace, s.domain, doc)
}
