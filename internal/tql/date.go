package tql

import (
	"strconv"
	"strings"
	"time"
)

// base is what a date literal counts from.
type base uint8

const (
	baseFixed base = iota
	baseNow
	baseToday
)

// moment is a date literal: an instant, or a distance from now or from the start
// of today.
type moment struct {
	base   base
	at     time.Time
	months int
	days   int
	add    time.Duration
	zone   *time.Location
}

// resolve returns the instant, false if it needs a clock that is not there.
func (m moment) resolve(env *Env) (time.Time, bool) {
	if m.base == baseFixed {
		return m.at, true
	}
	if env == nil || env.Now.IsZero() {
		return time.Time{}, false
	}
	t := env.Now.UTC()
	if m.base == baseToday {
		t = t.In(m.zone)
		t = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, m.zone)
	}
	if m.months != 0 || m.days != 0 {
		t = t.AddDate(0, m.months, m.days)
	}
	return t.Add(m.add), true
}

// dateLayouts are the forms of a fixed date; those without a zone are in the
// compiler's. Fractions of a second are accepted in all with seconds.
var dateLayouts = []string{
	"2006-01-02", "2006-01-02 15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
}

func parseMoment(text string, zone *time.Location) (moment, bool) {
	text = strings.TrimSpace(text)
	lower := strings.ToLower(text)
	if rest, ok := cutCall(lower, "now"); ok {
		return relative(moment{base: baseNow, zone: zone}, rest)
	}
	if rest, ok := cutCall(lower, "today"); ok {
		return relative(moment{base: baseToday, zone: zone}, rest)
	}
	for _, layout := range dateLayouts {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return moment{at: t.UTC()}, true
		}
	}
	return moment{}, false
}

// cutCall cuts "name ( )" off the front.
func cutCall(s, name string) (string, bool) {
	s, ok := strings.CutPrefix(s, name)
	if !ok {
		return "", false
	}
	s, ok = strings.CutPrefix(strings.TrimSpace(s), "(")
	if !ok {
		return "", false
	}
	s, ok = strings.CutPrefix(strings.TrimSpace(s), ")")
	return strings.TrimSpace(s), ok
}

// maxAmount bounds what is added to a date, in its unit: a million hours are a
// century and still fit a time.Duration.
const maxAmount = 1_000_000

// relative reads "- 1 hour" after NOW() or TODAY(), or nothing.
func relative(m moment, rest string) (moment, bool) {
	if rest == "" {
		return m, true
	}
	sign := map[byte]int{'-': -1, '+': 1}[rest[0]]
	digits := strings.TrimSpace(rest[1:])
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if sign == 0 || end < 1 {
		return m, false
	}
	n, err := strconv.Atoi(digits[:end])
	if err != nil || n > maxAmount {
		return m, false
	}
	n *= sign
	switch strings.TrimSuffix(strings.TrimSpace(digits[end:]), "s") {
	case "minute":
		m.add = time.Duration(n) * time.Minute
	case "hour":
		m.add = time.Duration(n) * time.Hour
	case "day":
		m.days = n
	case "week":
		m.days = 7 * n
	case "month":
		m.months = n
	case "year":
		m.months = 12 * n
	default:
		return m, false
	}
	return m, true
}
