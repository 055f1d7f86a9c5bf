package entra

import "slices"

// Assignment is an Azure role that an administrator gave an app. Tokens do not
// have it: the service that is asked looks it up.
type Assignment struct {
	// Role is the role's name, such as Microsoft Sentinel Contributor.
	Role string `json:"role"`
	// Scope is a path in the management plane (/subscriptions/…) that covers
	// all below it, or the id of a Log Analytics workspace.
	Scope string `json:"scope"`
}

// Assignments returns the Azure roles of an app in a tenant; none if there is
// no such app.
func (s *Service) Assignments(tenant, app string) []Assignment {
	t := s.tenant(tenant)
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(t.Apps, func(a App) bool { return a.ID == app })
	if i < 0 {
		return nil
	}
	return t.Apps[i].Assignments
}
