package deliver

import (
	"context"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/sdk"
)

// listing is one complete listing of a tenant, by remote id.
type listing struct {
	at      time.Time // local time it began
	ownOnly bool
	rows    map[string]sdk.Remote
	// withdrawn are objects that were withdrawn for good, the latest of each identity
	// (SEMANTICS D19).
	withdrawn map[string]sdk.Remote
}

// take lists the tenant whole. Duplicate ids or an unstable count are no complete
// listing (SEMANTICS D3).
func take(ctx context.Context, target sdk.Target, gate sdk.Gate, now time.Time) (*listing, sdk.Listing, error) {
	l := &listing{at: now, rows: map[string]sdk.Remote{}, withdrawn: map[string]sdk.Remote{}}
	twice := ""
	n := 0 // withdrawn ones are in no count
	done, err := target.List(ctx, gate, func(r sdk.Remote) error {
		if _, dup := l.rows[r.ID]; dup {
			twice = r.ID
		}
		if !r.Withdrawn {
			l.rows[r.ID] = r
			n++
		} else if was, ok := l.withdrawn[r.Identity]; !ok || r.Generation >= was.Generation {
			l.withdrawn[r.Identity] = r
		}
		return nil
	})
	if err != nil {
		return nil, done, fmt.Errorf("list the tenant: %w", err)
	}
	if twice != "" || done.Count != n {
		return nil, done, &sdk.Error{Failure: sdk.Unavailable, Message: fmt.Sprintf(
			"the listing is not complete: %d rows read, %d announced, id %q twice; it will be listed again", n, done.Count, twice)}
	}
	l.ownOnly = done.OwnOnly
	return l, done, nil
}

// owner tells whose row a remote object is.
type owner struct {
	mark string
	apps map[string]bool
}

// ours: our app made it and it carries this store's mark (SEMANTICS D2). An empty
// app is one the service does not tell.
func (o owner) ours(r *sdk.Remote) bool { return r.Mark == o.mark && o.app(r) }

// otherMark: our app made it, for another store.
func (o owner) otherMark(r *sdk.Remote) bool { return r.Mark != "" && r.Mark != o.mark && o.app(r) }

func (o owner) app(r *sdk.Remote) bool { return r.App == "" || len(o.apps) == 0 || o.apps[r.App] }

// view is a listing seen from a ledger.
type view struct {
	foreign    map[string]bool   // ids of rows that take slots and are not in a ledger
	duplicate  map[string]string // foreign rows: identity → id
	allow      map[string]string // foreign allow rows: slot → id
	unknown    map[string]string // our mark without a ledger row: identity → id
	otherMarks map[string]int    // mark → rows of our app
}

// see judges the rows of a listing. siblings are the ledgers of the other domains of
// the quota: domains that are scopes of one tenant list each other's rows, which are
// counted where they belong.
func (l *listing) see(b *ledger.Book, siblings []*ledger.Book, o owner, serviceNow time.Time) view {
	v := view{foreign: map[string]bool{}, duplicate: map[string]string{}, allow: map[string]string{}, unknown: map[string]string{}, otherMarks: map[string]int{}}
	if l == nil {
		return v
	}
	known := make(map[string]bool, len(b.Rows))
	for _, r := range b.Rows {
		known[r.RemoteID] = true
	}
	for _, other := range siblings {
		for _, r := range other.Rows {
			known[r.RemoteID] = true
		}
	}
	doubt := b.InDoubt()
	for id := range l.rows {
		r := l.rows[id]
		_, gone := b.Gone[id]
		if known[id] || gone || !r.Expires.IsZero() && !r.Expires.After(serviceNow) {
			continue
		}
		if o.ours(&r) {
			if !doubt[r.Identity] {
				v.unknown[r.Identity] = id
				v.foreign[id] = true
			}
			continue
		}
		if o.otherMark(&r) {
			v.otherMarks[r.Mark]++
		}
		v.foreign[id] = true
		v.duplicate[r.Identity] = id
		if allows(r.Action) {
			v.allow[r.Slot] = id
		}
	}
	return v
}

// allows reports whether an action lets its value pass, in the words of the APIs.
func allows(action string) bool {
	switch action {
	case "Allowed", "Allow", "allow", "allowed":
		return true
	}
	return false
}
