package defender

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"

	api "github.com/remeld/remeld/internal/microsoft/defender"
)

// maxAddresses is how many single addresses a CIDR or range may become; each one
// takes a slot of the tenant (SEMANTICS, defaults).
const maxAddresses = 8

// maxDescription keeps the description readable in the portal; the service takes
// far more.
const maxDescription = 1000

// types maps the kinds the API takes to its names.
var types = map[indicator.Kind]string{
	indicator.IPv4: "IpAddress", indicator.IPv6: "IpAddress",
	indicator.Domain: "DomainName", indicator.URL: "Url",
	indicator.MD5: "FileMd5", indicator.SHA1: "FileSha1", indicator.SHA256: "FileSha256",
	indicator.Certificate: "CertificateThumbprint",
}

// severities maps 0–5 to the API's words; index -1 (unknown) is handled apart.
var severities = [...]string{"Informational", "Informational", "Low", "Medium", "High", "High"}

// Map turns a record into the API's indicators, one for each single address of a
// small range and one for everything else.
func (t *target) Map(rec *indicator.Record) ([]sdk.Object, *sdk.Unfit) {
	if why := t.fits(rec); why != nil {
		return nil, why
	}
	kind := types[rec.Kind]
	if from, to, isAddr := rec.Addrs(); isAddr {
		return t.mapAddresses(rec, kind, from, to), nil
	}
	return []sdk.Object{t.object(rec, kind, rec.Value, t.actionFor(rec.Kind))}, nil
}

const blockAndRemediate = "BlockAndRemediate"

// actionFor is the API's word for the node's action on a kind.
func (t *target) actionFor(kind indicator.Kind) string {
	switch {
	case t.action != "Block":
		return t.action
	case kind == indicator.Certificate:
		return blockAndRemediate // the only block the service has for certificates
	case t.config.FileBlock == "block_and_remediate" && (kind == indicator.MD5 || kind == indicator.SHA1 || kind == indicator.SHA256):
		return blockAndRemediate // refused for addresses, domains and URLs
	}
	return t.action
}

// Fit says what Map would refuse, without building a body: a plan over a million
// records asks it of each. It returns the code of the Unfit, "" if there is none.
func (t *target) Fit(rec *indicator.Record) string {
	if why := t.fits(rec); why != nil {
		return why.Code
	}
	return ""
}

// fits names what the service is known to refuse.
func (t *target) fits(rec *indicator.Record) *sdk.Unfit {
	switch _, known := types[rec.Kind]; {
	case !known:
		return &sdk.Unfit{Code: "unsupported_kind", Detail: "Defender has no indicator of kind " + rec.Kind.String()}
	case rec.Kind == indicator.IPv4 || rec.Kind == indicator.IPv6:
		return fitsAddresses(rec)
	case len(rec.Value) > api.MaxValueLen:
		return &sdk.Unfit{Code: "too_long", Detail: fmt.Sprintf("%d characters; Defender takes %d", len(rec.Value), api.MaxValueLen)}
	case rec.Kind == indicator.Domain && (strings.HasPrefix(rec.Value, "_") || strings.Contains(rec.Value, "._")):
		return &sdk.Unfit{Code: "underscore_label", Detail: "Defender refuses domain labels that begin with _"}
	case rec.Kind == indicator.Certificate && t.action != "Block":
		return &sdk.Unfit{Code: "action_not_for_kind", Detail: "certificates can only be blocked, not " + t.config.Action}
	}
	return nil
}

// fitsAddresses: few enough single addresses, all of them public.
func fitsAddresses(rec *indicator.Record) *sdk.Unfit {
	from, to, _ := rec.Addrs()
	for a, n := from, 1; ; a, n = a.Next(), n+1 {
		if n > maxAddresses {
			return &sdk.Unfit{Code: "range_too_wide", Detail: fmt.Sprintf("Defender takes single addresses; %s is more than %d of them", rec.Value, maxAddresses)}
		}
		if a.IsPrivate() || !a.IsGlobalUnicast() {
			return &sdk.Unfit{Code: "not_public", Detail: a.String() + " is not a public address, which Defender refuses"}
		}
		if a == to {
			return nil
		}
	}
}

