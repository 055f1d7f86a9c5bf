package tql

import (
	"net/netip"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
)

// Records is the schema of our own records: the attribute names, with
// ThreatConnect's names as aliases. Its subject is a *indicator.Record.
var Records = recordSchema()

func record(s any) *indicator.Record { return s.(*indicator.Record) }

func recordSchema() *Schema {
	s := NewSchema()
	s.Extra = freeAttribute
	addIdentity(s)
	addScores(s)
	addTexts(s)
	addDates(s)
	addSubs(s)
	return s
}

func addIdentity(s *Schema) {
	s.Add(Param{Name: "kind", Type: Enum, Names: kindNames(), Enum: func(s any) (int, bool) {
		k := record(s).Kind
		return int(k), k != indicator.Unknown
	}})
	s.Add(Param{Name: "type_name", Type: Enum, Names: typeNames(), Enum: typeOf})
	s.Add(Param{Name: "value", Type: Text, Text: func(s any) (string, bool) {
		return record(s).Value, true
	}}, "summary", "indicator")
	s.Add(Param{Name: "address_cidr", Type: Net, Net: func(s any) (from, to netip.Addr, ok bool) {
		return record(s).Addrs()
	}})
	// Every record a node holds is live.
	s.Add(Param{Name: "indicator_active", Type: Bool, Bool: func(any) (bool, bool) { return true, true }})
}

func addScores(s *Schema) {
	score := func(get func(*indicator.Attributes) indicator.Score) func(any) (float64, bool) {
		return func(s any) (float64, bool) {
			n, known := get(&record(s).Attrs).Get()
			return float64(n), known
		}
	}
	s.Add(Param{Name: "confidence", Type: Number, Number: score(func(a *indicator.Attributes) indicator.Score { return a.Confidence })})
	s.Add(Param{Name: "severity", Type: Number, Number: score(func(a *indicator.Attributes) indicator.Score { return a.Severity })}, "rating")
	s.Add(Param{Name: "tlp", Type: Number, Literal: tlpLiteral, Literals: tlpNames(), Number: func(s any) (float64, bool) {
		t := record(s).Attrs.TLP
		return float64(t), t != indicator.Unlabelled
	}})
	// A count that was never reported is 0, not unknown.
	s.Add(Param{Name: "false_positives", Type: Number, Number: func(s any) (float64, bool) {
		return float64(record(s).Attrs.FalsePositives), true
	}}, "false_positive_count")
	s.Add(Param{Name: "port", Type: Number, Number: func(s any) (float64, bool) {
		p := record(s).Attrs.Port
		return float64(p), p != 0
	}})
}

func tlpLiteral(text string) (float64, bool) {
	t, ok := indicator.ParseTLP(text)
	return float64(t), ok && t != indicator.Unlabelled
}

func tlpNames() (out []string) {
	for t := indicator.Clear; t <= indicator.Red; t++ {
		out = append(out, t.String())
	}
	return out
}

func addTexts(s *Schema) {
	one := func(name string, exact bool, get func(*indicator.Attributes) string, aliases ...string) {
		s.Add(Param{Name: name, Type: Text, Exact: exact, Text: func(s any) (string, bool) {
			v := get(&record(s).Attrs)
			return v, v != ""
		}}, aliases...)
	}
	one("threat_type", false, func(a *indicator.Attributes) string { return a.ThreatType })
	one("description", true, func(a *indicator.Attributes) string { return a.Description })
	one("external_id", false, func(a *indicator.Attributes) string { return a.ExternalID })
	one("protocol", false, func(a *indicator.Attributes) string { return a.Protocol })
	one("owner", false, func(a *indicator.Attributes) string { return a.Owner }, "owner_name")
	many := func(name string, get func(*indicator.Attributes) []string, aliases ...string) {
		s.Add(Param{Name: name, Type: Text, Texts: func(s any) []string { return get(&record(s).Attrs) }}, aliases...)
	}
	many("tags", func(a *indicator.Attributes) []string { return a.Tags }, "tag")
	many("kill_chain", func(a *indicator.Attributes) []string { return a.KillChain })
	many("references", func(a *indicator.Attributes) []string { return a.References }, "reference")
	many("sources", func(a *indicator.Attributes) []string { return a.Sources }, "source")
	s.Add(Param{Name: "security_label", Type: Text, Text: securityLabel})
}

// labelText are the TLP labels as ThreatConnect names its security labels.
var labelText = func() (out [indicator.Red + 1]string) {
	for t := indicator.Clear; t <= indicator.Red; t++ {
		out[t] = "TLP:" + strings.ToUpper(t.String())
	}
	return out
}()

func securityLabel(s any) (string, bool) {
	t := record(s).Attrs.TLP
	if t == indicator.Unlabelled || t > indicator.Red {
		return "", false
	}
	return labelText[t], true
}

func addDates(s *Schema) {
	date := func(name string, clock bool, get func(*indicator.Attributes) time.Time, aliases ...string) {
		s.Add(Param{Name: name, Type: Date, Clock: clock, Date: func(s any) time.Time { return get(&record(s).Attrs) }}, aliases...)
	}
	date("first_seen", false, func(a *indicator.Attributes) time.Time { return a.FirstSeen }, "date_added")
	date("last_seen", true, func(a *indicator.Attributes) time.Time { return a.LastSeen }, "last_modified")
	date("valid_until", false, func(a *indicator.Attributes) time.Time { return a.ValidUntil })
}

// addSubs adds the nested tables that our records can answer.
func addSubs(s *Schema) {
	tag := func(s any) (string, bool) { return *s.(*string), true }
	tags := NewSchema().
		Add(Param{Name: "name", Type: Text, Exact: true, Text: tag}).
		Add(Param{Name: "summary", Type: Text, Text: tag})
	count := func(s any) int { return len(record(s).Attrs.Tags) }
	at := func(s any, i int) any { return &record(s).Attrs.Tags[i] }
	s.AddSub(Sub{Name: "hasTag", Schema: tags, Len: count, At: at})
	s.AddSub(Sub{Name: "hasAllTags", Schema: tags, Every: true, Len: count, At: at})
	label := NewSchema().Add(Param{Name: "name", Type: Text, Text: securityLabel}, "summary")
	s.AddSub(Sub{
		Name: "hasSecurityLabel", Schema: label,
		Len: func(s any) int {
			if record(s).Attrs.TLP == indicator.Unlabelled {
				return 0
			}
			return 1
		},
		At: func(s any, _ int) any { return s },
	})
}

// freeAttribute is the parameter of an attribute in Extra. The name is taken as
// written; where it is not there, in any case.
func freeAttribute(name string) *Param {
	return &Param{Name: "extra." + name, Type: Any, Any: func(s any) any {
		extra := record(s).Attrs.Extra
		if v, ok := extra[name]; ok || len(extra) == 0 {
			return v
		}
		best := ""
		for k := range extra {
			if strings.EqualFold(k, name) && (best == "" || k < best) {
				best = k
			}
		}
		return extra[best]
	}}
}
