package sdk

import "log/slog"

// redacted is what a Secret shows wherever it is printed.
const redacted = "[secret]"

// Secret is a confidential config value. It prints, marshals and logs as a
// placeholder; Reveal hands out the text to the one call that needs it.
type Secret string

// Reveal returns the text. Never put it into an error, a log or a plan.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString keeps %#v from showing the text.
func (s Secret) GoString() string { return redacted }

// MarshalText keeps JSON and YAML encoders from showing the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps slog from showing the text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
