package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

// Rule treats the indicators it matches differently from what the node says. Of
// several rules the first that matches counts, and nothing of the others.
type Rule struct {
	When       string        `yaml:"when" required:"true" doc:"Query in TQL over the indicator: tags, sources, confidence, rating, anything. The first rule that matches counts."`
	Action     string        `yaml:"action" doc:"What is done on a match, in the words of the node's own action; the node's where absent."`
	Severity   string        `yaml:"severity" doc:"informational, low, medium, high, critical, or 0 to 5; the indicator's own where absent."`
	Expiration time.Duration `yaml:"expiration" doc:"How long the indicator lives without renewal; the node's where absent."`
	ThreatType string        `yaml:"threat_type" doc:"What kind of threat it is said to be; the indicator's own where absent."`
}

// severityNames are words for 1 to 5; 0 has none of its own.
var severityNames = []string{"", "informational", "low", "medium", "high", "critical"}

func parseSeverity(text string) (indicator.Score, bool) {
	word := strings.ToLower(strings.TrimSpace(text))
	if len(word) == 1 && word[0] >= '0' && word[0] <= '5' {
		return indicator.Known(int(word[0] - '0')), true
	}
	if i := slices.Index(severityNames[1:], word); i >= 0 {
		return indicator.Known(i + 1), true
	}
	return 0, false
}

// Takes says what a class lets a rule change besides the severity, and checks the
// words.
type Takes struct {
	Actions []string // words that action: takes; nil = the class has no actions
	// Severity: the class has a property for it.
	Severity bool
	// ThreatTypes are the words of threat_type:; nil = the class has no property for
	// it, empty = any word.
	ThreatTypes []string
	// LeastLife is the shortest expiration.
	LeastLife time.Duration
}

// Check returns all that is wrong with rules, at their places below rules:.
func (t Takes) Check(rules []Rule) []error {
	var errs []error
	for i, r := range rules {
		add := func(key, help, format string, args ...any) {
			errs = append(errs, &sdk.FieldError{Path: fmt.Sprintf("rules.%d.%s", i, key), Msg: fmt.Sprintf(format, args...), Help: help})
		}
		if _, msg, help := compile(r.When); msg != "" && r.When != "" {
			add("when", help, "%s", msg)
		}
		t.checkWords(&r, add)
		if r.Expiration != 0 && r.Expiration < t.LeastLife {
			add("expiration", "at least "+t.LeastLife.String()+", so that a renewal can come in time", "%s is too short", r.Expiration)
		}
		if r.Action == "" && r.Severity == "" && r.Expiration == 0 && r.ThreatType == "" {
			add("when", "give one of action, severity, expiration, threat_type", "the rule changes nothing")
		}
	}
	return errs
}

func (t Takes) checkWords(r *Rule, add func(key, help, format string, args ...any)) {
	switch _, ok := parseSeverity(r.Severity); {
	case r.Severity == "":
	case !t.Severity:
		add("severity", "remove it", "the service has no severity")
	case !ok:
		add("severity", "use "+strings.Join(severityNames[1:], ", ")+", or 0 to 5", "unknown severity %q", r.Severity)
	}
	oneOf := func(key, word string, words []string, asItStands bool) {
		at := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
		switch {
		case word == "":
		case words == nil:
			add(key, "remove it", "the service has no such property")
		case len(words) > 0 && at < 0:
			add(key, "use "+strings.Join(words, ", "), "unknown word %q", word)
		case asItStands && at >= 0 && words[at] != word:
			add(key, "write "+words[at], "unknown word %q", word)
		}
	}
	oneOf("action", r.Action, t.Actions, true) // as the node's own; whether it blocks is told by it
	oneOf("threat_type", r.ThreatType, t.ThreatTypes, false)
}

// compile returns a rule's filter, or what is wrong and what to do. A condition that
// depends on the clock would change what is sent without any change of the
// indicator (SEMANTICS E12).
func compile(when string) (f *tql.Filter, msg, help string) {
	f, err := tql.Compile(when, tql.Options{AllowExtra: true})
	var te *tql.Error
	switch {
	case errors.As(err, &te):
		return nil, fmt.Sprintf("%s, at character %d", te.Msg, te.Col), te.Suggestion
	case err != nil:
		return nil, err.Error(), ""
	case f.UsesClock():
		return nil, "the rule depends on the clock, so that an object would have to change without a change of its indicator", "use no NOW(), TODAY() or last_seen"
	}
	return f, "", ""
}

// Rules are compiled rules.
type Rules []compiled

type compiled struct {
	Rule
	filter   *tql.Filter
	severity indicator.Score
}

// Compile compiles rules that Check found nothing wrong with.
func Compile(rules []Rule) (Rules, error) {
	out := make(Rules, len(rules))
	for i, r := range rules {
		f, msg, _ := compile(r.When)
		if msg != "" {
			return nil, fmt.Errorf("rules.%d.when: %s", i, msg)
		}
		out[i] = compiled{Rule: r, filter: f}
		out[i].severity, _ = parseSeverity(r.Severity)
	}
	return out, nil
}

// Apply returns the record as the first rule that matches has it, and that rule; nil
// if there is none. The record itself is not changed.
func (rs Rules) Apply(rec *indicator.Record) (*indicator.Record, *Rule) {
	for i := range rs {
		r := &rs[i]
		if r.filter.Match(rec, &tql.Env{}) != tql.True {
			continue
		}
		if r.severity == 0 && r.ThreatType == "" {
			return rec, &r.Rule
		}
		changed := *rec
		if r.severity != 0 {
			changed.Attrs.Severity = r.severity
		}
		if r.ThreatType != "" {
			changed.Attrs.ThreatType = r.ThreatType
		}
		return &changed, &r.Rule
	}
	return rec, nil
}
