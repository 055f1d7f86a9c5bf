package sentinel

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/sandbox/odata"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// criteria is the body of queryIndicators.
type criteria struct {
	PageSize        int      `json:"pageSize"`
	MinConfidence   *int     `json:"minConfidence"`
	MaxConfidence   *int     `json:"maxConfidence"`
	MinValidUntil   string   `json:"minValidUntil"`
	MaxValidUntil   string   `json:"maxValidUntil"`
	IncludeDisabled bool     `json:"includeDisabled"`
	SortBy          []sorter `json:"sortBy"`
	Sources         []string `json:"sources"`
	PatternTypes    []string `json:"patternTypes"`
	ThreatTypes     []string `json:"threatTypes"`
	IDs             []string `json:"ids"`
	Keywords        []string `json:"keywords"`
	SkipToken       string   `json:"skipToken"`
}

type sorter struct {
	Key   string `json:"itemKey"`
	Order string `json:"sortOrder"`
}

// queryIndicators lists the indicators of both stores.
func (c *call) queryIndicators() (wire.Reply, *apiError) {
	from, e := readPosition(c.skipToken())
	if e != nil {
		return wire.Reply{}, e
	}
	body := json.RawMessage(c.Req.Body)
	if from != nil && len(from.Body) > 0 {
		body = from.Body
	}
	var q criteria
	if len(body) > 0 {
		if err := json.Unmarshal(body, &q); err != nil {
			return wire.Reply{}, refuse(400, "BadRequest", "The request body is not valid: %s.", clip(err.Error()))
		}
	}
	if from == nil {
		if from, e = readPosition(q.SkipToken); e != nil {
			return wire.Reply{}, e
		}
	}
	l := listing{size: q.PageSize, from: from, body: body}
	if l.match, e = q.compile(c.now); e != nil {
		return wire.Reply{}, e
	}
	if e := l.sortBy(q.SortBy); e != nil {
		return wire.Reply{}, e
	}
	objects, token := c.page(l)
	return c.values(c.entities(objects), token), nil
}

func (c *call) entities(objects []*Object) []entity {
	out := make([]entity, 0, len(objects))
	for _, o := range objects {
		out = append(out, c.entity(o))
	}
	return out
}

// sortBy takes the first criterion that orders.
func (l *listing) sortBy(by []sorter) *apiError {
	for _, s := range by {
		switch strings.ToLower(s.Order) {
		case "unsorted", "":
			continue
		case "ascending", "descending":
		default:
			return refuse(400, "BadRequest", "The sortOrder '%s' is none of unsorted, ascending, descending.", clip(s.Order))
		}
		f, e := lookup(s.Key)
		if e != nil {
			return e
		}
		l.key = func(o *Object) string { return sortText(f(o)) }
		l.desc = strings.EqualFold(s.Order, "descending")
		return nil
	}
	return nil
}

// compile returns the test the criteria make.
func (q *criteria) compile(now time.Time) (func(*Object) bool, *apiError) {
	var bounds [2]time.Time
	for i, text := range []string{q.MinValidUntil, q.MaxValidUntil} {
		if text == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, refuse(400, "BadRequest", "The value '%s' is not a timestamp.", clip(text))
		}
		bounds[i] = t
	}
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return func(o *Object) bool {
		switch {
		case o.Type != "indicator", !q.IncludeDisabled && !o.Live(now), !in(q.Sources, o.Source):
			return false
		case len(q.IDs) > 0 && !slices.Contains(q.IDs, o.Name) && !slices.Contains(q.IDs, o.StixID):
			return false
		case q.MinConfidence != nil && (o.Confidence == nil || *o.Confidence < *q.MinConfidence),
			q.MaxConfidence != nil && (o.Confidence == nil || *o.Confidence > *q.MaxConfidence):
			return false
		case !bounds[0].IsZero() && o.ValidUntil.Before(bounds[0]) && !o.ValidUntil.IsZero(),
			!bounds[1].IsZero() && (o.ValidUntil.IsZero() || o.ValidUntil.After(bounds[1])):
			return false
		}
		return q.texts(o)
	}, nil
}

