package indicator

import "strings"

var tlpNames = [...]string{
	Unlabelled: "", Clear: "clear", Green: "green", Amber: "amber", AmberStrict: "amber+strict", Red: "red",
}

// String returns the label in lower case, "" for Unlabelled.
func (t TLP) String() string {
	if int(t) < len(tlpNames) {
		return tlpNames[t]
	}
	return ""
}

// ParseTLP reads a label in any case, with or without "TLP:" before it, of TLP
// 1.0 or 2.0. Empty text is no label and gives false.
func ParseTLP(s string) (TLP, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(s, "tlp"), ":"))
	switch strings.NewReplacer("_", "+", "-", "+", " ", "+").Replace(s) {
	case "white", "clear":
		return Clear, true
	case "green":
		return Green, true
	case "amber":
		return Amber, true
	case "amber+strict", "amberstrict":
		return AmberStrict, true
	case "red":
		return Red, true
	}
	return Unlabelled, false
}
