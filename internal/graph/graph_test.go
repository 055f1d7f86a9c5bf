package graph

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/sdk"
)

func source(name string) Node { return Node{Name: name, Role: sdk.RoleSource, Class: "http"} }

func processor(name string, inputs ...string) Node {
	return Node{Name: name, Role: sdk.RoleProcessor, Class: "aggregate", Inputs: inputs}
}

func must(t *testing.T, nodes ...Node) *Graph {
	t.Helper()
	g, err := New(nodes)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestOrderPutsInputsBeforeReaders(t *testing.T) {
	t.Parallel()
	own := source("own")
	meld := processor("meld", "b", "a")
	meld.Allow = []string{"own"}
	edl := Node{Name: "edl", Role: sdk.RoleFeed, Inputs: []string{"meld"}}
	g := must(t, edl, meld, own, source("a"), source("b"))
	if diff := cmp.Diff([]string{"a", "b", "own", "meld", "edl"}, g.Order()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "own", "meld"}, g.Ancestors("edl")); diff != "" {
		t.Error(diff)
	}
	if !g.Guarding("own") || g.Guarding("a") {
		t.Error("only own is an allow-list")
	}
}

func TestE10_WhatFeedsAnAllowListIsGuardingToo(t *testing.T) {
	t.Parallel()
	meld := processor("meld", "feed")
	meld.Allow = []string{"known_good"}
	g := must(t, source("list"), processor("known_good", "list"), source("feed"), meld)
	if !g.Guarding("list") || g.Guarding("feed") {
		t.Error("the source behind an allow-list must count as one")
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	fed := source("fed")
	fed.Inputs = []string{"a"}
	tests := map[string]struct {
		nodes []Node
		want  string
	}{
		"cycle":          {[]Node{processor("x", "y"), processor("y", "z"), processor("z", "x")}, "x reads y reads z reads x"},
		"missing":        {[]Node{processor("x", "gone")}, `"gone" does not exist`},
		"twice":          {[]Node{source("a"), source("a")}, "taken"},
		"double input":   {[]Node{source("a"), processor("x", "a", "a")}, "named twice"},
		"destination":    {[]Node{source("a"), {Name: "f", Role: sdk.RoleFeed, Inputs: []string{"a"}}, processor("x", "f")}, "gives nothing on"},
		"source's input": {[]Node{source("a"), fed}, "no inputs"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := New(tt.nodes); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestE11_PlanSaysWhatHappensToEachNode(t *testing.T) {
	t.Parallel()
	changed := func(n Node, f func(*Node)) Node { f(&n); return n }
	old := must(t, source("kept"), source("moved"), source("edited"), source("relogin"), source("gone"),
		processor("meld", "kept", "moved", "gone"))
	next := must(t, source("kept"), source("new"),
		changed(source("moved"), func(n *Node) { n.Origin = "https://other.example" }),
		changed(source("edited"), func(n *Node) { n.Fingerprint = "2" }),
		changed(source("relogin"), func(n *Node) { n.Login = "2" }),
		processor("meld", "kept", "moved"))
	got := map[string]Action{}
	for _, s := range Plan(old, next) {
		got[s.Name] = s.Action
	}
	want := map[string]Action{"kept": Keep, "moved": Replace, "edited": Replay, "relogin": Rebuild,
		"gone": Remove, "new": Add, "meld": Replay}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
