package graph

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// failedID stands in the id of an indicator that was not created: a client that
// stores it blindly stores garbage.
const failedID = "Failed to create, check Error element for reason"

// submit creates up to 100 indicators, each with a verdict of its own.
func (c *call) submit() (wire.Reply, *apiError) {
	raw, e := collection[json.RawMessage](c)
	if e != nil {
		return wire.Reply{}, e
	}
	all := make([]values, len(raw))
	for i, b := range raw {
		if all[i], e = c.read(b); e != nil {
			return wire.Reply{}, e
		}
	}
	var out []json.RawMessage
	failed := false
	for _, v := range all {
		r, e := c.add(v)
		if e != nil {
			failed = true
			r = c.failed(failedID, v, e)
		}
		out = append(out, r.item())
	}
	return c.verdicts("Collection(tiIndicator)", out, failed), nil
}

// failed is the item of a refused indicator: what was sent, and the provider's
// error as a text.
func (c *call) failed(id string, v values, e *apiError) *row {
	v = maps.Clone(v)
	v["Error"] = e.provider()
	return &row{id: id, tenant: c.table.tenant, app: c.Who.App, ingested: c.now, values: v}
}

func (r *row) item() json.RawMessage {
	return r.encode(map[string]string{"@odata.type": "#microsoft.graph.tiIndicator"}, nil)
}

// verdicts is the answer of a bulk action: 206 where an item failed, though 200
// was seen too. The order of the items is not promised.
func (c *call) verdicts(context string, items []json.RawMessage, failed bool) wire.Reply {
	status := 200
	if failed && c.sw.GraphPartialStatus == "206" {
		status = 206
	}
	if c.sw.GraphBulkOrder == "reversed" {
		slices.Reverse(items)
	}
	return wire.JSON(status, map[string]any{"@odata.context": c.context(context), "value": items})
}

// bulkUnsupported is Defender's answer to bulk updates and deletes, which its
// page does not support; the service was seen to carry them out.
func (c *call) bulkUnsupported(r *row) *apiError {
	if r != nil && c.sees(r) && r.product() == defender && !c.observed() {
		return refuse(400, "NotSupported", "The operation is not supported for %s.", defender)
	}
	return nil
}

// updateMany changes up to 100 indicators, each with a verdict of its own.
func (c *call) updateMany() (wire.Reply, *apiError) {
	raw, e := collection[json.RawMessage](c)
	if e != nil {
		return wire.Reply{}, e
	}
	ids, changes := make([]string, len(raw)), make([]values, len(raw))
	for i, b := range raw {
		var key struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(b, &key) != nil || key.ID == "" {
			return wire.Reply{}, unreadable()
		}
		if changes[i], e = decode(b, c.observed()); e != nil {
			return wire.Reply{}, e
		}
		ids[i] = key.ID
	}
	var out []json.RawMessage
	failed := false
	for i, id := range ids {
		e := c.bulkUnsupported(c.table.live[id])
		var r *row
		if e == nil {
			r, e = c.modify(id, changes[i])
		} else {
			c.items = append(c.items, changes[i].about(id, journal.Refused, e.message))
		}
		if e != nil {
			failed = true
			r = c.failed(id, changes[i], e)
		}
		out = append(out, r.item())
	}
	return c.verdicts("Collection(tiIndicator)", out, failed), nil
}

// deleteMany deletes up to 100 indicators by id or by externalId, each with a
// verdict of its own.
func (c *call) deleteMany() (wire.Reply, *apiError) {
	names, e := collection[string](c)
	if e != nil {
		return wire.Reply{}, e
	}
	var out []json.RawMessage
	failed := false
	for _, name := range names {
		code, text := c.deleteNamed(name)
		failed = failed || code != 204
		out = append(out, c.result(code, name+" "+text))
	}
	return c.verdicts("Collection(microsoft.graph.ResultInfo)", out, failed), nil
}

// deleteNamed deletes all that the name means.
func (c *call) deleteNamed(name string) (int, string) {
	var rows []*row
	switch r := c.table.live[name]; {
	case c.Op == OpDeleteExternal:
		rows = slices.Clone(c.table.external[[2]string{c.Who.App, name}])
	case r != nil && c.sees(r):
		rows = []*row{r}
	}
	refused := func(e *apiError) (int, string) {
		c.items = append(c.items, journal.Item{ID: name, Effect: journal.Refused, Reason: e.message})
		return e.status, e.message
	}
	if len(rows) == 0 {
		return refused(notFound())
	}
	for _, r := range rows {
		if e := c.bulkUnsupported(r); e != nil {
			return refused(e)
		}
		if f := c.hit(r.values); f != nil {
			return refused(refuse(400, f.code(), "%s", f.Reason))
		}
	}
	for _, r := range rows {
		c.remove(r)
	}
	return 204, fmt.Sprintf("deleted %d", len(rows))
}

// result is a resultInfo: its code is a number in the metadata and was seen as a
// text.
func (c *call) result(code int, message string) json.RawMessage {
	var n any = code
	if c.sw.GraphResultCode == "string" {
		n = strconv.Itoa(code)
	}
	b, err := json.Marshal(map[string]any{"code": n, "message": message, "subcode": 0})
	if err != nil {
		panic("sandbox: encode result: " + err.Error())
	}
	return b
}
