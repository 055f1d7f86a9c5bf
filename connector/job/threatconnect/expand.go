package threatconnect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// expand says which nodes the parameters stand for.
func expand(job string, c Config) sdk.Expansion {
	e := expansion{job: job, c: &c}
	e.out.Level = map[string]string{"trace": "debug", "warning": "warn", "critical": "error"}[c.Level]
	if e.out.Level == "" {
		e.out.Level = c.Level
	}
	e.idle()
	e.out.Nodes = append(e.out.Nodes, sdk.FormNode{Name: job + ".source", Keys: e.source()})
	targets := c.Targets
	if len(targets) == 0 {
		targets = []Target{c.one()}
	}
	for _, t := range targets {
		e.target(t)
	}
	e.rest()
	e.ignored()
	return e.out
}

type expansion struct {
	job string
	c   *Config
	out sdk.Expansion
	// bounded: a target has the capacity of which slots are reserved.
	bounded bool
}

// idle: the guides name settings with which nothing is sent.
func (e *expansion) idle() {
	c := e.c
	switch {
	case c.Mode != "2.0" && c.TQL == "" && len(c.Owners) == 0:
		e.out.Idle = "no owner is chosen and there is no tql: nothing is sent; choose owners"
	case c.Mode != "2.0" && c.TQL == "" && len(c.Types) == 0:
		e.out.Idle = "no indicator type is chosen and there is no tql: nothing is sent; choose indicator_types"
	}
}

// source is the node that reads ThreatConnect.
func (e *expansion) source() map[string]any {
	c := e.c
	cfg := map[string]any{}
	set := func(key string, x any, given bool) {
		if given {
			cfg[key] = x
		}
	}
	set("tql", c.TQL, c.TQL != "")
	if c.TQL == "" {
		types := c.Types
		if len(types) == 0 {
			types = c.types()
		}
		set("owners", c.Owners, len(c.Owners) > 0)
		set("indicator_types", e.spelled(types), true)
		set("tags_filter", []string(c.Tags), len(c.Tags) > 0)
		set("minimum_threatassess_score", c.MinThreat, c.MinThreat > 0)
		set("minimum_confidence_rating", c.MinConfidence, c.MinConfidence > 0)
		set("minimum_threat_rating", c.MinRating, c.MinRating > 0)
		if c.FalsePositives != nil {
			cfg["false_positive_threshold"] = *c.FalsePositives
		}
	}
	// Version 3.0.0 looks back by Last Run in any case, 2.0.x only where the box is
	// checked. Without the box each run reads everything, in 3.0.0 by days back from
	// then: what is no longer in the window is not wanted any more. Where indicators are
	// to end by their expiration, as at the app, the window only grows: it is all that
	// the app's runs have read.
	if back, at, ok := readLastRun(c.LastRun); ok && (c.OnlyModified || c.Mode != "2.0") {
		rolling := !c.OnlyModified && c.Renew != onChange
		set("modified_window", back, back > 0 && rolling)
		set("modified_within", back, back > 0 && !rolling)
		set("modified_since", at, !at.IsZero())
	}
	set("full_every", "1ms", !c.OnlyModified) // no two runs are as close
	set("api", c.API, c.API != "")
	set("feedback", map[string]any{"sent_tag": c.Feedback.SentTag, "reports": c.Feedback.Reports}, c.Feedback != Feedback{})
	node := map[string]any{"class": "threatconnect", "connection": c.Connection, "config": cfg, "withdraw_after": 1}
	if tlp := c.tlp(); tlp != "" {
		node["tlp"] = tlp
	}
	return node
}

// tlp is the default label in our words, "" where none is given.
func (c *Config) tlp() string {
	if tlp, ok := indicator.ParseTLP(strings.ToLower(c.DefaultTLP)); ok && c.DefaultTLP != "" {
		return tlp.String()
	}
	return ""
}

// label says the default label to a target as well, which has one of its own.
func (e *expansion) label(cfg map[string]any) {
	if tlp := e.c.tlp(); tlp != "" {
		cfg["default_tlp"] = tlp
	}
}

func (e *expansion) spelled(types []string) []string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = typeOf(t, e.c.types())
	}
	return out
}

// hashes are the ones that are chosen; a query chooses all, as it takes the place of
// the types.
func (e *expansion) hashes() []string {
	var out []string
	for _, kind := range []string{"md5", "sha1", "sha256"} {
		if e.c.TQL != "" || len(e.c.Types) == 0 || slices.Contains(e.spelled(e.c.Types), strings.ToUpper(kind)) {
			out = append(out, kind)
		}
	}
	return out
}

// description is the guide's.
func (e *expansion) description() string {
	if e.c.Mode == "2.0" {
		return "ThreatConnect | Owner: {owner}"
	}
	return "ThreatConnect {type} | Owner: {owner} | Id: {extra.tc_owner_id}"
}

