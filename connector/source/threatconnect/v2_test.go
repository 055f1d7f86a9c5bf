package threatconnect

import (
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

func oldInstance(o *sandbox.Options) { o.ThreatConnect.OnlyV2 = true }

// TestVersion2: what an old instance holds is read as version 3 would say it, page by
// page and in every owner; filters and queries are evaluated here; what goes is gone.
func TestVersion2(t *testing.T) {
	high, score, sure := 4.0, 600, 80
	full := sandbox.TCIndicator{
		Type: "Address", Summary: "203.0.113.7", Rating: &high, Confidence: &sure, Score: &score, Tags: []string{"c2", "late"}, Labels: []string{"TLP:RED"},
		Attributes: []sandbox.TCAttribute{{Type: "Phase of Intrusion", Value: "C2"}}, FalseCount: 2,
	}
	md5, sha256 := strings.Repeat("A1", 16), strings.Repeat("C3", 32)
	rows := []sandbox.TCIndicator{full, host("a.example"), host("b.example", "keep"), at("Common Community", host("c.example", "Keep")),
		{Type: "File", Summary: md5 + " : " + sha256}, {Type: "Registry Key", Summary: `HKEY_LOCAL_MACHINE\Software\X : Run : REG_SZ`}}
	low := strings.ToLower(sha256)
	for name, c := range map[string]struct{ config, want string }{
		"all":     {"{api: v2, page_size: 2}", `+203.0.113.7 +HKEY_LOCAL_MACHINE\Software\X\Run +a.example +b.example +c.example +` + low},
		"owner":   {"{api: v2, owners: [common community]}", "+c.example"},
		"types":   {"{api: v2, indicator_types: [SHA256, Address]}", "+203.0.113.7 +" + low},
		"tags":    {"{api: v2, tags_filter: [keep]}", "+b.example +c.example"},
		"scores":  {"{api: v2, minimum_threatassess_score: 500, minimum_threat_rating: 3}", "+203.0.113.7"},
		"reports": {"{api: v2, false_positive_threshold: 1, indicator_types: [Address, Host], owners: [Demo Organization]}", "+a.example +b.example"},
		"query":   {`{api: v2, tql: 'tlp >= "amber" or typeName = "Host" and hasTag(name = "keep")'}`, "+203.0.113.7 +b.example"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwin(t, c.config, oldInstance)
			w.seed(rows...)
			w.want(w.poll(), c.want)
			if w.last.Shape != sdk.Snapshot {
				t.Errorf("shape %s", w.last.Shape)
			}
		})
	}
	w := newTwin(t, "{api: v2}", oldInstance)
	ids := w.seed(rows...)
	w.poll()
	old := w.rows["203.0.113.7"]
	w.edit(ids[1], func(i *sandbox.TCIndicator) { i.Inactive = true })
	w.remove(ids[3])
	w.want(w.poll(), "-a.example -c.example")

	now := newTwin(t, "{}")
	now.seed(rows...)
	now.poll()
	for _, rec := range []string{old.Attrs.TLP.String(), now.rows["203.0.113.7"].Attrs.TLP.String()} {
		if rec != "red" {
			t.Errorf("labelled %s", rec)
		}
	}
	a, b := old.Attrs, now.rows["203.0.113.7"].Attrs
	for i, pair := range [][2]any{{a.Confidence, b.Confidence}, {a.Severity, b.Severity}, {strings.Join(a.Tags, ","), strings.Join(b.Tags, ",")},
		{strings.Join(a.KillChain, ","), strings.Join(b.KillChain, ",")}, {a.FalsePositives, b.FalsePositives}, {a.Extra["threat_assess_score"], b.Extra["threat_assess_score"]}} {
		if pair[0] != pair[1] {
			t.Errorf("%d: version 2 says %v, version 3 %v", i, pair[0], pair[1])
		}
	}
}

// TestVersion2IsNamed: an instance without version 3 says so, and with it what to set.
func TestVersion2IsNamed(t *testing.T) {
	w := newTwin(t, "{}", oldInstance)
	_, err := w.try()
	if sdk.FailureOf(err) != sdk.Missing || !strings.Contains(err.Error(), "api: v2") {
		t.Error(err)
	}
	c := defaults()
	c.API, c.Feedback.SentTag, c.TQL = v2, "x", "quantumRiskIndex > 5"
	if errs := c.Validate(); len(errs) != 2 {
		t.Errorf("%v", errs)
	}
	if c = defaults(); c.Full != 24*time.Hour {
		t.Error(c.Full)
	}
	c.API = "v4"
	if errs := c.Validate(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "v4") {
		t.Errorf("%v", errs)
	}
}
