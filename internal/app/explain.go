package app

import (
	"github.com/remeld/remeld/internal/tql"
)

// explainedRecords bounds how many records an explanation shows one by one.
const explainedRecords = 10

// Explanation says how a query is read and what each of its conditions is for the
// records looked at.
type Explanation struct {
	Query    string   `json:"query"` // canonical
	Warnings []string `json:"warnings,omitempty"`
	// Server, Pushed and Kept are the cut for a ThreatConnect server, where the
	// records are ThreatConnect's; Fields is what its answers must carry.
	Server string   `json:"server,omitempty"`
	Pushed []string `json:"pushed,omitempty"`
	Kept   []string `json:"kept,omitempty"`
	Fields []string `json:"fields,omitempty"`
	// Tree has one entry a condition, with how many records it is what for.
	Tree    []ExplainedClause `json:"tree"`
	Records []ExplainedRecord `json:"records"` // the first few
}

// ExplainedClause is one condition and for how many records it is what.
type ExplainedClause struct {
	Depth   int    `json:"depth"`
	Text    string `json:"text"`
	True    int    `json:"true"`
	Unknown int    `json:"unknown"`
	False   int    `json:"false"`
}

// ExplainedRecord is one record and what each condition of the tree is for it.
type ExplainedRecord struct {
	Name   string      `json:"name"`
	Truth  tql.Truth   `json:"truth"`
	Clause []tql.Truth `json:"clauses"`
}

// Explainer gathers an Explanation. It is used by one goroutine.
type Explainer struct {
	Explanation
	filter *tql.Filter
}

// Explain begins the explanation of a filter; for one over ThreatConnect's objects it
// says what a server would be asked.
func Explain(f *tql.Filter, threatConnect bool) (*Explainer, error) {
	e := &Explainer{filter: f, Explanation: Explanation{
		Query: f.String(), Warnings: f.Warnings(), Fields: f.Fields(), Records: []ExplainedRecord{},
	}}
	for _, c := range f.Outline() {
		e.Tree = append(e.Tree, ExplainedClause{Depth: c.Depth, Text: c.Text})
	}
	if !threatConnect {
		return e, nil
	}
	split, err := f.Push(tql.AnyServer)
	if err != nil {
		return nil, err
	}
	e.Server, e.Pushed, e.Kept = split.Server, split.Pushed, split.Kept
	return e, nil
}

// Add explains the query for one record; name is how to call it.
func (e *Explainer) Add(name string, subject any, env *tql.Env) {
	clauses := e.filter.Explain(subject, env)
	one := ExplainedRecord{Name: name, Truth: e.filter.MatchAny(subject, env)}
	for i, c := range clauses {
		one.Clause = append(one.Clause, c.Truth)
		switch c.Truth {
		case tql.True:
			e.Tree[i].True++
		case tql.Null:
			e.Tree[i].Unknown++
		default:
			e.Tree[i].False++
		}
	}
	if len(e.Records) < explainedRecords {
		e.Records = append(e.Records, one)
	}
}
