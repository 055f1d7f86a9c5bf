package feed

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/remeld/remeld/stix"
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
	tlp       stix.TLPVersion
}

// field is a column of v=csv.
type field struct{ attribute, column string }

// reportTitle has a misspelling that clients match on.
const reportTitle = "MieneMeld Generated Report"

// parseQuery reads the parameters; what a format does not use is not looked at
// beyond what MineMeld checks for every format.
func parseQuery(v url.Values) (*query, error) {
	q := &query{num: math.MaxInt}
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
	if q.translate, ok = flag(v, "tr", false); !ok {
		return nil, notInteger("tr")
	}
	if f := formats[q.format]; f.whole {
		q.start, q.num, q.desc = 0, math.MaxInt, false
	}
	if err := q.formatParameters(v); err != nil {
		return nil, err
	}
	return q, nil
}

func notInteger(name string) error {
	return &badQuery{http.StatusInternalServerError, "Internal error: " + name + " should be an integer"}
}

// flag reads a parameter that is 0 or another integer; not ok if it is none.
func flag(v url.Values, name string, def bool) (on, ok bool) {
	text, given := first(v, name)
	if !given {
		return def, true
	}
	n, ok := parseInt(text)
	return n != 0, ok
}

// formatParameters reads what the format uses and nothing else, so that requests
// for one body have one key.
func (q *query) formatParameters(v url.Values) error {
	switch q.format {
	case "":
		q.sum = v.Has("sum")
		q.translate = q.translate && !q.sum
	case "csv":
		return q.csvParameters(v)
	case "mwg":
		q.listType = firstOr(v, "t", "string")
		q.translate = q.translate || q.listType == "ip"
	case "panosurl":
		q.translate = false
		q.stripPort, q.dropMixed, q.noSlash = v.Has("sp"), v.Has("di"), v.Has("nsl")
	case "bluecoat":
		q.translate = false
		q.category, q.defaults = firstOr(v, "ca", "bc_category"), v["cd"]
	case "carbonblack":
		q.translate = false
		q.title, q.score = firstOr(v, "rt", reportTitle), 100
		if n, ok := parseInt(firstOr(v, "rs", "")); ok {
			q.score = n
		}
	case "stix2":
		q.translate = true // a range has no pattern of one comparison
		switch firstOr(v, "tlp", "1") {
		case "1":
		case "2":
			q.tlp = stix.TLP2
		default:
			return &badQuery{http.StatusBadRequest, "tlp should be 1 or 2"}
		}
	}
	return nil
}

func (q *query) csvParameters(v url.Values) error {
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
	var ok bool
	if q.header, ok = flag(v, "h", true); !ok {
		return notInteger("h")
	}
	if q.mark, ok = flag(v, "ubom", false); !ok {
		return notInteger("ubom")
	}
	return nil
}

// key names the body that q asks for: two requests with one key get one body.
func (q *query) key() string { return fmt.Sprintf("%q", fmt.Sprintf("%+v", *q)) }

func first(v url.Values, name string) (string, bool) {
	if all := v[name]; len(all) > 0 {
		return all[0], true
	}
	return "", false
}

func firstOr(v url.Values, name, def string) string {
	if s, given := first(v, name); given {
		return s
	}
	return def
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
	v := parseForm(r.URL.RawQuery)
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

// parseForm reads parameters as MineMeld's server does: only & separates them, and
// what is no escape stands for itself. The standard library drops a parameter with
// a semicolon or a bad escape in it.
func parseForm(text string) url.Values {
	v := url.Values{}
	for pair := range strings.SplitSeq(text, "&") {
		if pair != "" {
			name, value, _ := strings.Cut(pair, "=")
			name = unescape(name)
			v[name] = append(v[name], unescape(value))
		}
	}
	return v
}

func unescape(s string) string {
	s = strings.ReplaceAll(s, "+", " ")
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
