package prototypes

import (
	"embed"
	"io/fs"
)

//go:embed nodes/*.yaml
var nodes embed.FS

// Nodes returns the library of ready-made nodes, a file NAME.yaml for each, that
// prototype: in a configuration names.
func Nodes() fs.FS {
	sub, err := fs.Sub(nodes, "nodes")
	if err != nil {
		panic("prototypes: " + err.Error()) // embedded
	}
	return sub
}
