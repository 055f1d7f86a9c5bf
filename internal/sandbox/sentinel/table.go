package sentinel

import (
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"time"
)

// The tables that objects are written to.
const (
	TableIndicators = "ThreatIntelIndicators"
	TableObjects    = "ThreatIntelObjects"
)

// Values of LastUpdateMethod. Only the republisher's is published.
const (
	MethodUpload     = "Upload API"
	MethodManagement = "Management API"
	MethodPortal     = "Portal"
	MethodRepublish  = "LogARepublisher"
)

// maxEntries bounds the rows that can be read back; the counts stay exact.
const maxEntries = 500_000

// maxText is where pattern and description of the Data column are cut, in characters.
const maxText = 1000

// Row is a row of a table, with the columns of both. Every write and every
// republishing appends one.
type Row struct {
	Table            string            `json:"Type"`
	TimeGenerated    time.Time         `json:"TimeGenerated"`
	ID               string            `json:"Id"`
	SourceSystem     string            `json:"SourceSystem"`
	StixType         string            `json:"StixType"`
	LastUpdateMethod string            `json:"LastUpdateMethod"`
	IsDeleted        bool              `json:"IsDeleted"`
	IsActive         bool              `json:"IsActive"`
	Revoked          bool              `json:"Revoked"`
	Confidence       *int              `json:"Confidence"`
	Created          time.Time         `json:"Created"`
	Modified         time.Time         `json:"Modified"`
	ValidFrom        time.Time         `json:"ValidFrom,omitzero"`
	ValidUntil       time.Time         `json:"ValidUntil,omitzero"`
	Pattern          string            `json:"Pattern"`
	ObservableKey    string            `json:"ObservableKey"`
	ObservableValue  string            `json:"ObservableValue"`
	Tags             []string          `json:"Tags"`
	Data             json.RawMessage   `json:"Data"`
	AdditionalFields map[string]string `json:"AdditionalFields"`
	WorkspaceID      string            `json:"WorkspaceId"`
	AzureTenantID    string            `json:"AzureTenantId"`
}

// entry is a row before it is rendered; versions of an object share it.
type entry struct {
	at      time.Time
	object  *Object
	method  string
	deleted bool
}

// Bill is how many rows were written to a workspace's tables, ever: what
// ingestion costs.
type Bill struct {
	Rows     int64            `json:"rows"`
	ByMethod map[string]int64 `json:"by_method"`
	ByTable  map[string]int64 `json:"by_table"`
}

func (b Bill) clone() Bill {
	b.ByMethod, b.ByTable = maps.Clone(b.ByMethod), maps.Clone(b.ByTable)
	return b
}

// table is both tables of a workspace. It is not safe for concurrent use.
type table struct {
	entries []entry
	bill    Bill
	next    map[string]time.Time // of republishing, by object ID
	soon    time.Time            // nothing is republished before this; zero = unknown
}

func newTable() table {
	return table{bill: Bill{ByMethod: map[string]int64{}, ByTable: map[string]int64{}}, next: map[string]time.Time{}}
}

func tableOf(o *Object) string {
	if o.Type == "indicator" {
		return TableIndicators
	}
	return TableObjects
}

func (t *table) add(now time.Time, o *Object, method string, deleted bool) {
	if len(t.entries) >= maxEntries {
		// Half at once, so that a full table does not move with every row.
		t.entries = slices.Clone(t.entries[maxEntries/2:])
	}
	t.entries = append(t.entries, entry{now, o, method, deleted})
	t.bill.Rows++
	t.bill.ByMethod[method]++
	t.bill.ByTable[tableOf(o)]++
}

// interval is how often an object is republished: between 7 and 10 days, each
// object at its own pace.
func interval(id string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return 7*24*time.Hour + time.Duration(h.Sum32()%(3*24*3600+1))*time.Second
}

func (t *table) schedule(id string, now time.Time) {
	due := now.Add(interval(id))
	t.next[id] = due
	if t.soon.IsZero() || due.Before(t.soon) {
		t.soon = due
	}
}

func (t *table) unschedule(id string) { delete(t.next, id) }

// republish writes the rows that became due, in the order of their times.
// Revoked and ended objects are not republished.
func (t *table) republish(live map[string]*Object, now time.Time) {
	if t.soon.IsZero() || now.Before(t.soon) {
		return
	}
	var due []entry
	t.soon = time.Time{}
	for id, next := range t.next {
		o := live[id]
		for ; !next.After(now); next = next.Add(interval(id)) {
			if o.Live(next) {
				due = append(due, entry{next, o, MethodRepublish, false})
			}
		}
		t.next[id] = next
		if t.soon.IsZero() || next.Before(t.soon) {
			t.soon = next
		}
	}
	slices.SortFunc(due, func(a, b entry) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return compareID(a.object, b.object)
	})
	for _, e := range due {
		t.add(e.at, e.object, e.method, e.deleted)
	}
}

// row renders an entry as a query at the time shows it.
func (e *entry) row(w *Workspace, now time.Time) Row {
	o := e.object
	r := Row{
		Table: tableOf(o), TimeGenerated: e.at, ID: o.ID, SourceSystem: o.Source, StixType: o.Type, LastUpdateMethod: e.method,
		IsDeleted: e.deleted, IsActive: !e.deleted && o.Live(now), Revoked: o.Revoked, Confidence: o.Confidence, Created: o.Created,
		Modified: o.Modified, ValidFrom: o.ValidFrom, ValidUntil: o.ValidUntil, Pattern: o.Pattern, ObservableKey: o.ObservableKey,
		ObservableValue: o.ObservableValue, Tags: o.Tags, Data: truncated(o.Data), WorkspaceID: w.ID, AzureTenantID: w.Tenant,
		AdditionalFields: map[string]string{},
	}
	if o.TLPLevel != "" {
		r.AdditionalFields["TLPLevel"] = o.TLPLevel
	}
	return r
}

// truncated is the Data column: long texts are cut.
func truncated(data json.RawMessage) json.RawMessage {
	var m map[string]json.RawMessage
	if len(data) <= maxText || json.Unmarshal(data, &m) != nil {
		return data
	}
	for _, name := range []string{"pattern", "description"} {
		var text string
		if json.Unmarshal(m[name], &text) != nil {
			continue
		}
		if r := []rune(text); len(r) > maxText {
			m[name], _ = json.Marshal(string(r[:maxText])) // text always encodes
		}
	}
	out, err := json.Marshal(m)
	if err != nil {
		return data
	}
	return out
}
