package deliver

import "time"

// Delays of a destination that differ from the Manager's Settings; zero fields
// take those. Destinations that share a tenant are planned together, so the most
// careful of them decides: the longest Settle, the shortest of the others.
type Delays struct {
	Settle     time.Duration // quiet time upstream before an automatic apply
	ListingAge time.Duration // a listing older is taken anew before an apply
	DriftEvery time.Duration // time between looks for drift
}

// settle is how long upstream of the group must be quiet.
func (m *Manager) settle(g *group) time.Duration {
	return most(g.dests, m.set.Settle, func(d Delays) time.Duration { return d.Settle })
}

// driftEvery is the time between two looks of the group for drift.
func (m *Manager) driftEvery(g *group) time.Duration {
	return -most(g.dests, -m.set.DriftEvery, func(d Delays) time.Duration { return -d.DriftEvery })
}

// listingAge is how old a listing of the domain may be.
func (m *Manager) listingAge(domain string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	var of []*Destination
	for _, d := range m.dests {
		if d.Target.Info().Domain == domain {
			of = append(of, d)
		}
	}
	return -most(of, -m.set.ListingAge, func(d Delays) time.Duration { return -d.ListingAge })
}

// most is the greatest value of the destinations; zero counts as otherwise.
func most(dests []*Destination, otherwise time.Duration, of func(Delays) time.Duration) time.Duration {
	if len(dests) == 0 {
		return otherwise
	}
	value := func(d *Destination) time.Duration {
		if v := of(d.Delays); v != 0 {
			return v
		}
		return otherwise
	}
	out := value(dests[0])
	for _, d := range dests[1:] {
		out = max(out, value(d))
	}
	return out
}