// target adds the node that sends to a target.
func (e *expansion) target(t Target) {
	product := e.c.product(t)
	through := t.Through
	if through == "" {
		through = "direct"
		if e.c.Mode == "2.0" && t.Workspace == "" {
			through = "graph"
		}
	}
	var class string
	cfg := map[string]any{
		"description": e.description(),
		"expiration":  map[string]any{"file": days(e.c.Expiration.File), "network": days(e.c.Expiration.Network)},
	}
	if h := e.hashes(); len(h) > 0 {
		cfg["hashes"] = h
	}
	switch {
	case through == "graph":
		class = e.graph(product, cfg)
	case product == sentinel:
		class = "sentinel"
		for key, text := range map[string]string{"workspace": t.Workspace, "subscription": t.Subscription, "resource_group": t.ResourceGroup, "workspace_name": t.WorkspaceName} {
			if text != "" {
				cfg[key] = text
			}
		}
		cfg["expiration"].(map[string]any)["email"] = days(e.c.Expiration.Email)
		e.label(cfg)
	default:
		class = "defender"
		cfg["action"] = map[string]string{"alert": "audit", "block": "block"}[strings.ToLower(e.c.Action)]
		if strings.EqualFold(e.c.Action, "block") {
			cfg["generate_alert"] = true // the guides' Block tells of what it stops
		}
		e.reserve(cfg)
	}
	mode := "plan"
	if e.c.Approval == "none" {
		mode = "auto"
	}
	e.out.Nodes = append(e.out.Nodes, sdk.FormNode{Name: e.name(strings.TrimSuffix(class, "_tiindicators")), Idle: e.full(product), Keys: map[string]any{
		"class": class, "inputs": []string{e.job + ".source"}, "to": t.To, "config": cfg, "mode": mode, "renew": e.c.Renew,
		// The guides' own minimum decides.
		"min_confidence": 0, "settle": "0s",
	}})
}

func (e *expansion) graph(product string, cfg map[string]any) (class string) {
	cfg["target_product"], cfg["action"] = "Microsoft Defender ATP", strings.ToLower(e.c.Action)
	cfg["expiration"].(map[string]any)["email"] = days(e.c.Expiration.Email)
	e.label(cfg)
	if product == sentinel {
		cfg["target_product"] = "Azure Sentinel"
	} else {
		e.reserve(cfg)
	}
	return "graph_tiindicators"
}

// reserve keeps slots free. From the capacity on none is left, and the guides have the
// job send nothing; what is there is then left alone, see full.
func (e *expansion) reserve(cfg map[string]any) {
	e.bounded = true
	if e.c.Reserve > 0 && e.c.Reserve < capacity {
		cfg["reserve"] = e.c.Reserve
	}
}

// full says that the reserve leaves no slot for a product, "" if it does.
func (e *expansion) full(product string) string {
	if product != defender || e.c.Reserve < capacity {
		return ""
	}
	return fmt.Sprintf("indicator_reserve_count is %d of Defender's %d: no slot is left and nothing is sent; reserve less", e.c.Reserve, capacity)
}

// rest: where every target is left alone, the run has nothing to do.
func (e *expansion) rest() {
	var why string
	for _, n := range e.out.Nodes[1:] { // after the source
		if n.Idle == "" {
			return
		}
		why = n.Idle
	}
	if e.out.Idle == "" {
		e.out.Idle = why
	}
}

// name makes a node's name that is not taken.
func (e *expansion) name(kind string) string {
	name := e.job + "." + kind
	for n := 2; slices.ContainsFunc(e.out.Nodes, func(o sdk.FormNode) bool { return o.Name == name }); n++ {
		name = fmt.Sprintf("%s.%s-%d", e.job, kind, n)
	}
	return name
}

// ignored notes the parameters that are given and mean nothing.
func (e *expansion) ignored() {
	c := e.c
	if c.TQL != "" {
		var names []string
		for _, f := range []struct {
			name  string
			given bool
		}{
			{"owners", len(c.Owners) > 0}, {"indicator_types", len(c.Types) > 0}, {"tags_filter", len(c.Tags) > 0},
			{"minimum_threatassess_score", c.MinThreat > 0}, {"minimum_threat_rating", c.MinRating > 0},
			{"minimum_confidence_rating", c.MinConfidence > 0}, {"false_positive_threshold", c.FalsePositives != nil},
		} {
			if f.given {
				names = append(names, f.name)
			}
		}
		if len(names) > 0 {
			e.out.Notes = append(e.out.Notes, "tql takes the place of the filters, so these are ignored: "+strings.Join(names, ", "))
		}
	}
	if c.Reserve > 0 && !e.bounded {
		e.out.Notes = append(e.out.Notes, "indicator_reserve_count is ignored: Microsoft Sentinel has no such limit")
	}
	if c.Mode == "2.0" && c.LastRun != "" && !c.OnlyModified {
		e.out.Notes = append(e.out.Notes, "last_run is ignored: in 2.0 it goes with only_modified_since_last_run")
	}
}

func days(n int) string { return fmt.Sprintf("%dd", n) }
