package web

import (
	"fmt"
	"net/http"
	"slices"
)

// site is one state of feeds and users; it is never changed.
type site struct {
	feeds map[string]Feed
	users *users
	// guarded: feeds without tags are closed. Off only where nobody but this machine
	// can connect and no user exists, as on the first day.
	guarded bool
}

func newSite(feeds []Feed, all []User, local bool) (*site, error) {
	u, err := newUsers(all)
	if err != nil {
		return nil, err
	}
	s := &site{feeds: make(map[string]Feed, len(feeds)), users: u, guarded: !local || len(all) > 0}
	for _, f := range feeds {
		if f.Name == "" || f.Handler == nil {
			return nil, fmt.Errorf("web: feed %q has no name or no handler", f.Name)
		}
		if _, taken := s.feeds[f.Name]; taken {
			return nil, fmt.Errorf("web: feed %q is given twice", f.Name)
		}
		s.feeds[f.Name] = f
	}
	return s, nil
}

func (s *site) open(tags []string) bool {
	return slices.Contains(tags, TagAnonymous) || (!s.guarded && len(tags) == 0)
}

// allowed says whether user, nil for nobody, may read a feed with these tags.
func (s *site) allowed(u *User, tags []string) bool {
	switch {
	case s.open(tags):
		return true
	case u == nil:
		return false
	case slices.Contains(tags, TagAny):
		return true
	}
	return slices.ContainsFunc(tags, func(t string) bool { return slices.Contains(u.Tags, t) })
}

// feed finds what a request asks for; code is what to answer where f is nil. To who
// is not logged in, a feed that does not exist looks like one that is closed.
func (s *site) feed(name string, r *http.Request) (f *Feed, user string, code int) {
	u := s.users.login(r)
	if u != nil {
		user = u.Name
	}
	found, ok := s.feeds[name]
	switch {
	case ok && s.allowed(u, found.Tags):
		return &found, user, http.StatusOK
	case !ok && (u != nil || !s.guarded):
		return nil, user, http.StatusNotFound
	}
	return nil, user, http.StatusUnauthorized
}
