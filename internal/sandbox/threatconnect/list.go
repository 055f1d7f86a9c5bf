package threatconnect

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/wire"
	"github.com/remeld/remeld/internal/tql"
)

// list answers GET /v3/indicators.
func (r *request) list() wire.Reply {
	scope, refusal := r.scope()
	if refusal != nil {
		return *refusal
	}
	f, err := newFilter(r.q.Get("tql"))
	if err != nil {
		return r.fail(400, "Invalid TQL: "+err.Error())
	}
	if name := r.lacking(f); name != "" {
		return r.fail(400, "Invalid TQL: unknown parameter in "+name)
	}
	sorting := r.q.Get("sorting")
	order, err := tql.V3Indicators.Order(sorting)
	if err != nil {
		return r.fail(400, "Invalid sorting: "+err.Error())
	}
	sel := &selection{want: r.q.start + r.q.limit + 1, counting: r.q.yes("count") && r.q.start == 0}
	if !byID(sorting) {
		sel.order, sel.parts = order, sortParts(sorting)
	}
	var w writer
	for row := range r.rows(r.now, &f.want) {
		if scope[row.Owner] && r.matches(f, row, &w) && !sel.take(r, row, &w) {
			break
		}
	}
	return r.page(sel)
}

// scope are the owners to look at: one that was named, else all that may be read.
func (r *request) scope() (map[string]bool, *wire.Reply) {
	out := map[string]bool{}
	if name := r.q.Get("owner"); name != "" {
		if r.owner(name).Permission == None {
			e := r.fail(403, "Access Denied: the owner "+name+" does not exist or is not accessible")
			return nil, &e
		}
		out[name] = true
		return out, nil
	}
	for _, o := range r.owners {
		if o.Permission != None {
			out[o.Name] = true
		}
	}
	return out, nil
}

// byID tells whether a sorting is the order the rows come in anyway.
func byID(sorting string) bool {
	words := strings.Fields(strings.ToLower(sorting))
	return len(words) == 0 || words[0] == "id" && (len(words) == 1 || words[1] == "asc")
}

// sortParts are what rows must show to be sorted; everything, for want of knowing.
func sortParts(string) shape {
	sh := shape{fields: map[string]bool{}, inner: true}
	for _, name := range []string{"threatAssess", "falsePositives", "observations", "sightings", "externalDates"} {
		sh.fields[name] = true
	}
	return sh
}

// selection keeps the rows up to the end of the page and one more, which tells
// whether there is a next page.
type selection struct {
	want     int
	counting bool
	order    func(a, b any) int // nil: as they come
	parts    shape
	rows     []sorted
	count    int
}

type sorted struct {
	row *Indicator
	key *tql.Object // nil where nothing is sorted
}

// take adds a row; false means that no more are needed.
func (s *selection) take(r *request, row *Indicator, w *writer) bool {
	s.count++
	if s.order == nil {
		if len(s.rows) < s.want {
			s.rows = append(s.rows, sorted{row: row})
		}
		return s.counting || len(s.rows) < s.want
	}
	s.rows = append(s.rows, sorted{row, r.asObject(row, s.parts, w)})
	if len(s.rows) >= 2*s.want {
		s.cut()
	}
	return true
}

// cut sorts and drops what no page up to this one can show.
func (s *selection) cut() {
	if s.order != nil {
		slices.SortStableFunc(s.rows, func(a, b sorted) int { return s.order(a.key, b.key) })
	}
	if len(s.rows) > s.want {
		clear(s.rows[s.want:])
		s.rows = s.rows[:s.want]
	}
}

// page writes the envelope: next before data, prev behind it, as in the documentation.
func (r *request) page(sel *selection) wire.Reply {
	sel.cut()
	rows := sel.rows[min(r.q.start, len(sel.rows)):]
	more := len(rows) > r.q.limit
	rows = rows[:min(r.q.limit, len(rows))]
	w := &writer{b: make([]byte, 0, 1024*len(rows)+256)}
	w.open('{')
	if more {
		w.text("next", r.link(r.q.start+r.q.limit))
	}
	sh := shape{fields: r.q.fields()}
	w.key("data")
	w.open('[')
	for _, one := range rows {
		w.next()
		r.object(w, one.row, sh)
	}
	w.close(']')
	if r.q.start > 0 {
		w.text("prev", r.link(max(0, r.q.start-r.q.limit)))
	}
	if sel.counting {
		w.number("count", int64(sel.count))
	}
	return w.reply()
}

// reply ends an answer.
func (w *writer) reply() wire.Reply {
	w.text("status", "Success")
	w.close('}')
	return wire.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json;charset=utf-8"}}, Body: w.b}
}

// link is the address of another page under the base the client used, with the query
// unchanged.
func (r *request) link(start int) string {
	q := url.Values{}
	for k, v := range r.q.Values {
		q[k] = v
	}
	q.Set("resultStart", strconv.Itoa(start))
	q.Set("resultLimit", strconv.Itoa(r.q.limit))
	return r.Req.Base() + r.Req.Path + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}
