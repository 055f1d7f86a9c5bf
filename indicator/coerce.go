package indicator

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// wholeFloat is the highest float64 below which every integer is exact.
const wholeFloat = 1 << 53

func coerceInt(value any) (int64, error) {
	switch v := value.(type) {
	case int:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case int64:
		return v, nil
	case uint8:
		return int64(v), nil
	case uint16:
		return int64(v), nil
	case uint32:
		return int64(v), nil
	case uint64:
		return int64(min(v, math.MaxInt64)), nil
	case float32:
		return roundFloat(float64(v))
	case float64:
		return roundFloat(v)
	case json.Number:
		return coerceInt(v.String())
	case Score:
		n, known := v.Get()
		if !known {
			return 0, fmt.Errorf("an unknown score is no number")
		}
		return int64(n), nil
	case string:
		return parseNumber(v)
	}
	return 0, fmt.Errorf("%T is no number", value)
}

func parseNumber(s string) (int64, error) {
	s = strings.TrimSuffix(strings.TrimSpace(s), "%")
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", s)
	}
	return roundFloat(f)
}

func roundFloat(f float64) (int64, error) {
	if math.IsNaN(f) {
		return 0, fmt.Errorf("not a number")
	}
	return int64(math.Round(max(-wholeFloat, min(f, wholeFloat)))), nil
}

func coerceText(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case []string:
		return strings.Join(v, ", "), nil
	case bool, int, int32, int64, uint8, uint16, uint32, uint64, json.Number, Kind, TLP:
		return fmt.Sprint(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case time.Time:
		return v.UTC().Format(timeFormat), nil
	}
	return "", fmt.Errorf("%T is no text", value)
}

// coerceList makes one element of a scalar; empty texts are no elements.
func coerceList(value any) ([]string, error) {
	var in []any
	switch v := value.(type) {
	case []string:
		for _, s := range v {
			in = append(in, s)
		}
	case []any:
		in = v
	default:
		in = []any{value}
	}
	var out []string
	for _, e := range in {
		s, err := coerceText(e)
		if err != nil {
			return nil, err
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out, nil
}

// timeFormat is RFC 3339 in UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

// timeLayouts are read in this order; without a zone the time is UTC.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05 MST", "2006-01-02", time.RFC1123, time.RFC1123Z,
}

// unixMillisFrom is the number from which on a Unix time is taken to be in
// milliseconds: as seconds it would be in the year 5138.
const unixMillisFrom = 100_000_000_000

func coerceTime(value any) (time.Time, error) {
	switch v := value.(type) {
	case time.Time:
		return inMillis(v)
	case string:
		return parseTime(strings.TrimSpace(v))
	}
	n, err := coerceInt(value)
	if err != nil {
		return time.Time{}, fmt.Errorf("%T is no time", value)
	}
	return unixTime(n)
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return inMillis(t)
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return unixTime(n)
	}
	return time.Time{}, fmt.Errorf("%q is no time (RFC 3339, a date, YYYYMMDD, or Unix seconds)", s)
}

// unixTime reads a number: as a date where it has eight digits (20161107; as
// seconds it would be in 1970), else as Unix seconds or milliseconds.
func unixTime(n int64) (time.Time, error) {
	if n >= 10_000_000 && n < 100_000_000 {
		t, err := time.Parse("20060102", strconv.FormatInt(n, 10))
		if err != nil || t.Year() < 1970 || t.Year() > 2199 {
			return time.Time{}, fmt.Errorf("%d is no date of eight digits (YYYYMMDD), and as Unix seconds it would be in 1970", n)
		}
		return inMillis(t)
	}
	if n < unixMillisFrom && n > -unixMillisFrom {
		n *= 1000
	}
	return inMillis(time.UnixMilli(n))
}

// inMillis cuts t to what the codec keeps.
func inMillis(t time.Time) (time.Time, error) {
	if t.IsZero() {
		return time.Time{}, nil
	}
	ms := t.UnixMilli()
	if ms < minTime || ms > maxTime {
		return time.Time{}, fmt.Errorf("a time outside the years 1 to 9999")
	}
	return time.UnixMilli(ms).UTC(), nil
}

// coerceExtra brings a value to one of the types Extra holds. A whole float is an
// integer, so that the same JSON number is the same value everywhere.
func coerceExtra(value any) (any, error) {
	switch v := value.(type) {
	case string, bool, int64:
		return v, nil
	case float64:
		return coerceFloat(v)
	case float32:
		return coerceFloat(float64(v))
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("%q is no number", v)
		}
		return coerceFloat(f)
	case []string, []any:
		return coerceList(v)
	case time.Time, TLP, Kind:
		return coerceText(v)
	}
	n, err := coerceInt(value)
	if err != nil {
		return nil, fmt.Errorf("%T is no text, number, truth value or list of texts", value)
	}
	return n, nil
}

func coerceFloat(f float64) (any, error) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return nil, fmt.Errorf("not a finite number")
	case f == math.Trunc(f) && math.Abs(f) < wholeFloat:
		return int64(f), nil
	}
	return f, nil
}
