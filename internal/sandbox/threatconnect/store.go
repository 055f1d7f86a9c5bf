package threatconnect

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"
	"time"
)

// rows yields every live row that is wanted, in the order of ids. The rows are not to be
// changed; s.mu is held for reading meanwhile.
func (s *Service) rows(now time.Time, want *narrow) iter.Seq[*Indicator] {
	return func(yield func(*Indicator) bool) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		hand := s.ids[sort.Search(len(s.ids), func(i int) bool { return s.ids[i] > want.above }):]
		before := func(id int64) bool {
			for ; len(hand) > 0 && hand[0] < id; hand = hand[1:] {
				if row := s.own[hand[0]]; want.fits(row) && !yield(row) {
					return false
				}
			}
			return true
		}
		for n := range s.numbers(now, want) {
			if !before(rowID(n)) {
				return
			}
			if row := s.seeded(n, now, want); row != nil && !yield(row) {
				return
			}
		}
		before(math.MaxInt64)
	}
}

// numbers are those of the seed's rows to look at, ascending: all beyond an id, or what
// the index finds and what was edited, and so may be called something else by now.
func (s *Service) numbers(now time.Time, want *narrow) iter.Seq[int] {
	count := s.gen.count(now)
	if want.texts == nil {
		return func(yield func(int) bool) {
			for n := max(int(want.above)/2, 0); n < count && yield(n); n++ {
			}
		}
	}
	found := s.texts.find(&s.gen, count, want.texts)
	for id := range s.own {
		if id%2 == 0 {
			found = append(found, number(id))
		}
	}
	slices.Sort(found)
	return slices.Values(slices.Compact(found))
}

// seeded is row n of the seed if it is there and wanted, else nil.
func (s *Service) seeded(n int, now time.Time, want *narrow) *Indicator {
	if s.own[rowID(n)] == nil && !want.may(&s.gen, n, now) {
		return nil
	}
	if row := s.made(n, now); row != nil && want.fits(row) {
		return row
	}
	return nil
}

// made is row n of the seed as it stands, nil if it is gone. s.mu is held.
func (s *Service) made(n int, now time.Time) *Indicator {
	id := rowID(n)
	switch {
	case s.own[id] != nil:
		return s.own[id]
	case s.gone[id] || !s.gen.deletedAt(n, now).IsZero():
		return nil
	}
	return s.gen.row(n, now)
}

// get returns a row, nil if there is none. s.mu is held.
func (s *Service) get(id int64, now time.Time) *Indicator {
	if id%2 == 1 {
		return s.own[id]
	}
	if n := number(id); id >= rowID(0) && n < s.gen.count(now) {
		return s.made(n, now)
	}
	return nil
}

// find returns the row of an owner by its text or one of its hashes.
func (s *Service) find(owner, typ, text string, now time.Time) *Indicator {
	want := narrow{owners: []string{owner}, texts: []string{text}}
	if typ != "" {
		want.types = []string{typ}
	}
	for row := range s.rows(now, &want) {
		return row
	}
	return nil
}

// put stores a row; id 0 gets the next one. s.mu is held.
func (s *Service) put(row *Indicator, now time.Time) {
	if row.ID == 0 {
		row.ID = int64(s.gen.count(now))*2 + 1
		if n := len(s.ids); n > 0 {
			row.ID = max(row.ID, s.ids[n-1]+2)
		}
		s.ids = append(s.ids, row.ID)
	}
	s.own[row.ID] = row
}

// drop deletes a row and keeps the record. s.mu is held.
func (s *Service) drop(row *Indicator, now time.Time) {
	delete(s.own, row.ID)
	if row.ID%2 == 0 {
		s.gone[row.ID] = true
	} else if i, found := slices.BinarySearch(s.ids, row.ID); found {
		s.ids = slices.Delete(s.ids, i, i+1)
	}
	s.graves = append(s.graves, grave{row.Owner, row.Type, row.Summary, now})
}

