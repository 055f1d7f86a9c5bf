package docgen

import (
	"fmt"

	"github.com/remeld/remeld/connector/mapping"
)

// Mapping is the generated part of a destination's page: the table its objects are
// filled from and, where there is one, that of ThreatConnect's guide.
func Mapping(class string) map[string]string {
	v, ok := mapping.Of(class)
	if !ok {
		return nil
	}
	var rows [][]string
	for _, l := range v.Lines {
		rows = append(rows, []string{code(l.Property), l.From, l.How})
	}
	blocks := map[string]string{"mapping": table([]string{"property", "from", "how"}, rows)}
	if v.Guide == "" {
		return blocks
	}
	rows = nil
	for _, f := range v.Fields {
		rows = append(rows, []string{fmt.Sprint(f.Table), f.ThreatConnect, code(f.Graph), f.From, code(f.Property)})
	}
	blocks["guide"] = table([]string{"table", "ThreatConnect field", "Graph field in the guide", "from", "here"}, rows)
	return blocks
}
