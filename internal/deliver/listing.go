package deliver

import (
	"context"
	"fmt"
	"strings"
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

// newOwner is the owner of what our apps make under a mark; app ids are GUIDs, which
// services and people write in either case.
func newOwner(mark, app string) owner {
	return owner{mark: mark, apps: map[string]bool{strings.ToLower(app): true}}
}

// ours: our app made it and it carries this store's mark (SEMANTICS D2). An empty
// app is one the service does not tell.
func (o owner) ours(r *sdk.Remote) bool { return r.Mark == o.mark && o.app(r) }

// otherMark: our app made it, for another store.
func (o owner) otherMark(r *sdk.Remote) bool { return r.Mark != "" && r.Mark != o.mark && o.app(r) }

func (o owner) app(r *sdk.Remote) bool {
	return r.App == "" || len(o.apps) == 0 || o.apps[strings.ToLower(r.App)]
}

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
	held := map[string]bool{} // identities whose row is listed: another row of one cannot be adopted
	for identity, r := range b.Rows {
		known[r.RemoteID] = true
		_, held[identity] = l.rows[r.RemoteID]
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
			if doubt[r.Identity] {
				continue
			}
			v.foreign[id] = true
			if !held[r.Identity] {
				v.unknown[r.Identity] = l.last(id, v.unknown[r.Identity])
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

// last is that of two listed rows which ends later, so that several rows of one identity
// are judged alike however they are listed. An id that is not listed is never it.
func (l *listing) last(a, b string) string {
	x, y := l.rows[a], l.rows[b]
	switch {
	case x.ID == "":
		return b
	case y.ID == "":
		return a
	case x.Expires.Equal(y.Expires):
		return min(a, b)
	case x.Expires.IsZero() || !y.Expires.IsZero() && x.Expires.After(y.Expires):
		return a
	}
	return b
}

// allows reports whether an action lets its value pass, in the words of the APIs.
func allows(action string) bool {
	switch action {
	case "Allowed", "Allow", "allow", "allowed":
		return true
	}
	return false
}
