package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is kept of a configuration loads to the same one, from anywhere: every node, every
// login and the whole have the fingerprint they had.
func TestText_LoadsToTheSame(t *testing.T) {
	good, err := filepath.Glob("testdata/*.good.yaml")
	if err != nil || len(good) < 3 {
		t.Fatalf("%v %v", good, err)
	}
	kept := 0
	for _, file := range good {
		t.Run(filepath.Base(file), func(t *testing.T) {
			opts := withSecrets(t, testOptions())
			opts.Key = []byte("key")
			cfg, _ := Load([]string{file}, opts)
			if cfg == nil {
				t.Fatal("not loaded")
			}
			cfg.confidential = false // what the files of the corpus are about
			text, err := cfg.Text()
			if errors.Is(err, ErrConfidential) {
				t.Skip("a login stands in a URL")
			}
			if err != nil {
				t.Fatal(err)
			}
			kept++
			t.Chdir(t.TempDir())
			again, found := LoadText(text, opts)
			if again == nil {
				t.Fatalf("%v\n%s", found, text.Files[0].YAML)
			}
			if again.Version != cfg.Version || again.BaseDir != cfg.BaseDir {
				t.Errorf("version %s was %s, base %s was %s", again.Version, cfg.Version, again.BaseDir, cfg.BaseDir)
			}
			for name, n := range cfg.Nodes {
				if again.Nodes[name].Fingerprint != n.Fingerprint {
					t.Errorf("node %s is another", name)
				}
			}
			for name, c := range cfg.Connections {
				if again.Connections[name].Fingerprint != c.Fingerprint {
					t.Errorf("connection %s is another", name)
				}
			}
		})
	}
	if kept < 2 {
		t.Errorf("only %d of the corpus could be kept", kept)
	}
}

// No secret is in what is kept: not one that a reference brings in, not one in a
// comment, and a configuration that has one in the file is not kept at all.
func TestText_KeepsNoSecret(t *testing.T) {
	t.Setenv("TEXT_SECRET", "hunter2-in-env")
	const head = "# old secret: hunter2-in-comment\nnodes: # hunter2-in-comment\n"
	for _, test := range []struct {
		node string
		err  error
	}{
		{`  a: {class: http, config: {url: "https://feeds.example/x", auth: {user: u, password: "${env:TEXT_SECRET}"}}} # hunter2-in-comment` + "\n", nil},
		{`  a: {class: http, config: {url: "https://feeds.example/x", auth: {user: u, password: hunter2-in-clear}}}` + "\n", ErrConfidential},
		{`  a: {class: http, config: {url: "https://feeds.example/x", auth: {user: u, password: "${env:TEXT_SECRET}/hunter2-in-clear"}}}` + "\n", ErrConfidential},
		{`  a: {class: http, config: {url: "https://feeds.example/x", auth: {user: u, password: "hunter2${env:TEXT_SECRET}"}}}` + "\n", ErrConfidential},
		{`  a: {class: http, config: {url: "https://feeds.example/x", auth: {user: u, password: "${env:TEXT_SECRET}${env:TEXT_SECRET}"}}}` + "\n", nil},
		{`  a: {class: http, config: {url: "https://feeds.example/x", auth: {user: u, password: "Bearer ${env:TEXT_SECRET}"}}}` + "\n", nil},
		{`  a: {class: http, config: {url: "https://feeds.example/x", auth: {user: u, password: "https://hooks.example/hunter2/${env:TEXT_SECRET}"}}}` + "\n", ErrConfidential},
		{`  a: {class: http, config: {url: "https://feeds.example/x", auth: {user: u, password: "https://hooks.example/${env:TEXT_SECRET}"}}}` + "\n", nil},
		{`  a: {class: http, config: {url: "https://u:hunter2-in-url@feeds.example/x"}}` + "\n", ErrConfidential},
	} {
		file := filepath.Join(t.TempDir(), "remeld.yaml")
		if err := os.WriteFile(file, []byte(head+test.node), 0o600); err != nil {
			t.Fatal(err)
		}
		opts := testOptions()
		opts.Env = nil
		cfg, found := Load([]string{file}, opts)
		if cfg == nil {
			t.Fatal(found)
		}
		text, err := cfg.Text()
		if !errors.Is(err, test.err) {
			t.Errorf("%s: %v", test.node, err)
		}
		var told strings.Builder
		if err := found.Print(&told, false); err != nil || strings.Contains(told.String(), "hunter2") {
			t.Errorf("told: %v\n%s", err, told.String())
		}
		for _, f := range text.Files {
			if strings.Contains(f.YAML, "hunter2") {
				t.Errorf("kept:\n%s", f.YAML)
			}
		}
	}
}

// FuzzText: whatever loads, and may be kept, loads to the same from what is kept.
func FuzzText(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("nodes:\n  a: {class: http, keep: {x: ~, y: , z: 'kind = \"ip\"'}, config: {url: &u https://x.example}}\n---\n# more\nnodes: {b: !!null }\n"))
	opts := withSecrets(f, testOptions())
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, _ := LoadBytes("/fuzz.yaml", data, opts)
		if cfg == nil {
			return
		}
		text, err := cfg.Text()
		if err != nil {
			return
		}
		again, found := LoadText(text, opts)
		if again == nil || again.Version != cfg.Version {
			t.Errorf("%v\n%q\nwas kept as\n%q", found, data, text.Files[0].YAML)
		}
	})
}
