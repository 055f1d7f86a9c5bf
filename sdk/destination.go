package sdk

import (
	"context"
	"net/http"
	"time"

	"github.com/remeld/remeld/indicator"
)

// Row is one live row of a node's table as a feed sees it. Key and Attrs are
// valid until the callback returns.
type Row struct {
	Key []byte
	// Changed is when the node last emitted a change of this row; feeds are
	// ordered by it, then by bytes.
	Changed time.Time
	Attrs   *indicator.Attributes
}

// Table is read access to a node's own table.
type Table interface {
	// Version changes with every emitted change.
	Version() uint64
	// Scan calls fn for each live row of one snapshot in key order.
	Scan(ctx context.Context, fn func(Row) error) error
}

// Feed is a destination that serves its table and is never empty in between.
type Feed interface {
	// Handler serves the feed's content. Authentication is done before it.
	Handler(t Table) http.Handler
}

// Target is a destination reconciled with one remote tenant (DESIGN section 4).
// It maps, declares limits and makes calls; deciding is the business of
// delivery. Methods are safe for concurrent use.
type Target interface {
	Info() TargetInfo
	// Map turns a record into the remote objects that express it, or says why
	// there are none. It is pure.
	Map(rec *indicator.Record) ([]Object, *Unfit)
	// List calls fn for every object of the tenant that this login can see, ours
	// and foreign ones. A nil error means the listing is complete.
	List(ctx context.Context, gate Gate, fn func(Remote) error) (Listing, error)
	// Encode writes the exact body of one call of op for items, so that it can be
	// stored before it is sent (SEMANTICS D11). At most the operation's Batch. The
	// items of a delete carry the object's mapped body as it was last sent.
	Encode(op OpName, items []SendItem) ([]byte, error)
	// Send makes one call with a stored body and reads the outcome of each item,
	// in order. Exactly one attempt: no retries of its own (SEMANTICS D12). The
	// error is an *Error.
	Send(ctx context.Context, op OpName, body []byte) (Answer, error)
}

// Gate is asked for a token before every call a Target makes on its own account
// (the pages of a listing); it waits, bounded by ctx.
type Gate func(ctx context.Context, op OpName) error

// OpName names an operation of a target's API.
type OpName string

// The operations a target may declare.
const (
	OpUpsert OpName = "upsert"
	OpDelete OpName = "delete"
	OpList   OpName = "list"
	// OpUpdate is declared by a target whose API changes an object by another call
	// than it creates one; updates and renewals then go by it and OpUpsert only
	// creates. Without it OpUpsert does both.
	OpUpdate OpName = "update"
)

// Op declares an operation's published limits.
type Op struct {
	Batch     int // items a call
	PerMinute int // 0 = not limited
	PerHour   int
	// RateKey groups operations that share one window (API path).
	RateKey string
	// Idempotent: repeating the same call yields the same object and its id.
	Idempotent bool
}

// TargetInfo is what delivery needs to know of a target.
type TargetInfo struct {
	// Domain is the destination domain (SEMANTICS D1): API, tenant and scope, not
	// the node's name.
	Domain string
	// Quota groups domains that share one capacity (a tenant).
	Quota    string
	Capacity int // objects the tenant can hold; 0 = no limit
	Reserve  int // slots kept free
	Ops      map[OpName]Op
	// ReadLag is how long a write may be invisible in a listing.
	ReadLag time.Duration
	// App is who the service says created our rows (app id).
	App string
	// MaxTLP is the class's default ceiling.
	MaxTLP indicator.TLP
	// Expiry returns how long an object of kind lives when nothing shorter is said.
	Expiry map[indicator.Kind]time.Duration
	// Connection is the login's name in the config.
	Connection string
	// Retires: an object that was withdrawn never returns under its id, so the next
	// one of the same identity is of the next generation (SEMANTICS D19).
	Retires bool
	// Blind says why the tenant cannot be listed with this configuration, "" where it
	// can. Delivery then works from the ledger alone, and an empty ledger needs a
	// person's word that the tenant holds nothing of ours.
	Blind string
	// Deprecated says since when Microsoft has retired the API and what takes its
	// place, "" for a living one. It is shown by validate and in every plan.
	Deprecated string
}

