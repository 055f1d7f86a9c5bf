package deliver

import (
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/guard"
	"github.com/remeld/remeld/internal/deliver/rank"
	"github.com/remeld/remeld/internal/deliver/reason"
)

// Action is what a plan does about one object.
type Action string

// The actions. Gone and Note change the ledger alone: an object that expired by
// itself, and a contributor that came or went.
const (
	Create  Action = "create"
	Update  Action = "update"
	Renew   Action = "renew"
	Replace Action = "replace" // both halves carry it, tied by Pair
	Delete  Action = "delete"
	Gone    Action = "gone"
	Note    Action = "note"
	Adopt   Action = "adopt-needed"
	Frozen  Action = "frozen"
)

// Want is one node's record behind an object.
type Want struct {
	Node      string              `json:"node"`
	Indicator indicator.Indicator `json:"indicator"`
	Sources   []string            `json:"sources,omitempty"`
}

// Item is what a plan does about one object. An item with a desired hash writes
// the object, one without removes it.
type Item struct {
	Domain   string      `json:"domain"`
	Action   Action      `json:"action"`
	Identity string      `json:"identity"`
	Slot     string      `json:"slot,omitempty"`
	Wants    []Want      `json:"wants,omitempty"`
	Reason   reason.Code `json:"reason,omitempty"`
	// Base is the ledger row's version, 0 when there was no row; Desired is the
	// hash of the wanted object (SEMANTICS D16).
	Base    uint64 `json:"base,omitempty"`
	Desired string `json:"desired,omitempty"`
	// Pair is the identity of the other object of the slot: a replacement's other half,
	// or the successor of what is withdrawn for protection.
	Pair    string    `json:"pair,omitempty"`
	Rank    rank.Rank `json:"rank,omitempty"`
	Expires time.Time `json:"expires,omitzero"` // when the object at the tenant ends

	// Score is what the wanted object tells, for a row that was adopted without one.
	Score indicator.Score `json:"score,omitempty"`

	// Lifted names the list whose shrinking uncovered it (SEMANTICS E10).
	Lifted string `json:"lifted,omitempty"`
	// Undoes is the apply whose write of the object is undone.
	Undoes string `json:"undoes,omitempty"`
	// Held marks the renewal of a row that is otherwise frozen, with the body it has.
	Held bool `json:"held,omitempty"`

	record *indicator.Record // of a plan made by this process
}

// Sources returns the distinct sources behind the item.
func (it *Item) Sources() []string {
	seen := map[string]bool{}
	var out []string
	for _, w := range it.Wants {
		for _, s := range w.Sources {
			if !seen[s] {
				seen[s] = true
				out = append(out, s)
			}
		}
	}
	return out
}

// Held is one record that is not sent, with the reason.
type Held struct {
	Node      string              `json:"node"`
	Domain    string              `json:"domain"`
	Indicator indicator.Indicator `json:"indicator"`
	Reason    reason.Code         `json:"reason"`
	Detail    string              `json:"detail,omitempty"`
	Sources   []string            `json:"sources,omitempty"`
}

// Cut is the budget's edge: the last record that got a slot and the first that
// did not.
type Cut struct {
	Budget   int       `json:"budget"` // 0 = no limit
	Foreign  int       `json:"foreign"`
	Rank     rank.Rank `json:"rank,omitempty"`
	Last     string    `json:"last,omitempty"`
	LastRank string    `json:"last_rank,omitempty"`
	Next     string    `json:"next,omitempty"`
	NextRank string    `json:"next_rank,omitempty"`
}

// StopReport is a guard's stop as a plan shows it.
type StopReport struct {
	ID      string    `json:"id"`
	Domain  string    `json:"domain"`
	Key     guard.Key `json:"key"`
	Planned int       `json:"planned"`
	Text    string    `json:"text"`
}

