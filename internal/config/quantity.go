package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Share is a part of a whole, 0 to 1; it is written 10% or 0.1.
type Share float64

// MarshalText writes the share as a percentage.
func (s Share) MarshalText() ([]byte, error) {
	return []byte(strconv.FormatFloat(math.Round(float64(s)*1e6)/1e4, 'f', -1, 64) + "%"), nil
}

// UnmarshalText reads 10% or 0.1.
func (s *Share) UnmarshalText(text []byte) error {
	number, percent := strings.CutSuffix(strings.TrimSpace(string(text)), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		f /= 100
	}
	if err != nil || math.IsNaN(f) || f < 0 || f > 1 {
		return fmt.Errorf("%q is no share: write 10%% or 0.1", text)
	}
	*s = Share(f)
	return nil
}

// units of a duration beyond Go's.
var units = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// ParseDuration reads 90m, 1h30m, 30d, 2w. A number without a unit is an error,
// but for 0.
func ParseDuration(s string) (time.Duration, error) {
	rest := strings.TrimSpace(s)
	if rest == "0" {
		return 0, nil
	}
	var total float64
	for rest != "" {
		digits := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if digits < 1 {
			return 0, durationError(s)
		}
		n, err := strconv.ParseFloat(rest[:digits], 64)
		rest = rest[digits:]
		end := strings.IndexFunc(rest, func(r rune) bool { return r >= '0' && r <= '9' })
		if end < 0 {
			end = len(rest)
		}
		unit, ok := units[rest[:end]]
		if err != nil || !ok {
			return 0, durationError(s)
		}
		total += n * float64(unit)
		rest = rest[end:]
	}
	if s == "" || total >= math.MaxInt64 {
		return 0, durationError(s)
	}
	return time.Duration(total), nil
}

func durationError(s string) error {
	return fmt.Errorf("%q is no duration: write a number and a unit (s, m, h, d, w), as 90m, 1h30m or 30d", s)
}

// FormatDuration writes d as ParseDuration reads it, in the largest units.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	var b strings.Builder
	if d < 0 {
		b.WriteByte('-')
		d = -d
	}
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := d / u.size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.size
		}
	}
	return b.String()
}
