package sentinel

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// queryBody is the body of query and count.
type queryBody struct {
	Condition   *condition `json:"condition"`
	MaxPageSize int        `json:"maxPageSize"`
	MinPageSize int        `json:"minPageSize"`
	SortBy      *struct {
		Field     string `json:"field"`
		Direction string `json:"direction"`
	} `json:"sortBy"`
}

// ticks is the service's timestamp, without a zone.
const ticks = "2006-01-02T15:04:05.0000000"

// readQuery returns the body, which a link to a next page carries itself, and
// the test it asks for.
func (c *call) readQuery() (*queryBody, *listing, *apiError) {
	from, e := readPosition(c.skipToken())
	if e != nil {
		return nil, nil, e
	}
	body := json.RawMessage(c.Req.Body)
	if from != nil && len(from.Body) > 0 {
		body = from.Body
	}
	var q queryBody
	if len(body) > 0 {
		if err := json.Unmarshal(body, &q); err != nil {
			return nil, nil, refuse(400, "BadRequest", "The request body is not valid: %s.", clip(err.Error()))
		}
	}
	l := &listing{size: q.MaxPageSize, from: from, body: body}
	if l.match, e = q.Condition.compile(c.now); e != nil {
		return nil, nil, e
	}
	if q.SortBy != nil && q.SortBy.Field != "" {
		f, e := lookup(q.SortBy.Field)
		if e != nil {
			return nil, nil, e
		}
		l.key = func(o *Object) string { return sortText(f(o)) }
		switch strings.ToUpper(q.SortBy.Direction) {
		case "", "ASC":
		case "DESC":
			l.desc = true
		default:
			return nil, nil, refuse(400, "BadRequest", "The sort direction '%s' is neither ASC nor DESC.", clip(q.SortBy.Direction))
		}
	}
	return &q, l, nil
}

func (c *call) query() (wire.Reply, *apiError) {
	_, l, e := c.readQuery()
	if e != nil {
		return wire.Reply{}, e
	}
	objects, token := c.page(*l)
	out := make([]resource, 0, len(objects))
	for _, o := range objects {
		out = append(out, c.resource(o))
	}
	return c.values(out, token), nil
}

func (c *call) count() (wire.Reply, *apiError) {
	_, l, e := c.readQuery()
	if e != nil {
		return wire.Reply{}, e
	}
	n := 0
	for _, o := range c.store.visible() {
		if l.match(o) {
			n++
		}
	}
	return wire.JSON(200, map[string]int{"count": n}), nil
}

// resource is an object as query returns it.
type resource struct {
	Name       string             `json:"name"`
	Type       string             `json:"type"`
	ID         string             `json:"id"`
	Kind       string             `json:"kind"`
	Properties resourceProperties `json:"properties"`
}

type person struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	ObjectID string `json:"objectId"`
}

type resourceProperties struct {
	CreatedBy             person          `json:"createdBy"`
	Data                  json.RawMessage `json:"data"`
	FirstIngested         string          `json:"firstIngestedTimeUtc"`
	IngestionRulesVersion string          `json:"ingestionRulesVersion"`
	LastIngested          string          `json:"lastIngestedTimeUtc"`
	LastModifiedBy        person          `json:"lastModifiedBy"`
	LastUpdateMethod      string          `json:"lastUpdateMethod"`
	LastUpdated           string          `json:"lastUpdatedDateTimeUtc"`
	RelationshipHints     *struct{}       `json:"relationshipHints"`
	Source                string          `json:"source"`
}

var kinds = map[string]string{
	"indicator": "Indicator", "attack-pattern": "AttackPattern", "identity": "Identity", "threat-actor": "ThreatActor", "relationship": "Relationship",
}

const noOne = "00000000-0000-0000-0000-000000000000"

func signed(by string) person {
	if strings.Contains(by, "@") {
		return person{Name: by, Email: by, ObjectID: noOne}
	}
	return person{ObjectID: by}
}

func (c *call) resource(o *Object) resource {
	stamp := func(t time.Time) string { return t.UTC().Format(ticks) }
	return resource{
		Name: o.ID, Type: "Microsoft.SecurityInsights/threatintelligence", Kind: kinds[o.Type],
		ID: c.store.Path() + "/providers/Microsoft.SecurityInsights/threatintelligence/" + o.ID,
		Properties: resourceProperties{
			CreatedBy: signed(o.CreatedBy), Data: o.Data, FirstIngested: stamp(o.FirstIngested), IngestionRulesVersion: noOne,
			LastIngested: stamp(o.LastIngested), LastModifiedBy: signed(o.ModifiedBy), LastUpdateMethod: o.Method,
			LastUpdated: stamp(o.LastIngested), Source: o.Source,
		},
	}
}
