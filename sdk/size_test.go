package sdk

import "testing"

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "512": 512, "64KB": 64 << 10, "256 mb": 256 << 20, "1GiB": 1 << 30, "3B": 3} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q is %d, %v; want %d", text, s, err, want)
		}
		var again Size
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%q prints as %q, which reads as %d, %v", text, s, again, err)
		}
	}
	for _, bad := range []string{"", "MB", "-1", "1TB", "1.5GB", "9999999999GB"} {
		var s Size
		if err := s.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is %d, want an error", bad, s)
		}
	}
	if got := Size(256 << 20).String(); got != "256MB" {
		t.Error(got)
	}
}
