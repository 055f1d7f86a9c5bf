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

// mostShown is how many conditions of a kind of news a message spells out.
const mostShown = 20

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
	fmt.Fprintf(b, "- %s: %s (%s, since %s)\n", about(c), c.Message, c.Kind, c.Since.UTC().Format(time.RFC3339))
	if c.Help != "" {
		fmt.Fprintf(b, "  what to do: %s\n", c.Help)
	}
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
		fmt.Fprintf(b, "%s\n", r.Message)
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
