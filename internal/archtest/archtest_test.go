// Package archtest holds the house rules that a compiler does not check: who may
// import whom, that every package says what it is for, and that files stay short.
// A failure names the rule and its reason; the way out is a better place for the
// code, not a longer table.
package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/remeld/remeld/"

// rule forbids packages below From to depend, directly or not, on any of Not.
type rule struct {
	From   string
	Not    []string
	Direct bool // only direct imports count
	Why    string
}

var rules = []rule{
	{From: "cmd/", Not: []string{""}, Direct: true, Why: "main only hands over to internal/app (excepted below)"},
	{From: "indicator", Not: []string{"sdk", "stix", "taxii", "internal/", "connector/"}, Why: "what an indicator is must not depend on how it is used"},
	{From: "stix", Not: []string{"sdk", "taxii", "internal/", "connector/"}, Why: "a format stands on its own: what reads and writes it is somebody else's"},
	{From: "sdk", Not: []string{"internal/", "connector/", "stix", "taxii"}, Why: "a connector written outside must compile against exactly what ours compile against"},
	{From: "connector/", Not: []string{"internal/store", "internal/engine", "internal/deliver", "internal/web", "internal/app", "internal/config", "internal/sandbox"}, Why: "a connector knows the sdk, not the machine it runs in"},
	{From: "internal/config", Not: []string{"internal/engine", "internal/store/", "connector/"}, Why: "a configuration can be checked without running anything"},
	{From: "internal/diag", Not: []string{"internal/engine", "internal/store/", "connector/"}, Why: "showing what is wrong needs nothing of what runs"},
	{From: "internal/graph", Not: []string{"connector/", "internal/web", "internal/store/pebblestore", "internal/store/pgstore"}, Why: "the graph is the same whatever is in it"},
	{From: "internal/engine", Not: []string{"connector/", "internal/web", "internal/store/pebblestore", "internal/store/pgstore", "github.com/cockroachdb/pebble"}, Why: "the engine knows nodes by the sdk and storage by its boundary"},
	{From: "internal/store/pebblestore", Not: []string{"internal/web", "internal/engine", "internal/deliver", "github.com/jackc/pgx"}, Why: "an engine of storage stores"},
	{From: "internal/deliver", Not: []string{"connector/", "internal/web", "internal/microsoft/", "internal/engine"}, Why: "delivery decides; destinations are known by interface only"},
	{From: "internal/tql", Not: []string{"internal/store", "internal/web"}, Why: "one query language over any indicator from anywhere"},
	{From: "internal/httpx", Not: []string{"internal/engine", "internal/deliver"}, Why: "the one HTTP stack serves everybody"},
	{From: "internal/microsoft/", Not: []string{"internal/engine", "internal/web", "internal/deliver", "internal/store"}, Why: "API clients are thin"},
	{From: "internal/web", Not: []string{"internal/engine", "internal/store", "connector/"}, Why: "pages and feeds know the app's face, not its insides"},
	{From: "internal/sandbox", Not: []string{"sdk", "internal/store", "internal/engine", "internal/deliver", "internal/microsoft/", "internal/threatconnect", "internal/config", "internal/app", "internal/httpx", "connector/"}, Why: "a twin that shares code with the client would share its mistakes"},
	{From: "internal/schedule/timetable", Not: []string{"sdk", "internal/store", "internal/config", "connector/"}, Why: "a configuration checks a timetable without anything of what runs"},
	{From: "internal/feedback", Not: []string{"connector/", "internal/web", "internal/engine", "internal/deliver", "internal/threatconnect"}, Why: "it compares and remembers; who is told and what was delivered is handed to it"},
	{From: "internal/ipset", Not: []string{"sdk", "internal/", "connector/"}, Why: "range algebra stands on its own"},
}

// allowed are the edges a rule would forbid, each with its reason.
var allowed = map[string]string{
	"cmd/remeld -> internal/app/cli": "the one thing main calls",
}

type pkg struct {
	ImportPath string
	Doc        string
	Imports    []string
	Deps       []string
	GoFiles    []string
	Dir        string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Imports,Deps,GoFiles,Dir", module+"...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func below(path, prefix string) bool {
	return path == strings.TrimSuffix(prefix, "/") || strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/")
}

// forbidden tells whether dep (an import path) falls under the pattern not.
func forbidden(dep, not string) bool {
	local, ours := strings.CutPrefix(dep, module)
	if not == "" {
		return ours
	}
	foreign := !ours && strings.Contains(not, ".") // a dot tells a module from a folder of the standard library
	return (ours && below(local, not)) || (foreign && below(dep, not))
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		for _, r := range rules {
			if !below(path, r.From) {
				continue
			}
			deps := p.Deps
			if r.Direct {
				deps = p.Imports
			}
			for _, d := range deps {
				local := strings.TrimPrefix(d, module)
				if allowed[path+" -> "+local] != "" || below(local, r.From) {
					continue
				}
				for _, not := range r.Not {
					if forbidden(d, not) {
						t.Errorf("%s depends on %s: %s", path, local, r.Why)
					}
				}
			}
		}
	}
}

// TestConnectorsDoNotKnowEachOther: adding or removing one must not touch another.
func TestConnectorsDoNotKnowEachOther(t *testing.T) {
	t.Parallel()
	shared := map[string]bool{
		"connector/format":  true, // how text of any shape is read
		"connector/mapping": true, // what becomes of an attribute at Microsoft, in one place for destinations, explain and docs
	}
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		if !below(path, "connector/") || path == "connector/all" {
			continue
		}
		for _, d := range p.Deps {
			local, ours := strings.CutPrefix(d, module)
			if ours && below(local, "connector/") && !shared[local] && !below(path, local) && !below(local, path) {
				t.Errorf("%s depends on %s: connectors do not know each other", path, local)
			}
		}
	}
}

// TestPackageDocs: every package says when to use it.
func TestPackageDocs(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", strings.TrimPrefix(p.ImportPath, module))
		}
	}
}
