package threatconnect

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/threatconnect"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

// poll is one read of the source.
type poll struct {
	source *source
	out    sdk.Sink
	wanted cut    // the whole condition
	mark   string // tag that we set ourselves
	key    []byte
	sum    [sha256.Size]byte // of what was added, in any order
	read   int
	// told is how far the poll is.
	told sdk.Progress
}

// everything reads all that is wanted; what is not among it is gone. An owner that
// cannot be read would look like one that has become empty, so the owners come first.
func (p *poll) everything(ctx context.Context, since time.Time) error {
	owners, err := p.source.owners(ctx)
	if err != nil {
		return err
	}
	if p.source.c.API == v2 {
		return p.branches(ctx, owners, since)
	}
	query := and(p.wanted.server, modifiedSince(since))
	if sdk.Watched(ctx) {
		n, err := p.source.client.Count(ctx, query)
		if err != nil { // the read will say what is wrong, if it is more than the count
			p.source.env.Log.Debug("how many indicators there are is not known", "error", err)
		}
		p.told.Total = max(n, 0)
	}
	return p.list(ctx, query)
}

// The limits of reading changes: more than maxChanged values are better read whole,
// and maxAsked of them, or maxAskedText bytes, go into one query. A single longer value
// cannot be asked for at all.
const (
	maxChanged   = 20_000
	maxAsked     = 200
	maxAskedText = 256 << 10
)

// changes finds the values that were touched since the cursor: modified, deactivated
// or deleted. Each is then asked for anew, with all conditions and in all owners, so
// that what is said of it is what a whole read would say; what does not come is
// removed. tooMany tells that a whole read is called for instead.
func (p *poll) changes(ctx context.Context, cursor, first time.Time) (tooMany bool, err error) {
	touched, files := map[value]bool{}, map[int64]bool{}
	note := func(typ, summary string, id int64) error {
		touched[value{typ, summary}] = true
		if typ == "File" && id != 0 {
			files[id] = true
		}
		if len(touched) > maxChanged {
			return errTooMany
		}
		return nil
	}
	err = p.touched(ctx, cursor, note)
	if errors.Is(err, errTooMany) {
		p.source.env.Log.Info("too many changes to look up one by one; everything is read", "more_than", maxChanged)
		return true, nil
	}
	if err == nil {
		err = p.formerHashes(ctx, touched, files)
	}
	if err != nil {
		return false, err
	}
	return false, p.ask(ctx, touched, first)
}

// value is an indicator in whatever owner.
type value struct{ typ, summary string }

var errTooMany = errors.New("too many changes")

// touched calls note for everything that may have changed. Deletions are kept by
// owner; without owners given those of every owner the user may read are asked for.
func (p *poll) touched(ctx context.Context, cursor time.Time, note func(typ, summary string, id int64) error) error {
	c := &p.source.c
	for _, active := range []string{"", "indicatorActive = false"} {
		q := threatconnect.Query{TQL: and(c.scope(), active, modifiedSince(cursor)), Page: threatconnect.MaxPage}
		err := p.source.client.Indicators(ctx, q, nil, func(i *threatconnect.Indicator) error { return note(i.Type, i.Summary, i.ID) })
		if err != nil {
			return err
		}
	}
	owners, err := p.source.owners(ctx)
	if err != nil {
		return err
	}
	for _, owner := range owners {
		err := p.source.client.Deleted(ctx, owner, cursor, func(d *threatconnect.Deleted) error { return note(d.Type, d.Summary, 0) })
		if err != nil {
			return err
		}
	}
	return nil
}

// owners are the names of the owners to read, as the instance spells them.
func (s *source) owners(ctx context.Context) ([]string, error) {
	c := &s.c
	chosen := len(c.Owners) > 0 && c.TQL == ""
	list := s.client.Owners
	if c.API == v2 {
		list = s.client.OwnersV2
	}
	all, err := list(ctx)
	if err != nil {
		return nil, err
	}
	names, readable := make([]string, 0, len(all)), make([]string, 0, len(all))
	for _, o := range all {
		readable = append(readable, o.Name)
		if !chosen || slices.ContainsFunc(c.Owners, func(name string) bool { return strings.EqualFold(name, o.Name) }) {
			names = append(names, o.Name)
		}
	}
	for _, name := range c.Owners {
		if chosen && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(name, n) }) {
			return nil, &sdk.Error{Failure: sdk.Forbidden, Message: fmt.Sprintf(
				"ThreatConnect has no owner %q that the API user may read; it may read %s: give one of these, or let an administrator there give the user access", name, listed(readable))}
		}
	}
	return names, nil
}

