// Package protect decides what is never sent to a tenant: own assets, what
// warninglists know, special-purpose addresses, public suffixes and networks that
// are too wide. It acts both ways (SEMANTICS D7): a value is held when it lies
// inside a protected one, and when it contains one, because blocking a network or
// a domain blocks everything in it.
//
// Rules are declared once and are immutable; Check is safe for concurrent use and
// is asked again for every single write.
package protect

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"golang.org/x/net/publicsuffix"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/reason"
)

// List is a named set of values that answers both ways; *warninglist.List is one.
type List interface {
	// Match returns the entry that covers i.
	Match(i indicator.Indicator) (entry string, ok bool)
	// Inside returns an entry that lies inside i.
	Inside(i indicator.Indicator) (entry string, ok bool)
}

// Warninglist is a List of what is known to be harmless or shared.
type Warninglist struct {
	Name string
	List List
	// Rank lists name what is popular; they say nothing of a URL with a path, or no
	// payload on a code-hosting site would ever be blocked.
	Rank bool
}

// Own is a list of the user's own assets, built by NewOwn.
type Own struct {
	Name    string
	List    List
	Entries []indicator.Indicator
}

// Rules is everything that protects one destination. The zero Rules still hold
// special-purpose addresses, public suffixes and too wide networks.
type Rules struct {
	Own          []Own
	Warninglists []Warninglist
	// WidestV4 and WidestV6 are the shortest prefix lengths that may be sent; 0
	// means 16 and 32.
	WidestV4, WidestV6 int
	// NoSpecialPurpose and NoPublicSuffixes take these protections away: a person's
	// explicit word, for rehearsals with documentation addresses.
	NoSpecialPurpose, NoPublicSuffixes bool
}

// Check returns the reason and the entry that hold i back, or ok.
func (r *Rules) Check(i indicator.Indicator) (code reason.Code, detail string, held bool) {
	for k := range r.Own {
		if e, ok := both(r.Own[k].List, i); ok {
			return reason.Protected.With(r.Own[k].Name), e, true
		}
	}
	switch i.Kind {
	case indicator.IPv4, indicator.IPv6:
		if code, detail, held = r.network(i); held {
			return code, detail, true
		}
	case indicator.Domain:
		if suffix, _ := publicsuffix.PublicSuffix(i.Value); suffix == i.Value && !r.NoPublicSuffixes {
			return reason.PublicSuffix, suffix, true
		}
	case indicator.URL:
		if _, a := i.Host(); a.IsValid() && !r.NoSpecialPurpose {
			if p, ok := special(a, a); ok {
				return reason.SpecialPurpose, p.String(), true
			}
		}
	}
	for k := range r.Warninglists {
		w := &r.Warninglists[k]
		if w.Rank && i.Kind == indicator.URL && hasPath(i.Value) {
			continue
		}
		if e, ok := both(w.List, i); ok {
			return reason.Warninglist.With(w.Name), e, true
		}
	}
	return "", "", false
}

func both(l List, i indicator.Indicator) (string, bool) {
	if e, ok := l.Match(i); ok {
		return e, true
	}
	return l.Inside(i)
}

func (r *Rules) network(i indicator.Indicator) (reason.Code, string, bool) {
	from, to, ok := i.Addrs()
	if !ok {
		return "", "", false
	}
	if p, ok := special(from, to); ok && !r.NoSpecialPurpose {
		return reason.SpecialPurpose, p.String(), true
	}
	if n, wide := r.tooWide(from, to); wide {
		return reason.TooWide, "wider than /" + strconv.Itoa(n), true
	}
	return "", "", false
}

// tooWide compares numbers of addresses, so that a range that is no CIDR counts as
// what it holds. IPv6 is compared in /64 networks.
func (r *Rules) tooWide(from, to netip.Addr) (widest int, wide bool) {
	if from.Is4() {
		widest = orDefault(r.WidestV4, 16)
		a, b := from.As4(), to.As4()
		return widest, uint64(binary.BigEndian.Uint32(b[:])-binary.BigEndian.Uint32(a[:])) >= 1<<(32-widest)
	}
	widest = orDefault(r.WidestV6, 32)
	a, b := from.As16(), to.As16()
	return widest, binary.BigEndian.Uint64(b[:8])-binary.BigEndian.Uint64(a[:8]) >= 1<<(64-min(widest, 64))
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}
