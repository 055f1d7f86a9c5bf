package deliver

import (
	"testing"
	"time"
)

// The delays that a configuration sets for one destination hold for it; of several
// at one tenant the most careful decides.
func TestD5_DelaysOfADestination(t *testing.T) {
	r := newRig(t, 100)
	second := r.dests[0]
	second.Node = "def2"
	second.Delays = Delays{Settle: 2 * time.Minute, ListingAge: 10 * time.Minute, DriftEvery: 48 * time.Hour}
	for _, c := range []struct {
		name                string
		dests               []Destination
		settle, age, driftE time.Duration
	}{
		{"none given: the manager's", r.dests, time.Minute, time.Hour, 6 * time.Hour},
		{"one alone: its own", []Destination{second}, 2 * time.Minute, 10 * time.Minute, 48 * time.Hour},
		{"two at one tenant: longest quiet, youngest listing, closest watch", []Destination{r.dests[0], second}, 2 * time.Minute, 10 * time.Minute, 6 * time.Hour},
	} {
		if err := r.m.Configure(t.Context(), c.dests); err != nil {
			t.Fatal(err)
		}
		g, err := r.m.groupOf(c.dests[0].Node)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.m.settle(g); got != c.settle {
			t.Errorf("%s: settle %s, want %s", c.name, got, c.settle)
		}
		if got := r.m.listingAge(c.dests[0].Target.Info().Domain); got != c.age {
			t.Errorf("%s: listing age %s, want %s", c.name, got, c.age)
		}
		if got := r.m.driftEvery(g); got != c.driftE {
			t.Errorf("%s: drift every %s, want %s", c.name, got, c.driftE)
		}
	}
}

// A listing older than the destination's own limit is not used.
func TestD3_ListingAgeOfADestination(t *testing.T) {
	r := newRig(t, 100)
	r.dests[0].Delays.ListingAge = 5 * time.Minute
	r.configure()
	r.wantMany(3)
	r.plan()
	listed := r.m.lists[r.dests[0].Target.Info().Domain].at
	r.clock.Advance(6 * time.Minute)
	r.plan()
	if again := r.m.lists[r.dests[0].Target.Info().Domain].at; !again.After(listed) {
		t.Errorf("the listing of %s was used six minutes later", listed)
	}
}
