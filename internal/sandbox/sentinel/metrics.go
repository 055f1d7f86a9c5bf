package sentinel

import (
	"cmp"
	"slices"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

type metric struct {
	Name  string `json:"metricName"`
	Value int    `json:"metricValue"`
}

// metrics counts the indicators of both stores, as queries see them.
func (c *call) metrics() (wire.Reply, *apiError) {
	threats, patterns, sources := map[string]int{}, map[string]int{}, map[string]int{}
	for _, o := range c.store.visible() {
		if o.Type != "indicator" {
			continue
		}
		p := o.properties()
		for _, t := range p.ThreatTypes {
			threats[t]++
		}
		if p.PatternType != "" {
			patterns[p.PatternType]++
		}
		sources[o.Source]++
	}
	return wire.JSON(200, map[string]any{"value": []any{map[string]any{"properties": map[string]any{
		"lastUpdatedTimeUtc": c.now.UTC().Format(ticks) + "Z", "threatTypeMetrics": ranked(threats), "patternTypeMetrics": ranked(patterns),
		"sourceMetrics": ranked(sources),
	}}}}), nil
}

// ranked lists the counts, the greatest first.
func ranked(m map[string]int) []metric {
	out := []metric{}
	for name, n := range m {
		out = append(out, metric{name, n})
	}
	slices.SortFunc(out, func(a, b metric) int { return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Name, b.Name)) })
	return out
}
