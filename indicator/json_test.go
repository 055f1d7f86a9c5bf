package indicator

import (
	"encoding/json"
	"testing"
)

// JSON names the kind by the word that every other place uses.
func TestIndicatorJSON(t *testing.T) {
	for k := Unknown; k <= lastKind; k++ {
		in := Indicator{Kind: k, Value: "x"}
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if want := `{"kind":"` + k.String() + `","value":"x"}`; string(b) != want {
			t.Errorf("%s, want %s", b, want)
		}
		var out Indicator
		if err := json.Unmarshal(b, &out); err != nil || out != in {
			t.Errorf("%s is read as %v, %v", b, out, err)
		}
	}
	var i Indicator
	if err := json.Unmarshal([]byte(`{"kind":"nonsense"}`), &i); err == nil {
		t.Error("a kind that does not exist is read")
	}
}
