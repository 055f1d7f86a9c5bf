package docgen

import (
	"slices"
	"strings"

	"github.com/remeld/remeld/internal/tql"
)

// TQL returns the generated parts of docs/tql.md: the operators of each type, and the
// names over our records and over ThreatConnect's indicators.
func TQL() map[string]string {
	return map[string]string{
		"operators":      operatorTable(),
		"records":        paramTable(tql.Records),
		"records-nested": nestedTable(tql.Records),
		"indicators":     paramTable(tql.V3Indicators),
		"nested":         nestedTable(tql.V3Indicators),
	}
}

func operatorTable() string {
	var rows [][]string
	for _, t := range []tql.Type{tql.Text, tql.Number, tql.Date, tql.Bool, tql.Enum, tql.Net, tql.Any} {
		rows = append(rows, []string{t.String(), codes(strings.Split(strings.ReplaceAll(t.Operators(), "IS NULL", "IS_NULL"), " "))})
	}
	return strings.ReplaceAll(table([]string{"type", "operators"}, rows), "IS_NULL", "IS NULL")
}

func paramTable(s *tql.Schema) string {
	var rows [][]string
	for _, p := range s.Params() {
		doc := p.Doc
		if p.Each != nil || p.Texts != nil {
			doc += "; several values"
		}
		rows = append(rows, []string{code(p.Name), codes(p.Aliases), p.Type.String(), doc})
	}
	return table([]string{"name", "also", "type", "what it is"}, rows)
}

// nestedTable lists every nested table that can be reached, once with all its names.
func nestedTable(s *tql.Schema) string {
	names := map[*tql.Schema][]string{}
	var order []*tql.Schema
	var visit func(s *tql.Schema)
	visit = func(s *tql.Schema) {
		for _, sub := range s.Subs() {
			if names[sub.Schema] == nil {
				order = append(order, sub.Schema)
				defer visit(sub.Schema)
			}
			if !slices.Contains(names[sub.Schema], sub.Name) {
				names[sub.Schema] = append(names[sub.Schema], sub.Name)
			}
		}
	}
	visit(s)
	var rows [][]string
	for _, sub := range order {
		inner := "as for indicators"
		if sub != s {
			inner = codes(nestedNames(sub))
		}
		rows = append(rows, []string{codes(names[sub]), inner})
	}
	return table([]string{"nested table", "names in it"}, rows)
}

func nestedNames(s *tql.Schema) []string {
	var out []string
	for _, p := range s.Params() {
		out = append(out, p.Name)
	}
	for _, sub := range s.Subs() {
		out = append(out, sub.Name+"( … )")
	}
	return out
}
