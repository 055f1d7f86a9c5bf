package mde

import (
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/sandbox/switches"
)

// Lengths the service refuses to exceed, in characters.
const (
	maxValue = 800
	maxTitle = 4000
)

// required are the properties that must be given, in the order they are checked.
var required = []string{"indicatorValue", "indicatorType", "action", "title", "description"}

// missing returns the error of the first required property that is absent.
func (s *submission) missing(imported bool, sw *switches.Set) *apiError {
	for _, name := range required {
		if name == "description" && imported && sw.DescriptionOnImport == "optional" {
			continue
		}
		if !s.has[name] {
			return missing(name)
		}
	}
	return nil
}

// validate checks value, action and their combination, and rewrites retired
// actions. It is called after missing.
func (s *submission) validate(sw *switches.Set) *apiError {
	if s.Value == "" {
		return refuse(400, "InvalidInput", "Recieved an empty indicator value.")
	}
	if len([]rune(s.Value)) > maxValue {
		return refuse(400, "InvalidInput", "Invalid input: indicatorValue is longer than %d characters.", maxValue)
	}
	if n := len([]rune(s.Title)); n > maxTitle || n == 0 {
		return refuse(400, "InvalidInput", "Invalid input: title must have 1 to %d characters.", maxTitle)
	}
	if e := checkValue(s.Type, s.Value, sw); e != nil {
		return e
	}
	if e := s.retire(sw); e != nil {
		return e
	}
	return s.checkAction(sw)
}

// retire rewrites Alert and AlertAndBlock to what they mean today.
func (s *submission) retire(sw *switches.Set) *apiError {
	if s.Action != "Alert" && s.Action != "AlertAndBlock" {
		return nil
	}
	if sw.RetiredActions == "reject" {
		return refuse(400, "InvalidInput", "Invalid input: action %s is no longer supported.", s.Action)
	}
	s.GenerateAlert = true
	switch {
	case s.Action == "Alert":
		s.Action = "Audit"
	case isNetwork(s.Type):
		s.Action = "Block"
	default:
		s.Action = "BlockAndRemediate"
	}
	return nil
}

func isNetwork(typ string) bool { return typ == "IpAddress" || typ == "DomainName" || typ == "Url" }

func (s *submission) checkAction(sw *switches.Set) *apiError {
	switch {
	case s.Action == "BlockAndRemediate" && isNetwork(s.Type) && sw.RemediateOnNetwork == "reject",
		s.Type == "CertificateThumbprint" && sw.CertificateActions == "documented" && s.Action != "Allowed" && s.Action != "BlockAndRemediate":
		return refuse(400, "InvalidInput", "Invalid input: action %s is not supported for indicator type %s.", s.Action, s.Type)
	case s.Action == "Audit" && !s.GenerateAlert:
		return refuse(400, "InvalidInput", "Invalid input: generateAlert must be true when action is Audit.")
	case s.Type == "FileMd5" && sw.MD5 == "reject":
		return refuse(400, "InvalidInput", "Invalid input: indicator type FileMd5 is not supported.")
	}
	return nil
}

// inactive is the error of an expiry that is not in the future.
func (s *submission) inactive(now time.Time) *apiError {
	if e := s.Expires(); e.IsZero() || e.After(now) {
		return nil
	}
	return refuse(400, "BadRequest", "Indicator %s is inactive. (Expiration time should be set to a future date time)", s.Value)
}

var hexLength = map[string]int{"FileMd5": 32, "FileSha1": 40, "FileSha256": 64, "CertificateThumbprint": 40}

func checkValue(typ, value string, sw *switches.Set) *apiError {
	switch typ {
	case "IpAddress":
		if !addressOK(value, sw) {
			return refuse(400, "InvalidIpAddress", "IP address %s is invalid.", value)
		}
	case "DomainName":
		if !domainOK(value) {
			return refuse(400, "InvalidDomainName", "Domain name %s is invalid.", value)
		}
	case "Url":
		if !urlOK(value) {
			return refuse(400, "InvalidUrl", "URL %s is invalid.", value)
		}
	default:
		if len(value) != hexLength[typ] || strings.Trim(value, "0123456789abcdefABCDEF") != "" {
			return refuse(400, "InvalidHashValue", "Hash value %s is invalid.", value)
		}
	}
	return nil
}

// addressOK takes one dotted quad, or an IPv6 address with all eight groups.
func addressOK(s string, sw *switches.Set) bool {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is6() && (strings.Count(s, ":") != 7 || strings.Contains(s, "::") || strings.Contains(s, ".")) {
		return false
	}
	internal := a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()
	return !internal || sw.InternalIP == "accept"
}

var label = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$`)

// domainOK takes an ASCII host name of two or more labels.
func domainOK(s string) bool {
	labels := strings.Split(s, ".")
	if len(s) > 253 || len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if !label.MatchString(l) {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// urlOK takes a full http(s) URL, or host and path without a scheme.
func urlOK(s string) bool {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return false
	}
	rest := s
	if scheme, after, ok := strings.Cut(s, "://"); ok && !strings.ContainsAny(scheme, "/?#") {
		if scheme = strings.ToLower(scheme); scheme != "http" && scheme != "https" {
			return false
		}
		rest = after
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	if i := strings.LastIndex(host, "@"); i >= 0 {
		host = host[i+1:]
	}
	return hostOK(host)
}

func hostOK(host string) bool {
	if a, err := netip.ParseAddrPort(host); err == nil {
		return a.IsValid()
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	name, port, found := strings.Cut(host, ":")
	if found && (port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "") {
		return false
	}
	return domainOK(name)
}
