package tql

import "strings"

// And joins queries so that each keeps its meaning: every one of several stands in
// parentheses, which readers that disagree on precedence agree on. Empty queries are
// left out; "" is returned if all are. A query that does not parse is an error, so
// that none can reach out of its parentheses.
func And(queries ...string) (string, error) {
	var parts []string
	for _, q := range queries {
		q = strings.TrimSpace(q)
		if q == "" {
			continue
		}
		if _, err := parse(q); err != nil {
			return "", err
		}
		parts = append(parts, q)
	}
	if len(parts) < 2 {
		return strings.Join(parts, ""), nil
	}
	return "(" + strings.Join(parts, ") AND (") + ")", nil
}

// Quote writes text as a TQL string, with what must be escaped escaped.
func Quote(text string) string { return quote(text) }

// QuoteList writes texts as a TQL list, as after IN.
func QuoteList(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = quote(t)
	}
	return "(" + strings.Join(quoted, ", ") + ")"
}
