package sentinel

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

const (
	// maxObjects is the most objects of an upload.
	maxObjects = 100
	// maxSource is the longest sourcesystem, in characters.
	maxSource = 256
	// restricted is the sourcesystem that belongs to the service.
	restricted = "Microsoft Sentinel"
)

// recordErrors are the complaints about one object of an upload.
type recordErrors struct {
	index    int
	messages []string
}

// upload validates and stores the objects of a body. An answer without a body
// means that all were taken.
func (c *call) upload() (wire.Reply, *apiError) {
	if kind := c.Req.Header.Get("Content-Type"); kind != "" && !strings.Contains(strings.ToLower(kind), "json") {
		return wire.Reply{}, refuse(415, "UnsupportedMediaType", "The request's content type is not supported; send application/json.")
	}
	source, objects, e := c.body()
	if e != nil {
		return wire.Reply{}, e
	}
	if e := c.refusedCall(objects); e != nil {
		return wire.Reply{}, e
	}
	var bad []recordErrors
	for i, raw := range objects {
		if messages := c.take(source, raw); messages != nil {
			bad = append(bad, recordErrors{i, messages})
		}
	}
	if len(bad) == 0 {
		return wire.Empty(200), nil
	}
	status := 200
	if len(bad) == len(objects) && c.sw.SentinelAllInvalid == "400" {
		status = 400
	}
	return c.partial(status, bad), nil
}

// partial words the complaints under the key that is switched on.
func (c *call) partial(status int, bad []recordErrors) wire.Reply {
	out := make([]map[string]any, 0, len(bad))
	for _, b := range bad {
		out = append(out, map[string]any{"recordIndex": b.index, c.sw.SentinelErrors: b.messages})
	}
	return wire.JSON(status, map[string]any{"errors": out})
}

// body reads sourcesystem and the endpoint's array.
func (c *call) body() (string, []json.RawMessage, *apiError) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(c.Req.Body, &m); err != nil || m == nil {
		return "", nil, badBody()
	}
	var source string
	switch err := json.Unmarshal(m["sourcesystem"], &source); {
	case err != nil || strings.TrimSpace(source) == "":
		return "", nil, property400("sourcesystem", "Required property is missing or not a string.")
	case utf8.RuneCountInString(source) > maxSource:
		return "", nil, property400("sourcesystem", "The value is longer than 256 characters.")
	case strings.EqualFold(strings.TrimSpace(source), restricted):
		return "", nil, property400("sourcesystem", "The value 'Microsoft Sentinel' is restricted.")
	}
	raw, ok := m[c.Key]
	var objects []json.RawMessage
	switch err := json.Unmarshal(raw, &objects); {
	case !ok || err != nil || len(objects) == 0:
		return "", nil, property400(c.Key, "Required property is missing, not a list, or empty.")
	case len(objects) > maxObjects:
		return "", nil, property400(c.Key, fmt.Sprintf("The list has %d objects, more than %d.", len(objects), maxObjects))
	}
	return source, objects, nil
}

func property400(name, what string) *apiError {
	return refuse(400, "InvalidRequestBodyProperty("+name+")", "%s", what)
}

// refusedCall is the verdict of injected faults that refuse a whole upload.
func (c *call) refusedCall(objects []json.RawMessage) *apiError {
	for i := range c.Refuse {
		f := &c.Refuse[i]
		for _, raw := range objects {
			var m fields
			if !f.FailCall || json.Unmarshal(raw, &m) != nil {
				continue
			}
			if _, value := Observable(m.text("pattern")); f.Hits(value) || f.Hits(m.text("id")) {
				code := f.Code
				if code == "" {
					code = "InvalidInput"
				}
				return refuse(400, code, "%s", f.Reason)
			}
		}
	}
	return nil
}

// take stores one object of an upload, or says what is wrong with it.
func (c *call) take(source string, raw json.RawMessage) []string {
	var m fields
	if json.Unmarshal(raw, &m) != nil || m == nil {
		c.items = append(c.items, journal.Item{Effect: journal.Refused, Reason: "not an object"})
		return []string{complain("RequestBody", "Value is not an object", raw)}
	}
	messages := m.validate(c.sw.SentinelDefaultSpec)
	o := newObject(source, m, raw, &c.sw)
	for i := range c.Refuse {
		if f := &c.Refuse[i]; !f.FailCall && (f.Hits(o.ObservableValue) || f.Hits(o.StixID)) {
			messages = append(messages, f.Reason)
		}
	}
	if messages == nil {
		if what := c.stale(o); what != "" {
			c.items = append(c.items, o.item(journal.Refused, what))
			if c.tells(o) {
				return []string{complain("modified", what, m["modified"])}
			}
			return nil
		}
		c.items = append(c.items, o.item(c.write(o, MethodUpload, c.Who.App), ""))
		return nil
	}
	c.items = append(c.items, o.item(journal.Refused, strings.Join(messages, " ")))
	return messages
}

// Reasons why a valid object is not written.
const (
	reasonRevoked = "The id was revoked; no later version of it is created"
	reasonOlder   = "The stored version is not older"
)

// stale says why a valid object is not written, "" if it is.
func (c *call) stale(o *Object) string {
	old := c.store.live[o.ID]
	switch {
	case c.store.revoked[o.ID]:
		return reasonRevoked
	case old != nil && !o.Modified.After(old.Modified) && c.sw.SentinelOlderModified != "replace":
		return reasonOlder
	}
	return ""
}

// tells reports whether the client hears of a stale object.
func (c *call) tells(o *Object) bool {
	if c.store.revoked[o.ID] {
		return c.sw.SentinelRevoked == "fail_item"
	}
	return c.sw.SentinelOlderModified == "fail_item"
}

// write stores the object as written now and returns the effect.
func (c *call) write(o *Object, method, by string) string {
	effect := journal.Created
	o.FirstIngested, o.LastIngested, o.Method, o.CreatedBy, o.ModifiedBy = c.now, c.now, method, by, by
	o.ETag = newETag()
	if old := c.store.live[o.ID]; old != nil {
		effect = journal.Updated
		o.FirstIngested, o.CreatedBy = old.FirstIngested, old.CreatedBy
	}
	c.store.put(o, c.now, c.visible)
	return effect
}
