package threatconnect

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// body is what POST and PUT take; everything else is ignored, as the API does.
type body struct {
	Type       string   `json:"type"`
	Summary    string   `json:"summary"`
	OwnerName  string   `json:"ownerName"`
	Rating     *float64 `json:"rating"`
	Confidence *int     `json:"confidence"`
	Active     *bool    `json:"active"`
	Locked     *bool    `json:"activeLocked"`
	Private    *bool    `json:"privateFlag"`
	Size       *int64   `json:"size"`
	Mode       string   `json:"mode"` // of a File's hashes: merge, delete

	FalsePositive bool `json:"falsePositiveFlag"`
	Observations  int  `json:"observations"`

	FirstSeen *time.Time `json:"firstSeen"`
	LastSeen  *time.Time `json:"lastSeen"`
	Expires   *time.Time `json:"externalDateExpires"`

	Tags       *change[named]     `json:"tags"`
	Labels     *change[named]     `json:"securityLabels"`
	Attributes *change[Attribute] `json:"attributes"`

	parts map[string]string // by the keys of the types
}

type named struct {
	Name string `json:"name"`
}

// change is a change of a nested collection: append (the default), replace, delete.
type change[T any] struct {
	Data []T    `json:"data"`
	Mode string `json:"mode"`
}

// apply returns a collection after the change; key tells elements apart, and an
// attribute's is its type and text.
func apply[T, E any](old []E, c *change[T], to func(T) E, key func(E) string) ([]E, error) {
	if c == nil {
		return old, nil
	}
	has := func(list []E, e E) bool {
		return slices.ContainsFunc(list, func(x E) bool { return key(x) == key(e) })
	}
	var given []E
	for _, d := range c.Data {
		given = append(given, to(d))
	}
	var out []E
	switch c.Mode {
	case "", "append":
		out = slices.Clone(old)
	case "replace":
	case "delete":
		return slices.DeleteFunc(slices.Clone(old), func(e E) bool { return has(given, e) }), nil
	default:
		return nil, fmt.Errorf("mode %q is none of append, delete, replace", c.Mode)
	}
	for _, e := range given {
		if !has(out, e) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (r *request) body() (*body, string) {
	var b body
	var raw map[string]any
	if json.Unmarshal(r.Req.Body, &raw) != nil {
		return nil, "The body is no JSON object"
	}
	if err := json.Unmarshal(r.Req.Body, &b); err != nil {
		return nil, "Invalid value in the body: " + err.Error()
	}
	b.parts = map[string]string{}
	for _, k := range kinds {
		for _, key := range k.keys {
			if text, ok := raw[key].(string); ok {
				b.parts[key] = text
			}
		}
	}
	return &b, ""
}

// create answers POST: 201 where there was none, and an update where there was.
func (r *request) create() wire.Reply {
	b, why := r.body()
	if why != "" {
		return r.fail(400, why)
	}
	k := kindOf(b.Type)
	if k == nil {
		return r.fail(400, "Invalid indicator type: "+b.Type)
	}
	parts := make([]string, len(k.keys))
	for i, key := range k.keys {
		parts[i] = b.parts[key]
	}
	text := b.Summary
	if strings.Join(parts, "") != "" {
		text = k.summary(parts)
	}
	owner := r.writable(b.OwnerName)
	if owner == "" {
		return r.fail(403, "Access Denied: the owner does not exist or cannot be written to")
	}
	if old := r.find(owner, b.Type, text, r.now); old != nil {
		return r.change(old, b)
	}
	now := r.now.Truncate(time.Second)
	row := Indicator{Owner: owner, Type: b.Type, Summary: text, Added: now, Modified: now}
	if why := r.merge(&row, b); why != "" {
		return r.fail(400, why)
	}
	r.mu.Lock()
	r.put(&row, r.now)
	r.mu.Unlock()
	return r.done(201, "Created", &row, journal.Created)
}

// writable is the owner a write goes to, "" if it may not.
func (r *request) writable(inBody string) string {
	name := r.q.Get("owner")
	if name == "" {
		name = inBody
	}
	if name == "" {
		name = r.home().Name
	}
	if r.owner(name).Permission != Full {
		return ""
	}
	return name
}

// named finds the row of a path: by id, or by its text in one owner.
func (r *request) named() (*Indicator, *wire.Reply) {
	text, err := url.PathUnescape(r.Route.ID)
	if err != nil {
		text = r.Route.ID
	}
	name := r.q.Get("owner")
	if name != "" && r.owner(name).Permission == None {
		e := r.fail(403, "Access Denied: the owner "+name+" does not exist or is not accessible")
		return nil, &e
	}
	var row *Indicator
	if id, err := strconv.ParseInt(text, 10, 64); err == nil {
		r.mu.RLock()
		row = r.get(id, r.now)
		r.mu.RUnlock()
		if row != nil && (r.owner(row.Owner).Permission == None || name != "" && name != row.Owner) {
			row = nil
		}
	} else {
		if name == "" {
			name = r.home().Name
		}
		row = r.find(name, "", text, r.now)
	}
	if row == nil {
		e := r.notFound()
		return nil, &e
	}
	return row, nil
}

func (r *request) get1() wire.Reply {
	row, refusal := r.named()
	if refusal != nil {
		return *refusal
	}
	return r.single(200, "", row)
}

// single is the envelope of one object.
func (r *request) single(status int, message string, row *Indicator) wire.Reply {
	w := &writer{}
	w.open('{')
	w.key("data")
	r.object(w, row, shape{fields: r.q.fields()})
	if message != "" {
		w.text("message", message)
	}
	reply := w.reply()
	reply.Status = status
	return reply
}

func (r *request) done(status int, message string, row *Indicator, effect string) wire.Reply {
	r.note(row, effect)
	return r.single(status, message, row)
}

func (r *request) note(row *Indicator, effect string) {
	r.items = append(r.items, journal.Item{ID: strconv.FormatInt(row.ID, 10), Type: row.Type, Value: row.Summary, Effect: effect})
}

func (r *request) update() wire.Reply {
	row, refusal := r.named()
	if refusal != nil {
		return *refusal
	}
	b, why := r.body()
	if why != "" {
		return r.fail(400, why)
	}
	if r.owner(row.Owner).Permission != Full {
		return r.fail(403, "Access Denied: the owner cannot be written to")
	}
	return r.change(row, b)
}

func (r *request) change(old *Indicator, b *body) wire.Reply {
	var why string
	err := r.Edit(r.now, old.ID, func(row *Indicator) error {
		if why = r.merge(row, b); why != "" {
			return fmt.Errorf("%s", why)
		}
		return nil
	})
	if err != nil {
		return r.fail(400, err.Error())
	}
	row, err := r.Row(r.now, old.ID)
	if err != nil {
		return r.notFound()
	}
	return r.done(200, "Updated", &row, journal.Updated)
}

func (r *request) delete() wire.Reply {
	row, refusal := r.named()
	if refusal != nil {
		return *refusal
	}
	if r.owner(row.Owner).Permission != Full {
		return r.fail(403, "Access Denied: the owner cannot be written to")
	}
	if err := r.Remove(r.now, row.ID); err != nil {
		return r.notFound()
	}
	r.note(row, journal.Deleted)
	return wire.JSON(200, map[string]string{"message": "Deleted", "status": "Success"})
}

// merge puts a body into a row and says what is wrong with it, "" if nothing.
func (r *request) merge(row *Indicator, b *body) string {
	set(&row.Rating, b.Rating)
	set(&row.Confidence, b.Confidence)
	if b.Active != nil {
		row.Inactive = !*b.Active
	}
	fill(&row.Locked, b.Locked)
	fill(&row.Private, b.Private)
	fill(&row.Size, b.Size)
	fill(&row.FirstSeen, b.FirstSeen)
	fill(&row.LastSeen, b.LastSeen)
	fill(&row.Expires, b.Expires)
	if row.Type == "File" && b.Mode != "" {
		row.Summary = hashesAfter(row.Summary, b)
	}
	tag := func(n named) string { return n.Name }
	self := func(s string) string { return s }
	var errs [3]error
	row.Tags, errs[0] = apply(row.Tags, b.Tags, tag, self)
	row.Labels, errs[1] = apply(row.Labels, b.Labels, tag, self)
	row.Attributes, errs[2] = apply(row.Attributes, b.Attributes, func(a Attribute) Attribute { return a }, func(a Attribute) string { return a.Type + "\x00" + a.Value })
	for _, err := range errs {
		if err != nil {
			return err.Error()
		}
	}
	r.feedback(row, b)
	return row.check()
}

func set[T any](at **T, v *T) {
	if v != nil {
		*at = v
	}
}

func fill[T any](at *T, v *T) {
	if v != nil {
		*at = *v
	}
}

// hashesAfter merges the hashes of a body into a File's, or takes them out.
func hashesAfter(summary string, b *body) string {
	k := kindOf("File")
	parts := k.parts(summary)
	for i, key := range k.keys {
		switch v := b.parts[key]; {
		case v == "":
		case b.Mode == "merge":
			parts[i] = v
		case b.Mode == "delete" && strings.EqualFold(v, parts[i]):
			parts[i] = ""
		}
	}
	return k.summary(parts)
}

// feedback counts a false positive once a day, and observations as they come.
func (r *request) feedback(row *Indicator, b *body) {
	now := r.now.Truncate(time.Second)
	day := fmt.Sprint(row.ID, now.Format(time.DateOnly))
	if b.FalsePositive && !r.flagged[day] {
		row.FalseCount++
		row.LastFalse = now
		r.flagged[day] = true
	}
	if b.Observations > 0 {
		row.Observed += b.Observations
		row.LastObserve = now
	}
}
