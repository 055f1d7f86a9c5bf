// Package prototypes is the library that comes with the program: ready-made nodes
// and lists, embedded.
//
// Use Nodes to load a configuration that names prototypes, and Warninglist to get a
// built-in warninglist by name, in the form of MISP.
package prototypes

import (
	"embed"
	"slices"
	"strings"
)

//go:embed warninglists/*.json
var lists embed.FS

// aliases are names that stand for several lists.
var aliases = map[string][]string{
	"microsoft":  {"microsoft", "microsoft-platforms"},
	"public-dns": {"public-dns", "public-dns-names"},
}

// Warninglist returns the JSON of a built-in warninglist.
func Warninglist(name string) ([]byte, bool) {
	if !slices.Contains(Names(), name) {
		return nil, false
	}
	b, err := lists.ReadFile("warninglists/" + name + ".json")
	return b, err == nil
}

// Names returns the names of the built-in warninglists, sorted.
func Names() []string {
	entries, err := lists.ReadDir("warninglists")
	if err != nil {
		panic("prototypes: " + err.Error()) // embedded
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".json"))
	}
	return out
}

// Expand returns the lists that a name in a config stands for: the list itself, or
// several, as public-dns is its addresses and its host names. nil if there is none.
func Expand(name string) []string {
	if group, ok := aliases[name]; ok {
		return group
	}
	if slices.Contains(Names(), name) {
		return []string{name}
	}
	return nil
}
