package tql

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Keyword is one entry of the answer to OPTIONS /v3/indicators/tql.
type Keyword struct {
	Keyword     string `json:"keyword"`
	Name        string `json:"name"`
	Type        string `json:"type"` // String, StringLower, Integer, Date, Enum, Boolean
	Description string `json:"description,omitempty"`
}

// Server is what a ThreatConnect instance can be asked for: the parameters of its
// indicators. It is not changed after it was made.
type Server struct {
	types map[string]Type
	// open: every name may be a parameter.
	open bool
}

// Unasked stands for an instance that may have parameters which nobody here knows: a
// name that is none of ours, and no misspelling of one, is taken for one of its.
var Unasked = &Server{open: true}

// AnyServer has every parameter and nested table that V3Indicators knows of
// ThreatConnect. It stands for an instance that was not asked.
var AnyServer = ServerOf(V3Indicators.Keywords())

// ServerOf makes a Server of the parameters it lists.
func ServerOf(keywords []Keyword) *Server {
	s := &Server{types: map[string]Type{}}
	for _, k := range keywords {
		s.types[plain(k.Keyword)] = optionType(k.Type)
	}
	return s
}

// ParseServer reads the answer to OPTIONS /v3/indicators/tql.
func ParseServer(answer []byte) (*Server, error) {
	var list struct {
		Data []Keyword `json:"data"`
	}
	if err := json.Unmarshal(answer, &list, lenient); err != nil {
		return nil, fmt.Errorf("the answer to OPTIONS tql: %w", err)
	}
	if len(list.Data) == 0 {
		return nil, errors.New("the answer to OPTIONS tql lists no parameters")
	}
	return ServerOf(list.Data), nil
}

func (s *Server) has(name string) bool {
	if s == nil {
		return true
	}
	_, ok := s.types[plain(name)]
	return ok || s.open
}

func optionType(name string) Type {
	switch strings.ToLower(name) {
	case "integer", "decimal", "double", "float", "long", "bigdecimal":
		return Number
	case "date", "datetime":
		return Date
	case "boolean":
		return Bool
	default:
		return Text
	}
}

// optionNames are the words of OPTIONS for our types.
var optionNames = map[Type]string{Text: "String", Number: "Integer", Bool: "Boolean", Date: "Date", Enum: "Enum", Net: "String", Any: "String"}

// Keywords lists the parameters and nested tables as a ThreatConnect server that
// has the schema answers OPTIONS; our own additions are left out.
func (s *Schema) Keywords() []Keyword {
	var out []Keyword
	for _, p := range s.Params() {
		if !p.Ours {
			out = append(out, Keyword{Keyword: p.Name, Name: p.Name, Type: optionNames[p.Type], Description: p.Doc})
		}
	}
	for _, sub := range s.Subs() {
		out = append(out, Keyword{Keyword: sub.Name, Name: sub.Name, Type: "Integer", Description: sub.Doc})
	}
	return out
}

// remote makes a parameter of a name that only the server knows: here its value is
// never known, so that it must be pushed down whole.
func (s *Server) remote(name string) *Param {
	t, ok := s.types[plain(name)]
	if !ok {
		return nil
	}
	p := &Param{Name: name, Type: t}
	switch t {
	case Number:
		p.Number = func(any) (float64, bool) { return 0, false }
	case Bool:
		p.Bool = func(any) (bool, bool) { return false, false }
	case Date:
		p.Date = func(any) time.Time { return time.Time{} }
	default:
		p.Text = func(any) (string, bool) { return "", false }
	}
	return p
}
