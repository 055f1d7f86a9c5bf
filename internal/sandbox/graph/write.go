package graph

import (
	"fmt"
	"maps"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// maxBulk is the most items of a bulk action.
const maxBulk = 100

func (c *call) create() (wire.Reply, *apiError) {
	v, e := c.read(c.Req.Body)
	if e != nil {
		return wire.Reply{}, e
	}
	r, e := c.add(v)
	if e != nil {
		return wire.Reply{}, e
	}
	return c.entity(201, r), nil
}

// read decodes a new indicator. Without a target product the body is no
// indicator at all: it is the one property that cannot be null.
func (c *call) read(raw []byte) (values, *apiError) {
	v, e := decode(raw, c.observed())
	if e == nil && v["targetProduct"] == nil {
		e = refuse(400, "BadRequest", "The property 'targetProduct' must have a value.")
	}
	if e == nil {
		e = c.refusedCall(v)
	}
	return v, e
}

// refusedCall is the verdict of an injected fault on the whole call.
func (c *call) refusedCall(v values) *apiError {
	if f := c.hit(v); f != nil && f.FailCall {
		return refuse(400, f.code(), "%s", f.Reason)
	}
	return nil
}

type refusal struct{ *fault.Refusal }

func (f refusal) code() string {
	if f.Code == "" {
		return "InvalidInput"
	}
	return f.Code
}

// hit returns the injected fault that means the indicator's value.
func (c *call) hit(v values) *refusal {
	value := v.about("", "", "").Value
	for i := range c.Refuse {
		if f := &c.Refuse[i]; f.Hits(value) {
			return &refusal{f}
		}
	}
	return nil
}

// add validates and stores one indicator and journals it.
func (c *call) add(v values) (*row, *apiError) {
	e := c.check(v)
	if f := c.hit(v); e == nil && f != nil {
		e = refuse(400, f.code(), "%s", f.Reason)
	}
	var r *row
	effect := journal.Created
	if e == nil {
		r, effect, e = c.store(v)
	}
	if e != nil {
		c.items = append(c.items, v.about("", journal.Refused, e.message))
		return nil, e
	}
	note := ""
	if n := len([]rune(v.text("description"))); n > 100 {
		note = fmt.Sprintf("warning: description has %d characters, more than the 100 of the page", n)
	}
	c.items = append(c.items, r.values.about(r.id, effect, note))
	return r, nil
}

// store makes a row of the indicator. For Sentinel a second one with the same
// externalId is another row, unless switched; Defender knows an indicator by
// what it does.
func (c *call) store(v values) (*row, string, *apiError) {
	product := v.text("targetProduct")
	v = c.kept(v, product)
	if old := c.twin(v, product); old != nil {
		if !c.sees(old) {
			return nil, "", refuse(403, "DisallowedOperation", "The indicator exists and was not created by this application.")
		}
		r := *old
		r.values = v
		c.table.put(&r, c.visible)
		return &r, journal.Updated, nil
	}
	if n := len(c.table.defended); product == defender && n >= c.sw.Capacity {
		return nil, "", refuse(400, "BadRequest", "Max capacity exceeded. Current Total: %d, Limit: %d (Parameter 'Capacity: %d/%d')", n, c.sw.Capacity, n, c.sw.Capacity)
	}
	r := &row{id: c.table.newID(product, c.observed()), tenant: c.table.tenant, app: c.Who.App, ingested: c.now, values: v}
	c.table.put(r, c.visible)
	return r, journal.Created, nil
}

// twin is the row that the indicator replaces.
func (c *call) twin(v values, product string) *row {
	if product == defender {
		return c.table.defended[v.identity()]
	}
	if same := c.table.external[[2]string{c.Who.App, v.text("externalId")}]; c.sw.GraphSameExternalID == "update" && len(same) > 0 {
		return same[len(same)-1]
	}
	return nil
}

// words of Defender's types by property or hash type.
var words = map[string]string{
	"domainName": "DomainName", "url": "Url", "networkDestinationIPv4": "IpAddress", "networkDestinationIPv6": "IpAddress",
	"md5": "FileMd5", "sha1": "FileSha1", "sha256": "FileSha256",
}

// kept is what the product keeps of an indicator: of one for Defender little
// was seen to come back.
func (c *call) kept(v values, product string) values {
	out := values{}
	for name, x := range v {
		if x != nil {
			out[name] = x
		}
	}
	if product != defender || !c.observed() {
		return out
	}
	name := v.observable(defender)
	word := words[name]
	if name == "fileHashValue" {
		word = words[v.text("fileHashType")]
	}
	out["description"] = fmt.Sprintf("Title: Indicator %s of type %s, Description: %s", v.text(name), word, v.text("description"))
	if a := v.text("action"); a == "" || a == "unknown" {
		out["action"] = "block"
	}
	for _, lost := range []string{"threatType", "tlpLevel", "externalId", "confidence", "passiveOnly"} {
		out[lost] = nil
	}
	return out
}

func (c *call) update() (wire.Reply, *apiError) {
	change, e := decode(c.Req.Body, c.observed())
	if e != nil {
		return wire.Reply{}, e
	}
	r, e := c.modify(c.ID, change)
	switch {
	case e != nil:
		return wire.Reply{}, e
	case strings.Contains(strings.ToLower(c.Req.Header.Get("Prefer")), "return=representation"):
		return c.entity(200, r).With("Preference-Applied", "return=representation"), nil
	}
	return wire.Empty(204), nil
}

// modify changes one row and journals it.
func (c *call) modify(id string, change values) (*row, *apiError) {
	old := c.table.live[id]
	if old == nil || !c.sees(old) {
		c.items = append(c.items, change.about(id, journal.Refused, "not found"))
		return nil, notFound()
	}
	e := c.checkUpdate(old, change)
	if e == nil {
		e = c.checkExpiry(change)
	}
	if f := c.hit(old.values); e == nil && f != nil {
		e = refuse(400, f.code(), "%s", f.Reason)
	}
	if e != nil {
		c.items = append(c.items, old.values.about(id, journal.Refused, e.message))
		return nil, e
	}
	r := *old
	r.values = maps.Clone(old.values)
	for name, v := range change {
		if _, declared := byName[name]; declared && !editable[old.product()][name] {
			continue
		}
		if r.values[name] = v; v == nil {
			delete(r.values, name)
		}
	}
	c.table.put(&r, c.visible)
	c.items = append(c.items, r.values.about(id, journal.Updated, ""))
	return &r, nil
}

func (c *call) delete() (wire.Reply, *apiError) {
	r := c.table.live[c.ID]
	if r == nil || !c.sees(r) {
		c.items = append(c.items, journal.Item{ID: c.ID, Effect: journal.Refused, Reason: "not found"})
		return wire.Reply{}, notFound()
	}
	c.remove(r)
	return wire.Empty(204), nil
}

func (c *call) remove(r *row) {
	c.table.remove(r, c.visible)
	c.items = append(c.items, r.values.about(r.id, journal.Deleted, ""))
}

// entity renders one row with its context first.
func (c *call) entity(status int, r *row) wire.Reply {
	head := map[string]string{"@odata.context": c.context("security/tiIndicators/$entity")}
	return wire.Reply{Status: status, Body: r.encode(head, nil)}
}
