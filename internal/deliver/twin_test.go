package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// tenant is a strict twin of a service in memory: identity is kind, value and
// action; ids ascend; rows expire by its own clock; a full tenant refuses per
// item; a past expiry fails the whole call; an unknown id fails a whole deletion.
type tenant struct {
	mu       sync.Mutex
	clock    *sdktest.Clock
	skew     time.Duration // the service's clock is ahead by this
	capacity int
	rows     map[string]*tenantRow // by id
	nextID   int
	lag      time.Duration // a write is invisible in listings for this long
	calls    []tenantCall
	fault    func(n int, op sdk.OpName, phase string) error // phase: before, after
	badRow   func(value string) string                      // "" = accepted; else the reason it fails the call
	badItem  func(value string) string                      // the reason it is rejected
	ownOnly  string                                         // app that sees only its own rows
	posts    bool                                           // a create never updates: a repeated one is a duplicate
	bodies   map[string]string                              // of the last deletion: value the item carried, by id
}

type tenantRow struct {
	ID, Value, Kind, Action, Mark, App, Note string
	Score                                    int
	Expires                                  time.Time
	written, deleted                         time.Time
}

type tenantCall struct {
	At    time.Time
	Op    sdk.OpName
	Names []string // values or ids
	OK    bool
}

type wireItem struct {
	Value, Kind, Action, Note, Mark, ID string
	Score                               int
	Expires                             time.Time
}

func newTenant(clock *sdktest.Clock, capacity int) *tenant {
	return &tenant{clock: clock, capacity: capacity, rows: map[string]*tenantRow{}, nextID: 1}
}

func (t *tenant) now() time.Time { return t.clock.Now().Add(t.skew) }

func (t *tenant) expire() {
	for id, r := range t.rows {
		if !r.Expires.After(t.now()) {
			delete(t.rows, id)
		}
	}
}

// add puts a row there without a call, as a person or another app would.
func (t *tenant) add(value, action, app, mark string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := strconv.Itoa(t.nextID)
	t.nextID++
	t.rows[id] = &tenantRow{ID: id, Value: value, Kind: kindOf(value), Action: action, Mark: mark, App: app, Expires: t.now().Add(1000 * time.Hour)}
	return id
}

func kindOf(value string) string {
	i, err := indicator.Parse(indicator.Unknown, value)
	if err != nil {
		panic(err)
	}
	return i.Kind.String()
}

// live returns what is at the tenant as value/action → row.
func (t *tenant) live() map[string]tenantRow {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	m := map[string]tenantRow{}
	for _, r := range t.rows {
		if r.deleted.IsZero() {
			m[r.Value+"/"+r.Action] = *r
		}
	}
	return m
}

func (t *tenant) names() []string { return slices.Sorted(maps.Keys(t.live())) }

// writes counts the calls that change something.
func (t *tenant) writes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, c := range t.calls {
		if c.Op != sdk.OpList {
			n++
		}
	}
	return n
}

func (t *tenant) remove(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rows, id)
}

// door is one app's target at a tenant.
type door struct {
	t      *tenant
	app    string
	action string
	info   sdk.TargetInfo
	note   string        // part of the content
	life   time.Duration // of its objects, as a rule's expiration says; 0 = info.Expiry's
	// rule says what is done with a record, as a rule's action does; "" = action.
	rule func(rec *indicator.Record) string
}

func (t *tenant) door(app, action string) *door {
	d := &door{t: t, app: app, action: action}
	d.info = sdk.TargetInfo{
		Domain: "twin/t1", Quota: "twin/t1", Capacity: t.capacity, ReadLag: 20 * time.Second, App: app, MaxTLP: indicator.AmberStrict, Connection: "contoso",
		Ops: map[sdk.OpName]sdk.Op{
			sdk.OpUpsert: {Batch: 100, PerMinute: 30, RateKey: app + "/import", Idempotent: true},
			sdk.OpDelete: {Batch: 100, PerMinute: 30, PerHour: 1500, RateKey: app + "/delete"},
			sdk.OpList:   {Batch: 10000, PerMinute: 100, PerHour: 1500, RateKey: app + "/list"},
		},
		Expiry: map[indicator.Kind]time.Duration{indicator.Domain: 30 * 24 * time.Hour, indicator.IPv4: 30 * 24 * time.Hour, indicator.URL: 30 * 24 * time.Hour},
	}
	return d
}