// texts tests what needs the indicator's properties.
func (q *criteria) texts(o *Object) bool {
	if len(q.PatternTypes)+len(q.ThreatTypes)+len(q.Keywords) == 0 {
		return true
	}
	p := o.properties()
	if len(q.PatternTypes) > 0 && !slices.Contains(q.PatternTypes, p.PatternType) {
		return false
	}
	if len(q.ThreatTypes) > 0 && !slices.ContainsFunc(q.ThreatTypes, func(t string) bool { return slices.Contains(p.ThreatTypes, t) }) {
		return false
	}
	haystack := strings.ToLower(p.DisplayName + "\n" + p.Description + "\n" + p.Pattern + "\n" + strings.Join(p.ThreatIntelligenceTags, "\n"))
	return len(q.Keywords) == 0 || slices.ContainsFunc(q.Keywords, func(k string) bool { return strings.Contains(haystack, strings.ToLower(k)) })
}

// listSchema are the properties that $filter takes.
var listSchema = odata.Schema{Entity: "ThreatIntelligence", Properties: map[string]odata.Type{
	"name": odata.String, "source": odata.String, "displayName": odata.String, "pattern": odata.String, "patternType": odata.String,
	"externalId": odata.String, "revoked": odata.Bool, "validFrom": odata.Time, "validUntil": odata.Time, "threatIntelligenceTags": odata.Strings,
}}

// Property implements odata.Row.
func (o *Object) Property(name string) odata.Value {
	p := o.properties()
	switch name {
	case "name":
		return odata.Value{Text: o.Name}
	case "source":
		return odata.Value{Text: o.Source}
	case "displayName":
		return odata.Value{Text: p.DisplayName}
	case "pattern":
		return odata.Value{Text: p.Pattern}
	case "patternType":
		return odata.Value{Text: p.PatternType}
	case "externalId":
		return odata.Value{Text: o.StixID}
	case "revoked":
		return odata.Value{Bool: o.Revoked}
	case "validFrom":
		return odata.Value{Time: o.ValidFrom, Null: o.ValidFrom.IsZero()}
	case "validUntil":
		return odata.Value{Time: o.ValidUntil, Null: o.ValidUntil.IsZero()}
	}
	return odata.Value{List: p.ThreatIntelligenceTags}
}

// listIndicators lists the management store.
func (c *call) listIndicators() (wire.Reply, *apiError) {
	l := listing{match: func(o *Object) bool { return o.Managed }}
	var e *apiError
	if l.from, e = readPosition(c.skipToken()); e != nil {
		return wire.Reply{}, e
	}
	if text := c.Req.Query.Get("$filter"); text != "" {
		f, err := odata.Parse(text, listSchema)
		if err != nil {
			return wire.Reply{}, refuse(400, "BadRequest", "%s", err.Error())
		}
		l.match = func(o *Object) bool { return o.Managed && f.Match(o) }
	}
	if text := c.Req.Query.Get("$top"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return wire.Reply{}, refuse(400, "BadRequest", "The value '%s' of $top is not a positive number.", clip(text))
		}
		l.size = n
	}
	if text := c.Req.Query.Get("$orderby"); text != "" {
		name, direction, _ := strings.Cut(text, " ")
		order := map[string]string{"": "ascending", "asc": "ascending", "desc": "descending"}[strings.ToLower(direction)]
		if order == "" {
			return wire.Reply{}, refuse(400, "BadRequest", "The value '%s' of $orderby is not valid.", clip(text))
		}
		if e := l.sortBy([]sorter{{strings.TrimPrefix(name, "properties/"), order}}); e != nil {
			return wire.Reply{}, e
		}
	}
	objects, token := c.page(l)
	return c.values(c.entities(objects), token), nil
}
