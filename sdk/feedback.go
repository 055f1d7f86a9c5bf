package sdk

import (
	"context"

	"github.com/remeld/remeld/indicator"
)

// Marker is implemented by a Source that can put a mark on what of it stands at a
// destination, where its service keeps it. It is called outside polls, by one caller.
type Marker interface {
	// Mark is the mark's name; "" where nothing is to be told.
	Mark() string
	// SetMark puts the mark on the items, or takes it off, and says in each item what
	// came of it. It may be called again for what it did before: that changes nothing.
	// An error, an *Error, means that none of the items may be taken for done; where the
	// mark was put on before it, Told is set.
	SetMark(ctx context.Context, mark string, on bool, items []Marked) error
}

// Marked is one value that a mark is put on or taken off.
type Marked struct {
	Indicator indicator.Indicator
	// Attrs is what the source says of it where the mark is put on.
	Attrs *indicator.Attributes
	// Told is what SetMark needs to take the mark off again: it is set when the mark is
	// put on and handed back then.
	Told []byte
	// Barred says why the mark cannot be put on, or taken off, although the service is
	// well: a right that is missing, or a value it refuses. It is set by SetMark.
	Barred string
}

// Reporter is implemented by a Source that takes back to its service what a person
// found of an indicator.
type Reporter interface {
	// Reports tells whether reports are to be made.
	Reports() bool
	// Report makes one attempt for what the source says of an indicator (attrs) and
	// returns of how many objects it was said. The error is an *Error; InDoubt means that
	// it may have been said.
	Report(ctx context.Context, r Report, attrs *indicator.Attributes) (objects int, err error)
}

// Report is what a person found of an indicator.
type Report struct {
	FalsePositive bool
	Seen          int // times it was observed
}
