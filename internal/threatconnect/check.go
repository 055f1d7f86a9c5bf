package threatconnect

import (
	"context"
	"fmt"
	"strings"

	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"
)

// maxOwners bounds what is read of an instance's answer to a check.
const maxOwners = 4 << 20

// check examines a connection: the way to the instance, its clock, the login, and the
// owners that the API user may read.
func check(ctx context.Context, cfg any, env sdk.Env, report func(sdk.Check)) {
	c := cfg.(*Connection).Rooted(env.BaseDir)
	client, err := httpx.New(httpx.Options{Clock: env.Clock, Log: env.Log, CAFile: c.CA, MaxBody: maxOwners, Retries: -1, UserAgent: "Remeld"})
	if err != nil {
		report(sdk.Check{Name: "certificate authorities", State: sdk.CheckFailed, Detail: err.Error(), Fix: "correct ca of the connection"})
		return
	}
	defer client.CloseIdle()
	if !client.Examine(ctx, c.URL, report) {
		report(sdk.Check{Name: "login", State: sdk.CheckSkipped, Detail: "not tried"})
		return
	}
	owners, err := New(Options{Connection: *c, HTTP: client, Clock: env.Clock, Log: env.Log, Once: true}).Owners(ctx)
	if err != nil {
		report(sdk.FailedCheck("login", err))
		return
	}
	report(sdk.Check{Name: "login", State: sdk.CheckOK, Detail: c.kind()})
	report(visible(owners))
}

// kind says in words how the connection logs in.
func (c *Connection) kind() string {
	if c.Token == "" {
		return "by signed requests of access ID " + c.AccessID
	}
	if end, known := expiry(c.Token.Reveal()); known {
		return "by a token that ends " + end.UTC().Format("2006-01-02 15:04 MST") + " and is renewed before"
	}
	return "by a token"
}

// shownOwners is how many owners are named.
const shownOwners = 10

func visible(owners []Owner) sdk.Check {
	if len(owners) == 0 {
		return sdk.Check{Name: "owners", State: sdk.CheckFailed, Detail: "the API user may read no owner", Fix: "give the user an owner role under Org Settings > Membership"}
	}
	names := make([]string, 0, shownOwners)
	for _, o := range owners[:min(len(owners), shownOwners)] {
		names = append(names, o.Name)
	}
	text := strings.Join(names, ", ")
	if more := len(owners) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return sdk.Check{Name: "owners", State: sdk.CheckOK, Detail: text}
}
