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
	s.Add(Param{Name: "kind", Type: Enum, Doc: "kind, or a family of kinds as ip, hash", Names: kindNames(), Enum: func(s any) (int, bool) {
		k := record(s).Kind
		return int(k), k != indicator.Unknown
	}})
	s.Add(Param{Name: "type_name", Type: Enum, Doc: "ThreatConnect's type, as Address, Host, File", Names: typeNames(), Enum: typeOf})
	s.Add(Param{Name: "value", Type: Text, Doc: "canonical value", Text: func(s any) (string, bool) {
		return record(s).Value, true
	}}, "summary", "indicator")
	s.Add(Param{Name: "address_cidr", Type: Net, Doc: "the address, network or range lies inside the network", Net: func(s any) (from, to netip.Addr, ok bool) {
		return record(s).Addrs()
	}})
	// Every record a node holds is live.
	s.Add(Param{Name: "indicator_active", Type: Bool, Doc: "always true: what a node holds is live", Bool: func(any) (bool, bool) { return true, true }})
}

func addScores(s *Schema) {
	score := func(get func(*indicator.Attributes) indicator.Score) func(any) (float64, bool) {
		return func(s any) (float64, bool) {
			n, known := get(&record(s).Attrs).Get()
			return float64(n), known
		}
	}
	s.Add(Param{Name: "confidence", Type: Number, Doc: "confidence 0–100", Number: score(func(a *indicator.Attributes) indicator.Score { return a.Confidence })})
	s.Add(Param{Name: "severity", Type: Number, Doc: "severity 0–5", Number: score(func(a *indicator.Attributes) indicator.Score { return a.Severity })}, "rating")
	s.Add(Param{Name: "tlp", Type: Number, Doc: "TLP label; stricter is greater", Literal: tlpLiteral, Literals: tlpNames(), Number: func(s any) (float64, bool) {
		t := record(s).Attrs.TLP
		return float64(t), t != indicator.Unlabelled
	}})
	// A count that was never reported is 0, not unknown.
	s.Add(Param{Name: "false_positives", Type: Number, Doc: "times reported as a false positive; 0 if never", Number: func(s any) (float64, bool) {
		return float64(record(s).Attrs.FalsePositives), true
	}}, "false_positive_count")
	s.Add(Param{Name: "port", Type: Number, Doc: "port", Number: func(s any) (float64, bool) {
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
	one := func(name, doc string, exact bool, get func(*indicator.Attributes) string, aliases ...string) {
		s.Add(Param{Name: name, Type: Text, Doc: doc, Exact: exact, Text: func(s any) (string, bool) {
			v := get(&record(s).Attrs)
			return v, v != ""
		}}, aliases...)
	}
	one("threat_type", "kind of threat", false, func(a *indicator.Attributes) string { return a.ThreatType })
	one("description", "description; case counts", true, func(a *indicator.Attributes) string { return a.Description })
	one("external_id", "identifier given by the source", false, func(a *indicator.Attributes) string { return a.ExternalID })
	one("protocol", "protocol", false, func(a *indicator.Attributes) string { return a.Protocol })
	one("owner", "who owns it at its source", false, func(a *indicator.Attributes) string { return a.Owner }, "owner_name")
	many := func(name, doc string, get func(*indicator.Attributes) []string, aliases ...string) {
		s.Add(Param{Name: name, Type: Text, Doc: doc, Texts: func(s any) []string { return get(&record(s).Attrs) }}, aliases...)
	}
	many("tags", "tags", func(a *indicator.Attributes) []string { return a.Tags }, "tag")
	many("kill_chain", "phases of the kill chain", func(a *indicator.Attributes) []string { return a.KillChain })
	many("references", "links to reports", func(a *indicator.Attributes) []string { return a.References }, "reference")
	many("sources", "sources that list it", func(a *indicator.Attributes) []string { return a.Sources }, "source")
	s.Add(Param{Name: "security_label", Type: Text, Doc: "TLP label as ThreatConnect writes it, as TLP:AMBER", Text: securityLabel})
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
	date := func(name, doc string, clock bool, get func(*indicator.Attributes) time.Time, aliases ...string) {
		s.Add(Param{Name: name, Type: Date, Doc: doc, Clock: clock, Date: func(s any) time.Time { return get(&record(s).Attrs) }}, aliases...)
	}
	date("first_seen", "first seen", false, func(a *indicator.Attributes) time.Time { return a.FirstSeen }, "date_added")
	date("last_seen", "last listed by its source", true, func(a *indicator.Attributes) time.Time { return a.LastSeen }, "last_modified")
	date("valid_until", "valid until", false, func(a *indicator.Attributes) time.Time { return a.ValidUntil }, "external_date_expires")
}

// addSubs adds the nested tables that our records can answer.
func addSubs(s *Schema) {
	tag := func(s any) (string, bool) { return *s.(*string), true }
	tags := NewSchema().
		Add(Param{Name: "name", Type: Text, Doc: "name; case counts", Exact: true, Text: tag}).
		Add(Param{Name: "summary", Type: Text, Doc: "name; case does not count", Text: tag})
	count := func(s any) int { return len(record(s).Attrs.Tags) }
	at := func(s any, i int) any { return &record(s).Attrs.Tags[i] }
	s.AddSub(Sub{Name: "hasTag", Doc: "its tags", Schema: tags, Len: count, At: at})
	s.AddSub(Sub{Name: "hasAllTags", Doc: "its tags: each value of one list must be there", Schema: tags, Every: true, Len: count, At: at})
	label := NewSchema().Add(Param{Name: "name", Type: Text, Doc: "TLP label as TLP:AMBER", Text: securityLabel}, "summary")
	s.AddSub(Sub{
		Name: "hasSecurityLabel", Doc: "its TLP label", Schema: label,
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
