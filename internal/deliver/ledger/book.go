package ledger

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/store"
)

// The spaces of a destination domain: rows by identity, the body each row was
// last sent with, identities by indicator, calls, ids deleted a moment ago, what is
// remembered of identities for good, and what rollbacks hold.
const (
	rowSpace    = "ledger/"
	bodySpace   = "ledger-body/"
	keySpace    = "ledger-key/"
	intentSpace = "intent/"
	goneSpace   = "ledger-gone/"
	pastSpace   = "ledger-past/"
	pinSpace    = "ledger-pin/"
	metaSpace   = "ledger-meta"
	undoSpace   = "apply"
)

// keepIntents is how long a closed call is kept: the longest rate window, twice.
const keepIntents = 2 * time.Hour

// Meta is what is remembered of a domain as a whole.
type Meta struct {
	// Version counts the commits of the ledger; it gives rows their Base.
	Version uint64 `json:"version"`
	// Calls is the last intent's number.
	Calls uint64 `json:"calls"`
	// ServedAt and ServedLocal are the service's time at its last answer and ours
	// at that moment (SEMANTICS E16).
	ServedAt    time.Time `json:"served_at,omitzero"`
	ServedLocal time.Time `json:"served_local,omitzero"`
	// Learned is the number of our objects at which the service said it was full,
	// at LearnedAt; 0 = not learned (SEMANTICS D3).
	Learned   int       `json:"learned,omitempty"`
	LearnedAt time.Time `json:"learned_at,omitzero"`
	// Stopped says why nothing is sent until the destination's config is no longer
	// StoppedConfig.
	Stopped       string `json:"stopped,omitempty"`
	StoppedKind   string `json:"stopped_kind,omitempty"`
	StoppedConfig string `json:"stopped_config,omitempty"`
	// Vouched is when a person said that a tenant which cannot be listed holds nothing
	// of ours, so that an empty ledger is right.
	Vouched time.Time `json:"vouched,omitzero"`
}

// Offset is how far the service's clock is ahead of ours.
func (m *Meta) Offset() time.Duration {
	if m.ServedAt.IsZero() {
		return 0
	}
	return m.ServedAt.Sub(m.ServedLocal)
}

// Book is one domain's ledger in memory, read from one snapshot. It is not safe
// for concurrent use; Commit keeps memory and store in step.
type Book struct {
	Domain string
	Meta   Meta
	Rows   map[string]*Row
	// Open are the intents without an outcome, oldest first: the calls in doubt.
	Open []*Intent
	// Gone are remote ids deleted at a local time: a listing may still show them.
	Gone map[string]time.Time
	// Pins are the identities that a rollback holds as they are.
	Pins map[string]Pin

	store store.Store
	fence store.Fence
	stale []uint64 // closed intents old enough to go
}

// Read loads the ledger of a domain. Writes need a fence of the domain's writer.
func Read(ctx context.Context, s store.Store, fence store.Fence, domain string, now time.Time) (*Book, error) {
	b := &Book{Domain: domain, Rows: map[string]*Row{}, Gone: map[string]time.Time{}, Pins: map[string]Pin{}, store: s, fence: fence}
	v, err := s.View()
	if err != nil {
		return nil, fmt.Errorf("read ledger of %s: %w", domain, err)
	}
	defer v.Close()
	if err := b.read(ctx, v, now); err != nil {
		return nil, fmt.Errorf("read ledger of %s: %w", domain, err)
	}
	return b, nil
}

// Scan calls fn for every row of a domain's ledger in one snapshot, without holding
// them all: for who only looks.
func Scan(ctx context.Context, v store.View, domain string, fn func(*Meta, *Row)) error {
	meta, err := readMeta(ctx, v, domain)
	if err == nil {
		err = scanRows(ctx, v, domain, func(r *Row) { fn(&meta, r) })
	}
	if err != nil {
		return fmt.Errorf("read ledger of %s: %w", domain, err)
	}
	return nil
}

func readMeta(ctx context.Context, v store.View, domain string) (m Meta, err error) {
	val, err := v.Get(ctx, metaSpace, []byte(domain))
	if err != nil || val == nil {
		return m, err
	}
	if err := json.Unmarshal(val, &m); err != nil {
		return m, fmt.Errorf("meta: %w", err)
	}
	return m, nil
}

func scanRows(ctx context.Context, v store.View, domain string, fn func(*Row)) error {
	return v.Scan(ctx, rowSpace+domain, store.Range{}, func(k, val []byte) error {
		r, err := DecodeRow(string(k), val)
		if err == nil {
			fn(r)
		}
		return err
	})
}

