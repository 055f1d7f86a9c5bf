package pattern

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// sample is a pattern of the official examples with the verdict of OASIS's validator.
type sample struct {
	Pattern string `json:"pattern"`
	Verdict struct {
		Valid bool `json:"valid"`
	} `json:"oasis_validator_2_1"`
}

// samples are the patterns of the official examples. They lie beside the checkout.
func samples(tb testing.TB) []sample {
	tb.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", "stix", "patterns-from-examples.json")
	raw, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		tb.Skip("no official examples here: ../shared/data/stix is absent")
	}
	if err != nil {
		tb.Fatal(err)
	}
	var out []sample
	if err := json.Unmarshal(raw, &out); err != nil || len(out) < 100 {
		tb.Fatalf("%d patterns: %v", len(out), err)
	}
	return out
}
