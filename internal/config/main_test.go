package config

import (
	"encoding/json"
	"os"
	"testing"
)

func TestX(t *testing.T) {
	for _, f := range []string{"testdata/design.good.yaml", "testdata/kitchen.bad.yaml"} {
		c, l := Load([]string{f}, testOptions())
		l.Print(os.Stdout, false)
		if c != nil {
			b, _ := json.MarshalIndent(c, "", " ")
			t.Log(string(b), c.Order, c.Version)
		}
	}
}
