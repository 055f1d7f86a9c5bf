package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/threatconnect"
)

// What users of ThreatConnect's twin name.
type (
	// ThreatConnect is what the instance starts with.
	ThreatConnect = threatconnect.Config
	// TCIndicator is an indicator in one owner.
	TCIndicator = threatconnect.Indicator
	// TCAttribute is an attribute of one.
	TCAttribute = threatconnect.Attribute
	// TCOwner is an owner with what the API user may do in it.
	TCOwner = threatconnect.Owner
)

// TCSize is how many indicators ThreatConnect starts with by default.
const TCSize = threatconnect.DefaultSize

// The demonstration API user of ThreatConnect. The key is fake on purpose.
const (
	DemoAccessID  = "11112222333344445555"
	DemoSecretKey = "not-a-real-key-sandbox-only"
)

func (s *Sandbox) startThreatConnect() error {
	c := s.opts.ThreatConnect
	c.Start = s.clock.Now()
	setDefault(&c.AccessID, DemoAccessID)
	setDefault(&c.Secret, DemoSecretKey)
	var err error
	if s.tc, err = threatconnect.New(c); err != nil {
		return fmt.Errorf("sandbox ThreatConnect: %w", err)
	}
	return nil
}

// ThreatConnectURL is the base URL of ThreatConnect's API, with its path.
func (s *Sandbox) ThreatConnectURL() string { return s.URL() + "/api" }

// ThreatConnectToken makes an API token of a kind that lives for so long by the
// sandbox's clock: APIV2 is a long-lived one, API and SVC are renewed at /appAuth.
func (s *Sandbox) ThreatConnectToken(kind string, life time.Duration) string {
	return s.tc.Token(kind, s.clock.Now().Add(life))
}

// routeThreatConnect takes every path under ThreatConnect's host names, and those of
// its versions by address.
func (s *Sandbox) routeThreatConnect(x *exchange, host string) bool {
	path, _, _ := strings.Cut(x.req.Target, "?")
	r, ok := threatconnect.Match(x.req.Method, host, path)
	if !ok || slices.Contains(loginHosts, host) || slices.Contains(defenderHosts, host) {
		return false
	}
	x.entry.Op = r.Op
	if signed, ok := strings.CutPrefix(x.req.Header.Get("Authorization"), "TC "); ok {
		id, _, _ := strings.Cut(signed, ":")
		x.entry.App = clip(id)
	}
	x.serve = func([]fault.Refusal) {
		x.reply, x.entry.Items = s.tc.Serve(threatconnect.Call{Route: r, Req: x.req})
	}
	return true
}

// SeedThreatConnect stores indicators of ThreatConnect as somebody else made them and
// returns their ids.
func (s *Sandbox) SeedThreatConnect(rows ...TCIndicator) ([]int64, error) {
	return s.tc.Seed(s.clock.Now(), rows)
}

// ThreatConnectRow returns an indicator of ThreatConnect, active or not.
func (s *Sandbox) ThreatConnectRow(id int64) (TCIndicator, error) {
	return s.tc.Row(s.clock.Now(), id)
}

// EditThreatConnect changes an indicator of ThreatConnect as an analyst does. As
// there, lastModified does not move with tags, labels and attributes.
func (s *Sandbox) EditThreatConnect(id int64, edit func(*TCIndicator)) error {
	return s.tc.Edit(s.clock.Now(), id, func(i *TCIndicator) error { edit(i); return nil })
}

// DeleteThreatConnect deletes an indicator of ThreatConnect as an analyst does.
func (s *Sandbox) DeleteThreatConnect(id int64) error { return s.tc.Remove(s.clock.Now(), id) }

// threatConnectLines describe the instance for a person.
func (s *Sandbox) threatConnectLines() []string {
	return []string{
		"", "ThreatConnect " + s.ThreatConnectURL(),
		"  access id " + s.tc.AccessID(),
		"  key       " + s.tc.Secret(),
	}
}

func rowNumber(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not the id of an indicator", text)
	}
	return id, nil
}

func getThreatConnect(s *Sandbox, _ *http.Request, args []string) (any, error) {
	id, err := rowNumber(args[0])
	if err != nil {
		return nil, err
	}
	return s.ThreatConnectRow(id)
}

func postThreatConnect(s *Sandbox, r *http.Request, _ []string) (any, error) {
	var in struct {
		Indicators []TCIndicator `json:"indicators"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	ids, err := s.SeedThreatConnect(in.Indicators...)
	return map[string]any{"ids": ids}, err
}

func patchThreatConnect(s *Sandbox, r *http.Request, args []string) (any, error) {
	var patch json.RawMessage
	if err := decode(r, &patch); err != nil {
		return nil, err
	}
	id, err := rowNumber(args[0])
	if err != nil {
		return nil, err
	}
	return nil, s.tc.Edit(s.clock.Now(), id, func(i *TCIndicator) error {
		if err := json.Unmarshal(patch, i); err != nil {
			return fmt.Errorf("read body: %w", err)
		}
		return nil
	})
}

func deleteThreatConnect(s *Sandbox, _ *http.Request, args []string) (any, error) {
	id, err := rowNumber(args[0])
	if err != nil {
		return nil, err
	}
	return nil, s.DeleteThreatConnect(id)
}