// Plan is the difference between what is wanted and what is there.
type Plan struct {
	ID      string    `json:"id"`
	Group   string    `json:"group"` // the quota domain that is planned together
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires"`
	// Config is each node's config version; another one refuses the plan whole.
	Config    map[string]string    `json:"config"`
	Watermark map[string]Watermark `json:"watermark"`
	Ledger    map[string]uint64    `json:"ledger"`  // version by domain
	Listing   map[string]time.Time `json:"listing"` // by domain; absent = none
	Items     []*Item              `json:"-"`

	Keep     int                       `json:"keep"` // live and right as they are
	Actions  map[Action]int            `json:"actions"`
	Reasons  map[reason.Code]int       `json:"reasons"`
	BySource map[string]map[Action]int `json:"by_source"`
	Samples  map[reason.Code][]Held    `json:"samples"`
	Desired  int                       `json:"desired"` // records read
	Cut      Cut                       `json:"cut"`
	Stops    []StopReport              `json:"stops,omitempty"`
	// Notes say what the plan had to do without: a listing, an answer.
	Notes []string `json:"notes,omitempty"`
	// Tenants is what the plan does at each destination domain, and what is to be known
	// of it.
	Tenants []Tenant `json:"tenants,omitempty"`
	// Parts are the ids of the plans, one a quota domain, that this one holds together;
	// it has no items of its own then.
	Parts []string `json:"parts,omitempty"`
	// Undoes is the apply that this plan rolls back (SEMANTICS D17); Conflicts are its
	// objects that changed since, which stay as they are.
	Undoes    string `json:"undoes,omitempty"`
	Conflicts []Skip `json:"conflicts,omitempty"`
	// First: nobody has approved a plan of these nodes yet.
	First bool `json:"first,omitempty"`
	// Awake are the nodes that get something new by the plan; those of jobs wait for their
	// runs otherwise.
	Awake []string `json:"awake,omitempty"`
	// Waiting: the loop saved it for a person; it goes once it cannot be applied.
	Waiting bool `json:"waiting,omitempty"`
}

// Tenant is one line of a plan's matrix.
type Tenant struct {
	Domain     string         `json:"domain"`
	Connection string         `json:"connection,omitempty"`
	Nodes      []string       `json:"nodes"`
	Actions    map[Action]int `json:"actions"` // objects
	Keep       int            `json:"keep"`
	Held       int            `json:"held"` // records held out
	Live       int            `json:"live"`
	Unlisted   string         `json:"unlisted,omitempty"`   // why it cannot be listed
	Deprecated string         `json:"deprecated,omitempty"` // since when its API is retired
	Cost       string         `json:"cost,omitempty"`       // what the plan's writes cost
}

// writes counts the objects that are written or withdrawn.
func (t *Tenant) writes() int {
	n := 0
	for _, a := range []Action{Create, Update, Renew, Replace, Delete} {
		n += t.Actions[a]
	}
	return n
}

// samplesEach bounds the samples of one reason.
const samplesEach = 10

// Changes counts the items that make calls or change the ledger.
func (p *Plan) Changes() int {
	n := 0
	for _, a := range []Action{Create, Update, Renew, Replace, Delete, Gone} {
		n += p.Actions[a]
	}
	return n
}

// Lacks tells whether nothing was found to do because something is missing, such as a
// listing, which is not "done".
func (p *Plan) Lacks() bool { return p.Changes() == 0 && len(p.Notes) > 0 }

func newPlan(group string, now time.Time, life time.Duration) *Plan {
	return &Plan{
		Group: group, Made: now, Expires: now.Add(life),
		Config: map[string]string{}, Watermark: map[string]Watermark{}, Ledger: map[string]uint64{}, Listing: map[string]time.Time{},
		Actions: map[Action]int{}, Reasons: map[reason.Code]int{}, BySource: map[string]map[Action]int{}, Samples: map[reason.Code][]Held{},
	}
}

func (p *Plan) held(h Held) {
	p.Reasons[h.Reason]++
	if len(p.Samples[h.Reason]) < samplesEach {
		p.Samples[h.Reason] = append(p.Samples[h.Reason], h)
	}
}

// total fills the totals from the items.
func (p *Plan) total() {
	for _, it := range p.Items {
		p.Actions[it.Action]++
		if it.Action == Frozen || it.Action == Delete {
			p.Reasons[it.Reason]++
		}
		if it.Action == Note {
			continue
		}
		for _, s := range it.Sources() {
			if p.BySource[s] == nil {
				p.BySource[s] = map[Action]int{}
			}
			p.BySource[s][it.Action]++
		}
	}
}