func (b *Book) read(ctx context.Context, v store.View, now time.Time) error {
	var err error
	if b.Meta, err = readMeta(ctx, v, b.Domain); err != nil {
		return err
	}
	if err := scanRows(ctx, v, b.Domain, func(r *Row) { b.Rows[r.Identity] = r }); err != nil {
		return err
	}
	err = v.Scan(ctx, intentSpace+b.Domain, store.Range{}, func(k, val []byte) error {
		in, err := decodeIntent(binary.BigEndian.Uint64(k), val)
		switch {
		case err != nil:
			return err
		case !in.Closed:
			b.Open = append(b.Open, in)
		case len(in.Attempts) == 0 || now.Sub(in.Attempts[len(in.Attempts)-1]) > keepIntents:
			b.stale = append(b.stale, in.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = v.Scan(ctx, goneSpace+b.Domain, store.Range{}, func(k, val []byte) error {
		d := decoder{data: val}
		b.Gone[string(k)] = d.time()
		return nil
	})
	if err != nil {
		return err
	}
	return v.Scan(ctx, pinSpace+b.Domain, store.Range{}, func(k, val []byte) error {
		var p Pin
		err := json.Unmarshal(val, &p)
		b.Pins[string(k)] = p
		return err
	})
}

// Present counts the rows believed to be at the tenant.
func (b *Book) Present() int {
	n := 0
	for _, r := range b.Rows {
		if r.Present() {
			n++
		}
	}
	return n
}

// InDoubt returns the identities that are in calls without an outcome.
func (b *Book) InDoubt() map[string]bool {
	m := map[string]bool{}
	for _, in := range b.Open {
		for i := range in.Items {
			m[in.Items[i].After.Identity] = true
		}
	}
	return m
}

// Bodies calls fn with the last sent body of each identity, in no set order.
func (b *Book) Bodies(ctx context.Context, identities []string, fn func(identity string, body []byte)) error {
	return b.many(ctx, bodySpace, identities, func(identity string, val []byte) error {
		fn(identity, slices.Clone(val))
		return nil
	})
}

// Pasts returns what is remembered of those of the identities whose objects went.
func (b *Book) Pasts(ctx context.Context, identities []string) (map[string]Past, error) {
	out := map[string]Past{}
	err := b.many(ctx, pastSpace, identities, func(identity string, val []byte) error {
		if val == nil {
			return nil
		}
		p, err := decodePast(val)
		out[identity] = p
		return err
	})
	return out, err
}

// many reads one space at several identities, in no set order.
func (b *Book) many(ctx context.Context, space string, identities []string, fn func(identity string, val []byte) error) error {
	v, err := b.store.View()
	if err != nil {
		return fmt.Errorf("read the ledger of %s: %w", b.Domain, err)
	}
	defer v.Close()
	sorted := slices.Clone(identities)
	slices.Sort(sorted)
	keys := make([][]byte, len(sorted))
	for i, id := range sorted {
		keys[i] = []byte(id)
	}
	return v.GetMany(ctx, space+b.Domain, keys, func(i int, val []byte) error { return fn(sorted[i], val) })
}

// Identities returns the objects an indicator contributes to.
func Identities(ctx context.Context, v store.View, domain string, i indicator.Indicator) ([]string, error) {
	prefix := indexPrefix(i)
	var out []string
	err := v.Scan(ctx, keySpace+domain, store.Range{From: prefix, To: next(prefix)}, func(k, _ []byte) error {
		out = append(out, string(k[len(prefix):]))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up %s in the ledger of %s: %w", i.Value, domain, err)
	}
	return out, nil
}

// Domains lists the domains that have ledger rows.
func Domains(ctx context.Context, v store.View) ([]string, error) {
	return trimmedSpaces(ctx, v, rowSpace)
}

func trimmedSpaces(ctx context.Context, v store.View, prefix string) ([]string, error) {
	spaces, err := v.Spaces(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list %s spaces: %w", prefix, err)
	}
	for i := range spaces {
		spaces[i] = strings.TrimPrefix(spaces[i], prefix)
	}
	return spaces, nil
}

// Calls walks every stored call of every domain, so that the rate windows can be
// rebuilt after a restart (SEMANTICS D12).
func Calls(ctx context.Context, v store.View, fn func(rate string, attempts []time.Time)) error {
	domains, err := trimmedSpaces(ctx, v, intentSpace)
	if err != nil {
		return err
	}
	for _, d := range domains {
		err := v.Scan(ctx, intentSpace+d, store.Range{}, func(k, val []byte) error {
			in, err := decodeIntent(binary.BigEndian.Uint64(k), val)
			if err == nil {
				fn(in.Rate, in.Attempts)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("read calls of %s: %w", d, err)
		}
	}
	return nil
}

// indexPrefix escapes the indicator's key so that no key is a prefix of another:
// 0x00 becomes 0x00 0xFF, and 0x00 0x01 ends it.
func indexPrefix(i indicator.Indicator) []byte {
	key := i.AppendKey(nil)
	out := make([]byte, 0, len(key)+2)
	for _, c := range key {
		if out = append(out, c); c == 0 {
			out = append(out, 0xFF)
		}
	}
	return append(out, 0, 1)
}

// next is the first key after all that begin with prefix, which ends in 0x01.
func next(prefix []byte) []byte {
	end := slices.Clone(prefix)
	end[len(end)-1]++
	return end
}
