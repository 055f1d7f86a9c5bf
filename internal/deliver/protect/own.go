package protect

import "github.com/remeld/remeld/indicator"

// NewOwn builds a list of own assets.
func NewOwn(name string, entries []indicator.Indicator) Own {
	return Own{Name: name, Entries: entries, List: scan(entries)}
}

type scan []indicator.Indicator

func (s scan) Match(i indicator.Indicator) (string, bool) {
	for _, e := range s {
		if indicator.Covers(e, i) {
			return e.Value, true
		}
	}
	return "", false
}

func (s scan) Inside(i indicator.Indicator) (string, bool) {
	for _, e := range s {
		if indicator.Covers(i, e) {
			return e.Value, true
		}
	}
	return "", false
}
