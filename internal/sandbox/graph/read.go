package graph

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/odata"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Bounds of a list answer: a page has at most maxPage rows, and without $top
// the service was seen to choke on more rows than it has for one.
const maxPage = 1000

// options are the query options of a list.
type options struct {
	filter    *odata.Filter
	order     []sortKey
	fields    []string // nil: all
	top, skip int
	count     bool
	after     uint64 // rows up to this number were given before
	hasTop    bool
}

type sortKey struct {
	name string
	typ  odata.Type
	desc bool
}

func (c *call) options() (options, *apiError) {
	o := options{top: c.sw.GraphPageSize}
	for name, list := range c.Req.Query {
		if !strings.HasPrefix(name, "$") {
			continue
		}
		if len(list) > 1 {
			return o, refuse(400, "BadRequest", "Query option '%s' was specified more than once, but it must be specified at most once.", name)
		}
		if e := o.read(strings.ToLower(name), list[0]); e != nil {
			return o, e
		}
	}
	o.top = min(o.top, maxPage)
	return o, nil
}

func (o *options) read(name, value string) *apiError {
	switch name {
	case "$filter":
		f, err := odata.Parse(value, schema)
		if err != nil {
			return refuse(400, "BadRequest", "Invalid filter clause: %s", err)
		}
		o.filter = f
		return nil
	case "$orderby":
		return o.readOrder(value)
	case "$select":
		return o.readFields(value)
	case "$count":
		b, err := strconv.ParseBool(value)
		o.count = b
		return badOption(name, value, err == nil)
	case "$skiptoken":
		raw, err := base64.RawURLEncoding.DecodeString(value)
		kind, n, _ := strings.Cut(string(raw), ":")
		num, err2 := strconv.ParseUint(n, 10, 63)
		if kind == "after" {
			o.after = num
		} else {
			o.skip = int(num) //nolint:gosec // 63 bits
		}
		return badOption(name, value, err == nil && err2 == nil && (kind == "after" || kind == "skip"))
	case "$top", "$skip":
		n, err := strconv.Atoi(value)
		if name == "$skip" {
			o.skip = n
		} else {
			o.top, o.hasTop = n, true
		}
		return badOption(name, value, err == nil && n >= 0)
	}
	return refuse(400, "BadRequest", "The query parameter '%s' is not supported.", clip(name))
}

func badOption(name, value string, ok bool) *apiError {
	if ok {
		return nil
	}
	return refuse(400, "BadRequest", "Invalid value '%s' for %s query option found.", clip(value), name)
}

func (o *options) readOrder(value string) *apiError {
	for part := range strings.SplitSeq(value, ",") {
		name, dir, _ := strings.Cut(strings.TrimSpace(part), " ")
		typ, ok := schema.Properties[name]
		if dir = strings.TrimSpace(dir); !ok || typ == odata.Strings || dir != "" && dir != "asc" && dir != "desc" {
			return noProperty(name)
		}
		o.order = append(o.order, sortKey{name, typ, dir == "desc"})
	}
	return nil
}

func (o *options) readFields(value string) *apiError {
	for name := range strings.SplitSeq(value, ",") {
		if name = strings.TrimSpace(name); name == "*" {
			o.fields = nil
			return nil
		}
		if _, ok := schema.Properties[name]; !ok {
			return noProperty(name)
		}
		o.fields = append(o.fields, name)
	}
	return nil
}

func noProperty(name string) *apiError {
	return refuse(400, "BadRequest", "Could not find a property named '%s' on type '%s'.", clip(name), schema.Entity)
}

func (c *call) list() (wire.Reply, *apiError) {
	o, e := c.options()
	if e != nil {
		return wire.Reply{}, e
	}
	all := c.found(o)
	switch {
	case c.observed() && !o.hasTop && len(all) > maxPage:
		return wire.Reply{}, unknownError()
	case len(all) == 0 && c.sw.GraphEmptyList == "404":
		return wire.Reply{}, notFound()
	}
	rest := all[min(o.skip, len(all)):]
	if o.after > 0 {
		rest = slices.DeleteFunc(slices.Clone(rest), func(r *row) bool { return r.num <= o.after })
	}
	page := rest[:min(o.top, len(rest))]
	body := appendValue([]byte(`{"@odata.context":`), c.context("security/tiIndicators"+o.selection()))
	if o.count {
		body = strconv.AppendInt(append(body, `,"@odata.count":`...), int64(len(all)), 10)
	}
	if len(rest) > len(page) && len(page) > 0 {
		link := c.next(o, page[len(page)-1], len(all)-len(rest)+len(page))
		body = appendValue(append(body, `,"@odata.nextLink":`...), link)
	}
	body = append(body, `,"value":[`...)
	for i, r := range page {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, r.encode(nil, o.fields)...)
	}
	return wire.Reply{Status: 200, Body: append(body, "]}"...)}, nil
}

// selection is the part of the context that names the chosen properties.
func (o *options) selection() string {
	if o.fields == nil {
		return ""
	}
	return "(" + strings.Join(o.fields, ",") + ")"
}

// found returns the visible rows of the app that the filter wants, in order.
func (c *call) found(o options) []*row {
	var out []*row
	for _, r := range c.table.visible() {
		if c.sees(r) && (o.filter == nil || o.filter.Match(r)) {
			out = append(out, r)
		}
	}
	if o.order != nil {
		slices.SortStableFunc(out, func(a, b *row) int {
			for _, k := range o.order {
				if n := k.compare(a.Property(k.name), b.Property(k.name)); n != 0 {
					return n
				}
			}
			return 0
		})
	}
	return out
}

// compare puts null first, as OData says.
func (k sortKey) compare(a, b odata.Value) int {
	var n int
	switch {
	case a.Null || b.Null:
		n = bit(b.Null) - bit(a.Null)
	case k.typ == odata.Int:
		n = cmp.Compare(a.Int, b.Int)
	case k.typ == odata.Time:
		n = a.Time.Compare(b.Time)
	case k.typ == odata.Bool:
		n = bit(a.Bool) - bit(b.Bool)
	default:
		n = strings.Compare(a.Text, b.Text)
	}
	if k.desc {
		return -n
	}
	return n
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// next is the link to the following page. In the order of creation it goes on
// after the last row, so that rows deleted meanwhile make no gap; in another
// order it counts.
func (c *call) next(o options, last *row, given int) string {
	token := "skip:" + strconv.Itoa(given)
	if o.order == nil {
		token = "after:" + strconv.FormatUint(last.num, 10)
	}
	q := url.Values{}
	for name, v := range c.Req.Query {
		if lower := strings.ToLower(name); lower != "$skip" && lower != "$skiptoken" {
			q[name] = v
		}
	}
	q.Set("$skiptoken", base64.RawURLEncoding.EncodeToString([]byte(token)))
	return c.Req.Base() + c.Req.Path + "?" + strings.ReplaceAll(q.Encode(), "%24", "$")
}

func (c *call) get() (wire.Reply, *apiError) {
	r := c.table.seen[c.ID]
	if r == nil || !c.sees(r) {
		return wire.Reply{}, notFound()
	}
	return c.entity(200, r), nil
}
