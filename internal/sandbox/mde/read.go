package mde

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/odata"
	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// maxTop is the most rows of one list answer.
const maxTop = 10_000

// options are the query options of a list.
type options struct {
	filter    *odata.Filter
	top, skip int
}

func readOptions(q url.Values, sw *switches.Set) (options, *apiError) {
	o := options{top: maxTop}
	for name, values := range q {
		if !strings.HasPrefix(name, "$") {
			continue
		}
		if len(values) > 1 {
			return o, refuse(400, "ODataError", "Query option '%s' was specified more than once, but it must be specified at most once.", name)
		}
		if e := o.read(name, values[0], sw); e != nil {
			return o, e
		}
	}
	return o, nil
}

func (o *options) read(name, value string, sw *switches.Set) *apiError {
	var err error
	switch name {
	case "$filter":
		if o.filter, err = odata.Parse(value, schema); err != nil {
			return queryError(err)
		}
		return nil
	case "$top":
		o.top, err = strconv.Atoi(value)
		if err == nil && o.top > maxTop {
			if sw.TopOverMax == "reject" {
				return refuse(400, "ODataError", "The limit of '%d' for Top query has been exceeded. The value from the incoming request is '%d'.", maxTop, o.top)
			}
			o.top = maxTop
		}
	case "$skip":
		o.skip, err = strconv.Atoi(value)
	default:
		return refuse(400, "ODataError", "The query parameter '%s' is not supported.", name)
	}
	if err != nil || o.top < 0 || o.skip < 0 {
		return refuse(400, "ODataError", "Invalid value '%s' for %s query option found. The %s query option requires a non-negative integer value.", value, name, name)
	}
	return nil
}

func (c *call) list() (wire.Reply, *apiError) {
	if c.Req.QueryErr != nil {
		return wire.Reply{}, queryError(fmt.Errorf("the query cannot be decoded: %w", c.Req.QueryErr))
	}
	o, e := readOptions(c.Req.Query, &c.sw)
	if e != nil {
		return wire.Reply{}, e
	}
	rows := c.selectRows(o)
	size := 256
	for _, r := range rows {
		size += len(r.json) + 1
	}
	body := slices.Grow([]byte(`{"@odata.context":`), size)
	body = strconv.AppendQuote(body, c.context("Indicators"))
	body = append(body, `,"value":[`...)
	for i, r := range rows {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, r.json...)
	}
	return entity(append(body, "]}"...)), nil
}

// selectRows returns the page of rows that the app sees and the filter wants.
func (c *call) selectRows(o options) []*row {
	var out []*row
	for _, r := range c.table.visible() {
		if len(out) == o.top {
			break
		}
		if !c.sees(r) || o.filter != nil && !o.filter.Match(&r.Indicator) {
			continue
		}
		if o.skip > 0 {
			o.skip--
			continue
		}
		out = append(out, r)
	}
	return out
}

func (c *call) get() (wire.Reply, *apiError) {
	r := c.table.seen[c.ID]
	if r == nil || !c.sees(r) {
		return wire.Reply{}, notFound(c.ID)
	}
	return c.entity(r), nil
}

func notFound(id string) *apiError {
	return refuse(404, "ResourceNotFound", "Indicator %s was not found", id)
}

// entity renders one row with its context first.
func (c *call) entity(r *row) wire.Reply {
	context, err := json.Marshal(c.context("Indicators/$entity"))
	if err != nil {
		panic("sandbox: encode context: " + err.Error())
	}
	body := append([]byte(`{"@odata.context":`), context...)
	body = append(body, ',')
	return entity(append(body, r.json[1:]...))
}
