package config

import "fmt"

// UnmarshalText reads the short form age: never.
func (a *AgeRules) UnmarshalText(text []byte) error {
	if string(text) != "never" {
		return fmt.Errorf("%q is no rule: write never, or as {first_seen: 30d}", text)
	}
	*a = AgeRules{Never: true}
	return nil
}

// UnmarshalText reads the short form max_stale: 7d, which keeps the rows.
func (m *MaxStale) UnmarshalText(text []byte) error {
	d, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*m = MaxStale{After: d, Then: "keep"}
	return nil
}
