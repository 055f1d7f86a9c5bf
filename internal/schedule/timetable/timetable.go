// Package timetable says when something is due: by a cron line, an interval or times
// of day, in a time zone, with a jitter. Use it to check a timetable (a configuration
// does, without anything of what runs) and to ask for the next time.
package timetable

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Spec says when a job is due. Exactly one of Cron, Every and At is given; a job
// with none is started by a person only.
type Spec struct {
	// Cron is a line of five fields (minute, hour, day of month, month, day of week)
	// or @hourly, @daily, @weekly, @monthly.
	Cron string
	// Every is the time from one start to the next, at least a minute.
	Every time.Duration
	// At are times of day ("06:00"); Days limits them to days of the week ("mon").
	At   []string
	Days []string
	// Zone is where Cron and At are read; nil is UTC. A time At that a change of
	// summer time skips is moved by the change, one that comes twice is run once; a
	// Cron line then runs not at all, or twice.
	Zone *time.Location
	// Jitter delays each start by up to this much. How much is fixed by the job's
	// name and the time, so that a restart does not draw again.
	Jitter time.Duration
}

// minEvery keeps a job from running without pause.
const minEvery = time.Minute

// Validate returns what is wrong with the spec, nil if nothing is.
func (s *Spec) Validate() error {
	given := 0
	for _, set := range []bool{s.Cron != "", s.Every != 0, len(s.At) > 0} {
		if set {
			given++
		}
	}
	switch {
	case given > 1:
		return errors.New("give one of cron, every and at")
	case s.Every != 0 && s.Every < minEvery:
		return fmt.Errorf("every must be at least %s", minEvery)
	case len(s.Days) > 0 && len(s.At) == 0:
		return errors.New("days goes with at: say at which time of the day")
	case s.Jitter < 0:
		return errors.New("jitter must not be negative")
	}
	if s.Cron != "" {
		_, err := s.line()
		return err
	}
	_, _, err := s.calendar()
	return err
}

// Manual reports whether only a person starts the job.
func (s *Spec) Manual() bool { return s.Cron == "" && s.Every == 0 && len(s.At) == 0 }

// weekdays are the names of the days as cron numbers them.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// clockTime is a time of day.
type clockTime struct{ hour, minute int }

// calendar reads At and Days; no days are all days.
func (s *Spec) calendar() (at []clockTime, days []time.Weekday, err error) {
	for _, text := range s.At {
		t, err := time.Parse("15:04", text)
		if err != nil {
			return nil, nil, fmt.Errorf("%q is no time of day: write it as 06:00", text)
		}
		at = append(at, clockTime{t.Hour(), t.Minute()})
	}
	for _, d := range s.Days {
		n := slices.IndexFunc(weekdays, func(w string) bool { return strings.HasPrefix(strings.ToLower(d), w) })
		if n < 0 {
			return nil, nil, fmt.Errorf("%q is no day of the week: mon, tue, wed, thu, fri, sat or sun", d)
		}
		days = append(days, time.Weekday(n))
	}
	return at, days, nil
}

// line reads Cron.
func (s *Spec) line() (cron.Schedule, error) {
	if strings.Contains(s.Cron, "TZ=") || strings.HasPrefix(s.Cron, "@every") {
		return nil, fmt.Errorf("cron line %q: give the zone under zone, and an interval under every", s.Cron)
	}
	c, err := cron.ParseStandard(s.Cron)
	if err != nil {
		return nil, fmt.Errorf("cron line %q: %w", s.Cron, err)
	}
	return c, nil
}

// Next is the first due time after a moment, without jitter; zero if there is none.
// The spec is valid.
func (s *Spec) Next(after time.Time) time.Time {
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	switch {
	case s.Every > 0:
		return after.Add(s.Every)
	case s.Cron != "":
		c, err := s.line()
		if err != nil {
			return time.Time{}
		}
		if t := c.Next(after.In(zone)); !t.IsZero() {
			return t.UTC()
		}
		return time.Time{}
	}
	return s.nextAt(after.In(zone))
}

// nextAt is Next by the calendar, which repeats within eight days.
func (s *Spec) nextAt(after time.Time) time.Time {
	at, days, err := s.calendar()
	if err != nil {
		return time.Time{}
	}
	var first time.Time
	y, m, d := after.Date()
	for n := -1; n <= 8; n++ {
		for _, t := range at {
			due := time.Date(y, m, d+n, t.hour, t.minute, 0, 0, after.Location())
			day := time.Date(y, m, d+n, 12, 0, 0, 0, after.Location()).Weekday()
			if (len(days) == 0 || slices.Contains(days, day)) && due.After(after) && (first.IsZero() || due.Before(first)) {
				first = due.UTC()
			}
		}
	}
	return first
}

// Delay is the jitter of one due time.
func (s *Spec) Delay(job string, due time.Time) time.Duration {
	if s.Jitter <= 0 {
		return 0
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", job, due.Unix())
	return time.Duration(float64(s.Jitter) * float64(h.Sum64()>>11) / (1 << 53))
}

// String is the timetable in words.
func (s Spec) String() string {
	var text string
	switch {
	case s.Cron != "":
		text = "cron " + s.Cron
	case s.Every > 0:
		text = "every " + short(s.Every)
	case len(s.At) > 0 && len(s.Days) > 0:
		text = fmt.Sprintf("at %v on %v", s.At, s.Days)
	case len(s.At) > 0:
		text = fmt.Sprintf("daily at %v", s.At)
	default:
		return "by hand"
	}
	if s.Zone != nil {
		text += " " + s.Zone.String()
	}
	if s.Jitter > 0 {
		text += fmt.Sprintf(", up to %s later", s.Jitter)
	}
	return text
}

// short is a time without parts that are zero: 6h, not 6h0m0s.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
