// Package stix holds the objects of STIX 2.1 (and 2.0) that threat indicators
// travel in, their identifiers and markings, and the way between them and this
// module's own indicators.
//
// Use FromRecord to write an indicator as STIX and ToRecords to read STIX
// indicators; Decode and Bundle for whole documents; IndicatorID, ObjectID and
// ObservableID for identifiers that are the same every time. The language of
// patterns (parser, printer, matcher) is the package pattern below it.
//
// Functions are safe for concurrent use; values are too as long as nobody writes.
// The package does no I/O.
package stix

import (
	"fmt"
	"time"
)

// Version is a version of the STIX specification.
type Version uint8

// The versions. The zero Version is 2.1.
const (
	V21 Version = iota
	V20
)

// String returns the version as spec_version has it.
func (v Version) String() string {
	if v == V20 {
		return "2.0"
	}
	return "2.1"
}

// Time is a timestamp of STIX: UTC, written with three digits of a second or as
// many more as it has. Some readers refuse a timestamp without a fraction, and the
// schema demands it of created and modified.
type Time struct{ time.Time }

// At returns t as a timestamp, cut to milliseconds.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }

const (
	timeMillis = "2006-01-02T15:04:05.000Z"
	timeNanos  = "2006-01-02T15:04:05.999999999Z"
)

// String returns the timestamp as it is written, "" for the zero Time.
func (t Time) String() string {
	switch {
	case t.IsZero():
		return ""
	case t.Nanosecond()%int(time.Millisecond) == 0:
		return t.UTC().Format(timeMillis)
	}
	return t.UTC().Format(timeNanos)
}

// MarshalText writes the timestamp.
func (t Time) MarshalText() ([]byte, error) {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return nil, fmt.Errorf("the year %d does not fit a STIX timestamp", y)
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads a timestamp. It takes any zone and a missing fraction, which
// older documents have; "" is the zero Time.
func (t *Time) UnmarshalText(text []byte) error {
	*t = Time{}
	if len(text) == 0 {
		return nil
	}
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return fmt.Errorf("%q is no timestamp of STIX (2026-01-02T15:04:05.000Z)", text)
	}
	*t = Time{parsed.UTC()}
	return nil
}

// MarshalJSON keeps the embedded time from writing itself in its own form.
func (t Time) MarshalJSON() ([]byte, error) {
	text, err := t.MarshalText()
	if err != nil {
		return nil, err
	}
	return append(append([]byte{'"'}, text...), '"'), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	if len(data) < 2 || data[0] != '"' {
		return fmt.Errorf("%s is no timestamp of STIX (a text is wanted)", data)
	}
	return t.UnmarshalText(data[1 : len(data)-1])
}
