package switches

import (
	"strings"
	"testing"
)

func TestEverySwitchTakesItsValuesAndNoOther(t *testing.T) {
	d := Defaults()
	for _, f := range d.fields() {
		for _, v := range f.values {
			s, err := Defaults().With(f.name, v)
			if err != nil {
				t.Errorf("%s = %s: %v", f.name, v, err)
			}
			if !strings.Contains(strings.Join(s.Lines(), "\n"), f.name+strings.Repeat(" ", 30-len(f.name))+" = "+v) {
				t.Errorf("%s = %s is not printed", f.name, v)
			}
		}
		if f.get() != f.initial {
			t.Errorf("%s: default %q is not %q", f.name, f.get(), f.initial)
		}
		if f.name == "context_host" {
			continue
		}
		if s, err := Defaults().With(f.name, "no such value"); err == nil || !strings.Contains(err.Error(), f.name) || s != Defaults() {
			t.Errorf("%s took a wrong value: %v", f.name, err)
		}
	}
	if _, err := d.With("nonsense", "1"); err == nil || !strings.Contains(err.Error(), "past_expiry") {
		t.Errorf("%v", err)
	}
}