func (t *target) mapAddresses(rec *indicator.Record, kind string, from, to netip.Addr) []sdk.Object {
	var objects []sdk.Object
	for a := from; ; a = a.Next() {
		one := *rec
		one.Indicator = indicator.FromAddrs(a, a)
		objects = append(objects, t.object(&one, kind, spell(a), t.action))
		if a == to {
			return objects
		}
	}
}

// spell writes an address as the API wants it: IPv6 with all eight groups.
func spell(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	b := a.As16()
	groups := make([]string, 8)
	for i := range groups {
		groups[i] = fmt.Sprintf("%x", uint16(b[2*i])<<8|uint16(b[2*i+1]))
	}
	return strings.Join(groups, ":")
}

func (t *target) object(rec *indicator.Record, kind, value, action string) sdk.Object {
	ind := api.Indicator{
		Value: value, Type: kind, Action: action,
		Title:              t.title(rec, value),
		Description:        describe(&rec.Attrs),
		Severity:           severity(rec.Attrs.Severity),
		Application:        application,
		RecommendedActions: t.config.Recommend,
		GenerateAlert:      action == "Audit",
		RBACGroupNames:     t.groups,
	}
	if kind == "Url" && action != "Audit" {
		ind.EducateURL = t.config.EducateURL
	}
	t.undocumented(&ind, &rec.Attrs)
	body, err := json.Marshal(ind)
	if err != nil { // strings and a bool always marshal
		panic(err)
	}
	slot := slotOf(kind, value, t.groups)
	return sdk.Object{
		Identity: slot + "|" + action, Slot: slot, Indicator: rec.Indicator, Action: action,
		Body: body, Hash: hashOf(&ind), Score: rec.Attrs.Confidence,
	}
}

// slotOf is the service's own notion of the same value: type, folded value and device
// groups (defender-sentinel reference 1.4); with the action it is one object.
func slotOf(kind, value string, groups []string) string {
	slot := kind + "|" + fold(value)
	if len(groups) > 0 { // scoped rows are objects of their own
		slot += "|" + scopeOf(groups)
	}
	return slot
}

// fold makes spellings of one value alike: letter case, and the groups of an IPv6
// address, which the service may list in another form than it takes.
func fold(value string) string {
	if a, err := netip.ParseAddr(value); err == nil {
		return a.String()
	}
	return strings.ToLower(value)
}

func severity(s indicator.Score) string {
	n, known := s.Get()
	if !known {
		return "Medium"
	}
	return severities[min(n, len(severities)-1)]
}

func (t *target) title(rec *indicator.Record, value string) string {
	return strings.NewReplacer("{value}", value, "{kind}", rec.Kind.String(),
		"{sources}", strings.Join(rec.Attrs.Sources, ", ")).Replace(t.config.Title)
}

// describe writes what is known in one line. The confidence stands last, so that
// scoreTail can take it out of the content hash.
func describe(a *indicator.Attributes) string {
	var parts []string
	add := func(label, text string) {
		if text != "" {
			parts = append(parts, label+text)
		}
	}
	add("", a.Description)
	add("sources: ", strings.Join(a.Sources, ", "))
	add("TLP:", strings.ToUpper(a.TLP.String()))
	add("threat: ", a.ThreatType)
	add("tags: ", strings.Join(a.Tags, ", "))
	text := strings.Join(parts, "; ")
	if text == "" {
		text = "threat indicator"
	}
	text = cut(text, maxDescription)
	if n, known := a.Confidence.Get(); known {
		text += fmt.Sprintf("; confidence %d", n)
	}
	return text
}

// cut shortens text to at most n bytes without splitting a character.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

var scoreTail = regexp.MustCompile(`; confidence \d+$`)

// hashOf is over what makes a change worth a write (SEMANTICS D10, D15): not the
// expiry, not the owner mark, not the score, nor the undocumented fields, which a
// tenant may drop: they ride along with the next write. application is fixed at creation.
func hashOf(ind *api.Indicator) string {
	sum := sha256.New()
	alert := fmt.Sprint(ind.GenerateAlert)
	for _, field := range []string{ind.Value, ind.Type, ind.Action, ind.Title, scoreTail.ReplaceAllString(ind.Description, ""), ind.Severity, ind.RecommendedActions, alert} {
		fmt.Fprintf(sum, "%d:%s", len(field), field)
	}
	if ind.EducateURL != "" { // absent, the hash is that of rows sent before the field was known
		fmt.Fprintf(sum, "educate:%s", ind.EducateURL)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
