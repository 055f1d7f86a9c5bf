package graph

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// maxBatch is the most requests of a $batch.
const maxBatch = 20

// part is one request of a $batch.
type part struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// verdict is the answer to one of them.
type verdict struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

func badBatch(format string, args ...any) *apiError {
	return refuse(400, "BadRequest", "Invalid batch payload format: "+format, args...)
}

// batch answers a JSON batch: a request waits for those it depends on, and fails
// with them. Every one counts against the limit and is journalled by its items.
func (c *call) batch() (wire.Reply, *apiError) {
	var body struct {
		Requests []part `json:"requests"`
	}
	if err := json.Unmarshal(c.Req.Body, &body); err != nil {
		return wire.Reply{}, unreadable()
	}
	if e := checkBatch(body.Requests); e != nil {
		return wire.Reply{}, e
	}
	status := map[string]int{}
	out := make([]verdict, 0, len(body.Requests))
	for left := body.Requests; len(left) > 0; {
		i := slices.IndexFunc(left, func(p part) bool {
			return !slices.ContainsFunc(p.DependsOn, func(id string) bool { return status[strings.ToLower(id)] == 0 })
		})
		if i < 0 {
			return wire.Reply{}, badBatch("the dependencies are circular.")
		}
		v := c.play(left[i], status)
		status[strings.ToLower(v.ID)] = v.Status
		out = append(out, v)
		left = slices.Delete(slices.Clone(left), i, i+1)
	}
	return wire.JSON(200, map[string]any{"responses": out}), nil
}

func checkBatch(parts []part) *apiError {
	if n := len(parts); n == 0 || n > maxBatch {
		return badBatch("%d requests; from 1 to %d are allowed.", n, maxBatch)
	}
	seen := map[string]bool{}
	for _, p := range parts {
		id := strings.ToLower(p.ID)
		switch {
		case id == "" || p.Method == "" || p.URL == "":
			return badBatch("a request needs id, method and url.")
		case seen[id]:
			return badBatch("the id '%s' is not unique.", clip(p.ID))
		case strings.Contains(p.URL, "://"):
			return badBatch("the url '%s' is not relative.", clip(p.URL))
		}
		seen[id] = true
	}
	for _, p := range parts {
		for _, id := range p.DependsOn {
			if !seen[strings.ToLower(id)] {
				return badBatch("the id '%s' in dependsOn is not in the batch.", clip(id))
			}
		}
	}
	return nil
}

// play carries out one request of the batch.
func (c *call) play(p part, status map[string]int) verdict {
	for _, id := range p.DependsOn {
		if status[strings.ToLower(id)] >= 400 {
			return c.answered(p, c.stamp(c.refusal(refuse(424, "FailedDependency", "The request depends on '%s', which failed.", clip(id)))))
		}
	}
	path, query, _ := strings.Cut(p.URL, "?")
	req := &wire.Request{
		Method: strings.ToUpper(p.Method), Scheme: c.Req.Scheme, Host: c.Req.Host, Header: http.Header{}, Body: p.Body, Now: c.now,
		Path: "/" + c.version + "/" + strings.TrimPrefix(path, "/"),
	}
	if clean, err := url.PathUnescape(req.Path); err == nil {
		req.Path = clean
	}
	req.Query, req.QueryErr = url.ParseQuery(query)
	for name, v := range p.Headers {
		req.Header.Set(name, v)
	}
	r, _ := Match(req.Method, req.Path)
	if r.Op == OpBatch {
		r = Route{Op: OpOther, version: c.version, unknown: "$batch"}
	}
	reply, items := c.service.serve(Call{Route: r, Req: req, Who: c.Who, Refuse: c.Refuse})
	c.items = append(c.items, items...)
	return c.answered(p, reply)
}

func (c *call) answered(p part, r wire.Reply) verdict {
	v := verdict{ID: p.ID, Status: r.Status, Headers: map[string]string{"Cache-Control": "no-cache"}, Body: r.Body}
	for _, name := range []string{"Retry-After", "Content-Type"} {
		if h := r.Header.Get(name); h != "" {
			v.Headers[name] = h
		}
	}
	return v
}
