package format

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Options is how a body is read. It is embedded (inline) in the config of sources;
// the key that is present chooses the format, lines being the default.
type Options struct {
	Kind      string   `yaml:"kind" doc:"What the values are: a kind (ipv4, domain, url, sha256, ...) or a family (ip, hash). Left out, each value's kind is told by its look."`
	Line      string   `yaml:"line" doc:"Regular expression (RE2) for lines. The group (?P<indicator>...) is the value, every other named group an attribute of that name. Left out, the first word of a line is the value."`
	Ignore    string   `yaml:"ignore" doc:"Regular expression of lines to pass over (line and ndjson)."`
	Comments  []string `yaml:"comments" doc:"Prefixes of comment lines (line)."`
	Refang    bool     `yaml:"refang" doc:"Undo hxxp://, [.], (dot) and the like where a value does not parse as it stands."`
	SplitPort bool     `yaml:"split_port" doc:"Read 192.0.2.1:8080 and example.com:8080 as the host, with the port as its attribute."`
	CSV       *CSV     `yaml:"csv" doc:"Read comma separated values."`
	JSON      *JSON    `yaml:"json" doc:"Read one JSON document."`
	NDJSON    *JSON    `yaml:"ndjson" doc:"Read one JSON document a line."`
	Text      *Text    `yaml:"text" doc:"Find indicators in prose or any other text."`
}

// CSV is the dialect and the meaning of columns.
type CSV struct {
	Columns   []Column          `yaml:"columns" required:"true" doc:"The columns that hold indicators."`
	Fields    map[string]string `yaml:"fields" doc:"Attribute names, each with the column that holds it: its header name, or its number from 1."`
	Header    bool              `yaml:"header" doc:"The first row holds the names; implied when a column is named."`
	Delimiter string            `yaml:"delimiter" doc:"One character, or tab. Default a comma."`
	Quote     string            `yaml:"quote" doc:"What encloses fields: a double quote (default), a single quote, or none."`
	Comment   string            `yaml:"comment" doc:"One character that begins comment rows. Default #."`
	Lazy      bool              `yaml:"lazy_quotes" doc:"Take a quote inside a bare field as it is."`
}

// Column is a column with indicators, by name or number.
type Column struct {
	Name     string `yaml:"name" doc:"The column's name in the header."`
	Index    int    `yaml:"index" doc:"The column's number, from 1, where it has no name."`
	Kind     string `yaml:"kind" doc:"What its values are; default the node's kind."`
	KindFrom string `yaml:"kind_from" doc:"The column (name, or number from 1) that names each value's kind. A name that is no kind leaves it to the value's look."`
}

// JSON says where in a document the items, values and attributes are.
type JSON struct {
	Items  string            `yaml:"items" doc:"JMESPath of the items, such as data.iocs[]. Left out, the document itself: a list of items, or one. A plain path is streamed; any other expression reads the whole document (at most 64 MB) first."`
	Values []Value           `yaml:"values" doc:"Where an item's indicators are. Left out, the item is the text itself."`
	Fields map[string]string `yaml:"fields" doc:"Attribute names, each with the JMESPath of its value in an item."`
}

// Value is a place in an item with an indicator, or a list of them.
type Value struct {
	Path     string `yaml:"path" required:"true" doc:"JMESPath in the item."`
	Kind     string `yaml:"kind" doc:"What the values are; default the node's kind."`
	KindFrom string `yaml:"kind_from" doc:"JMESPath of the name of the value's kind. A name that is no kind leaves it to the value's look."`
}

// Text is the reading of prose.
type Text struct {
	Kinds []string `yaml:"kinds" doc:"The kinds and families to take; default all that can be told by their look."`
}

// Defaults returns the options of a node that sets none.
func Defaults() Options {
	return Options{Comments: []string{"#", ";", "//"}, Refang: true, SplitPort: true}
}

// Fingerprint changes when anything that changes the reading does (SEMANTICS E3).
func (o *Options) Fingerprint() string {
	b, err := json.Marshal(o)
	if err != nil {
		panic("format: options hold what JSON cannot: " + err.Error()) // they are strings, numbers and lists
	}
	sum := sha256.Sum256(append([]byte("format 1\n"), b...))
	return hex.EncodeToString(sum[:8])
}
