package mapping

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

func takesAll() Takes {
	return Takes{Actions: []string{"audit", "block"}, Severity: true, ThreatTypes: []string{}, LeastLife: time.Hour}
}

// TestFirstRuleWins: by tag, source, confidence and rating; nothing of the others is
// taken, and the record stays as it is.
func TestFirstRuleWins(t *testing.T) {
	t.Parallel()
	list := []Rule{
		{When: `hasTag(name = "watch")`, Action: "audit"},
		{When: `sources contains "ipsum"`, Severity: "low", Expiration: 7 * 24 * time.Hour},
		{When: `confidence >= 90 and rating >= 4`, Action: "block", Severity: "5", ThreatType: "malware"},
	}
	if errs := takesAll().Check(list); len(errs) > 0 {
		t.Fatal(errs)
	}
	rules, err := Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		attrs    indicator.Attributes
		want     int // of the rule, -1 = none
		severity int
	}{
		"tag and all": {indicator.Attributes{Tags: []string{"watch"}, Sources: []string{"ipsum"}, Severity: indicator.Known(4), Confidence: indicator.Known(95)}, 0, 4},
		"source":      {indicator.Attributes{Sources: []string{"ipsum"}, Severity: indicator.Known(4), Confidence: indicator.Known(95)}, 1, 2},
		"score":       {indicator.Attributes{Severity: indicator.Known(4), Confidence: indicator.Known(95)}, 2, 5},
		"none":        {indicator.Attributes{Severity: indicator.Known(4)}, -1, 4},
	} {
		rec := &indicator.Record{Indicator: indicator.Indicator{Kind: indicator.Domain, Value: "bad.example"}, Attrs: test.attrs}
		out, rule := rules.Apply(rec)
		n, _ := out.Attrs.Severity.Get()
		switch {
		case (rule == nil) != (test.want < 0), rule != nil && rule.When != list[test.want].When:
			t.Errorf("%s: rule %+v", name, rule)
		case n != test.severity:
			t.Errorf("%s: severity %d, want %d", name, n, test.severity)
		case rec.Attrs.Severity != test.attrs.Severity || rec.Attrs.ThreatType != "":
			t.Errorf("%s: the record itself was changed", name)
		}
	}
}

// TestActionsOfRulesAreWordsAsTheyStand: another spelling would name no action of the
// API, and would not be known as one that blocks.
func TestActionsOfRulesAreWordsAsTheyStand(t *testing.T) {
	t.Parallel()
	errs := takesAll().Check([]Rule{{When: "confidence > 1", Action: "Block"}})
	var fe *sdk.FieldError
	if len(errs) != 1 || !errors.As(errs[0], &fe) || fe.Path != "rules.0.action" || fe.Help != "write block" {
		t.Errorf("%v", errs)
	}
	takes := takesAll()
	takes.ThreatTypes = []string{"WatchList"}
	if errs := takes.Check([]Rule{{When: "confidence > 1", ThreatType: "watchlist"}}); len(errs) > 0 {
		t.Errorf("a threat type is spelt by the mapping: %v", errs)
	}
}

// TestRulesAreCheckedAtTheirPlace: every fault names its key, and a bad query the
// character.
func TestRulesAreCheckedAtTheirPlace(t *testing.T) {
	t.Parallel()
	for path, test := range map[string]struct {
		rule Rule
		want string
	}{
		"rules.0.when":        {Rule{When: "confidence >>", Action: "audit"}, "at character"},
		"rules.0.action":      {Rule{When: "confidence > 1", Action: "warn"}, "unknown word"},
		"rules.0.severity":    {Rule{When: "confidence > 1", Severity: "6"}, "unknown severity"},
		"rules.0.expiration":  {Rule{When: "confidence > 1", Expiration: time.Second}, "too short"},
		"rules.0.threat_type": {Rule{When: "confidence > 1", ThreatType: "x"}, "no such property"},
	} {
		takes := takesAll()
		if strings.HasSuffix(path, "threat_type") {
			takes.ThreatTypes = nil
		}
		errs := takes.Check([]Rule{test.rule})
		var fe *sdk.FieldError
		if len(errs) != 1 || !errors.As(errs[0], &fe) || fe.Path != path || !strings.Contains(fe.Msg, test.want) {
			t.Errorf("%s: %v", path, errs)
		}
	}
	if _, err := Compile([]Rule{{When: "confidence >>"}}); err == nil {
		t.Error("a bad query compiled")
	}
}