// shownOwners is how many owners are named in a message.
const shownOwners = 10

func listed(owners []string) string {
	if len(owners) == 0 {
		return "none"
	}
	text := strings.Join(owners[:min(len(owners), shownOwners)], ", ")
	if more := len(owners) - shownOwners; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// ask reads the touched values anew and removes those that are not wanted any more.
func (p *poll) ask(ctx context.Context, touched map[value]bool, first time.Time) error {
	p.told.Total = len(touched) // as a rule; some stand in several owners, some are gone
	byType := map[string][]string{}
	for v := range touched {
		byType[v.typ] = append(byType[v.typ], v.summary)
	}
	for _, typ := range slices.Sorted(maps.Keys(byType)) {
		summaries := byType[typ]
		slices.Sort(summaries)
		for len(summaries) > 0 {
			n := fitting(summaries)
			if err := p.askSome(ctx, typ, summaries[:n], first); err != nil {
				return err
			}
			summaries = summaries[n:]
		}
	}
	return nil
}

// fitting is how many of the values go into one query, one at least.
func fitting(summaries []string) int {
	size := 0
	for n, s := range summaries {
		if size += len(s); n > 0 && (n == maxAsked || size > maxAskedText) {
			return n
		}
	}
	return len(summaries)
}

func (p *poll) askSome(ctx context.Context, typ string, summaries []string, first time.Time) error {
	for _, s := range summaries {
		for _, key := range keysOf(typ, s) {
			// What is added in the same poll is not removed, whatever came first.
			if err := p.out.Remove(key); err != nil {
				return err
			}
		}
	}
	named := naming(typ, summaries)
	if named == "" {
		return nil // nothing that could be asked for by its text
	}
	q := and(p.wanted.server, modifiedSince(first), list("typeName", []string{typ}), named)
	return p.list(ctx, q)
}

// naming asks for values by their texts, "" where there is none. A File is asked for by
// each of its hashes: another owner may hold some of them only, beside others. The texts
// are the instance's: one that is empty, or longer than any query may be, names nothing.
func naming(typ string, summaries []string) string {
	all := summaries
	if typ == "File" {
		all = nil
		for _, s := range summaries {
			all = append(all, hashes(s)...)
		}
		slices.Sort(all)
		all = slices.Compact(all)
	}
	all = slices.DeleteFunc(slices.Clone(all), func(text string) bool { return text == "" || len(text) > maxAskedText })
	if len(all) == 0 {
		return ""
	}
	if typ != "File" {
		return list("summary", all)
	}
	return "summary CONTAINS " + tql.QuoteList(all)
}

// list adds every indicator that matches.
func (p *poll) list(ctx context.Context, query string) error {
	q := threatconnect.Query{
		TQL: query, Fields: p.wanted.fields(), Page: p.source.c.Page,
		Match: p.wanted.match(p.source.now),
	}
	return p.source.client.Indicators(ctx, q, p.tell(ctx), p.add)
}

// tell reports how far the poll is after each page of a listing that begins now.
func (p *poll) tell(ctx context.Context) threatconnect.Progress {
	before := p.told.Read
	return func(read int) {
		p.told.Pages, p.told.Read, p.told.Kept = p.told.Pages+1, before+read, p.read
		sdk.ReportProgress(ctx, p.told)
	}
}

// notes are what a person should know of the read.
func (p *poll) notes() []string {
	notes := p.wanted.notes
	if off := p.source.client.ClockOff(); off != "" {
		notes = append(notes, off+": set it right; until then its requests are signed with ThreatConnect's time")
	}
	return notes
}

func (p *poll) add(i *threatconnect.Indicator) error {
	ind, refusal := indicatorOf(i)
	if refusal != nil {
		p.out.Refuse(0, refusal)
		return nil
	}
	p.key = ind.AppendKey(p.key[:0])
	p.count(i)
	return p.out.Add(p.key, unmarked(i, p.mark))
}

// count folds what identifies a version of an object into the poll's name.
func (p *poll) count(i *threatconnect.Indicator) {
	p.read++
	buf := binary.BigEndian.AppendUint64(nil, uint64(i.ID))
	one := sha256.Sum256(binary.BigEndian.AppendUint64(buf, uint64(i.LastModified.UnixNano())))
	for n := range p.sum {
		p.sum[n] ^= one[n]
	}
}

func (p *poll) digest() string { return hex.EncodeToString(p.sum[:12]) }
