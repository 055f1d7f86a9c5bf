// Package mapping says, for each destination at Microsoft, which attribute of an
// indicator becomes which property of the remote object, and how. It is data: the
// destinations fill their objects from these tables, remeld explain mapping prints
// them and the documentation includes them, so that none of the three can say
// something else than the others.
//
// Use it in a destination's Map (Table.Fill), and to show a mapping (Of). The rules
// by which a node treats some indicators differently are here too (Rules).
//
// Functions are safe for concurrent use. The package does no I/O.
package mapping

import (
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/stix"
)

// Row says how one property of a remote object is filled.
type Row[O any] struct {
	// Property is its name at the API; "" for what has no place there.
	Property string
	// From is what it is made of: attributes, kind and value, or keys of the config.
	From string
	// How it is converted, in one line.
	How string
	// Guide are the fields of ThreatConnect's guide that end here.
	Guide []Field
	// Set fills the property from in; nil for one that is filled when the call is
	// written, or that has no place.
	Set func(in *In, out *O)
}

// Field is one line of the mapping tables in ThreatConnect's guides: their field and
// the property of Microsoft Graph they name for it.
type Field struct {
	Table         int
	ThreatConnect string
	Graph         string
}

// In is what a row may use.
type In struct {
	Rec *indicator.Record
	// Value is the indicator as the target spells it.
	Value string
	// Action is the API's own word.
	Action string
	Say    *Say

	stix *stix.Indicator // see express
}

// Say is what a node's config says of all its objects.
type Say struct {
	Product     string        // Graph's targetProduct
	ThreatType  string        // where the indicator has none
	TLP         indicator.TLP // where the indicator has no label
	Title       string        // templates, see Text
	Description string
	Recommend   string
	EducateURL  string   // Defender's page for users
	Groups      []string // Defender's device groups
	// Alerts asks Defender for an alert of what it stops, too.
	Alerts bool
	// Techniques and Category ask for what is on Defender's wire and on no page.
	Techniques, Category bool
}

// Table is the mapping of one class of destinations.
type Table[O any] struct {
	Class string
	// Object is what the API calls what is filled.
	Object string
	// Guide is the edition of ThreatConnect's guide whose fields the rows name, "" for none.
	Guide string
	Rows  []Row[O]
}

// Fill makes the object.
func (t *Table[O]) Fill(in *In) O {
	var out O
	for i := range t.Rows {
		if set := t.Rows[i].Set; set != nil {
			set(in, &out)
		}
	}
	return out
}

// Line is a row as it is shown.
type Line struct {
	Property string `json:"property"`
	From     string `json:"from"`
	How      string `json:"how"`
}

// GuideLine is a field of ThreatConnect's guide and where it ends here.
type GuideLine struct {
	Table         int    `json:"table"`
	ThreatConnect string `json:"threatconnect"`
	Graph         string `json:"graph"`
	From          string `json:"from"`
	Property      string `json:"property"` // "" = nowhere; How says why
	How           string `json:"how"`
}

// View is a table as it is shown.
type View struct {
	Class  string      `json:"class"`
	Object string      `json:"object"`
	Lines  []Line      `json:"lines"`
	Guide  string      `json:"guide,omitempty"`
	Fields []GuideLine `json:"fields,omitempty"`
}

// View returns the table to be shown.
func (t *Table[O]) View() View {
	v := View{Class: t.Class, Object: t.Object, Guide: t.Guide}
	for _, r := range t.Rows {
		v.Lines = append(v.Lines, Line{r.Property, r.From, r.How})
		for _, f := range r.Guide {
			v.Fields = append(v.Fields, GuideLine{f.Table, f.ThreatConnect, f.Graph, r.From, r.Property, r.How})
		}
	}
	return v
}

// Views returns all tables, in the order of their classes.
func Views() []View { return []View{Defender.View(), Graph.View(), Sentinel.View()} }

// Of returns the table of a class; ok is false for a class that has none.
func Of(class string) (v View, ok bool) {
	for _, v := range Views() {
		if v.Class == class {
			return v, true
		}
	}
	return View{}, false
}
