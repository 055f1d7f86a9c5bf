// Package cover is an in-memory index of indicators that answers, for one
// indicator, which of them covers it and which of them it covers, by the rules of
// indicator.Covers: address containment, parent domains, URL hosts.
//
// Use it for allow-lists, protected assets and warninglists, which hold up to
// about a million values and are asked for every row.
package cover

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/gaissmai/bart"

	"github.com/remeld/remeld/indicator"
)

// Entry is a value of a Set with one of the labels it was added under: the
// smallest, so that the same set always gives the same answer.
type Entry struct {
	Indicator indicator.Indicator
	Label     string
}

// Set is the index. The zero Set is empty and ready for use. Any number of
// readers may use it at a time; a writer needs it to itself.
type Set struct {
	exact    map[indicator.Indicator]*holding
	names    node                            // domains and URLs by reversed labels
	prefixes bart.Table[*holding]            // addresses and CIDRs
	hosts    bart.Table[[]*holding]          // URLs on address hosts, sorted
	ranges   map[indicator.Indicator]*extent // ranges that are no CIDR
	// index is built from ranges by the first reader after a write.
	index atomic.Pointer[intervals]
}

// holding is one value and how often it was added under each label.
type holding struct {
	value  indicator.Indicator
	labels []label // sorted by name
}

type label struct {
	name string
	n    int
}

func (h *holding) entry() (Entry, bool) {
	if h == nil {
		return Entry{}, false
	}
	return Entry{h.value, h.labels[0].name}, true
}

func (h *holding) find(name string) (int, bool) {
	return slices.BinarySearchFunc(h.labels, name, func(l label, name string) int {
		switch {
		case l.name < name:
			return -1
		case l.name > name:
			return 1
		}
		return 0
	})
}

// Len returns the number of different values.
func (s *Set) Len() int { return len(s.exact) }

// Add adds a value under a label. A value that was added several times, under one
// label or many, stays until it was removed as often.
func (s *Set) Add(i indicator.Indicator, name string) {
	h := s.exact[i]
	if h == nil {
		h = &holding{value: i}
		if s.exact == nil {
			s.exact = map[indicator.Indicator]*holding{}
		}
		s.exact[i] = h
		s.link(h)
	}
	at, found := h.find(name)
	if !found {
		h.labels = slices.Insert(h.labels, at, label{name: name})
	}
	h.labels[at].n++
}

// Remove takes back one Add of the same value and label; without one it does
// nothing.
func (s *Set) Remove(i indicator.Indicator, name string) {
	h := s.exact[i]
	if h == nil {
		return
	}
	at, found := h.find(name)
	if !found {
		return
	}
	if h.labels[at].n--; h.labels[at].n > 0 {
		return
	}
	if h.labels = slices.Delete(h.labels, at, at+1); len(h.labels) == 0 {
		delete(s.exact, i)
		s.unlink(h)
	}
}

// link enters a new value into the index of its kind.
func (s *Set) link(h *holding) {
	switch kind := h.value.Kind; {
	case kind == indicator.Domain:
		s.names.grow(h.value.Value).domain = h
	case kind == indicator.URL:
		name, addr := h.value.Host()
		if addr.IsValid() {
			p := hostPrefix(addr)
			urls, _ := s.hosts.Get(p)
			s.hosts.Insert(p, insertHolding(urls, h))
			return
		}
		n := s.names.grow(name)
		n.urls = insertHolding(n.urls, h)
	case kind.In(indicator.IP):
		if p, ok := h.value.Prefix(); ok {
			s.prefixes.Insert(p, h)
			return
		}
		s.addRange(h)
	}
}

func (s *Set) unlink(h *holding) {
	switch kind := h.value.Kind; {
	case kind == indicator.Domain:
		s.names.drop(h.value.Value, func(n *node) { n.domain = nil })
	case kind == indicator.URL:
		name, addr := h.value.Host()
		if addr.IsValid() {
			s.unlinkHost(hostPrefix(addr), h)
			return
		}
		s.names.drop(name, func(n *node) { n.urls = removeHolding(n.urls, h) })
	case kind.In(indicator.IP):
		if p, ok := h.value.Prefix(); ok {
			s.prefixes.Delete(p)
			return
		}
		s.removeRange(h)
	}
}

func (s *Set) unlinkHost(p netip.Prefix, h *holding) {
	urls, _ := s.hosts.Get(p)
	if urls = removeHolding(urls, h); len(urls) == 0 {
		s.hosts.Delete(p)
		return
	}
	s.hosts.Insert(p, urls)
}

func hostPrefix(addr netip.Addr) netip.Prefix { return netip.PrefixFrom(addr, addr.BitLen()) }

func findHolding(list []*holding, h *holding) (int, bool) {
	return slices.BinarySearchFunc(list, h.value.Value, func(x *holding, v string) int {
		switch {
		case x.value.Value < v:
			return -1
		case x.value.Value > v:
			return 1
		}
		return 0
	})
}

func insertHolding(list []*holding, h *holding) []*holding {
	at, _ := findHolding(list, h)
	return slices.Insert(list, at, h)
}

func removeHolding(list []*holding, h *holding) []*holding {
	at, found := findHolding(list, h)
	if !found {
		return list
	}
	return slices.Delete(list, at, at+1)
}
