package defender

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/remeld/remeld/sdk"
)

var scopeEscape = strings.NewReplacer(",", "%2C", "|", "%7C", "%", "%25")

// scopeOf is a set of device groups as a part of keys; groups are sorted.
func scopeOf(groups []string) string {
	out := make([]string, len(groups))
	for i, g := range groups {
		out[i] = scopeEscape.Replace(g)
	}
	return strings.Join(out, ",")
}

// domain is the destination domain: the tenant, and the device groups where the node
// is scoped to some (SEMANTICS D1).
func (t *target) domain(tenant string) string {
	if len(t.groups) == 0 {
		return tenant
	}
	return tenant + "/groups/" + scopeOf(t.groups)
}

// checkGroups: a group that the tenant does not know might make the service take the
// rows for every device, so nothing is listed, and so nothing created, before each is
// known by its exact name.
func (t *target) checkGroups(ctx context.Context, gate sdk.Gate) error {
	if len(t.groups) == 0 {
		return nil
	}
	if err := gate(ctx, sdk.OpList); err != nil {
		return err
	}
	have, err := t.client.DeviceGroups(ctx)
	if err != nil {
		return err
	}
	for _, g := range t.groups {
		if !slices.Contains(have, g) {
			return &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf(
				"the tenant has no device group %q; write device_groups letter by letter as Settings > Endpoints > Device groups shows them (%s)", g, strings.Join(have, ", "))}
		}
	}
	return nil
}