// Object is one remote object that delivery wants to exist.
type Object struct {
	// Identity is what makes it one object at the tenant, incl. action and scope.
	Identity string
	// Slot is the identity without the action: two objects of one Slot are a
	// replace or a conflict (SEMANTICS D8, D14).
	Slot      string
	Indicator indicator.Indicator
	Action    string
	// Body is the mapped object without expiry and owner mark.
	Body []byte
	// Hash is over what makes a change worth a write; volatile fields (last seen,
	// counts, score moves under 10) are not in it (SEMANTICS D10).
	Hash string
	// Score is the confidence the body tells. It is not in Hash: a move of 10 or
	// more against the score last sent is a change, a smaller one is not (D10).
	Score indicator.Score
	// Part: the record's objects say the same in several ways, the best first (the
	// hashes of a file). Where not all find a slot, the first ones are sent; of others
	// all or none.
	Part bool
	// Life is how long the object lives where that is not TargetInfo.Expiry's; 0 is
	// that.
	Life time.Duration
}

// Unfit says why a record has no object at a target: a code and words.
type Unfit struct {
	Code   string
	Detail string
}

// SendItem is one item of a write.
type SendItem struct {
	Object   Object
	RemoteID string    // of a delete, or of an update of a known row; "" where a call in doubt hid it (Retires: the id follows from identity and Generation)
	Expires  time.Time // service time
	Mark     string    // owner mark
	// Created is the service time of the object's first write and Modified that of
	// this one: later than any before, by a millisecond at least (SEMANTICS D19). Both
	// are kept for targets with TargetInfo.Retires only.
	Created, Modified time.Time
	// Generation counts the withdrawals of this identity before the object; 0 is the
	// first (SEMANTICS D19).
	Generation uint32
}

// Remote is one object the tenant lists.
type Remote struct {
	ID       string
	Identity string
	Slot     string
	Action   string
	Value    string
	Mark     string // owner mark it carries, "" if none
	App      string // who created it
	Expires  time.Time
	// Hash is over the listed content in the terms of Object.Hash, "" if it
	// cannot be told.
	Hash string
	// Raw is the object as listed. Encode takes it as an Object.Body: it is what an
	// adopted row is known by until its first update.
	Raw []byte
	// Generation, Created and Modified are those of SendItem, read back, and Withdrawn
	// says that the object was withdrawn for good. Told by targets with
	// TargetInfo.Retires only, so that a ledger that was lost learns them again
	// (SEMANTICS D19).
	Generation        uint32
	Created, Modified time.Time
	Withdrawn         bool
}

// Listing is what is known of a complete listing.
type Listing struct {
	// Count is the number of objects that stand: those Withdrawn are not in it.
	Count int
	// OwnOnly: the login sees only its own rows, so foreign ones are unknown
	// (SEMANTICS D3).
	OwnOnly    bool
	ServerTime time.Time
}

// Status is what became of one item of a write.
type Status string

// The statuses.
const (
	Accepted Status = "accepted"
	Rejected Status = "rejected" // for good, until the body changes
	Full     Status = "full"     // the tenant has no slot left
	Later    Status = "later"    // retry at RetryAt
)

// Outcome is the service's answer for one item.
type Outcome struct {
	Status   Status
	RemoteID string
	Code     string
	Reason   string
	RetryAt  time.Time
}

// Answer is the service's answer for one call.
type Answer struct {
	Outcomes   []Outcome
	ServerTime time.Time // the Date header; zero if absent
}

// Coster is implemented by a Target whose tenant pays for what is written; the plan
// shows it.
type Coster interface {
	// Cost says in words what writes cost beside live objects that stand: rows and
	// data a month, for example.
	Cost(writes, live int) string
}
