package threatconnect

import (
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

func modified(name string, ago time.Duration) sandbox.TCIndicator {
	i := host(name)
	i.Modified = begin.Add(-ago)
	return i
}

// TestWindowMovesAlong: a window is counted back from each poll; what leaves it by the
// clock alone goes with the next full read, what is touched comes in. A bound at the
// first poll stays where it was.
func TestWindowMovesAlong(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		want   [4]string // of the polls
	}{
		"window, each poll whole": {"{modified_window: 24h, full_every: 1s}", [4]string{"+edge.example +new.example", "", "-edge.example", "+old.example"}},
		"window and changes":      {"{modified_window: 24h, full_every: 3h}", [4]string{"+edge.example +new.example", "", "", "+old.example -edge.example"}},
		"first poll":              {"{modified_within: 24h, full_every: 1s}", [4]string{"+edge.example +new.example", "", "", "+old.example"}},
		"everything":              {"{full_every: 1s}", [4]string{"+edge.example +new.example +old.example", "", "", "~old.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwin(t, c.config)
			ids := w.seed(modified("old.example", 30*time.Hour), modified("edge.example", 22*time.Hour), modified("new.example", time.Hour))
			for n, want := range c.want {
				if n == 3 {
					rating := 4.0
					w.edit(ids[0], func(i *sandbox.TCIndicator) { i.Rating = &rating })
				}
				if n == 2 {
					w.Clock().Advance(30 * time.Minute) // 23 h 30 have become 25
				}
				w.want(w.poll(), want)
			}
		})
	}
}

// TestWindowOfVersion2: the old API is asked for the same window.
func TestWindowOfVersion2(t *testing.T) {
	w := newTwin(t, "{api: v2, modified_window: 24h}", oldInstance)
	w.seed(modified("old.example", 30*time.Hour), modified("edge.example", 22*time.Hour))
	w.want(w.poll(), "+edge.example")
	w.Clock().Advance(2 * time.Hour)
	w.want(w.poll(), "-edge.example")
}

// TestWindowIsCounted: the preview and doctor count what a poll would read then.
func TestWindowIsCounted(t *testing.T) {
	w := newTwin(t, "{modified_window: 24h}")
	w.seed(modified("old.example", 30*time.Hour), modified("edge.example", 22*time.Hour))
	left := func() int {
		got, err := w.src.(sdk.Counter).Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got[len(got)-1].Items
	}
	if n := left(); n != 1 {
		t.Errorf("%d in the window, want 1", n)
	}
	w.Clock().Advance(3 * time.Hour)
	if n := left(); n != 0 {
		t.Errorf("%d in the window three hours later, want none", n)
	}
}

func TestWindowStandsAlone(t *testing.T) {
	for _, other := range []func(*Config){
		func(c *Config) { c.ModifiedWithin = time.Hour },
		func(c *Config) { c.ModifiedSince = begin },
	} {
		c := defaults()
		c.Window = time.Hour
		other(&c)
		if errs := c.Validate(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "modified_window") {
			t.Errorf("%v", errs)
		}
	}
}
