// Package config turns YAML into the typed configuration of a store: nodes,
// logins, protection and the web door. Load reads everything and reports all
// that is wrong at once, each with file, line, column and what to do.
//
// Class configs are decoded into the structs that classes register with the sdk
// package; config knows no class itself.
package config

import (
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/compute"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

// Pos is a place in a configuration file; Line and Col are 1-based, Col counts
// characters.
type Pos struct {
	File string
	Line int
	Col  int
}

// Config is a whole configuration. It is not changed after Load.
type Config struct {
	// Instance is the readable half of the store's owner mark (SEMANTICS D2).
	Instance    string
	Connections map[string]*Connection
	Protect     Protect
	Web         Web
	Nodes       map[string]*Node
	Notify      []Route
	Jobs        map[string]*Job
	// JobOrder holds the jobs as they stand in the files.
	JobOrder []string
	// Order holds the node names, inputs and allow-lists before what reads them.
	Order []string
	// BaseDir is where relative paths of class configs start; absolute if Load read it.
	BaseDir string
	// Version is a keyed hash over all that affects the outcome; a rotated secret
	// of a connection does not change it.
	Version string

	masks        *masker
	files        []File
	confidential bool // a secret stands in it
}

// Connection is one login, decoded by its type.
type Connection struct {
	Name    string
	Type    string
	Config  any
	Expires time.Time // when its secret ends, zero if not said
	// Protect names nodes whose rows are never sent to this tenant, besides those
	// protected everywhere (SEMANTICS D7).
	Protect []string
	Pos     Pos
	// Fingerprint is a keyed hash over everything in it, secrets included: it
	// changes when the login must be built again.
	Fingerprint string

	protectAt *value
}

// SDK returns the connection as connectors see it.
func (c *Connection) SDK() *sdk.Connection {
	return &sdk.Connection{Name: c.Name, Type: c.Type, Config: c.Config}
}

// Node is one node of the graph with everything resolved.
type Node struct {
	Name       string
	Class      string
	ClassInfo  sdk.Class
	Prototype  string
	Inputs     []string
	Allow      []string
	Connection string
	To         []string // connections of a target
	Tenants    []Tenant // one per connection in To
	Config     any      // what ClassInfo.NewConfig returned, filled
	Keep       []Keep
	Compute    []ComputeRule
	Attributes indicator.Attributes // constants that are set on every row
	// AttributeNames are the names set in Attributes, in order of the file.
	AttributeNames []string
	Settings
	// ByJob: a job polls or applies it; it does neither by itself.
	ByJob bool
	// Idle says why the runs of its job leave a destination alone; "" where they do not.
	Idle string
	// Fingerprint is a keyed hash over all that affects what the node does; the
	// content of connections is not in it.
	Fingerprint string
	Pos         Pos
	Keys        map[string]Pos // the place of each engine key that is given
}

// Keep is one named condition: a row that it does not hold for is dropped with
// the name as the reason.
type Keep struct {
	Name   string
	Filter *tql.Filter
	Pos    Pos
}

// ComputeRule sets Attr from an expression.
type ComputeRule struct {
	Attr    string
	Program *compute.Program
	Pos     Pos
}

// Settings are the engine keys of a node that are plain values. A key that is
// not for the node's role is an error.
type Settings struct {
	Interval      time.Duration `yaml:"interval" roles:"source" min:"1s" doc:"Time between polls; the class's own, mostly 1h, if not given."`
	Jitter        Share         `yaml:"jitter" roles:"source" doc:"How far a poll may move from its time, as a share of the interval."`
	TLP           indicator.TLP `yaml:"tlp" roles:"source" doc:"TLP of rows that come without one; green for anonymous sources, amber with a login, if not given."`
	Age           AgeRules      `yaml:"age" roles:"source" doc:"When rows leave by age; membership for snapshots and last_seen + 30d for events, if not given. never: rows do not age."`
	WithdrawAfter int           `yaml:"withdraw_after" roles:"source" min:"1" doc:"Complete polls without a row before it is withdrawn (snapshots)."`
	MaxStale      MaxStale      `yaml:"max_stale" roles:"source" doc:"What happens when no complete poll was accepted for long; nothing, if not given."`
	Empty         string        `yaml:"empty" roles:"source" enum:"freeze,ok" doc:"ok: an empty poll empties the source; freeze: it freezes it."`
	Agree         int           `yaml:"agree" roles:"source" min:"0" doc:"Agreeing complete polls that end a freeze by themselves; 0: only a person does."`
	Freeze        FreezeLimits  `yaml:"freeze" roles:"source" doc:"How much a snapshot may shrink against the largest accepted one of 7 days before the source is frozen."`

	Tags []string `yaml:"tags" roles:"feed" doc:"Feed users with one of these tags may read the feed; everybody, if not given."`

	MaxTLP        indicator.TLP `yaml:"max_tlp" roles:"feed,target" doc:"Rows above this TLP are not given out; open feeds green, feeds with tags amber+strict, targets as their class says, if not given."`
	MinConfidence int           `yaml:"min_confidence" roles:"target" min:"0" max:"100" doc:"Least confidence of what would block, by the node's action or a rule's; an unknown confidence counts as below. 0: any."`
	Mode          string        `yaml:"mode" roles:"target" enum:"plan,auto" doc:"plan: nothing is sent until a person approves the first plan, then as auto; auto: plans are applied by themselves."`
	OnDrift       string        `yaml:"on_drift" roles:"target" enum:"freeze,restore" doc:"What happens to own rows that somebody changed in the tenant."`
	OnRemove      string        `yaml:"on_remove" roles:"target" enum:"withdraw,keep" doc:"What happens to live rows when the node goes or changes its tenant; must be given then."`
	Renew         string        `yaml:"renew" roles:"target" enum:"while_wanted,on_change" doc:"Whether rows are renewed before they expire for as long as they are wanted."`
	Settle        time.Duration `yaml:"settle" roles:"target" min:"0s" doc:"Quiet time upstream before a plan is made."`
	ListingAge    time.Duration `yaml:"listing_age" roles:"target" min:"1m" doc:"Age from which the tenant is listed anew before an apply."`
	DriftEvery    time.Duration `yaml:"drift_every" roles:"target" min:"1m" doc:"Time between looks for drift."`
	Guard         Guard         `yaml:"guard" roles:"target" doc:"Mass-change limits over a rolling 24 hours; a stop asks a person."`
}

// AgeRules say when a row leaves by age; zero fields do not apply. FirstSeen and
// ValidUntil run on the clock, LastSeen against the source's last accepted poll
// (SEMANTICS E6).
type AgeRules struct {
	FirstSeen  time.Duration `yaml:"first_seen" min:"1m" doc:"Rows leave this long after they were first seen."`
	LastSeen   time.Duration `yaml:"last_seen" min:"1m" doc:"Rows leave this long after the source last had them."`
	ValidUntil bool          `yaml:"valid_until" doc:"Rows leave at their own valid_until."`
	Never      bool          `yaml:"never" doc:"Rows do not age."`
}

// MaxStale says what becomes of the rows of a source that has had no accepted
// complete poll for After; zero After means that nothing does.
type MaxStale struct {
	After time.Duration `yaml:"after" min:"1m" doc:"Time since the last accepted complete poll."`
	Then  string        `yaml:"then" enum:"keep,withdraw" doc:"keep: a condition is raised; withdraw: the rows go as well."`
}

// Limit is crossed when both the share and the count are exceeded.
type Limit struct {
	Share Share `yaml:"share" doc:"Share of the live rows."`
	Count int   `yaml:"count" min:"0" doc:"Number of rows."`
}

// FreezeLimits are the bounds of SEMANTICS E7.
type FreezeLimits struct {
	Limit `yaml:",inline"`
	// MinRows is how many rows a set had to have for its emptying to freeze.
	MinRows int `yaml:"min_rows" min:"0" doc:"Rows that a set must have had for an empty poll to freeze it."`
}

// Guard holds the mass-change limits of SEMANTICS D6.
type Guard struct {
	Deletes Limit `yaml:"deletes" doc:"Deletions, evictions and replaces of the destination."`
	Creates Limit `yaml:"creates" doc:"Creations of the destination."`
	Source  Limit `yaml:"source" doc:"Withdrawals that one source causes."`
}

// Protect is what is never sent anywhere, both ways (SEMANTICS D7).
type Protect struct {
	Lists          []string `yaml:"lists" doc:"Nodes whose rows are protected."`
	Warninglists   []string `yaml:"warninglists" doc:"MISP warninglists, by the name of one that is built in or as a path. What is given replaces the default; [] is none."`
	SpecialPurpose bool     `yaml:"special_purpose" doc:"Protect special-purpose addresses (private, loopback, documentation, …)."`
	PublicSuffixes bool     `yaml:"public_suffixes" doc:"Protect public suffixes (com, co.uk, …)."`
	MaxCIDR        MaxCIDR  `yaml:"max_cidr" doc:"Networks wider than this are never sent."`
}

// MaxCIDR is the shortest prefix length that may be sent.
type MaxCIDR struct {
	IPv4 int `yaml:"ipv4" min:"0" max:"32" doc:"Shortest prefix length of IPv4."`
	IPv6 int `yaml:"ipv6" min:"0" max:"128" doc:"Shortest prefix length of IPv6."`
}

// Web is the door for feeds, the API and the user interface.
type Web struct {
	Listen      string `yaml:"listen" doc:"Address and port to listen on."`
	TLS         TLS    `yaml:"tls" doc:"Certificate and key; needed to listen beyond this machine, unless a proxy is declared."`
	BehindProxy bool   `yaml:"behind_proxy" doc:"A proxy in front terminates TLS."`
	Users       []User `yaml:"users" doc:"Feed users (basic authentication)."`
	UsersFile   string `yaml:"users_file" doc:"YAML file with a list of further feed users."`
}

// TLS names the files of a certificate.
type TLS struct {
	Cert string `yaml:"cert" doc:"PEM file with the certificate chain."`
	Key  string `yaml:"key" doc:"PEM file with the private key."`
}

// User is one feed user.
type User struct {
	Name     string     `yaml:"name" required:"true" doc:"Login name."`
	Password sdk.Secret `yaml:"password" required:"true" doc:"Password as a reference, or its bcrypt or argon2id hash."`
	Tags     []string   `yaml:"tags" doc:"Feeds with one of these tags may be read."`
}

// defaultSettings are the defaults of SEMANTICS section F.
func defaultSettings() Settings {
	return Settings{
		Jitter: 0.1, WithdrawAfter: 2, Empty: "freeze",
		MaxStale: MaxStale{Then: "keep"},
		Freeze:   FreezeLimits{Limit: Limit{Share: 0.5, Count: 100}, MinRows: 20},
		Mode:     "plan", OnDrift: "freeze", Renew: "while_wanted", MinConfidence: 70,
		Settle: time.Minute, ListingAge: time.Hour, DriftEvery: 6 * time.Hour,
		Guard: Guard{
			Deletes: Limit{Share: 0.1, Count: 100},
			Creates: Limit{Share: 0.5, Count: 1000},
			Source:  Limit{Share: 0.2, Count: 50},
		},
	}
}

func defaultProtect() Protect {
	return Protect{Warninglists: []string{"microsoft", "public-dns"}, SpecialPurpose: true, PublicSuffixes: true, MaxCIDR: MaxCIDR{IPv4: 16, IPv6: 32}}
}

func defaultWeb() Web { return Web{Listen: "127.0.0.1:8088"} }
