package graph

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// required are what a new indicator must have; the page of the create call asks
// the same of both products. The service itself was seen to ask for less.
var required = map[bool][]string{ // by: observed
	false: {"action", "description", "expirationDateTime", "targetProduct", "threatType", "tlpLevel"},
	true:  {"targetProduct"},
}

// check returns the provider's refusal of a new indicator.
func (c *call) check(v values) *apiError {
	for _, name := range required[c.observed()] {
		if v[name] == nil || v[name] == "" {
			return invalid("The required property '%s' is missing.", name)
		}
	}
	for _, check := range []func(values) *apiError{c.checkObservable, c.checkWords, c.checkValues} {
		if e := check(v); e != nil {
			return e
		}
	}
	return c.checkExpiry(v)
}

// checkObservable wants something to look for. Defender was seen to want an
// address twice, as destination and as address.
func (c *call) checkObservable(v values) *apiError {
	name := v.observable(v.text("targetProduct"))
	ip4 := name == "networkDestinationIPv4" && v.text("networkIPv4") == ""
	ip6 := name == "networkDestinationIPv6" && v.text("networkIPv6") == ""
	if name == "" || v.text("targetProduct") == defender && c.observed() && (ip4 || ip6) {
		return invalid("Missing indicators value")
	}
	return nil
}

func (c *call) checkWords(v values) *apiError {
	word := v.text("threatType")
	known := slices.ContainsFunc(threatTypes, func(t string) bool {
		return t == word || c.observed() && strings.EqualFold(t, word)
	})
	if word != "" && !known {
		return invalid("The threatType '%s' is not one of %s.", clip(word), strings.Join(threatTypes, ", "))
	}
	if c.observed() {
		return nil
	}
	for name, most := range map[string]int64{"confidence": 100, "severity": 5} {
		if n, ok := v[name].(int64); ok && (n < 0 || n > most) {
			return invalid("The %s %d is not from 0 to %d.", name, n, most)
		}
	}
	return nil
}

func (c *call) checkExpiry(v values) *apiError {
	t, ok := v["expirationDateTime"].(time.Time)
	if ok && c.sw.GraphPastExpiry == "reject" && !t.After(c.now) {
		return invalid("The expirationDateTime must be in the future.")
	}
	return nil
}

// checkValues looks at addresses, networks and hashes; other values are free.
func (c *call) checkValues(v values) *apiError {
	for name, x := range v {
		s, ok := x.(string)
		if !ok || s == "" || !strings.HasPrefix(name, "network") {
			continue
		}
		if e := checkNetwork(name, s); e != nil {
			return e
		}
	}
	return c.checkHash(v)
}

func checkNetwork(name, s string) *apiError {
	a, err := netip.ParseAddr(s)
	switch {
	case strings.HasSuffix(name, "IPv4") && (err != nil || !a.Is4()):
		return invalid("%s is not a valid IPv4 address.", clip(s))
	case strings.HasSuffix(name, "IPv6") && (err != nil || !a.Is6() || a.Zone() != ""):
		return invalid("%s is not a valid IPv6 address.", clip(s))
	case strings.HasSuffix(name, "CidrBlock"):
		if _, err := netip.ParsePrefix(s); err != nil {
			return invalid("%s is not a valid CIDR block.", clip(s))
		}
	}
	return nil
}

// hashes are the forms of a hash value by type; Defender takes these types only.
var hashes = map[string]*regexp.Regexp{
	"md5": regexp.MustCompile(`^[0-9A-Fa-f]{32}$`), "sha1": regexp.MustCompile(`^[0-9A-Fa-f]{40}$`), "sha256": regexp.MustCompile(`^[0-9A-Fa-f]{64}$`),
}

func (c *call) checkHash(v values) *apiError {
	value, typ := v.text("fileHashValue"), v.text("fileHashType")
	strict := !c.observed() || v.text("targetProduct") == defender
	form := hashes[typ]
	switch {
	case value == "" || !strict:
		return nil
	case typ == "":
		return invalid("The required property 'fileHashType' is missing.")
	case form == nil && v.text("targetProduct") == defender:
		return invalid("The fileHashType '%s' is not supported.", typ)
	case form != nil && !form.MatchString(value):
		return refuse(400, "InvalidHashValue", "Hash value %s is invalid.", clip(value))
	}
	return nil
}

// checkUpdate returns the refusal of a change to a row. The pages want id,
// expirationDateTime and targetProduct in it and allow some properties to
// change; the service was seen to take less and to ignore the rest.
func (c *call) checkUpdate(old *row, change values) *apiError {
	if p := change.text("targetProduct"); p != "" && p != old.product() {
		return invalid("The targetProduct of an indicator cannot be changed.")
	}
	if c.observed() {
		return nil
	}
	for _, name := range []string{"expirationDateTime", "targetProduct"} {
		if change[name] == nil {
			return invalid("The required property '%s' is missing.", name)
		}
	}
	for name, v := range change {
		if _, declared := byName[name]; declared && !editable[old.product()][name] && !same(old.values[name], v) {
			return invalid("The property '%s' cannot be updated for %s.", name, old.product())
		}
	}
	return c.checkWords(change)
}

func same(a, b any) bool { return string(appendValue(nil, a)) == string(appendValue(nil, b)) }
