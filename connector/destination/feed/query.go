package feed

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// badQuery is a request that cannot be answered, with the status and the words
// MineMeld answers it with.
type badQuery struct {
	status int
	msg    string
}

func (e *badQuery) Error() string { return e.msg }

// query is what the parameters of a request ask for.
type query struct {
	format string // "" is plain
	start  int
	num    int // math.MaxInt means all
	desc   bool

	translate bool // tr: ranges as CIDRs
	sum       bool
	fields    []field // csv
	header    bool
	mark      bool   // csv: byte order mark
	listType  string // mwg: t
	stripPort bool   // panosurl: sp
	dropMixed bool   // panosurl: di
	noSlash   bool   // panosurl: nsl
	category  string // bluecoat: ca
	defaults  []string
	title     string // carbonblack: rt
	score     int    // carbonblack: rs
}

// field is a column of v=csv.
type field struct{ attribute, column string }

// reportTitle has a misspelling that clients match on.
const reportTitle = "MieneMeld Generated Report"

// parseQuery reads the parameters; what a format does not use is not looked at
// beyond what MineMeld checks for every format.
func parseQuery(v url.Values) (*query, error) {
	q := &query{num: math.MaxInt, header: true, listType: "string", category: "bc_category", title: reportTitle, score: 100}
	var ok bool
	if s, given := first(v, "s"); given {
		if q.start, ok = parseInt(s); !ok || q.start < 0 {
			return nil, &badQuery{http.StatusBadRequest, "s should be a positive integer"}
		}
	}
	if n, given := first(v, "n"); given {
		if q.num, ok = parseInt(n); !ok || q.num <= 0 {
			return nil, &badQuery{http.StatusBadRequest, "n should be a positive integer"}
		}
	}
	q.desc = v.Has("d")
	if f, given := first(v, "v"); given {
		if _, known := formats[f]; !known || f == "" {
			return nil, &badQuery{http.StatusBadRequest, "unknown format"}
		}
		q.format = f
	}
	for _, flag := range []struct {
		name string
		into *bool
	}{{"tr", &q.translate}, {"h", &q.header}, {"ubom", &q.mark}} {
		text, given := first(v, flag.name)
		if !given || (flag.name != "tr" && q.format != "csv") {
			continue
		}
		n, ok := parseInt(text)
		if !ok {
			return nil, &badQuery{http.StatusInternalServerError, "Internal error: " + flag.name + " should be an integer"}
		}
		*flag.into = n != 0
	}
	q.formatParameters(v)
	return q, nil
}

func (q *query) formatParameters(v url.Values) {
	q.sum, q.stripPort, q.dropMixed, q.noSlash = v.Has("sum"), v.Has("sp"), v.Has("di"), v.Has("nsl")
	for _, f := range v["f"] {
		if i := strings.LastIndexByte(f, '|'); i >= 0 {
			q.fields = append(q.fields, field{f[:i], f[i+1:]})
		} else {
			q.fields = append(q.fields, field{f, f})
		}
	}
	if q.fields == nil {
		q.fields = []field{{"indicator", "indicator"}}
	}
	if t, given := first(v, "t"); given {
		q.listType = t
	}
	if c, given := first(v, "ca"); given {
		q.category = c
	}
	q.defaults = v["cd"]
	if t, given := first(v, "rt"); given {
		q.title = t
	}
	if s, given := first(v, "rs"); given {
		if n, ok := parseInt(s); ok {
			q.score = n
		}
	}
	if q.format == "mwg" && q.listType == "ip" {
		q.translate = true
	}
	if q.format == "" && q.sum {
		q.translate = false
	}
}

// key names the body that q asks for: two requests with one key get one body.
func (q *query) key() string { return fmt.Sprintf("%q", fmt.Sprintf("%+v", *q)) }

func first(v url.Values, name string) (string, bool) {
	if all := v[name]; len(all) > 0 {
		return all[0], true
	}
	return "", false
}

// parseInt reads an integer as MineMeld does: spaces around and a sign are fine.
// What is beyond an int is the largest one.
func parseInt(s string) (int, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "+")
	n, err := strconv.Atoi(s)
	if err == nil {
		return n, true
	}
	if digits := strings.TrimPrefix(s, "-"); digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	return n, true // out of range: Atoi returns the nearest int
}

// values collects the parameters of a request: the query first, then a form body.
func values(r *http.Request) (url.Values, error) {
	v := r.URL.Query()
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if r.Body == nil || !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return v, nil
	}
	body, err := readForm(r)
	if err != nil {
		return nil, &badQuery{http.StatusBadRequest, "the form cannot be read"}
	}
	for name, all := range body {
		v[name] = append(v[name], all...)
	}
	return v, nil
}