func (d *door) Info() sdk.TargetInfo { return d.info }

func (d *door) Map(rec *indicator.Record) ([]sdk.Object, *sdk.Unfit) {
	if from, to, ok := rec.Addrs(); ok {
		var out []sdk.Object
		for a := from; ; a = a.Next() {
			if len(out) == 8 {
				return nil, &sdk.Unfit{Code: "range_too_wide"}
			}
			one := *rec
			one.Indicator = indicator.FromAddrs(a, a)
			out = append(out, d.object(&one))
			if a == to {
				return out, nil
			}
		}
	}
	if rec.Kind != indicator.Domain && rec.Kind != indicator.URL {
		return nil, &sdk.Unfit{Code: "unsupported_kind"}
	}
	return []sdk.Object{d.object(rec)}, nil
}

func (d *door) acts(rec *indicator.Record) string {
	if d.rule != nil {
		if action := d.rule(rec); action != "" {
			return action
		}
	}
	return d.action
}

func (d *door) Blocks(rec *indicator.Record) bool { return d.acts(rec) == "Block" }

func (d *door) object(rec *indicator.Record) sdk.Object {
	score, _ := rec.Attrs.Confidence.Get()
	action := d.acts(rec)
	w := wireItem{Value: rec.Value, Kind: rec.Kind.String(), Action: action, Note: d.note + rec.Attrs.Description, Score: score}
	body, err := json.Marshal(w)
	if err != nil {
		panic(err)
	}
	slot := w.Kind + "|" + w.Value
	return sdk.Object{Identity: slot + "|" + action, Slot: slot, Indicator: rec.Indicator, Action: action, Body: body,
		Hash: "h:" + w.Note, Score: rec.Attrs.Confidence, Life: d.life}
}

func (d *door) List(ctx context.Context, gate sdk.Gate, fn func(sdk.Remote) error) (sdk.Listing, error) {
	if err := gate(ctx, sdk.OpList); err != nil {
		return sdk.Listing{}, err
	}
	t := d.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.call(sdk.OpList, nil, "before"); err != nil {
		return sdk.Listing{}, err
	}
	t.expire()
	l := sdk.Listing{OwnOnly: t.ownOnly == d.app, ServerTime: t.now()}
	for _, id := range slices.Sorted(maps.Keys(t.rows)) {
		r := t.rows[id]
		if l.OwnOnly && r.App != d.app || t.now().Sub(r.written) < t.lag {
			continue
		}
		if !r.deleted.IsZero() && t.now().Sub(r.deleted) >= t.lag {
			delete(t.rows, id)
			continue
		}
		slot := r.Kind + "|" + r.Value
		err := fn(sdk.Remote{ID: r.ID, Identity: slot + "|" + r.Action, Slot: slot, Action: r.Action, Value: r.Value, Mark: r.Mark, App: r.App,
			Expires: r.Expires, Hash: "h:" + r.Note})
		if err != nil {
			return l, err
		}
		l.Count++
	}
	return l, nil
}

func (d *door) Encode(op sdk.OpName, items []sdk.SendItem) ([]byte, error) {
	if len(items) > d.info.Ops[op].Batch {
		panic("more items than a batch takes")
	}
	out := make([]wireItem, len(items))
	for i, it := range items {
		if op != sdk.OpDelete || len(it.Object.Body) > 0 {
			if err := json.Unmarshal(it.Object.Body, &out[i]); err != nil {
				return nil, err
			}
			out[i].Expires, out[i].Mark = it.Expires, it.Mark
		}
		out[i].ID = it.RemoteID
	}
	return json.Marshal(out)
}

// call journals a call and asks for a fault; the lock is held.
func (t *tenant) call(op sdk.OpName, names []string, phase string) error {
	if phase == "before" {
		t.calls = append(t.calls, tenantCall{At: t.clock.Now(), Op: op, Names: names})
	}
	if t.fault != nil {
		if err := t.fault(len(t.calls), op, phase); err != nil {
			return err
		}
	}
	if phase == "after" {
		t.calls[len(t.calls)-1].OK = true
	}
	return nil
}

