// Package indicator holds what a threat indicator is: its kinds, how each is
// parsed from text, its one canonical form, the sort key under which it is
// stored, the attributes that travel with it and the rules that merge them.
//
// Use it wherever a threat indicator is read, compared, stored or written. Parse
// reads one value, AppendKey the lines of a large list, Covers says what one value
// means for another; the sub-packages index cover (cover), read warninglists
// (warninglist) and find indicators in text (extract).
//
// Functions are safe for concurrent use; values are too as long as nobody writes.
//
// The package does no I/O and depends on nothing else of this module.
package indicator

// Indicator is one canonical value of one kind. It is comparable; two spellings
// of the same thing parse to equal Indicators.
type Indicator struct {
	Kind  Kind   `json:"kind"`
	Value string `json:"value"`
}

// Record is an indicator with what is known about it.
type Record struct {
	Indicator
	Attrs Attributes
}
