package sentinel

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"sort"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// maxPage is the most objects of a page, and the size where none is asked for.
const (
	maxPage     = 1000
	defaultPage = 100
)

// position is where a listing goes on: behind the object with that sort key
// and ID. It carries the request, so that the link alone is enough.
type position struct {
	Key  string          `json:"k,omitempty"`
	ID   string          `json:"i"`
	Body json.RawMessage `json:"b,omitempty"`
}

// position reads the skipToken of the query or of the body; nil at the start.
func readPosition(token string) (*position, *apiError) {
	if token == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	var p position
	if err != nil || json.Unmarshal(raw, &p) != nil || p.ID == "" {
		return nil, refuse(400, "BadRequest", "The skipToken is not valid.")
	}
	return &p, nil
}

// skipToken of the query, in both spellings.
func (c *call) skipToken() string {
	if t := c.Req.Query.Get("$skipToken"); t != "" {
		return t
	}
	return c.Req.Query.Get("skipToken")
}

// listing is what a page is cut from.
type listing struct {
	match func(*Object) bool
	// key orders; nil is by ID.
	key  func(*Object) string
	desc bool
	size int
	from *position
	// body is what the link to the next page must repeat.
	body json.RawMessage
}

// page returns the objects and the token of the next page, "" at the end.
func (c *call) page(l listing) ([]*Object, string) {
	objects := c.store.visible()
	switch {
	case l.key != nil:
		objects = l.arranged(objects)
	case l.from != nil:
		i := sort.Search(len(objects), func(i int) bool { return objects[i].ID > l.from.ID })
		objects = objects[i:]
	}
	if l.size <= 0 {
		l.size = defaultPage
	}
	l.size = min(l.size, maxPage)
	out := []*Object{}
	for _, o := range objects {
		if l.key == nil && !l.match(o) {
			continue
		}
		if len(out) == l.size {
			return out, l.token(out[len(out)-1])
		}
		out = append(out, o)
	}
	return out, ""
}

// arranged are the matching objects in order, from the position on.
func (l *listing) arranged(objects []*Object) []*Object {
	out := slices.DeleteFunc(slices.Clone(objects), func(o *Object) bool { return !l.match(o) })
	before := func(ak, aid, bk, bid string) bool {
		if ak != bk {
			return (ak < bk) != l.desc
		}
		return aid < bid
	}
	sort.Slice(out, func(i, j int) bool { return before(l.key(out[i]), out[i].ID, l.key(out[j]), out[j].ID) })
	if l.from != nil {
		out = out[sort.Search(len(out), func(i int) bool { return before(l.from.Key, l.from.ID, l.key(out[i]), out[i].ID) }):]
	}
	return out
}

func (l *listing) token(last *Object) string {
	p := position{ID: last.ID, Body: l.body}
	if l.key != nil {
		p.Key = l.key(last)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return "" // a body that was read as JSON encodes
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// values answers a listing; the link names host and path as the client used them.
func (c *call) values(v any, token string) wire.Reply {
	out := map[string]any{"value": v}
	if token != "" {
		q := url.Values{}
		for name, values := range c.Req.Query {
			if name != "$skipToken" && name != "skipToken" {
				q[name] = values
			}
		}
		q.Set("$skipToken", token)
		out["nextLink"] = c.Req.Base() + (&url.URL{Path: c.Req.Path}).EscapedPath() + "?" + q.Encode()
	}
	return wire.JSON(200, out)
}