func (d *door) Send(_ context.Context, op sdk.OpName, body []byte) (sdk.Answer, error) {
	var items []wireItem
	if err := json.Unmarshal(body, &items); err != nil {
		panic(err)
	}
	t := d.t
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	names := make([]string, len(items))
	for i, it := range items {
		if names[i] = it.Value; op == sdk.OpDelete {
			names[i] = it.ID
		}
	}
	if err := t.call(op, names, "before"); err != nil {
		return sdk.Answer{}, err
	}
	ans := sdk.Answer{ServerTime: t.now()}
	var err error
	switch op {
	case sdk.OpDelete:
		err = t.erase(items, &ans)
	case sdk.OpUpdate:
		err = t.patch(items, &ans)
	default:
		err = d.upsert(items, &ans)
	}
	if err == nil {
		err = t.call(op, names, "after")
	}
	return ans, err
}

// patch changes rows by their id alone; an unknown one fails the whole call.
func (t *tenant) patch(items []wireItem, ans *sdk.Answer) error {
	for _, it := range items {
		if r := t.rows[it.ID]; r == nil || !r.deleted.IsZero() {
			return &sdk.Error{Failure: sdk.Missing, Code: "NotFound", Message: "id " + it.ID + " was not found"}
		}
	}
	for _, it := range items {
		r := t.rows[it.ID]
		r.Note, r.Score, r.Expires, r.Mark = it.Note, it.Score, it.Expires, it.Mark
		ans.Outcomes = append(ans.Outcomes, sdk.Outcome{Status: sdk.Accepted})
	}
	return nil
}

func (t *tenant) erase(items []wireItem, ans *sdk.Answer) error {
	t.bodies = map[string]string{}
	for _, it := range items {
		t.bodies[it.ID] = it.Value
	}
	for _, it := range items {
		if r := t.rows[it.ID]; r == nil || !r.deleted.IsZero() {
			return &sdk.Error{Failure: sdk.Missing, Code: "NotFound", Message: "id " + it.ID + " was not found"}
		}
	}
	for _, it := range items {
		if t.lag > 0 {
			t.rows[it.ID].deleted = t.now()
		} else {
			delete(t.rows, it.ID)
		}
		ans.Outcomes = append(ans.Outcomes, sdk.Outcome{Status: sdk.Accepted})
	}
	return nil
}

func (d *door) upsert(items []wireItem, ans *sdk.Answer) error {
	t := d.t
	for _, it := range items {
		if !it.Expires.After(t.now()) {
			return &sdk.Error{Failure: sdk.Refused, Code: "BadRequest", Message: "Indicator " + it.Value + " is inactive."}
		}
		if t.badRow != nil {
			if why := t.badRow(it.Value); why != "" {
				return &sdk.Error{Failure: sdk.Refused, Code: "BadRequest", Message: why}
			}
		}
	}
	for _, it := range items {
		ans.Outcomes = append(ans.Outcomes, d.upsertOne(it))
	}
	return nil
}

func (d *door) upsertOne(it wireItem) sdk.Outcome {
	t := d.t
	if t.badItem != nil {
		if why := t.badItem(it.Value); why != "" {
			return sdk.Outcome{Status: sdk.Rejected, Code: "Bad", Reason: why}
		}
	}
	n := 0
	for _, r := range t.rows {
		if !r.deleted.IsZero() {
			continue
		}
		n++
		if r.Value == it.Value && r.Action == it.Action && (!t.posts || r.ID == it.ID) {
			r.Note, r.Score, r.Expires, r.Mark = it.Note, it.Score, it.Expires, it.Mark // the creator stays
			return sdk.Outcome{Status: sdk.Accepted, RemoteID: r.ID}
		}
	}
	if n >= t.capacity {
		return sdk.Outcome{Status: sdk.Full, Code: "Capacity", Reason: fmt.Sprintf("Max capacity exceeded. Current Total: %d", n)}
	}
	id := strconv.Itoa(t.nextID)
	t.nextID++
	t.rows[id] = &tenantRow{ID: id, Value: it.Value, Kind: it.Kind, Action: it.Action, Mark: it.Mark, App: d.app, Note: it.Note, Score: it.Score,
		Expires: it.Expires, written: t.now()}
	return sdk.Outcome{Status: sdk.Accepted, RemoteID: id}
}