// deletions are the records of an owner that are still kept, oldest first.
func (s *Service) deletions(owner string, since, now time.Time) []grave {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if kept := now.Add(-s.c.Retention); kept.After(since) {
		since = kept
	}
	var out []grave
	for n := range s.gen.size {
		at := s.gen.deletedAt(n, now)
		if at.IsZero() || at.Before(since) || s.gen.ownerOf(n) != owner || s.gone[rowID(n)] || s.own[rowID(n)] != nil {
			continue
		}
		typ, text := s.gen.text(s.gen.value(n))
		out = append(out, grave{owner, typ, text, at})
	}
	for _, g := range s.graves {
		if g.owner == owner && !g.at.Before(since) && !g.at.After(now) {
			out = append(out, g)
		}
	}
	slices.SortStableFunc(out, func(a, b grave) int { return a.at.Compare(b.at) })
	return out
}

// Seed stores rows as somebody else made them and returns their ids. A row whose
// owner has that type and text already replaces it.
func (s *Service) Seed(now time.Time, rows []Indicator) ([]int64, error) {
	now = now.Truncate(time.Second)
	ids := make([]int64, 0, len(rows))
	for i := range rows {
		row := rows[i].clone()
		if row.Owner == "" {
			row.Owner = s.home().Name
		}
		if why := row.check(); why != "" {
			return ids, fmt.Errorf("indicator %d: %s", i+1, why)
		}
		if s.owner(row.Owner).ID == 0 {
			return ids, fmt.Errorf("indicator %d: there is no owner %q", i+1, row.Owner)
		}
		if row.Added.IsZero() {
			row.Added = now
		}
		if row.Modified.IsZero() {
			row.Modified = now
		}
		s.mu.Lock()
		if old := s.ownNamed(&row); old != nil {
			row.ID = old.ID
		}
		s.put(&row, now)
		s.mu.Unlock()
		ids = append(ids, row.ID)
	}
	return ids, nil
}

// ownNamed finds the stored row that a seeded one replaces. s.mu is held.
func (s *Service) ownNamed(row *Indicator) *Indicator {
	if len(s.own) > manySeeds {
		return nil
	}
	for _, old := range s.own {
		if old.Owner == row.Owner && old.Type == row.Type && old.Summary == row.Summary {
			return old
		}
	}
	return nil
}

// manySeeds: beyond, seeding does not look for rows to replace.
const manySeeds = 2_000

// Row returns a copy of a row, whoever may read it.
func (s *Service) Row(now time.Time, id int64) (Indicator, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row := s.get(id, now)
	if row == nil {
		return Indicator{}, fmt.Errorf("there is no indicator %d", id)
	}
	return row.clone(), nil
}

// Edit changes a row as an analyst does: lastModified moves with rating, confidence,
// status and false positives, not with tags, labels and attributes.
func (s *Service) Edit(now time.Time, id int64, edit func(*Indicator) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.get(id, now)
	if old == nil {
		return fmt.Errorf("there is no indicator %d", id)
	}
	row := old.clone()
	if err := edit(&row); err != nil {
		return err
	}
	if why := row.check(); why != "" {
		return fmt.Errorf("indicator %d: %s", id, why)
	}
	row.ID = id
	if old.Modified.Equal(row.Modified) && (moved(old, &row) || s.c.TagsModify && !slices.Equal(old.Tags, row.Tags)) {
		row.Modified = now.Truncate(time.Second)
	}
	s.put(&row, now)
	return nil
}

// clone shares nothing with the row: readers go on with the old one.
func (i *Indicator) clone() Indicator {
	c := *i
	c.Tags, c.Labels, c.Attributes = slices.Clone(i.Tags), slices.Clone(i.Labels), slices.Clone(i.Attributes)
	c.Rating, c.Confidence, c.Score = copied(i.Rating), copied(i.Confidence), copied(i.Score)
	return c
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// moved tells whether a change moves lastModified (reference, section 2.7).
func moved(a, b *Indicator) bool {
	return !same(a.Rating, b.Rating) || !same(a.Confidence, b.Confidence) || a.Inactive != b.Inactive ||
		a.FalseCount != b.FalseCount || a.Summary != b.Summary || a.Owner != b.Owner
}

func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// Remove deletes a row as an analyst does.
func (s *Service) Remove(now time.Time, id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.get(id, now)
	if row == nil {
		return fmt.Errorf("there is no indicator %d", id)
	}
	s.drop(row, now.Truncate(time.Second))
	return nil
}
