package archtest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// maxLines bounds a file; longer ones hide their second subject.
const maxLines = 500

// tables are files that are longer because they are one table.
var tables = map[string]string{}

// forbiddenNames are folders that say nothing about what is in them.
var forbiddenNames = map[string]bool{"util": true, "utils": true, "common": true, "helpers": true, "misc": true}

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if forbiddenNames[filepath.Base(p.Dir)] {
			t.Errorf("%s: name the folder for what is in it", p.Dir)
		}
		for _, name := range p.GoFiles {
			data, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(data, []byte("\n")); n > maxLines && tables[name] == "" {
				t.Errorf("%s/%s has %d lines, more than %d", p.ImportPath, name, n, maxLines)
			}
		}
	}
}
