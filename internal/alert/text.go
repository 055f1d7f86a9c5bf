package alert

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/schedule"
)

// A message spells out mostShown conditions of a kind of news and mostText characters
// of what each says: an error may quote a whole page, and Teams refuses a message
// above 28 KB.
const (
	mostShown = 20
	mostText  = 300
)

// Text is the message as plain lines.
func (m *Message) Text() string {
	var b strings.Builder
	if m.Run != nil {
		writeRun(&b, m.Run)
	}
	for _, part := range []struct {
		head string
		list []condition.Condition
	}{{"Needs you", m.Begun}, {"Still needs you", m.Standing}, {"Over", m.Over}} {
		if len(part.list) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s:\n", part.head)
		for i, c := range part.list {
			if i == mostShown {
				fmt.Fprintf(&b, "- and %d more: remeld conditions\n", len(part.list)-i)
				break
			}
			writeCondition(&b, &c)
		}
	}
	return b.String()
}

func writeCondition(b *strings.Builder, c *condition.Condition) {
	fmt.Fprintf(b, "- %s: %s (%s, since %s)\n", about(c), clip(c.Message), c.Kind, c.Since.UTC().Format(time.RFC3339))
	if c.Help != "" {
		fmt.Fprintf(b, "  what to do: %s\n", c.Help)
	}
}

// clip makes one line of at most mostText characters of a text.
func clip(text string) string {
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) <= mostText {
		return string(line)
	}
	return string(line[:mostText-1]) + "…"
}

// about is what a condition is about.
func about(c *condition.Condition) string {
	if c.Node == "" {
		return "this installation"
	}
	return c.Node
}

func writeRun(b *strings.Builder, r *schedule.Record) {
	fmt.Fprintf(b, "Run %s of job %s: %s after %s\n", r.ID, r.Job, r.Status, r.Took().Round(time.Second))
	if r.Message != "" {
		fmt.Fprintf(b, "%s\n", clip(r.Message))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Counts)) {
		fmt.Fprintf(b, "- %s: %d\n", name, r.Counts[name])
	}
}

// title is the subject of what is told.
func title(instance string, begun, standing, over []condition.Condition) string {
	one := func(words string, list []condition.Condition) string {
		if len(list) == 1 {
			return fmt.Sprintf("[%s] %s: %s at %s", instance, words, list[0].Kind, about(&list[0]))
		}
		return fmt.Sprintf("[%s] %s: %d conditions", instance, words, len(list))
	}
	switch {
	case len(begun) > 0:
		return one("needs you", begun)
	case len(standing) > 0:
		return one("still needs you", standing)
	}
	return one("over", over)
}
