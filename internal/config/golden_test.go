package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withSecrets adds a secret store: one secret as it should be, one that others
// may read.
func withSecrets(tb testing.TB, opts Options) Options {
	tb.Helper()
	opts.SecretDir = tb.TempDir()
	for name, mode := range map[string]os.FileMode{"acme_tc": 0o600, "open": 0o644} {
		path := filepath.Join(opts.SecretDir, name)
		if err := os.WriteFile(path, []byte("tc-key-123456\n"), mode); err != nil {
			tb.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			tb.Fatal(err)
		}
	}
	return opts
}

// TestGolden_Corpus loads every file of testdata: a good one must give its
// effective configuration, a bad one exactly its findings.
func TestGolden_Corpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("no corpus: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			opts := withSecrets(t, testOptions())
			cfg, found := Load([]string{file}, opts)
			if good := strings.Contains(file, ".good."); good != (cfg != nil) {
				t.Errorf("loaded: %v, want %v", cfg != nil, good)
			}
			got := effective(t, cfg)
			var text strings.Builder
			if err := found.Print(&text, false); err != nil {
				t.Fatal(err)
			}
			got += strings.ReplaceAll(text.String(), opts.SecretDir, "SECRETS")
			for _, secret := range []string{"hunter2", "s3cr3t-of-contoso", "tc-key-123456", "from-a-file"} {
				if strings.Contains(got, secret) {
					t.Errorf("the secret %s is shown", secret)
				}
			}
			compareGolden(t, strings.TrimSuffix(file, ".yaml")+".golden", got)
		})
	}
}

func effective(t *testing.T, cfg *Config) string {
	t.Helper()
	if cfg == nil {
		return ""
	}
	data, err := json.MarshalIndent(cfg, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\norder: " + strings.Join(cfg.Order, " ") + "\n\n"
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run with -update)", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}
