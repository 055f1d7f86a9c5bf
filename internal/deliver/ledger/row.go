// Package ledger is what delivery remembers of every object it made at a tenant:
// one row for each remote object (not for each indicator), the exact body last
// sent, the calls whose outcome is not known yet, and what would undo each apply.
//
// Use a Book to read a destination domain's ledger whole and to commit changes of
// it; nothing else writes these spaces. The rules are SEMANTICS D1, D11 and D17.
package ledger

import (
	"time"

	"github.com/remeld/remeld/indicator"
)

// State is what is known of a row's object.
type State uint8

// The states. The numbers are on disk.
const (
	Live State = iota + 1
	// Rejected: the service refused the body whose hash is in BodyHash for good.
	// With a RemoteID the object is still there with its earlier content.
	Rejected
	// Edited: somebody changed our object at the tenant.
	Edited
	// Missing: somebody deleted our object at the tenant.
	Missing
	// Touched: the service answered our write with the id of a foreign row.
	Touched
)

func (s State) String() string {
	return [...]string{"", "live", "rejected", "edited", "missing", "foreign-touched"}[min(s, Touched)]
}

// Contributor is one indicator of one node that wants the object.
type Contributor struct {
	Node      string
	Indicator indicator.Indicator
	Sources   []string
}

// Row is one remote object of ours.
type Row struct {
	Identity  string // the key within its destination domain
	Slot      string
	Action    string
	Indicator indicator.Indicator
	// Contributors is never empty in a live row, except in one that was adopted.
	Contributors []Contributor
	RemoteID     string
	Hash         string // sdk.Object.Hash of the content at the tenant
	BodyHash     string // of the exact body that was rejected
	Score        indicator.Score
	TLP          indicator.TLP // of the record it was last sent for
	// Generation, Made and Modified are kept for targets that retire identities
	// (SEMANTICS D19): how often the identity was withdrawn before, and the service
	// times of the object's first and last write.
	Generation     uint32
	Made, Modified time.Time
	// AdoptedFrom is the app that made the object, where it was taken over from a
	// predecessor: the service goes on naming that app as its creator.
	AdoptedFrom string
	State       State
	Attempts    uint32 // writes refused or answered with "later" since the last success
	Code        string // the service's last code, "" after a success
	Reason      string
	Created     time.Time // local time of the first accepted write: the start of its tenure
	Sent        time.Time // local time of the last accepted write
	Expires     time.Time // service time
	ValidUntil  time.Time // never renewed past it
	// Life is sdk.Object.Life of what was last sent: a renewal without a record asks it.
	Life        time.Duration
	FrozenSince time.Time // since when it is renewed although a freeze keeps it
	RetryAt     time.Time // local time; the service asked to wait
	// Base is the ledger version that wrote this row. A plan made against another
	// one does not apply to it (SEMANTICS D16).
	Base uint64
}

// Present reports whether the object is believed to be at the tenant, taking a
// slot.
func (r *Row) Present() bool {
	switch r.State {
	case Live, Edited, Touched:
		return true
	case Rejected:
		return r.RemoteID != ""
	}
	return false
}

// Past is what is remembered of an identity whose row is gone, where the target
// retires identities. It is never trimmed or reset (SEMANTICS D19).
type Past struct {
	Generation uint32    // of the last object
	Modified   time.Time // service time of its last write
	// Withdrawn: the object was withdrawn, so that the next one needs another
	// generation; false where it ended by itself or may never have come to be.
	Withdrawn bool
}

// Next is the generation of the next object of the identity.
func (p *Past) Next() uint32 {
	if p.Withdrawn {
		return p.Generation + 1
	}
	return p.Generation
}

// Sources returns the distinct sources of all contributors.
func (r *Row) Sources() []string {
	var out []string
	for _, c := range r.Contributors {
		for _, s := range c.Sources {
			if !contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// Nodes returns the distinct nodes of all contributors.
func (r *Row) Nodes() []string {
	var out []string
	for _, c := range r.Contributors {
		if !contains(out, c.Node) {
			out = append(out, c.Node)
		}
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
