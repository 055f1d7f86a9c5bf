package threatconnect

import (
	"slices"
	"strings"
)

// includes tells whether version 2 is asked for a part, as includes=tags or
// includeTags=true.
func (q query) includes(part string) bool {
	return slices.Contains(q.Values["includes"], part) || q.yes("include"+strings.ToUpper(part[:1])+part[1:])
}

// v2Parts writes the parts of an indicator that were asked for.
func (r *request) v2Parts(w *writer, i *Indicator) {
	if r.q.includes("additional") {
		w.text("active", map[bool]string{true: "false", false: "true"}[i.Inactive])
		w.number("falsePositiveCount", int64(i.FalseCount))
		w.number("observationCount", int64(i.Observed))
		if i.Score != nil {
			w.number("threatAssessScore", int64(*i.Score))
		}
	}
	v2Part(w, r.q.includes("tags"), "tag", i.Tags, func(name string) { w.text("name", name) })
	v2Part(w, r.q.includes("labels"), "securityLabel", i.Labels, func(name string) { w.text("name", name) })
	v2Part(w, r.q.includes("attributes"), "attribute", i.Attributes, func(a Attribute) {
		w.text("type", a.Type)
		w.text("value", a.Value)
	})
}

func v2Part[T any](w *writer, asked bool, name string, list []T, write func(T)) {
	if !asked || len(list) == 0 {
		return
	}
	w.key(name)
	w.open('[')
	for _, e := range list {
		w.next()
		w.open('{')
		write(e)
		w.close('}')
	}
	w.close(']')
}
